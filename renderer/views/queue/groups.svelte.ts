/**
 * The queue in groups by reason or destination, each of which can be opened to its messages, page by page. Live as the
 * list is; what is open stays open while its group exists.
 */
import { SvelteMap } from 'svelte/reactivity';
import { errorMessage } from '#mta/contract/errors.ts';
import type { Filter, FilterTerm } from '#mta/contract/filter.ts';
import type { QueueEntry, QueueGroup } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { coalesce } from '../../state/coalesce.ts';
import { report } from '../../state/notify.ts';
import { appended } from './rows.ts';

export type By = 'reason' | 'destination';

export type GroupRow =
  | { readonly kind: 'group'; readonly key: string; readonly group: QueueGroup; readonly open: boolean }
  | { readonly kind: 'entry'; readonly key: string; readonly entry: QueueEntry; readonly group: QueueGroup }
  | { readonly kind: 'more'; readonly key: string; readonly group: QueueGroup; readonly count: number };

interface Opened {
  readonly entries: readonly QueueEntry[];
  readonly cursor: string | undefined;
}

const pageSize = 50;
/** Groups shown; the contract's largest page. */
const most = 1000;

export function groupKey(group: QueueGroup): string {
  return `group ${group.key}`;
}

export class QueueGroups {
  groups = $state.raw<readonly QueueGroup[]>([]);
  loaded = $state(false);
  problem = $state<string | undefined>(undefined);
  by = $state<By>('reason');
  /** Messages that are in no group: without a reason yet, or without a domain. */
  ungrouped = $state(0);
  readonly #opened = new SvelteMap<string, Opened>();
  readonly #client: MailServerClient;
  readonly #refresh = coalesce(() => this.#load(), 600);
  readonly #stop: () => void;
  #filter: Filter = [];
  #active = false;
  #generation = 0;

  readonly rows = $derived.by(() => {
    const rows: GroupRow[] = [];
    for (const group of this.groups) {
      const opened = this.#opened.get(group.key);
      rows.push({ kind: 'group', key: groupKey(group), group, open: opened !== undefined });
      if (opened === undefined) continue;
      for (const entry of opened.entries) rows.push({ kind: 'entry', key: entry.id, entry, group });
      if (opened.cursor !== undefined) {
        const count = Math.max(1, group.count - opened.entries.length);
        rows.push({ kind: 'more', key: `more ${group.key}`, group, count });
      }
    }
    return rows;
  });

  constructor(client: MailServerClient) {
    this.#client = client;
    this.#stop = client.on('queue.changed', () => {
      if (this.#active) this.#refresh.request();
    });
  }

  stop(): void {
    this.#generation++;
    this.#stop();
    this.#refresh.stop();
  }

  /** The filter that a group's messages match. */
  filterOf(group: QueueGroup): Filter {
    const term: FilterTerm = {
      field: this.by === 'reason' ? 'reason' : 'domain',
      value: group.key,
      not: false,
    };
    return [...this.#filter, term];
  }

  show(by: By, filter: Filter): void {
    if (by !== this.by) this.#opened.clear();
    this.by = by;
    this.#filter = filter;
    this.#active = true;
    this.loaded = false;
    this.#generation++;
    this.#refresh.request();
  }

  /** No longer looked at. */
  rest(): void {
    this.#active = false;
    this.#generation++;
  }

  refresh(): void {
    if (this.#active) this.#refresh.request();
  }

  isOpen(group: QueueGroup): boolean {
    return this.#opened.has(group.key);
  }

  async open(group: QueueGroup): Promise<void> {
    if (this.#opened.has(group.key)) return;
    await this.#read(group, pageSize, undefined);
  }

  close(group: QueueGroup): void {
    this.#opened.delete(group.key);
  }

  async more(group: QueueGroup): Promise<void> {
    const cursor = this.#opened.get(group.key)?.cursor;
    if (cursor !== undefined) await this.#read(group, pageSize * 4, cursor);
  }

  async #read(group: QueueGroup, limit: number, cursor: string | undefined): Promise<void> {
    const generation = this.#generation;
    try {
      const answer = await this.#client.call('queue.list', {
        filter: this.filterOf(group),
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (generation !== this.#generation) return;
      const before = cursor === undefined ? [] : (this.#opened.get(group.key)?.entries ?? []);
      this.#opened.set(group.key, {
        entries: appended(before, answer.entries),
        cursor: answer.cursor,
      });
    } catch (error) {
      if (generation === this.#generation) report(error);
    }
  }

  async #load(): Promise<void> {
    if (!this.#active) return;
    const generation = this.#generation;
    const filter = this.#filter;
    try {
      const [{ groups }, { total }] = await Promise.all([
        this.#client.call('queue.groups', { by: this.by, filter, limit: most }),
        this.#client.call('queue.list', { filter, limit: 1 }),
      ]);
      if (generation !== this.#generation) return;
      for (const key of [...this.#opened.keys()]) {
        if (!groups.some((group) => group.key === key)) this.#opened.delete(key);
      }
      this.groups = groups;
      this.ungrouped = Math.max(0, total - groups.reduce((sum, { count }) => sum + count, 0));
      this.problem = undefined;
      this.loaded = true;
      for (const group of groups) {
        const opened = this.#opened.get(group.key);
        if (opened === undefined) continue;
        await this.#read(group, Math.min(most, Math.max(pageSize, opened.entries.length)), undefined);
      }
    } catch (error) {
      if (generation !== this.#generation) return;
      this.problem = errorMessage(error);
      this.groups = [];
      this.loaded = true;
    }
  }
}
