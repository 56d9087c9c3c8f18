/**
 * The messages of one mailbox (or all) that match a filter, newest first, in pages. Live: arrivals and changes refetch
 * the head and are merged in, so that the list keeps its position. The server's answer is the truth; nothing is guessed.
 */
import type { Filter } from '#mta/contract/filter.ts';
import type { MailSummary } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { coalesce } from '../../state/coalesce.ts';
import { report } from '../../state/notify.ts';
import { idsOf, mergeHead } from './merge.ts';

export interface Place {
  /** All mailboxes when undefined. */
  readonly mailbox: string | undefined;
  readonly folder: string;
  readonly filter: Filter;
}

const pageSize = 100;
/** How far down a change is looked for again. */
const recheck = 1000;

export class MessageList {
  items = $state.raw<readonly MailSummary[]>([]);
  total = $state(0);
  /** Grows with every place whose first answer came in. */
  places = $state(0);
  /** False until the first answer for the present place. */
  loaded = $state(false);
  problem = $state.raw<unknown>(undefined);
  readonly #client: MailServerClient;
  readonly #onArrived: (arrived: readonly MailSummary[]) => void;
  #place: Place | undefined;
  #cursor: string | undefined;
  #generation = 0;
  #loadingMore = false;
  #depth = pageSize;
  readonly #refresh = coalesce(() => this.#loadHead(), 250);
  readonly #stops: (() => void)[];

  /** `onArrived` is told of messages that were not in the list before, newest first. */
  constructor(client: MailServerClient, onArrived: (arrived: readonly MailSummary[]) => void) {
    this.#client = client;
    this.#onArrived = onArrived;
    const concerns = (mailbox: string): boolean =>
      this.#place !== undefined && (this.#place.mailbox === undefined || this.#place.mailbox === mailbox);
    this.#stops = [
      client.on('mail.arrived', ({ mailbox }) => {
        if (concerns(mailbox)) this.#refresh.request();
      }),
      client.on('mail.changed', ({ mailbox }) => {
        if (!concerns(mailbox)) return;
        this.#depth = recheck;
        this.#refresh.request();
      }),
      () => this.#refresh.stop(),
    ];
  }

  stop(): void {
    this.#generation++;
    for (const stop of this.#stops) stop();
  }

  /** Shows another place. What was shown stays until the answer is in, so that the list does not flash. */
  show(place: Place): void {
    this.#place = place;
    this.loaded = false;
    this.#generation++;
    this.#refresh.request();
  }

  refresh(): void {
    this.#depth = recheck;
    this.#refresh.request();
  }

  async more(): Promise<void> {
    const place = this.#place;
    if (place === undefined || this.#cursor === undefined || this.#loadingMore || !this.loaded) return;
    this.#loadingMore = true;
    const generation = this.#generation;
    try {
      const answer = await this.#client.call('mail.list', { ...wanted(place), cursor: this.#cursor, limit: pageSize });
      if (generation !== this.#generation) return;
      const known = idsOf(this.items);
      this.items = [...this.items, ...answer.messages.filter(({ id }) => !known.has(id))];
      this.#cursor = answer.cursor;
      this.total = answer.total;
    } catch (error) {
      if (generation === this.#generation) report(error);
    } finally {
      this.#loadingMore = false;
    }
  }

  async #loadHead(): Promise<void> {
    const place = this.#place;
    if (place === undefined) return;
    const generation = this.#generation;
    const limit = Math.max(pageSize, Math.min(this.#depth, this.items.length));
    this.#depth = pageSize;
    try {
      const answer = await this.#client.call('mail.list', { ...wanted(place), limit });
      if (generation !== this.#generation) return;
      const head = { items: answer.messages, cursor: answer.cursor };
      const first = !this.loaded;
      const before = idsOf(this.items);
      const merged = first ? { ...head, arrived: 0 } : mergeHead({ items: this.items, cursor: this.#cursor }, head);
      this.items = merged.items;
      this.#cursor = merged.cursor;
      this.total = answer.total;
      if (first) this.places++;
      this.loaded = true;
      this.problem = undefined;
      if (merged.arrived > 0) this.#onArrived(answer.messages.filter(({ id }) => !before.has(id)));
    } catch (error) {
      if (generation === this.#generation) this.problem = error;
    }
  }
}

/** The part of `mail.list`'s input that names a place. */
export function wanted(place: Place): { mailbox?: string; folder: string; filter: Filter } {
  return {
    ...(place.mailbox === undefined ? {} : { mailbox: place.mailbox }),
    folder: place.folder,
    filter: place.filter,
  };
}
