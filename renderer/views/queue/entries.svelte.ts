/**
 * The messages of the queue that match a filter, in pages by keyset. Live: every change of the queue reads the head again
 * and joins it with what is shown, so that selection and place stay. The server's answer is the truth; nothing is guessed.
 */
import { errorMessage } from '#mta/contract/errors.ts';
import type { Filter } from '#mta/contract/filter.ts';
import type { QueueEntry } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import type { Sort } from '../../components/table.ts';
import { coalesce } from '../../state/coalesce.ts';
import { report } from '../../state/notify.ts';
import { appended, joinHead } from './rows.ts';

export interface Place {
  readonly filter: Filter;
  readonly sort: Sort;
}

const pageSize = 200;
/** How far down a change is looked for again, in rows; the contract's largest page. */
const recheck = 1000;

export class QueueEntries {
  items = $state.raw<readonly QueueEntry[]>([]);
  total = $state(0);
  /** Grows with every place whose first answer came in. */
  places = $state(0);
  loaded = $state(false);
  problem = $state<string | undefined>(undefined);
  /** The last refresh put rows in front of the first and moved nothing else. */
  anchored = $state(false);
  readonly #client: MailServerClient;
  readonly #refresh = coalesce(() => this.#loadHead(), 400);
  readonly #stop: () => void;
  #place: Place | undefined;
  #cursor: string | undefined;
  #generation = 0;
  #loadingMore = false;

  constructor(client: MailServerClient) {
    this.#client = client;
    this.#stop = client.on('queue.changed', () => this.#refresh.request());
  }

  stop(): void {
    this.#generation++;
    this.#stop();
    this.#refresh.stop();
  }

  /** Shows another place. What was shown stays until the answer is in, so that the list does not flash. */
  show(place: Place): void {
    this.#place = place;
    this.loaded = false;
    this.#generation++;
    this.#refresh.request();
  }

  refresh(): void {
    this.#refresh.request();
  }

  /** Resolves when what the server has now is shown. */
  async settled(): Promise<void> {
    await this.#refresh.settled();
  }

  async more(): Promise<void> {
    const place = this.#place;
    if (place === undefined || this.#cursor === undefined || this.#loadingMore || !this.loaded) return;
    this.#loadingMore = true;
    const generation = this.#generation;
    try {
      const answer = await this.#client.call('queue.list', this.#input(place, pageSize, this.#cursor));
      if (generation !== this.#generation) return;
      this.anchored = false;
      this.items = appended(this.items, answer.entries);
      this.#cursor = answer.cursor;
      this.total = answer.total;
    } catch (error) {
      if (generation === this.#generation) report(error);
    } finally {
      this.#loadingMore = false;
    }
  }

  #input(place: Place, limit: number, cursor?: string) {
    return {
      filter: place.filter,
      sort: place.sort.by as 'arrival',
      descending: place.sort.descending,
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    };
  }

  async #loadHead(): Promise<void> {
    const place = this.#place;
    if (place === undefined) return;
    const generation = this.#generation;
    const limit = this.loaded ? Math.max(pageSize, Math.min(recheck, this.items.length)) : pageSize;
    try {
      const answer = await this.#client.call('queue.list', this.#input(place, limit));
      if (generation !== this.#generation) return;
      const head = { items: answer.entries, cursor: answer.cursor };
      const first = !this.loaded;
      const joined = first ? { ...head, above: 0 } : joinHead({ items: this.items, cursor: this.#cursor }, head);
      this.anchored = joined.above > 0 && joined.items.length === this.items.length + joined.above;
      this.items = joined.items;
      this.#cursor = joined.cursor;
      this.total = answer.total;
      if (first) this.places++;
      this.loaded = true;
      this.problem = undefined;
    } catch (error) {
      if (generation !== this.#generation) return;
      this.problem = errorMessage(error);
      this.loaded = true;
      this.items = [];
      this.total = 0;
    }
  }
}
