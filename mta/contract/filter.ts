/**
 * The filter grammar shared by mail, queue and log: `from:ada -to:"Bob B" older:1h larger:2m words`.
 *
 * Promises: linear in its input; never throws. A term whose field is not known to the page is taken as plain text,
 * so that a colon in a subject can simply be typed. Terms are joined by AND; `-` negates one.
 */
import * as z from 'zod';

export const FilterTerm = z.object({
  /** Lower-case field name, or `text` for a bare word. */
  field: z.string().max(32),
  value: z.string().max(500),
  not: z.boolean().default(false),
});
export type FilterTerm = z.output<typeof FilterTerm>;

export const Filter = z.array(FilterTerm).max(32);
export type Filter = z.output<typeof Filter>;

export const queueFields = [
  'queue',
  'from',
  'to',
  'reason',
  'domain',
  'older',
  'newer',
  'larger',
  'smaller',
  'id',
] as const;
export const mailFields = ['from', 'to', 'subject', 'before', 'after', 'larger', 'smaller', 'is', 'has'] as const;
export const logFields = ['id', 'service', 'level', 'after', 'before'] as const;

/** Splits `text` into terms, knowing the given field names. */
export function parseFilter(text: string, fields: readonly string[]): Filter {
  const terms: Filter = [];
  let i = 0;
  while (i < text.length && terms.length < 32) {
    if (isSpace(text[i])) {
      i++;
      continue;
    }
    let not = false;
    if (text[i] === '-' && i + 1 < text.length && !isSpace(text[i + 1])) {
      not = true;
      i++;
    }
    let field = 'text';
    const word = /^([a-zA-Z]+):/.exec(text.slice(i, i + 33));
    if (word?.[1] !== undefined && fields.includes(word[1].toLowerCase())) {
      field = word[1].toLowerCase();
      i += word[0].length;
    }
    let value: string;
    if (text[i] === '"') {
      const end = text.indexOf('"', i + 1);
      value = text.slice(i + 1, end === -1 ? text.length : end);
      i = end === -1 ? text.length : end + 1;
    } else {
      const start = i;
      while (i < text.length && !isSpace(text[i])) i++;
      value = text.slice(start, i);
    }
    if (value !== '') terms.push({ field, value: value.slice(0, 500), not });
  }
  return terms;
}

/** The inverse of parseFilter, for chips and saved views. */
export function formatFilter(filter: Filter): string {
  return filter
    .map(({ field, value, not }) => {
      const quoted = /\s/.test(value) ? `"${value}"` : value;
      return `${not ? '-' : ''}${field === 'text' ? '' : `${field}:`}${quoted}`;
    })
    .join(' ');
}

/** `90s 5m 2h 3d 1w` or plain seconds → milliseconds; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhdw]?)$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const unit = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[match[2] as '' | 's' | 'm' | 'h' | 'd' | 'w'];
  return Number(match[1]) * unit * 1000;
}

/**
 * A point in time, as milliseconds since 1970: `2026-11-14` (its first moment, local time), `2026-11-14T10:30[:00]`,
 * or a duration back from `now` (`2h`); undefined when it is none of these.
 */
export function parseMoment(text: string, now: number): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:t(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text.trim().toLowerCase());
  if (match === null) {
    const duration = parseDuration(text);
    return duration === undefined ? undefined : now - duration;
  }
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const date = new Date(year, month - 1, day, hours, minutes, seconds);
  return date.getMonth() === month - 1 && date.getDate() === day ? date.getTime() : undefined;
}

/** `500 20k 5m 1g` → bytes (binary units); undefined when it is none of these. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})([kmg]?)b?$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const unit = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2] as '' | 'k' | 'm' | 'g'];
  return Number(match[1]) * unit;
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r' || char === '\u3000';
}
