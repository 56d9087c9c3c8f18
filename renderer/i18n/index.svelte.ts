/**
 * What the page says, in the language the person chose. `t.area.key` is a text or a function of its parameters and is
 * reactive: a change of language changes the page without a reload. `format` is Intl in the same language.
 */
import { en } from './en/index.ts';
import {
  formatBytes,
  formatClock,
  formatCountdown,
  formatDuration,
  formatList,
  formatListTime,
  formatMoment,
  formatNumber,
  formatRelative,
  type Locale,
} from './format.ts';
import type { Shape } from './shape.ts';
import { zh } from './zh/index.ts';

const catalogues: Record<Locale, Shape<typeof en>> = { en, zh };

class Language {
  locale = $state<Locale>('en');
}
export const language = new Language();

/** The catalogue of a language tag: `zh-CN` and its relatives are Chinese, all others English. */
export function localeOf(tag: string | undefined): Locale {
  return /^zh\b/i.test(tag ?? '') ? 'zh' : 'en';
}

export const t: Shape<typeof en> = Object.defineProperties(
  {},
  Object.fromEntries(
    (Object.keys(en) as (keyof typeof en)[]).map((area) => [
      area,
      { enumerable: true, get: () => catalogues[language.locale][area] },
    ]),
  ),
) as Shape<typeof en>;

export const format = {
  number: (value: number) => formatNumber(language.locale, value),
  bytes: (bytes: number) => formatBytes(language.locale, bytes),
  clock: (time: number) => formatClock(language.locale, time),
  moment: (time: number) => formatMoment(language.locale, time),
  listTime: (time: number, now: number) => formatListTime(language.locale, time, now),
  duration: (milliseconds: number) => formatDuration(language.locale, milliseconds),
  countdown: (milliseconds: number) => formatCountdown(language.locale, milliseconds),
  relative: (time: number, now: number) => formatRelative(language.locale, time, now),
  list: (items: readonly string[]) => formatList(language.locale, items),
};
