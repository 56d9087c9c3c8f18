/**
 * The MailServer contract: what any mail server (our MTA, a Postfix host) can be asked, and what it tells.
 *
 * A driver implements every method; one that its server cannot do throws `unsupported` and is absent from
 * `capabilities`. Lists are paged by an opaque cursor, newest or most urgent first. Pure: no Node, no DOM.
 */
import * as z from 'zod';
import { contract, method, type Client, type Contract, type Handlers } from './contract.ts';
import { Filter } from './filter.ts';
import {
  ActionResult,
  LogLine,
  Mailbox,
  MailId,
  MailMessage,
  MailSummary,
  QueueCounts,
  QueueEntry,
  QueueGroup,
  QueueId,
  QueueMessage,
  QueueSelection,
} from './mail.ts';

const nothing = z.object({});
const limit = z.number().int().min(1).max(1000).default(100);
const cursor = z.string().max(200).optional();

export const Listener = z.object({
  /** As in master.cf: `smtp`, `127.0.0.1:1025`. */
  service: z.string(),
  address: z.string(),
  port: z.number().int(),
  tls: z.enum(['none', 'starttls', 'wrapper']),
  /** The port the configuration asked for, when it was taken and another was used. */
  wanted: z.number().int().optional(),
  loopback: z.boolean(),
});
export type Listener = z.output<typeof Listener>;

export const capabilityNames = ['queue', 'queue.actions', 'mail', 'mail.write', 'log', 'log.tail', 'send'] as const;
export const Capability = z.enum(capabilityNames);
export type Capability = z.output<typeof Capability>;

/** Since the server started. */
export const Flow = z.object({
  received: z.number().int(),
  rejected: z.number().int(),
  delivered: z.number().int(),
  relayed: z.number().int(),
  deferred: z.number().int(),
  bounced: z.number().int(),
});
export type Flow = z.output<typeof Flow>;

export const Finding = z.object({
  level: z.enum(['info', 'warning', 'error']),
  /** Stable name, for translation: `bound-beyond-loopback`. */
  code: z.string(),
  message: z.string(),
  file: z.string().optional(),
  line: z.number().int().optional(),
});
export type Finding = z.output<typeof Finding>;

export const Overview = z.object({
  software: z.string(),
  version: z.string(),
  profile: z.enum(['sink', 'server', 'postfix']),
  hostname: z.string(),
  domain: z.string(),
  dataFolder: z.string().optional(),
  pid: z.number().int().optional(),
  startedAt: z.number().optional(),
  listeners: z.array(Listener),
  queue: QueueCounts,
  flow: Flow,
  sessions: z.number().int(),
  mailboxes: z.number().int(),
  messages: z.number().int(),
  relayhost: z.string().optional(),
  capabilities: z.array(Capability),
  findings: z.array(Finding),
});
export type Overview = z.output<typeof Overview>;

export const Health = z.object({ ready: z.boolean(), findings: z.array(Finding) });
export type Health = z.output<typeof Health>;

export const QueueSort = z.enum(['arrival', 'nextAttempt', 'size', 'sender']);

export const mailServer = contract(
  'mail-server',
  {
    'server.overview': method(nothing, Overview),
    'server.health': method(nothing, Health),
    /** Reads the configuration again. Throws `bad-input` with file, line and reason, and keeps the old one. */
    'server.reload': method(nothing, z.object({ findings: z.array(Finding) })),
    /** Finishes what is in hand and ends the process. */
    'server.stop': method(nothing, nothing),

    'queue.counts': method(nothing, QueueCounts),
    'queue.list': method(
      z.object({
        filter: Filter.default([]),
        sort: QueueSort.default('arrival'),
        descending: z.boolean().default(true),
        cursor,
        limit,
      }),
      z.object({ entries: z.array(QueueEntry), cursor: z.string().optional(), total: z.number().int() }),
    ),
    'queue.groups': method(
      z.object({ by: z.enum(['reason', 'destination']), filter: Filter.default([]), limit }),
      z.object({ groups: z.array(QueueGroup) }),
    ),
    'queue.get': method(z.object({ id: QueueId }), QueueMessage),
    /** The message as stored, base64, in slices; `total` is its whole size in bytes. */
    'queue.raw': method(
      z.object({
        id: QueueId,
        offset: z.number().int().nonnegative().default(0),
        length: z.number().int().positive().max(1_048_576).default(262_144),
      }),
      z.object({ data: z.string(), total: z.number().int() }),
    ),
    'queue.hold': method(z.object({ selection: QueueSelection }), ActionResult),
    'queue.release': method(z.object({ selection: QueueSelection }), ActionResult),
    /** Makes the next attempt due now. */
    'queue.retry': method(z.object({ selection: QueueSelection }), ActionResult),
    /** Through cleanup and routing again. The ids stay the same on our MTA; on Postfix they change. */
    'queue.requeue': method(z.object({ selection: QueueSelection }), ActionResult),
    /** Returns the message to its sender at once. */
    'queue.expire': method(z.object({ selection: QueueSelection }), ActionResult),
    'queue.remove': method(z.object({ selection: QueueSelection }), ActionResult),

    'mail.mailboxes': method(nothing, z.object({ mailboxes: z.array(Mailbox) })),
    'mail.list': method(
      z.object({
        /** All mailboxes when absent. */
        mailbox: z.string().max(300).optional(),
        folder: z.string().max(300).default(''),
        filter: Filter.default([]),
        cursor,
        limit,
      }),
      z.object({ messages: z.array(MailSummary), cursor: z.string().optional(), total: z.number().int() }),
    ),
    'mail.get': method(z.object({ id: MailId }), MailMessage),
    /** One decoded part, base64. */
    'mail.part': method(
      z.object({ id: MailId, index: z.number().int().nonnegative() }),
      z.object({ type: z.string(), filename: z.string().optional(), data: z.string() }),
    ),
    'mail.raw': method(
      z.object({
        id: MailId,
        offset: z.number().int().nonnegative().default(0),
        length: z.number().int().positive().max(1_048_576).default(262_144),
      }),
      z.object({ data: z.string(), total: z.number().int() }),
    ),
    'mail.flag': method(
      z.object({ ids: z.array(MailId).max(10_000), seen: z.boolean().optional(), flagged: z.boolean().optional() }),
      ActionResult,
    ),
    'mail.remove': method(z.object({ ids: z.array(MailId).max(100_000) }), ActionResult),

    /** Newest first. `cursor` goes back in time. */
    'log.search': method(
      z.object({ filter: Filter.default([]), cursor, limit }),
      z.object({ lines: z.array(LogLine), cursor: z.string().optional() }),
    ),

    /** Takes a message as sendmail(1) does: no SMTP, no restrictions. `data` is base64 of the whole message. */
    'send.submit': method(
      z.object({
        sender: z.string().max(512),
        recipients: z.array(z.string().max(512)).min(1).max(10_000),
        data: z.string(),
        user: z.string().max(64).optional(),
      }),
      z.object({ queueId: QueueId }),
    ),
  },
  {
    'queue.changed': QueueCounts,
    'mail.arrived': z.object({ mailbox: z.string(), count: z.number().int() }),
    /** Flags changed or messages removed. */
    'mail.changed': z.object({ mailbox: z.string() }),
    'log.lines': z.object({ lines: z.array(LogLine) }),
    'health.changed': Health,
  },
);

export type MailServerContract = typeof mailServer;
export type MailServerHandlers = Handlers<MailServerContract>;
export type MailServerClient = Client<MailServerContract>;
type AssertContract<C extends Contract> = C;
export type _MailServerIsAContract = AssertContract<MailServerContract>;
