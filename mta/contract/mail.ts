/**
 * The nouns of mail: queue entries, recipients, mailboxes, messages, log lines. Schemas first, types from them.
 * Times are milliseconds since 1970 (UTC); sizes are bytes. Pure: no Node, no DOM.
 */
import * as z from 'zod';
import { Filter } from './filter.ts';

export const queueNames = ['incoming', 'active', 'deferred', 'hold', 'corrupt'] as const;
export const QueueName = z.enum(queueNames);
export type QueueName = z.output<typeof QueueName>;

/** Postfix's short or long queue id. */
export const QueueId = z.string().regex(/^[0-9A-Za-z]{1,64}$/, 'a queue id has letters and digits only');
export type QueueId = z.output<typeof QueueId>;

const time = z.number();
const size = z.number().nonnegative();

export const QueueRecipient = z.object({
  address: z.string(),
  /** As the client gave it, when aliases or maps changed it. */
  originalAddress: z.string().optional(),
  state: z.enum(['waiting', 'sent', 'deferred', 'bounced']),
  /** The last answer, in the words of the log. */
  reason: z.string().optional(),
  /** Enhanced status code of that answer: `4.4.1`. */
  dsn: z.string().optional(),
  relay: z.string().optional(),
  at: time.optional(),
});
export type QueueRecipient = z.output<typeof QueueRecipient>;

export const QueueEntry = z.object({
  id: QueueId,
  queue: QueueName,
  arrival: time,
  size,
  sender: z.string(),
  /** The first few; `recipientCount` has them all. */
  recipients: z.array(z.string()),
  recipientCount: z.number().int(),
  reason: z.string().optional(),
  dsn: z.string().optional(),
  domain: z.string().optional(),
  attempts: z.number().int(),
  nextAttempt: time.optional(),
  /** When the queue manager gives up and returns it. */
  expires: time.optional(),
  forcedExpire: z.boolean(),
});
export type QueueEntry = z.output<typeof QueueEntry>;

/** How a message came in. */
export const Envelope = z.object({
  sender: z.string(),
  client: z.string().optional(),
  helo: z.string().optional(),
  protocol: z.string().optional(),
  saslUser: z.string().optional(),
  saslMethod: z.string().optional(),
  tls: z.string().optional(),
  envelopeId: z.string().optional(),
});
export type Envelope = z.output<typeof Envelope>;

export const QueueMessage = QueueEntry.extend({
  recipientList: z.array(QueueRecipient),
  envelope: Envelope,
  subject: z.string().optional(),
  messageId: z.string().optional(),
});
export type QueueMessage = z.output<typeof QueueMessage>;

export const QueueCounts = z.object({
  incoming: z.number().int(),
  active: z.number().int(),
  deferred: z.number().int(),
  hold: z.number().int(),
  corrupt: z.number().int(),
});
export type QueueCounts = z.output<typeof QueueCounts>;

export const QueueGroup = z.object({
  /** The reason with names and numbers that vary taken out, or the destination domain. */
  key: z.string(),
  example: z.string().optional(),
  dsn: z.string().optional(),
  count: z.number().int(),
  destinations: z.number().int(),
  oldest: time,
  nextAttempt: time.optional(),
});
export type QueueGroup = z.output<typeof QueueGroup>;

/** What an action works on. `expected` is the count the person saw; the server refuses when far more match now. */
export const QueueSelection = z.union([
  z.object({ ids: z.array(QueueId).max(100_000) }),
  z.object({ filter: Filter, expected: z.number().int().nonnegative().optional() }),
]);
export type QueueSelection = z.output<typeof QueueSelection>;

/** How many messages an action changed, and which ids it did not know. */
export const ActionResult = z.object({
  done: z.number().int(),
  unknown: z.array(z.string()),
  cancelled: z.boolean().default(false),
});
export type ActionResult = z.output<typeof ActionResult>;

export const Mailbox = z.object({
  name: z.string(),
  /** Maildir++ folders beside the inbox, without the leading dot. */
  folders: z.array(z.string()),
  total: z.number().int(),
  unread: z.number().int(),
});
export type Mailbox = z.output<typeof Mailbox>;

/** Opaque: names one message in one mailbox, and stays the same when its flags change. */
export const MailId = z.string().min(1).max(600);

/** What the server wrote about the delivery; absent for mail that came by other ways. */
export const DeliveryNote = z.object({
  queueId: z.string().optional(),
  sender: z.string().optional(),
  recipient: z.string().optional(),
  saslUser: z.string().optional(),
});
export type DeliveryNote = z.output<typeof DeliveryNote>;

export const MailSummary = z.object({
  id: MailId,
  mailbox: z.string(),
  folder: z.string(),
  from: z.string(),
  fromName: z.string(),
  to: z.string(),
  subject: z.string(),
  snippet: z.string(),
  received: time,
  size,
  seen: z.boolean(),
  flagged: z.boolean(),
  attachments: z.number().int(),
  remoteContent: z.boolean(),
  /** Enhanced status code when this is a delivery status notification. */
  report: z.string().optional(),
});
export type MailSummary = z.output<typeof MailSummary>;

export const MailPart = z.object({
  index: z.number().int(),
  type: z.string(),
  filename: z.string().optional(),
  size,
  contentId: z.string().optional(),
  disposition: z.enum(['inline', 'attachment']),
});
export type MailPart = z.output<typeof MailPart>;

export const MailMessage = MailSummary.extend({
  delivery: DeliveryNote,
  date: z.string().optional(),
  messageId: z.string().optional(),
  cc: z.string().optional(),
  replyTo: z.string().optional(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  text: z.string().optional(),
  /** Exactly as it came. The viewer sanitises and isolates it; inline images are looked up among `parts`. */
  html: z.string().optional(),
  parts: z.array(MailPart),
  /** Set when the message is too large or too deep to be taken apart in full. */
  truncated: z.boolean(),
});
export type MailMessage = z.output<typeof MailMessage>;

export const LogLevel = z.enum(['info', 'warning', 'error', 'fatal', 'panic']);
export type LogLevel = z.output<typeof LogLevel>;

export const LogLine = z.object({
  /** Grows with time within one log; used as the paging cursor. */
  position: z.number(),
  time,
  host: z.string(),
  /** `postfix/smtpd` */
  process: z.string(),
  pid: z.number().int(),
  level: LogLevel,
  queueId: z.string().optional(),
  /** All that follows `process[pid]: `. */
  text: z.string(),
});
export type LogLine = z.output<typeof LogLine>;
