import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCountdown,
  formatDuration,
  formatListTime,
  formatNumber,
  formatRelative,
  plural,
} from './format.ts';
import { en } from './en/index.ts';
import { zh } from './zh/index.ts';

describe('figures', () => {
  it('groups numbers', () => expect(formatNumber('en', 1258)).toBe('1,258'));
  it.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [4198, '4.1 KB'],
    [5_242_880, '5 MB'],
    [200 * 1024 * 1024, '200 MB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes('en', bytes)).toBe(text));
  it('counts down by the clock under an hour', () => {
    expect(formatCountdown('en', 192_000)).toBe('3:12');
    expect(formatCountdown('en', -5)).toBe('0:00');
    expect(formatCountdown('en', 7_200_000)).toBe(formatDuration('en', 7_200_000));
  });
  it('says how long ago', () => {
    expect(formatRelative('en', 0, 3000)).toBe('3 sec ago');
    expect(formatRelative('zh', 0, 3000)).toContain('3秒');
  });
  it('shortens times the older they are', () => {
    const now = new Date(2026, 10, 22, 14, 30).getTime();
    const at = (...parts: [number, number, number, number, number, number]) => new Date(...parts).getTime();
    expect(formatListTime('en', at(2026, 10, 22, 14, 2, 11), now)).toBe('14:02:11');
    expect(formatListTime('en', at(2026, 10, 22, 11, 20, 5), now)).toBe('11:20');
    expect(formatListTime('en', at(2026, 10, 3, 9, 0, 0), now)).toBe('3 Nov');
    expect(formatListTime('en', at(2025, 1, 3, 9, 0, 0), now)).toMatch(/2025/);
    expect(formatListTime('en', Number.NaN, now)).toBe('–');
  });
  it('uses the plural of the language', () => {
    const forms = { one: '# message', other: '# messages' };
    expect([plural('en', 1, forms), plural('en', 0, forms), plural('en', 1200, forms)]).toEqual([
      '1 message',
      '0 messages',
      '1,200 messages',
    ]);
    expect(plural('zh', 1, { other: '# 封' })).toBe('1 封');
  });
});

it('has no empty text in either language, and the same keys', () => {
  const texts = (value: object, path = ''): [string, unknown][] =>
    Object.entries(value).flatMap(([key, entry]: [string, unknown]) =>
      typeof entry === 'object' && entry !== null
        ? texts(entry, `${path}${key}.`)
        : [[path + key, entry] as [string, unknown]],
    );
  for (const catalogue of [en, zh]) {
    for (const [key, text] of texts(catalogue)) if (typeof text === 'string') expect(text.trim(), key).not.toBe('');
  }
  expect(
    texts(zh)
      .map(([key]) => key)
      .sort(),
  ).toEqual(
    texts(en)
      .map(([key]) => key)
      .sort(),
  );
});
