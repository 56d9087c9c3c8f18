/**
 * Message intake: from an accepted envelope and a stream of content to one durable NewMessage.
 *
 * Content has LF line ends: the queue keeps LF (as Postfix does and Maildirs want), and `size` counts so; who sends by
 * SMTP makes CRLF of them. Adds Received:, the missing headers (always_add_missing_headers, or a local client), drops
 * message_drop_headers, counts hops, enforces message_size_limit while the content streams.
 * Promises: `end` resolves only when `accept` did, which is when the message survives a power cut. Small messages stay
 * in memory, larger ones go to a synced file; a message that is refused or aborted leaves no file.
 * Fails: `end` throws IntakeError with the reply for the client; everything else was a programming error.
 */
import { statfs } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import { StoreFullError, type NewMessage, type NewRecipient, type StoredEnvelope } from '../queue/store.ts';
import { BodySink } from './body-sink.ts';
import { HeaderFilter } from './header-filter.ts';
import { compactTime, mailDate } from './mail-date.ts';
import { createQueueIds, preciseNow } from './queue-id.ts';
import { receivedHeader, submittedHeader, type ReceivedFrom } from './received.ts';
import { decodeHeaderText } from './header-text.ts';

/** Why a message was not taken: `552 5.3.4 Error: message file too big`. Nothing of it is left. */
export class IntakeError extends Error {
  override name = 'IntakeError';
  readonly reply: string;

  constructor(reply: string, cause?: unknown) {
    super(reply, cause === undefined ? undefined : { cause });
    this.reply = reply;
  }
}

export interface IntakeRequest {
  /** From `newId()`; absent: a fresh one. */
  readonly id?: string | undefined;
  /** Milliseconds since 1970 with a fraction; absent: now. */
  readonly arrival?: number | undefined;
  readonly envelope: StoredEnvelope;
  readonly recipients: readonly NewRecipient[];
  /** Network client, for Received:. */
  readonly from?: ReceivedFrom | undefined;
  /** Local user name that submitted it, for Received: when there is no network client. */
  readonly user?: string | undefined;
  /** The client is local (local_header_rewrite_clients): add the headers that are missing. */
  readonly local: boolean;
  readonly hold?: boolean | undefined;
}

export interface IncomingMessage {
  readonly id: string;
  /** Takes content with LF line ends; the bytes must not change afterwards. A promise means: wait before the next. */
  write(content: Buffer): Promise<void> | undefined;
  /** Everything was written. Resolves when the message is durable; throws IntakeError. */
  end(): Promise<{ id: string; size: number }>;
  /** The client went away. Resolves when nothing is left of the message. */
  abort(): Promise<void>;
}

export interface Intake {
  newId(arrival?: number): string;
  open(request: IntakeRequest): IncomingMessage;
  /** Bytes free where large bodies go. */
  freeSpace(): Promise<number>;
  /** As sendmail(1): `data` with CRLF or LF line ends. Throws IntakeError. */
  submit(submission: Submission): Promise<{ id: string }>;
}

export interface Submission {
  readonly sender: string;
  readonly recipients: readonly (string | NewRecipient)[];
  readonly data: Uint8Array;
  /** Who submits, for the log and Received:. */
  readonly user?: string | undefined;
}

export interface IntakeOptions {
  /** Asked for each message, so that a reload holds from the next one on. */
  readonly configuration: () => Configuration;
  readonly log: MailLog;
  /** The queue manager's: durable when resolved. StoreFullError becomes 452 4.3.1, anything else 451 4.3.0. */
  readonly accept: (message: NewMessage) => Promise<void>;
  readonly bodiesFolder: string;
  /** Alias and virtual expansion. Throwing means 451 4.3.0. */
  readonly expand?:
    ((recipients: readonly NewRecipient[]) => readonly NewRecipient[] | Promise<readonly NewRecipient[]>) | undefined;
}

interface Rules {
  readonly hostname: string;
  readonly mailName: string;
  readonly longIds: boolean;
  readonly sizeLimit: number;
  readonly headerLimit: number;
  readonly hopLimit: number;
  /** Bytes kept in memory before a message goes to a file. */
  readonly memoryLimit: number;
  readonly drop: ReadonlySet<string>;
  readonly alwaysAdd: boolean;
  readonly undisclosed: string;
}

function readRules(configuration: Configuration): Rules {
  return {
    hostname: configuration.text('myhostname'),
    mailName: configuration.text('mail_name'),
    longIds: configuration.bool('enable_long_queue_ids'),
    sizeLimit: configuration.int('message_size_limit'),
    headerLimit: configuration.int('header_size_limit'),
    hopLimit: configuration.int('hopcount_limit'),
    memoryLimit: configuration.int('postrider_body_memory_limit'),
    drop: new Set(configuration.list('message_drop_headers').map((name) => name.toLowerCase())),
    alwaysAdd: configuration.bool('always_add_missing_headers'),
    undisclosed: configuration.text('undisclosed_recipients_header'),
  };
}

