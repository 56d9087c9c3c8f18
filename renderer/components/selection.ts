/**
 * The selection of a list, as pure steps: one focused key that the open detail follows, an anchor for ranges, a set.
 * Keys are stable ids, so that rows may come and go around the selection. Steps return a new value.
 */
export interface Selection {
  readonly focus: string | undefined;
  readonly anchor: string | undefined;
  readonly keys: ReadonlySet<string>;
  /** Everything that matches is meant, also what is not loaded. */
  readonly everything: boolean;
}

export const emptySelection: Selection = { focus: undefined, anchor: undefined, keys: new Set(), everything: false };

export function selectOne(key: string | undefined): Selection {
  return key === undefined ? emptySelection : { focus: key, anchor: key, keys: new Set([key]), everything: false };
}

export type Step = 'next' | 'previous' | 'first' | 'last' | number;

/** Moves the focus along `order`; `extend` selects from the anchor to it. */
export function move(selection: Selection, order: readonly string[], step: Step, extend: boolean): Selection {
  if (order.length === 0) return emptySelection;
  const at = selection.focus === undefined ? -1 : order.indexOf(selection.focus);
  const wanted =
    step === 'first'
      ? 0
      : step === 'last'
        ? order.length - 1
        : at === -1
          ? step === 'previous'
            ? order.length - 1
            : 0
          : at + (step === 'next' ? 1 : step === 'previous' ? -1 : step);
  const key = order[Math.min(order.length - 1, Math.max(0, wanted))];
  if (key === undefined) return selection;
  return extend ? extendTo(selection, order, key) : selectOne(key);
}

/** Selects all between the anchor and `key`. */
export function extendTo(selection: Selection, order: readonly string[], key: string): Selection {
  const anchor = selection.anchor ?? selection.focus ?? key;
  const from = order.indexOf(anchor);
  const to = order.indexOf(key);
  if (from === -1 || to === -1) return selectOne(key);
  const keys = new Set(order.slice(Math.min(from, to), Math.max(from, to) + 1));
  return { focus: key, anchor, keys, everything: false };
}

/** Adds `key` or takes it out; the focus goes there. */
export function toggle(selection: Selection, key: string): Selection {
  const keys = new Set(selection.keys);
  if (!keys.delete(key)) keys.add(key);
  return { focus: key, anchor: key, keys, everything: false };
}

/** All loaded keys; `everything` when more match than are loaded. */
export function selectAll(selection: Selection, order: readonly string[], total: number): Selection {
  return {
    focus: selection.focus ?? order[0],
    anchor: selection.anchor ?? order[0],
    keys: new Set(order),
    everything: total > order.length,
  };
}

/**
 * After rows went away: what is left stays selected; when the focused row went, its follower is focused (else the one
 * before), so that pressing Delete again goes on where the person was.
 */
export function withoutGone(selection: Selection, before: readonly string[], after: readonly string[]): Selection {
  const left = new Set(after);
  const keys = new Set([...selection.keys].filter((key) => left.has(key)));
  const { focus } = selection;
  if (focus === undefined || left.has(focus)) {
    if (keys.size === selection.keys.size) return selection;
    if (keys.size === 0) return selectOne(focus);
    return { ...selection, keys };
  }
  const at = before.indexOf(focus);
  const next =
    before.slice(at + 1).find((key) => left.has(key)) ??
    before.slice(0, Math.max(0, at)).findLast((key) => left.has(key));
  return keys.size > 0 && next !== undefined
    ? { focus: next, anchor: next, keys: keys.has(next) ? keys : new Set([next]), everything: false }
    : selectOne(next);
}
