/**
 * Numbers, sizes, dates and durations in a person's language, by Intl. Pure: every function is given the locale.
 * Promises: never throws; a time that is no number is shown as a dash.
 */
export type Locale = 'en' | 'zh';

const tags: Record<Locale, string> = { en: 'en-GB', zh: 'zh-Hans-CN' };
const cache = new Map<string, unknown>();

function cached<T>(key: string, make: () => T): T {
  let value = cache.get(key) as T | undefined;
  if (value === undefined) cache.set(key, (value = make()));
  return value;
}

export function formatNumber(locale: Locale, value: number): string {
  return cached(`n${locale}`, () => new Intl.NumberFormat(locale === 'en' ? 'en-US' : tags[locale])).format(value);
}

/** Bytes, in units of 1024: `4.1 KB`. */
export function formatBytes(locale: Locale, bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  const text = cached(
    `b${locale}${digits}`,
    () => new Intl.NumberFormat(tags[locale], { maximumFractionDigits: digits }),
  ).format(value);
  return `${text} ${units[unit] ?? ''}`;
}

function dateFormat(locale: Locale, key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return cached(`d${locale}${key}`, () => new Intl.DateTimeFormat(tags[locale], { hourCycle: 'h23', ...options }));
}

/** `14:02:11` */
export function formatClock(locale: Locale, time: number): string {
  if (!Number.isFinite(time)) return '–';
  return dateFormat(locale, 'clock', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(time);
}

/** `22 Nov 2026, 14:02:11` */
export function formatMoment(locale: Locale, time: number): string {
  if (!Number.isFinite(time)) return '–';
  return dateFormat(locale, 'moment', { dateStyle: 'medium', timeStyle: 'medium' }).format(time);
}

/** For lists: the clock for the last hour, the minute for today, the day for this year, else the date. */
export function formatListTime(locale: Locale, time: number, now: number): string {
  if (!Number.isFinite(time)) return '–';
  const then = new Date(time);
  const today = new Date(now);
  if (then.toDateString() === today.toDateString()) {
    if (now - time < 3_600_000) return formatClock(locale, time);
    return dateFormat(locale, 'minute', { hour: '2-digit', minute: '2-digit' }).format(time);
  }
  if (then.getFullYear() === today.getFullYear()) {
    return dateFormat(locale, 'day', { day: 'numeric', month: 'short' }).format(time);
  }
  return dateFormat(locale, 'date', { day: 'numeric', month: 'short', year: 'numeric' }).format(time);
}

const units: readonly [Intl.NumberFormatOptions['unit'] & string, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

/** The largest fitting unit: `22 min`, `3 h`, `1 day`. */
export function formatDuration(locale: Locale, milliseconds: number): string {
  const span = Math.max(0, milliseconds);
  const [unit, size] = units.find(([, unitSize]) => span >= unitSize) ?? (['second', 1000] as const);
  return cached(
    `u${locale}${unit}`,
    () => new Intl.NumberFormat(tags[locale], { style: 'unit', unit, unitDisplay: 'short' }),
  ).format(Math.floor(span / size));
}

/** Time until something, as a clock under an hour: `3:12`, `41:00`, else the duration. */
export function formatCountdown(locale: Locale, milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds >= 3600) return formatDuration(locale, milliseconds);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** `3 seconds ago`, `in 5 minutes`, `now`. */
export function formatRelative(locale: Locale, time: number, now: number): string {
  const delta = time - now;
  const span = Math.abs(delta);
  const relative = cached(
    `r${locale}`,
    () => new Intl.RelativeTimeFormat(tags[locale], { numeric: 'auto', style: 'short' }),
  );
  if (span < 2000) return relative.format(0, 'second');
  const [unit, size] = units.find(([, unitSize]) => span >= unitSize) ?? (['second', 1000] as const);
  return relative.format(Math.trunc(delta / size), unit as Intl.RelativeTimeFormatUnit);
}

/** Picks the form of the language's plural rule and puts the number in for `#`. */
export function plural(
  locale: Locale,
  count: number,
  forms: Partial<Record<Intl.LDMLPluralRule, string>> & { other: string },
): string {
  const rule = cached(`p${locale}`, () => new Intl.PluralRules(tags[locale])).select(count);
  return (forms[rule] ?? forms.other).replaceAll('#', formatNumber(locale, count));
}

/** `a, b and c` */
export function formatList(locale: Locale, items: readonly string[]): string {
  return cached(`l${locale}`, () => new Intl.ListFormat(tags[locale])).format(items);
}