export function createIntake(options: IntakeOptions): Intake {
  const ids = createQueueIds();
  let current: Configuration | undefined;
  let rules: Rules | undefined;

  /** Read once a configuration, not once a message. */
  function rulesNow(): Rules {
    const configuration = options.configuration();
    if (rules === undefined || configuration !== current) {
      current = configuration;
      rules = readRules(configuration);
    }
    return rules;
  }

  const newId = (arrival = preciseNow()): string => ids.next(arrival, rulesNow().longIds);

  function open(request: IntakeRequest): IncomingMessage {
    const rules = rulesNow();
    const arrival = request.arrival ?? preciseNow();
    const id = request.id ?? newId(arrival);
    const date = mailDate(arrival);
    const add = request.local || rules.alwaysAdd;
    let madeId: string | undefined;
    const filter = new HeaderFilter({
      drop: rules.drop,
      headerLimit: rules.headerLimit,
      missing(has) {
        if (!add) return '';
        if (!has('message-id')) madeId = `<${compactTime(arrival)}.${id}@${rules.hostname}>`;
        return missingHeaders(has, request, rules, madeId, arrival);
      },
    });
    const sink = new BodySink(options.bodiesFolder, id, rules.memoryLimit);
    let pause: Promise<void> | undefined;
    let tooBig = false;
    const keep = (bytes: Buffer): void => {
      if (tooBig) return;
      if (rules.sizeLimit > 0 && sink.size + bytes.length > rules.sizeLimit) {
        tooBig = true;
        void sink.discard();
        return;
      }
      pause = sink.push(bytes) ?? pause;
    };
    const single = request.recipients.length === 1 ? request.recipients[0]?.address : undefined;
    const header = {
      hostname: rules.hostname,
      mailName: rules.mailName,
      protocol: request.envelope.protocol ?? 'SMTP',
      id,
      recipient: single,
      date,
    };
    keep(
      Buffer.from(
        request.from === undefined
          ? submittedHeader(request.user ?? 'unknown', header)
          : receivedHeader(request.from, header),
        'utf8',
      ),
    );

    return {
      id,
      write(content) {
        if (tooBig) return undefined;
        pause = undefined;
        if (filter.inBody) keep(content);
        else filter.write(content, keep);
        return pause;
      },

      async end() {
        filter.end(keep);
        const messageId = filter.messageId ?? madeId;
        options.log.line('cleanup', `${id}: message-id=${messageId ?? ''}`);
        try {
          if (tooBig) {
            options.log.line('cleanup', `${id}: warning: queue file size limit exceeded`, 'warning');
            throw new IntakeError('552 5.3.4 Error: message file too big');
          }
          if (filter.received > rules.hopLimit) {
            options.log.line('cleanup', `${id}: too many hops, message-id=${messageId ?? ''}`);
            throw new IntakeError('554 5.4.0 Error: too many hops');
          }
          if (request.recipients.length === 0) throw new IntakeError('550 5.1.0 Error: no recipients specified');
          const recipients = distinct(
            options.expand === undefined ? request.recipients : await options.expand(request.recipients),
          );
          const body = await sink.finish();
          await options.accept({
            id,
            arrival,
            envelope: request.envelope,
            recipients,
            size: sink.size,
            subject: filter.subject === undefined ? undefined : decodeHeaderText(filter.subject),
            messageId: messageId?.slice(0, 998),
            body,
            hold: request.hold,
          });
        } catch (error) {
          await sink.discard();
          throw intakeError(error, id, options.log);
        }
        return { id, size: sink.size };
      },

      async abort() {
        tooBig = true;
        await sink.discard();
      },
    };
  }

  return {
    newId,
    open,
    async freeSpace() {
      const { bavail, bsize } = await statfs(options.bodiesFolder);
      return bavail * bsize;
    },
    async submit({ sender, recipients, data, user }) {
      const message = open({
        envelope: { sender, client: undefined, protocol: undefined },
        recipients: recipients.map((recipient) => (typeof recipient === 'string' ? { address: recipient } : recipient)),
        user,
        local: true,
      });
      options.log.line('pickup', `${message.id}: uid=${user ?? 'unknown'} from=<${sender}>`);
      const content = toLineFeeds(data);
      for (let at = 0; at < content.length; at += 65_536) {
        await message.write(content.subarray(at, at + 65_536));
      }
      return { id: (await message.end()).id };
    },
  };
}

/** What cleanup(8) appends when a header is not there. */
function missingHeaders(
  has: (name: string) => boolean,
  request: IntakeRequest,
  rules: Rules,
  messageId: string | undefined,
  arrival: number,
): string {
  let lines = '';
  if (messageId !== undefined) lines += `Message-Id: ${messageId}\n`;
  if (!has('date')) lines += `Date: ${mailDate(arrival)}\n`;
  if (!has('from')) {
    const sender = request.envelope.sender;
    lines += sender === '' ? 'From: MAILER-DAEMON (Mail Delivery System)\n' : `From: ${sender}\n`;
  }
  if (!has('to') && !has('cc') && !has('bcc') && rules.undisclosed !== '') lines += `${rules.undisclosed}\n`;
  return lines;
}

/** The same address asked for twice in the same words is one recipient (cleanup's duplicate filter). */
function distinct(recipients: readonly NewRecipient[]): readonly NewRecipient[] {
  if (recipients.length < 2) return recipients;
  const seen = new Set<string>();
  return recipients.filter(({ address, originalAddress }) => {
    const key = `${address}\0${originalAddress ?? address}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function intakeError(error: unknown, id: string, log: MailLog): IntakeError {
  if (error instanceof IntakeError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  log.line('cleanup', `${id}: warning: ${errorMessage(error)}`, 'warning');
  if (error instanceof StoreFullError || code === 'ENOSPC' || code === 'EDQUOT') {
    return new IntakeError('452 4.3.1 Insufficient system storage', error);
  }
  return new IntakeError('451 4.3.0 Error: queue file write error', error);
}

/** CRLF becomes LF, other CRs a space, NUL goes; the last line gets its end. */
function toLineFeeds(data: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(data.length + 1);
  let length = 0;
  for (let at = 0; at < data.length; at += 1) {
    const byte = data[at] as number;
    if (byte === 0x0d) {
      if (data[at + 1] !== 0x0a) out[length++] = 0x20;
    } else if (byte !== 0) out[length++] = byte;
  }
  if (length > 0 && out[length - 1] !== 0x0a) out[length++] = 0x0a;
  return out.subarray(0, length);
}
