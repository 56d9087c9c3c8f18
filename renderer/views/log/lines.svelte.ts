/**
 * The lines of the Log page: history by pages backwards, then live. Oldest first, so that the newest stands at the bottom.
 *
 * Promises: at most `cap` lines are kept; positions never repeat; a filter applies to history and live lines alike.
 * After a reconnect the lines that were missed are fetched by starting anew.
 */
import { errorMessage } from '#mta/contract/errors.ts';
import type { Filter } from '#mta/contract/filter.ts';
import type { LogLine } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { matches } from './line.ts';

const page = 300;

export class LogLines {
  items = $state.raw<readonly LogLine[]>([]);
  loaded = $state(false);
  /** Why there is no history. */
  problem = $state<string | undefined>(undefined);
  /** More lies further back. */
  more = $state(false);
  loading = $state(false);
  readonly #client: MailServerClient;
  readonly #cap: number;
  readonly #onLive: (count: number) => void;
  readonly #stop: () => void;
  #filter: Filter = [];
  #cursor: string | undefined;
  #generation = 0;

  constructor(client: MailServerClient, onLive: (count: number) => void, cap = 5000) {
    this.#client = client;
    this.#cap = cap;
    this.#onLive = onLive;
    this.#stop = client.on('log.lines', ({ lines }) => this.#live(lines));
  }

  async show(filter: Filter): Promise<void> {
    const generation = ++this.#generation;
    this.#filter = filter;
    this.#cursor = undefined;
    this.loading = true;
    try {
      const answer = await this.#client.call('log.search', { filter, limit: page });
      if (generation !== this.#generation) return;
      this.items = answer.lines.toReversed();
      this.#cursor = answer.cursor;
      this.more = answer.cursor !== undefined;
      this.problem = undefined;
    } catch (error) {
      if (generation !== this.#generation) return;
      this.items = [];
      this.more = false;
      this.problem = errorMessage(error);
    } finally {
      if (generation === this.#generation) {
        this.loaded = true;
        this.loading = false;
      }
    }
    // A search that stopped at its budget before it found anything goes on.
    if (generation === this.#generation && this.items.length === 0 && this.more) await this.older();
  }

  /** Loads the page before the oldest line. */
  async older(): Promise<void> {
    const cursor = this.#cursor;
    if (this.loading || cursor === undefined || this.items.length >= this.#cap) return;
    const generation = this.#generation;
    this.loading = true;
    try {
      const answer = await this.#client.call('log.search', { filter: this.#filter, cursor, limit: page });
      if (generation !== this.#generation) return;
      this.#cursor = answer.cursor;
      this.more = answer.cursor !== undefined && this.items.length + answer.lines.length < this.#cap;
      if (answer.lines.length > 0) this.items = [...answer.lines.toReversed(), ...this.items];
    } catch (error) {
      this.problem = errorMessage(error);
    } finally {
      if (generation === this.#generation) this.loading = false;
    }
  }

  stop(): void {
    this.#generation++;
    this.#stop();
  }

  #live(lines: readonly LogLine[]): void {
    if (!this.loaded) return;
    const newest = this.items.at(-1)?.position ?? -Infinity;
    const now = Date.now();
    const fresh = lines.filter((line) => line.position > newest && matches(line, this.#filter, now));
    if (fresh.length === 0) return;
    this.items = [...this.items, ...fresh].slice(-this.#cap);
    this.#onLive(fresh.length);
  }
}
