import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFilter, mailFields, parseDuration, parseFilter, parseSize, queueFields } from './filter.ts';

describe('parseFilter', () => {
  it.each([
    ['from:ada', [{ field: 'from', value: 'ada', not: false }]],
    [
      '-to:"Bob B" hello',
      [
        { field: 'to', value: 'Bob B', not: true },
        { field: 'text', value: 'hello', not: false },
      ],
    ],
    [
      're: hello',
      [
        { field: 'text', value: 're:', not: false },
        { field: 'text', value: 'hello', not: false },
      ],
    ],
    ['FROM:a', [{ field: 'from', value: 'a', not: false }]],
    ['"a b', [{ field: 'text', value: 'a b', not: false }]],
    [
      '- x',
      [
        { field: 'text', value: '-', not: false },
        { field: 'text', value: 'x', not: false },
      ],
    ],
    ['from:', []],
  ])('%s', (text, terms) => {
    expect(parseFilter(text, mailFields)).toEqual(terms);
  });

  it('never throws and keeps to its bounds', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000 }), (text) => {
        const terms = parseFilter(text, queueFields);
        expect(terms.length).toBeLessThanOrEqual(32);
        for (const term of terms) expect(term.value.length).toBeGreaterThan(0);
      }),
    );
  });

  it('reads back what formatFilter wrote', () => {
    const value = fc.stringMatching(/^[a-z0-9@. ]{1,20}$/).filter((text) => text.trim() === text);
    const term = fc.record({ field: fc.constantFrom(...queueFields, 'text'), value, not: fc.boolean() });
    fc.assert(
      fc.property(fc.array(term, { maxLength: 8 }), (terms) => {
        expect(parseFilter(formatFilter(terms), queueFields)).toEqual(terms);
      }),
    );
  });
});

describe('durations and sizes', () => {
  it.each([
    ['90', 90_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1w', 604_800_000],
    ['abc', undefined],
    ['-1', undefined],
  ])('duration %s', (text, value) => expect(parseDuration(text)).toBe(value));
  it.each([
    ['500', 500],
    ['20k', 20_480],
    ['5MB', 5_242_880],
    ['x', undefined],
  ])('size %s', (text, value) => expect(parseSize(text)).toBe(value));
});
