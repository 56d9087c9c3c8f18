/**
 * The text of a delivery status notification (RFC 3461, 3464), in Postfix's words (bounce(5), bounce(8)).
 *
 * Promises: whatever a remote host said is masked of control characters and wrapped; lines end in LF; the result is a
 * whole message. Pure: the caller gives the times, the ids and the returned text.
 */
import { mailDate } from '../cleanup/mail-date.ts';

export type ReportKind = 'failed' | 'delayed' | 'delivered';

export interface ReportRecipient {
  readonly address: string;
  /** RFC 3461 ORCPT: `rfc822;user@example.org`. */
  readonly originalRecipient?: string | undefined;
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';
  readonly dsn: string;
  readonly reason: string;
  readonly remoteMta?: string | undefined;
  /** The remote's reply; without it the reason is ours. */
  readonly diagnostic?: string | undefined;
}

export interface Report {
  readonly kind: ReportKind;
  /** Queue id of the report itself. */
  readonly id: string;
  readonly now: number;
  readonly hostname: string;
  readonly origin: string;
  /** The message it is about. */
  readonly about: {
    readonly id: string;
    readonly sender: string;
    readonly arrival: number;
    readonly envelopeId?: string | undefined;
    readonly smtputf8?: boolean | undefined;
  };
  readonly recipients: readonly ReportRecipient[];
  /** What is returned: the whole message, its header only, or undefined when it cannot be read. */
  readonly returned: { readonly kind: 'message' | 'headers'; readonly text: Uint8Array } | undefined;
  /** For a delay warning: hours that passed, and when it will be given up. */
  readonly delayHours?: number | undefined;
  readonly lifetimeDays?: number | undefined;
  readonly retryUntil?: number | undefined;
}

const subjects = {
  failed: 'Undelivered Mail Returned to Sender',
  delayed: 'Delayed Mail (still being retried)',
  delivered: 'Successful Mail Delivery Report',
} as const;

const assistance = [
  'For further assistance, please send mail to postmaster.',
  '',
  'If you do so, please include this problem report. You can',
  'delete your own text from the attached returned message.',
];

/** The whole message, LF line ends. */
export function formatReport(report: Report): Buffer {
  const { about, id, now, hostname } = report;
  const boundary = `${id}.${Math.floor(now / 1000)}/${hostname}`;
  const utf8 = about.smtputf8 === true;
  const lines: string[] = [
    `Received: by ${hostname} (Postrider)`,
    `\tid ${id}; ${mailDate(now)}`,
    `Date: ${mailDate(now)}`,
    `From: MAILER-DAEMON@${report.origin} (Mail Delivery System)`,
    `Subject: ${subjects[report.kind]}`,
    `To: ${clean(about.sender)}`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;',
    `\tboundary="${boundary}"`,
    ...(isAscii(report.returned?.text) && !utf8 ? [] : ['Content-Transfer-Encoding: 8bit']),
    `Message-Id: <${reportMessageId(report)}>`,
    '',
    'This is a MIME-encapsulated message.',
    '',
    `--${boundary}`,
    'Content-Description: Notification',
    `Content-Type: text/plain; charset=${utf8 ? 'utf-8' : 'us-ascii'}`,
    '',
    ...notification(report),
    ...report.recipients.flatMap(({ address, reason }) => ['', ...wrap(`<${clean(address)}>: ${clean(reason, utf8)}`)]),
    '',
    `--${boundary}`,
    'Content-Description: Delivery report',
    `Content-Type: message/${utf8 ? 'global-' : ''}delivery-status`,
    '',
    `Reporting-MTA: dns; ${hostname}`,
    ...(about.envelopeId === undefined ? [] : [`Original-Envelope-Id: ${clean(about.envelopeId)}`]),
    `X-Postfix-Queue-ID: ${about.id}`,
    `X-Postfix-Sender: ${addressType(about.sender)}; ${clean(about.sender, utf8)}`,
    `Arrival-Date: ${mailDate(about.arrival)}`,
    ...report.recipients.flatMap((recipient) => ['', ...recipientFields(recipient, report, utf8)]),
    '',
  ];
  const under = report.kind === 'delivered' ? '' : 'Undelivered ';
  const headersOnly = report.returned?.kind === 'headers';
  lines.push(
    `--${boundary}`,
    `Content-Description: ${under}Message${headersOnly ? ' Headers' : ''}`,
    `Content-Type: ${headersOnly ? 'text/rfc822-headers' : utf8 ? 'message/global' : 'message/rfc822'}`,
    ...(isAscii(report.returned?.text) ? [] : ['Content-Transfer-Encoding: 8bit']),
    '',
    '',
  );
  const returned = report.returned?.text ?? Buffer.from('\t--- Undelivered message unavailable ---\n');
  const end = returned.at(-1) === 10 ? '\n' : '\n\n';
  return Buffer.concat([Buffer.from(lines.join('\n')), returned, Buffer.from(`${end}--${boundary}--\n`)]);
}

