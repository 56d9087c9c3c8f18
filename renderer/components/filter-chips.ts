/**
 * A filter as a person types it: terms with a field become chips, what is still being typed stays text. Pure.
 */
import { formatFilter, parseFilter, type Filter, type FilterTerm } from '#mta/contract/filter.ts';

export interface Draft {
  readonly chips: Filter;
  readonly text: string;
}

/**
 * Moves finished terms (those followed by a space, or all when `finish`) that name a field from the text to the chips.
 * Bare words stay in the text: they are searched as they are typed.
 */
export function takeChips(draft: Draft, fields: readonly string[], finish = false): Draft {
  const taken: FilterTerm[] = [];
  const rest: string[] = [];
  for (const [piece, terminated] of pieces(draft.text)) {
    const [term, ...more] = parseFilter(piece, fields);
    if (term !== undefined && more.length === 0 && term.field !== 'text' && (terminated || finish)) taken.push(term);
    else rest.push(terminated ? `${piece} ` : piece);
  }
  if (taken.length === 0) return draft;
  return { chips: [...draft.chips, ...taken].slice(0, 32), text: rest.join('').replace(/^\s+/, '') };
}

/** The filter that the draft means: the chips, then the text parsed with the same fields. */
export function draftFilter(draft: Draft, fields: readonly string[]): Filter {
  return [...draft.chips, ...parseFilter(draft.text, fields)].slice(0, 32);
}

/** A draft showing `filter`: its bare words as text, the others as chips. */
export function draftOf(filter: Filter): Draft {
  return {
    chips: filter.filter((term) => term.field !== 'text'),
    text: formatFilter(filter.filter((term) => term.field === 'text')),
  };
}

/** Splits at spaces outside quotes; says of each piece whether a space followed. */
function pieces(text: string): [string, boolean][] {
  const found: [string, boolean][] = [];
  let piece = '';
  let quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    if (!quoted && /\s/.test(char)) {
      if (piece !== '') found.push([piece, true]);
      piece = '';
    } else {
      piece += char;
    }
  }
  if (piece !== '') found.push([piece, false]);
  return found;
}
