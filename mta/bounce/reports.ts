/**
 * Which reports a message's outcomes give rise to: non-delivery, delay, success (bounce(8), RFC 3461 section 4.1).
 *
 * Promises: never rejects. A message from the null sender gets none: what cannot be delivered is dropped, and logged.
 * NOTIFY decides for each recipient. The report carries the whole message when it is at most bounce_size_limit long
 * and RET=HDRS was not asked for, else its header.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import type { DeliveryOutcome } from '../qmgr/agent.ts';
import type { NewMessage, Notify, QueuedMessage, QueuedRecipient, StoredBody } from '../queue/store.ts';
import { formatReport, reportMessageId, type Report, type ReportKind, type ReportRecipient } from './report.ts';

export interface ReportContext {
  readonly configuration: Configuration;
  readonly log: MailLog;
  readonly newId: () => string;
  /** Milliseconds. */
  readonly now: number;
  readonly message: QueuedMessage;
  readonly body: () => Promise<StoredBody>;
}

export interface ReportedOutcomes {
  readonly sent?: readonly DeliveryOutcome[];
  readonly bounced?: readonly DeliveryOutcome[];
  readonly delayed?: readonly DeliveryOutcome[];
}

const kinds = [
  { outcomes: 'bounced', kind: 'failed', notify: 'FAILURE', unasked: true, words: 'sender non-delivery notification' },
  { outcomes: 'delayed', kind: 'delayed', notify: 'DELAY', unasked: true, words: 'sender delay notification' },
  {
    outcomes: 'sent',
    kind: 'delivered',
    notify: 'SUCCESS',
    unasked: false,
    words: 'sender delivery status notification',
  },
] as const;

/** RFC 5322 headers longer than this are not returned. */
const headerLimit = 102_400;

export async function buildReports(context: ReportContext, outcomes: ReportedOutcomes): Promise<NewMessage[]> {
  const reports: NewMessage[] = [];
  for (const { outcomes: from, kind, notify, unasked, words } of kinds) {
    const about = outcomes[from];
    if (about === undefined || about.length === 0) continue;
    const recipients = reported(context.message, about, notify, unasked, kind);
    if (recipients.length === 0) continue;
    const { id, envelope } = context.message;
    if (envelope.sender === '') {
      if (kind === 'failed') context.log.line('bounce', `${id}: undeliverable notification discarded`, 'warning');
      continue;
    }
    const report = await build(context, kind, recipients);
    context.log.line('bounce', `${id}: ${words}: ${report.id}`);
    reports.push(report);
  }
  return reports;
}

function reported(
  message: QueuedMessage,
  outcomes: readonly DeliveryOutcome[],
  notify: Notify,
  unasked: boolean,
  kind: ReportKind,
): ReportRecipient[] {
  const byIndex = new Map(message.recipients.map((recipient) => [recipient.index, recipient]));
  const recipients: ReportRecipient[] = [];
  for (const outcome of outcomes) {
    const recipient = byIndex.get(outcome.index);
    if (recipient === undefined || !wanted(recipient, notify, unasked)) continue;
    if (kind === 'delivered' && outcome.dsnPassedOn === true) continue;
    const relayed = outcome.remoteMta !== undefined;
    recipients.push({
      address: recipient.address,
      originalRecipient: recipient.originalRecipient,
      action: kind === 'delivered' && relayed ? 'relayed' : kind,
      dsn: outcome.dsn,
      reason: kind === 'delivered' ? `delivery via ${outcome.relay ?? 'none'}: ${outcome.reason}` : outcome.reason,
      remoteMta: outcome.remoteMta,
      diagnostic: outcome.diagnostic,
    });
  }
  return recipients;
}

function wanted(recipient: QueuedRecipient, notify: Notify, unasked: boolean): boolean {
  return recipient.notify === undefined || recipient.notify.length === 0 ? unasked : recipient.notify.includes(notify);
}

async function build(
  context: ReportContext,
  kind: ReportKind,
  recipients: readonly ReportRecipient[],
): Promise<NewMessage> {
  const { configuration, message, now } = context;
  const lifetime = configuration.time('maximal_queue_lifetime');
  const report: Report = {
    kind,
    id: context.newId(),
    now,
    hostname: configuration.text('myhostname'),
    origin: configuration.text('myorigin'),
    about: {
      id: message.id,
      sender: message.envelope.sender,
      arrival: message.arrival,
      envelopeId: message.envelope.envelopeId,
      smtputf8: message.envelope.smtputf8,
    },
    recipients,
    returned: await returnedText(context, kind),
    delayHours: Math.round(configuration.time('delay_warning_time') / 3_600_000),
    lifetimeDays: Math.round(lifetime / 86_400_000),
    retryUntil: message.arrival + lifetime,
  };
  const data = formatReport(report);
  return {
    id: report.id,
    arrival: now,
    envelope: { sender: '', ...(message.envelope.smtputf8 === true ? { smtputf8: true } : {}), body: '8BITMIME' },
    recipients: [{ address: message.envelope.sender }],
    size: data.byteLength,
    subject: /^Subject: (.*)$/m.exec(data.toString('latin1', 0, 2000))?.[1],
    messageId: `<${reportMessageId(report)}>`,
    body: { kind: 'memory', data },
  };
}

async function returnedText(context: ReportContext, kind: ReportKind): Promise<Report['returned']> {
  const limit = context.configuration.int('bounce_size_limit');
  const { ret } = context.message.envelope;
  // RFC 3461 section 4.3: only a failure returns the content.
  const whole = kind === 'failed' && ret !== 'HDRS' && context.message.size <= limit;
  try {
    const body = await context.body();
    const data = body.kind === 'memory' ? body.data : await readStart(body.path, whole ? limit : headerLimit);
    if (whole) return { kind: 'message', text: data };
    return { kind: 'headers', text: headerOf(data.subarray(0, headerLimit)) };
  } catch (error) {
    context.log.line(
      'bounce',
      `${context.message.id}: the message cannot be returned: ${errorMessage(error)}`,
      'warning',
    );
    return undefined;
  }
}

async function readStart(path: string, length: number): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const data = Buffer.alloc(length);
    let filled = 0;
    for (;;) {
      const { bytesRead } = await file.read(data, filled, length - filled, filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled === length) return data.subarray(0, filled);
    }
  } finally {
    await file?.close();
  }
}

/** Up to the empty line, or the last whole line. */
function headerOf(data: Uint8Array): Uint8Array {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (text[0] === 10) return text.subarray(0, 0);
  const end = text.indexOf('\n\n');
  return text.subarray(0, (end === -1 ? text.lastIndexOf(10) : end) + 1);
}