/** Without the angle brackets. */
export function reportMessageId({ id, now, hostname }: Pick<Report, 'id' | 'now' | 'hostname'>): string {
  const stamp = new Date(now).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return `${stamp}.${id}@${hostname}`;
}

function notification(report: Report): string[] {
  const first = `This is the mail system at host ${report.hostname}.`;
  const signature = ['', '                   The mail system'];
  switch (report.kind) {
    case 'failed':
      return [
        first,
        '',
        "I'm sorry to have to inform you that your message could not",
        "be delivered to one or more recipients. It's attached below.",
        '',
        ...assistance,
        ...signature,
      ];
    case 'delayed':
      return [
        first,
        '',
        '####################################################################',
        '# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #',
        '####################################################################',
        '',
        `Your message could not be delivered for more than ${report.delayHours ?? 0} hour(s).`,
        `It will be retried until it is ${report.lifetimeDays ?? 0} day(s) old.`,
        '',
        ...assistance,
        ...signature,
      ];
    case 'delivered':
      return [
        first,
        '',
        'Your message was successfully delivered to the destination(s)',
        'listed below. If the message was delivered to mailbox you will',
        'receive no further notifications. Otherwise you may still receive',
        'notifications of mail delivery errors from other systems.',
        ...signature,
      ];
  }
}

function recipientFields(recipient: ReportRecipient, report: Report, utf8: boolean): string[] {
  const diagnostic =
    recipient.diagnostic === undefined ? `X-Postfix; ${recipient.reason}` : `smtp; ${recipient.diagnostic}`;
  return [
    `Final-Recipient: ${addressType(recipient.address)}; ${clean(recipient.address, utf8)}`,
    ...(recipient.originalRecipient === undefined ? [] : [`Original-Recipient: ${clean(recipient.originalRecipient)}`]),
    `Action: ${recipient.action}`,
    `Status: ${recipient.dsn}`,
    ...(recipient.remoteMta === undefined ? [] : [`Remote-MTA: dns; ${clean(recipient.remoteMta)}`]),
    ...wrap(`Diagnostic-Code: ${clean(diagnostic, utf8)}`),
    ...(report.kind === 'delayed' && report.retryUntil !== undefined
      ? [`Will-Retry-Until: ${mailDate(report.retryUntil)}`]
      : []),
  ];
}

/** RFC 6533: an address that is not ASCII has the type utf-8. */
function addressType(address: string): string {
  return /^[\x20-\x7e]*$/.test(address) ? 'rfc822' : 'utf-8';
}

/** Control characters, and without SMTPUTF8 all that is not ASCII, become `?` (bounce_log_read masks them). */
function clean(text: string, utf8 = true): string {
  const masked = text.replace(/[\p{Cc}\u2028\u2029]/gu, '?').toWellFormed();
  return utf8 ? masked : masked.replace(/[^\x20-\x7e]/gu, '?');
}

/** Lines of at most 79 characters where there are spaces, continued with four. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.length + 1 + word.length > 79) {
      lines.push(line);
      line = `    ${word}`;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
    // No line of ours is longer than SMTP's 998.
    while (line.length > 900) {
      lines.push(line.slice(0, 900));
      line = `    ${line.slice(900)}`;
    }
  }
  lines.push(line);
  return lines;
}

function isAscii(text: Uint8Array | undefined): boolean {
  return text === undefined || text.every((byte) => byte < 0x80);
}
