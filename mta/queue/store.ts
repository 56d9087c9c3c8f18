/**
 * The queue store: where accepted mail lives until every recipient is settled.
 *
 * Promises: a promise of a writing method resolves only when the change survives a power cut. A message is in exactly
 * one of incoming, deferred, hold, corrupt; "active" is the queue manager's memory, not the store's. Nothing a caller
 * passes can be half written. Fails: `StoreFullError` when the disk is full (answer 452; nothing was stored).
 */
import type { ActionResult, Envelope, QueueEntry, QueueGroup, QueueMessage, QueueSelection } from '../contract/mail.ts';
import type { Filter } from '../contract/filter.ts';
import type { Progress } from '../contract/contract.ts';

export type Notify = 'NEVER' | 'SUCCESS' | 'FAILURE' | 'DELAY';

export interface NewRecipient {
  readonly address: string;
  readonly originalAddress?: string | undefined;
  /** RFC 3461 NOTIFY; absent when the client said nothing. */
  readonly notify?: readonly Notify[] | undefined;
  /** RFC 3461 ORCPT, decoded: `rfc822;user@example.org`. */
  readonly originalRecipient?: string | undefined;
}

export interface StoredEnvelope extends Envelope {
  /** RFC 3461 RET. */
  readonly ret?: 'FULL' | 'HDRS' | undefined;
  readonly smtputf8?: boolean | undefined;
  readonly body?: '7BIT' | '8BITMIME' | undefined;
}

export type NewBody =
  | { readonly kind: 'memory'; readonly data: Uint8Array }
  /** A file in `<spool>/bodies/`, complete and already synced (file and folder) by the caller. */
  | {
      readonly kind: 'spool';
      readonly file: string;
      /** CRC-32 (zlib) of the file, when the caller computed it while writing; else the store reads the file once. */
      readonly checksum?: number | undefined;
    };

export interface NewMessage {
  readonly id: string;
  /** Milliseconds since 1970, with a fraction. */
  readonly arrival: number;
  readonly envelope: StoredEnvelope;
  readonly recipients: readonly NewRecipient[];
  /** Bytes of the body, as Postfix counts message_size. */
  readonly size: number;
  readonly subject?: string | undefined;
  readonly messageId?: string | undefined;
  readonly body: NewBody;
  /** Straight into hold (HOLD action, or asked for). */
  readonly hold?: boolean | undefined;
}

export interface QueuedRecipient extends NewRecipient {
  /** Position in the message: stable, starts at 0. */
  readonly index: number;
  readonly state: 'waiting' | 'sent' | 'deferred' | 'bounced';
  readonly reason?: string | undefined;
  readonly dsn?: string | undefined;
  readonly relay?: string | undefined;
  readonly at?: number | undefined;
}

export interface QueuedMessage {
  readonly id: string;
  readonly queue: 'incoming' | 'deferred' | 'hold' | 'corrupt';
  readonly arrival: number;
  readonly envelope: StoredEnvelope;
  readonly size: number;
  /** All recipients, the settled ones too. */
  readonly recipients: readonly QueuedRecipient[];
  readonly attempts: number;
  readonly nextAttempt?: number | undefined;
  /** A delay warning was sent. */
  readonly warned: boolean;
  readonly forcedExpire: boolean;
}

export interface RecipientOutcome {
  readonly index: number;
  readonly state: 'sent' | 'deferred' | 'bounced';
  readonly dsn: string;
  readonly reason: string;
  readonly relay?: string | undefined;
  readonly at: number;
}

export interface Settlement {
  readonly id: string;
  readonly outcomes: readonly RecipientOutcome[];
  /** When to try the deferred recipients again. Absent when none is left: then the message is removed. */
  readonly nextAttempt?: number | undefined;
  readonly warned?: boolean | undefined;
  /** Reports (DSNs) this outcome gives rise to; stored in the same transaction, so that none is lost or made twice. */
  readonly spawned?: readonly NewMessage[] | undefined;
}

export type QueueAction = 'hold' | 'release' | 'retry' | 'requeue' | 'expire' | 'remove';

export interface ActionOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told of each batch of ids that changed, right after its commit. */
  readonly onBatch?: ((ids: readonly string[]) => void) | undefined;
}

export interface ListQuery {
  readonly filter: Filter;
  readonly sort: 'arrival' | 'nextAttempt' | 'size' | 'sender';
  readonly descending: boolean;
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** The queue manager's active set: shown as queue `active`, and what `queue:active` selects. */
  readonly active: ReadonlySet<string>;
}

export interface StoreCounts {
  readonly incoming: number;
  readonly deferred: number;
  readonly hold: number;
  readonly corrupt: number;
}

export type StoredBody =
  | { readonly kind: 'memory'; readonly data: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly size: number };

export class StoreFullError extends Error {
  override name = 'StoreFullError';
}

export interface QueueStore {
  /** The folder for large bodies; `NewBody.file` names a file in it. */
  readonly bodiesFolder: string;

  add(message: NewMessage): Promise<void>;
  /** Applies outcomes. A message removed meanwhile is left alone; one put on hold meanwhile stays on hold. */
  settle(settlement: Settlement): Promise<void>;

  /** Messages in incoming, oldest first, after the given id in that order. */
  incoming(after: string | undefined, limit: number): Promise<QueuedMessage[]>;
  /** Deferred messages due at `now`, by (nextAttempt, id), after the given position. */
  due(now: number, after: { nextAttempt: number; id: string } | undefined, limit: number): Promise<QueuedMessage[]>;
  /** When the next deferred message is due; undefined when there is none. */
  nextDue(): Promise<number | undefined>;
  message(id: string): Promise<QueuedMessage | undefined>;
  /** The body. A checksum that does not fit moves the message to corrupt and throws CorruptBodyError. */
  body(id: string): Promise<StoredBody>;

  /** Filters select by the rules of contract/filter.ts with queueFields. */
  act(
    action: QueueAction,
    selection: QueueSelection,
    active: ReadonlySet<string>,
    options?: ActionOptions,
  ): Promise<ActionResult>;

  counts(): StoreCounts;
  /** `expires` is left to the queue manager, which knows the lifetimes. */
  list(query: ListQuery): Promise<{ entries: QueueEntry[]; cursor?: string | undefined; total: number }>;
  groups(
    by: 'reason' | 'destination',
    filter: Filter,
    limit: number,
    active: ReadonlySet<string>,
  ): Promise<QueueGroup[]>;
  get(id: string): Promise<QueueMessage | undefined>;
  raw(id: string, offset: number, length: number): Promise<{ data: Uint8Array; total: number } | undefined>;

  close(): Promise<void>;
}

/** The disk failed (not: is full) or the storing thread died; nothing of it was acknowledged. Answer 451, try again. */
export class StoreIoError extends Error {
  override name = 'StoreIoError';
}

/** The database would not survive a power cut (synchronous is not FULL): the store refuses to open. */
export class DurabilityError extends Error {
  override name = 'DurabilityError';
}

export class CorruptBodyError extends Error {
  override name = 'CorruptBodyError';
}
