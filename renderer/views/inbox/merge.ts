/**
 * Joining a freshly read head (the newest page) with what a list already shows, newest first. Pure.
 */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; undefined at the end. */
  readonly cursor: string | undefined;
}

export interface Merged<T> extends Page<T> {
  /** How many of the items were not there before. */
  readonly arrived: number;
}

/** The ids of a list, for looking up. */
export function idsOf(items: readonly { readonly id: string }[]): ReadonlySet<string> {
  return new Set(items.map(({ id }) => id));
}

/**
 * The head replaces everything down to its last item, so that changed and removed items in that stretch are right; what
 * lies further down stays. When the head does not reach what was shown (very many arrivals), it alone is the list.
 */
export function mergeHead<T extends { readonly id: string }>(shown: Page<T>, head: Page<T>): Merged<T> {
  const before = new Set(shown.items.map(({ id }) => id));
  const arrived = head.items.filter(({ id }) => !before.has(id)).length;
  if (head.cursor === undefined) return { items: head.items, cursor: undefined, arrived };
  const inHead = new Map(head.items.map(({ id }, index) => [id, index]));
  // The lowest shown item that the head has too: everything shown below it is older than the head.
  let seam = -1;
  for (let at = shown.items.length - 1; at >= 0 && seam === -1; at--) {
    const item = shown.items[at];
    if (item !== undefined && inHead.has(item.id)) seam = at;
  }
  if (seam === -1) return { items: head.items, cursor: head.cursor, arrived };
  const rest = shown.items.slice(seam + 1);
  return rest.length === 0
    ? { items: head.items, cursor: head.cursor, arrived }
    : { items: [...head.items, ...rest], cursor: shown.cursor, arrived };
}
