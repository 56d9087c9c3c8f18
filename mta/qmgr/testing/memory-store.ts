/**
 * A queue store in memory that keeps the promises of QueueStore except durability, for tests of the queue manager.
 * What tests of the queue manager do not need (filters, groups) throws.
 */
import type { ActionResult, QueueEntry, QueueMessage, QueueSelection } from '../../contract/mail.ts';
import {
  CorruptBodyError,
  type ActionOptions,
  type ListQuery,
  type NewMessage,
  type QueueAction,
  type QueuedMessage,
  type QueuedRecipient,
  type QueueStore,
  type Settlement,
  type StoreCounts,
  type StoredBody,
} from '../../queue/store.ts';

interface Row {
  message: QueuedMessage;
  body: StoredBody;
  subject: string | undefined;
}

export class MemoryStore implements QueueStore {
  readonly bodiesFolder = '/nowhere';
  readonly rows = new Map<string, Row>();
  readonly settlements: Settlement[] = [];
  readonly damaged = new Set<string>();
  bodiesRead = 0;
  /** Set to make the next writes fail. */
  failure: Error | undefined;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async add(message: NewMessage): Promise<void> {
    await this.#turn();
    this.#insert(message);
  }

  #insert(message: NewMessage): void {
    if (this.rows.has(message.id)) throw new Error(`${message.id} is there already`);
    const { body, hold, subject, recipients, ...rest } = message;
    this.rows.set(message.id, {
      message: {
        ...rest,
        queue: hold === true ? 'hold' : 'incoming',
        recipients: recipients.map((recipient, index) => ({ ...recipient, index, state: 'waiting' as const })),
        attempts: 0,
        warned: false,
        forcedExpire: false,
      },
      body: body.kind === 'memory' ? body : { kind: 'file', path: body.file, size: message.size },
      subject,
    });
  }

  async settle(settlement: Settlement): Promise<void> {
    await this.#turn();
    this.settlements.push(settlement);
    const row = this.rows.get(settlement.id);
    if (row === undefined) return;
    for (const spawned of settlement.spawned ?? []) this.#insert(spawned);
    const outcomes = new Map(settlement.outcomes.map((outcome) => [outcome.index, outcome]));
    const recipients = row.message.recipients.map((recipient): QueuedRecipient => ({
      ...recipient,
      ...outcomes.get(recipient.index),
    }));
    const open = recipients.some(({ state }) => state === 'waiting' || state === 'deferred');
    if (!open) {
      this.rows.delete(settlement.id);
      return;
    }
    const moves = settlement.nextAttempt !== undefined && row.message.queue !== 'hold';
    row.message = {
      ...row.message,
      recipients,
      ...(moves ? { queue: 'deferred' as const, nextAttempt: settlement.nextAttempt } : {}),
      attempts: row.message.attempts + (settlement.nextAttempt === undefined ? 0 : 1),
      warned: row.message.warned || settlement.warned === true,
    };
  }

  async incoming(after: string | undefined, limit: number): Promise<QueuedMessage[]> {
    await this.#turn();
    const all = this.#in('incoming').sort((a, b) => a.arrival - b.arrival);
    const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
    return all.slice(start, start + limit);
  }

  async due(
    now: number,
    after: { nextAttempt: number; id: string } | undefined,
    limit: number,
  ): Promise<QueuedMessage[]> {
    await this.#turn();
    const at = (message: QueuedMessage): number => message.nextAttempt ?? 0;
    return this.#in('deferred')
      .filter((message) => at(message) <= now)
      .sort((a, b) => at(a) - at(b) || (a.id < b.id ? -1 : 1))
      .filter(
        (message) =>
          after === undefined ||
          at(message) > after.nextAttempt ||
          (at(message) === after.nextAttempt && message.id > after.id),
      )
      .slice(0, limit);
  }

  async nextDue(): Promise<number | undefined> {
    const [first] = await this.due(Infinity, undefined, 1);
    return first?.nextAttempt;
  }

  async message(id: string): Promise<QueuedMessage | undefined> {
    await this.#turn();
    return this.rows.get(id)?.message;
  }

  async body(id: string): Promise<StoredBody> {
    await this.#turn();
    this.bodiesRead++;
    const row = this.rows.get(id);
    if (row === undefined) throw new Error(`${id} is gone`);
    if (this.damaged.has(id)) {
      row.message = { ...row.message, queue: 'corrupt' };
      throw new CorruptBodyError(`${id}: the checksum does not fit`);
    }
    return row.body;
  }

  async act(
    action: QueueAction,
    selection: QueueSelection,
    _active: ReadonlySet<string>,
    options: ActionOptions = {},
  ): Promise<ActionResult> {
    if (!('ids' in selection)) throw new Error('no fake for filters');
    await this.#turn();
    const known = selection.ids.filter((id) => this.rows.has(id));
    for (const id of known) this.#actOn(action, id);
    options.onBatch?.(known);
    return { done: known.length, unknown: selection.ids.filter((id) => !known.includes(id)), cancelled: false };
  }

  #actOn(action: QueueAction, id: string): void {
    const row = this.rows.get(id);
    if (row === undefined) return;
    const nextAttempt = this.#now();
    const { message } = row;
    if (action === 'remove') this.rows.delete(id);
    else if (action === 'hold') row.message = { ...message, queue: 'hold' };
    else if (action === 'release' && message.queue === 'hold') {
      row.message = { ...message, queue: 'deferred', nextAttempt };
    } else if (action === 'retry' && message.queue === 'deferred') row.message = { ...message, nextAttempt };
    else if (action === 'expire') row.message = { ...message, nextAttempt, forcedExpire: true };
    else if (action === 'requeue') row.message = { ...message, queue: 'incoming' };
  }

  counts(): StoreCounts {
    return {
      incoming: this.#in('incoming').length,
      deferred: this.#in('deferred').length,
      hold: this.#in('hold').length,
      corrupt: this.#in('corrupt').length,
    };
  }

  async list(query: ListQuery): Promise<{ entries: QueueEntry[]; total: number }> {
    const entries = await Promise.all([...this.rows.keys()].slice(0, query.limit).map((id) => this.get(id)));
    return { entries: entries.filter((entry) => entry !== undefined), total: this.rows.size };
  }

  groups(): never {
    throw new Error('no fake for groups');
  }

  async get(id: string): Promise<QueueMessage | undefined> {
    await this.#turn();
    const row = this.rows.get(id);
    if (row === undefined) return undefined;
    const { message } = row;
    return {
      id,
      queue: message.queue,
      arrival: message.arrival,
      size: message.size,
      sender: message.envelope.sender,
      recipients: message.recipients.map(({ address }) => address),
      recipientCount: message.recipients.length,
      attempts: message.attempts,
      nextAttempt: message.nextAttempt,
      forcedExpire: message.forcedExpire,
      recipientList: message.recipients.map(({ address, state, reason }) => ({ address, state, reason })),
      envelope: message.envelope,
      subject: row.subject,
    };
  }

  raw(): never {
    throw new Error('no fake for raw');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #in(queue: QueuedMessage['queue']): QueuedMessage[] {
    return [...this.rows.values()].map(({ message }) => message).filter((message) => message.queue === queue);
  }

  /** A store answers in a later turn, never at once. */
  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.failure !== undefined) throw this.failure;
  }
}
