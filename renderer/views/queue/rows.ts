/** Small pure steps on the rows of the Queue page: joining a refreshed page with what is shown, targets of actions. */
import type { Filter } from '#mta/contract/filter.ts';
import type { QueueCounts, QueueEntry, QueueName, QueueSelection } from '#mta/contract/mail.ts';

export interface Shown {
  readonly items: readonly QueueEntry[];
  /** Where the next page begins; undefined at the end. */
  readonly cursor: string | undefined;
}

/** `more` behind `items`, without what is there already. */
export function appended(items: readonly QueueEntry[], more: readonly QueueEntry[]): QueueEntry[] {
  const known = new Set(items.map(({ id }) => id));
  return [...items, ...more.filter(({ id }) => !known.has(id))];
}

/**
 * A freshly read head replaces everything down to its last row; what lies further down stays, as long as the two meet.
 * `above`: how many rows came in front of the first one shown, when nothing else moved: the view can keep its place.
 */
export function joinHead(shown: Shown, head: Shown): Shown & { readonly above: number } {
  const first = shown.items[0];
  const above =
    first === undefined
      ? 0
      : Math.max(
          0,
          head.items.findIndex(({ id }) => id === first.id),
        );
  if (head.cursor === undefined || shown.items.length <= head.items.length) return { ...head, above };
  const fresh = new Set(head.items.map(({ id }) => id));
  const seam = shown.items.findLastIndex(({ id }) => fresh.has(id));
  if (seam === -1) return { ...head, above: 0 };
  return { items: [...head.items, ...shown.items.slice(seam + 1)], cursor: shown.cursor, above };
}

/** What an action works on: single messages, and all that match a filter. */
export interface Part {
  readonly selection: QueueSelection;
  readonly count: number;
  /** The queues its messages may be in. */
  readonly queues: ReadonlySet<QueueName>;
}

export type ActionName = 'retry' | 'hold' | 'release' | 'requeue' | 'expire' | 'remove';

/** In which queues an action changes anything: postsuper(1) and the queue manager's rules. */
const fitting: Readonly<Record<ActionName, readonly QueueName[]>> = {
  retry: ['deferred'],
  hold: ['incoming', 'active', 'deferred'],
  release: ['hold'],
  requeue: ['incoming', 'active', 'deferred', 'hold'],
  expire: ['incoming', 'active', 'deferred', 'hold'],
  remove: ['incoming', 'active', 'deferred', 'hold', 'corrupt'],
};

export function fits(action: ActionName, queues: Iterable<QueueName>): boolean {
  return [...queues].some((queue) => fitting[action].includes(queue));
}

/** Single messages as a part, without those that the action would not change; undefined when none is left. */
export function partOf(action: ActionName, entries: readonly Pick<QueueEntry, 'id' | 'queue'>[]): Part | undefined {
  const fit = entries.filter(({ queue }) => fitting[action].includes(queue));
  if (fit.length === 0) return undefined;
  return {
    selection: { ids: fit.map(({ id }) => id) },
    count: fit.length,
    queues: new Set(fit.map(({ queue }) => queue)),
  };
}

/** The queues that a filter can select from, of those that hold something. */
export function queuesOf(filter: Filter, counts: QueueCounts | undefined): Set<QueueName> {
  const names = (Object.keys(counts ?? {}) as QueueName[]).filter((name) => (counts?.[name] ?? 0) > 0);
  return new Set(
    names.filter((name) =>
      filter.every(({ field, value, not }) => field !== 'queue' || (value.toLowerCase() === name) !== not),
    ),
  );
}
