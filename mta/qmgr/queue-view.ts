/**
 * The queue as people see it: the store's content with the active messages told apart, and word of changes.
 * Promises: listeners are told at most every 100 ms, after something changed. Fails as the store does.
 */
import type { Configuration } from '../config/configuration.ts';
import type { Filter } from '../contract/filter.ts';
import type { QueueCounts, QueueEntry, QueueGroup, QueueMessage } from '../contract/mail.ts';
import type { ListQuery, QueueStore } from '../queue/store.ts';
import type { ActiveQueue } from './active-queue.ts';
import type { Clock } from './clock.ts';
import { lifetime } from './lifetimes.ts';

export interface QueueViewOptions {
  readonly store: QueueStore;
  readonly configuration: () => Configuration;
  readonly clock: Clock;
  readonly active: ActiveQueue;
}

export interface QueuePage {
  entries: QueueEntry[];
  cursor?: string | undefined;
  total: number;
}

const changedEvery = 100;

export class QueueView {
  readonly #options: QueueViewOptions;
  readonly #listeners = new Set<(counts: QueueCounts) => void>();
  #changeTold = -Infinity;
  #changePending = false;

  constructor(options: QueueViewOptions) {
    this.#options = options;
  }

  counts(): QueueCounts {
    const { store, active } = this.#options;
    const stored = store.counts();
    return {
      incoming: Math.max(0, stored.incoming - active.origin.incoming),
      active: active.size,
      deferred: Math.max(0, stored.deferred - active.origin.deferred),
      hold: stored.hold,
      corrupt: stored.corrupt,
    };
  }

  async list(query: Omit<ListQuery, 'active'>): Promise<QueuePage> {
    const page = await this.#options.store.list({ ...query, active: this.#options.active.ids });
    return { ...page, entries: page.entries.map((entry) => this.#complete(entry)) };
  }

  groups(by: 'reason' | 'destination', filter: Filter, limit: number): Promise<QueueGroup[]> {
    return this.#options.store.groups(by, filter, limit, this.#options.active.ids);
  }

  async get(id: string): Promise<QueueMessage | undefined> {
    const message = await this.#options.store.get(id);
    return message === undefined ? undefined : this.#complete(message);
  }

  #complete<T extends QueueEntry>(entry: T): T {
    const isActive =
      this.#options.active.ids.has(entry.id) && (entry.queue === 'incoming' || entry.queue === 'deferred');
    // Held messages do not expire (postsuper(1)).
    const expires =
      entry.queue === 'hold' || entry.queue === 'corrupt'
        ? undefined
        : entry.arrival + lifetime(this.#options.configuration(), entry.sender);
    return {
      ...entry,
      queue: isActive ? 'active' : entry.queue,
      ...(expires === undefined ? {} : { expires }),
    };
  }

  onChanged(listener: (counts: QueueCounts) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something changed. */
  changed(): void {
    if (this.#changePending || this.#listeners.size === 0) return;
    this.#changePending = true;
    const { clock } = this.#options;
    const wait = Math.max(0, this.#changeTold + changedEvery - clock.now());
    clock.after(wait, () => {
      this.#changePending = false;
      this.#changeTold = clock.now();
      const counts = this.counts();
      for (const listener of this.#listeners) listener(counts);
    });
  }

  /** Tells nobody any more. */
  close(): void {
    this.#listeners.clear();
  }
}
