import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparable, formatAddress, isInternational, literalAddress, parseAddress, parsePath } from './path.ts';

const good: [string, string | undefined, string | undefined][] = [
  ['<>', undefined, undefined],
  ['<bob@example.org>', 'bob', 'example.org'],
  ['  <bob@example.org>', 'bob', 'example.org'],
  ['bob@example.org', 'bob', 'example.org'],
  ['<postmaster>', 'postmaster', undefined],
  ['<root>', 'root', undefined],
  ['<"a b"@example.org>', 'a b', 'example.org'],
  ['<"a@b"@example.org>', 'a@b', 'example.org'],
  ['<"x@evil y"@local>', 'x@evil y', 'local'],
  ['<"a\\"b\\\\c"@example.org>', 'a"b\\c', 'example.org'],
  ['<"u@o">', 'u@o', undefined],
  ['<@a.example:bob@example.org>', 'bob', 'example.org'],
  ['<@a.example,@b.example:bob@example.org>', 'bob', 'example.org'],
  ['<bob@[192.0.2.1]>', 'bob', '[192.0.2.1]'],
  ['<bob@[IPv6:2001:db8::1]>', 'bob', '[IPv6:2001:db8::1]'],
  ['<u%o@example.org>', 'u%o', 'example.org'],
  ['<o!u@example.org>', 'o!u', 'example.org'],
  ['<user.@example.com>', 'user.', 'example.com'],
  ['<ü@example.org>', 'ü', 'example.org'],
  ['<bob@bücher.example>', 'bob', 'bücher.example'],
  ['<under_score@a_b.example>', 'under_score', 'a_b.example'],
];

const bad = [
  '',
  '<',
  '<bob@example.org',
  'bob@example.org>',
  '<bob@>',
  '<@example.org>',
  '<@a.example:>',
  '<u@o@L>',
  '<bob@example.org>x',
  '<bob@.example.org>',
  '<bob@example..org>',
  '<bob@example.org.>',
  '<bob@-a.example>',
  '<bob@a-.example>',
  '<bob@[300.1.1.1]>',
  '<bob@[IPv6:zz]>',
  '<bob@[IPv6:fe80::1%eth0]>',
  '<bob@[]>',
  '<"">',
  '<""@example.org>',
  '<"a@example.org>',
  '<"a\\',
  '<a b@example.org>',
  '<a\tb@example.org>',
  '<a\rb@example.org>',
  '<a\0b@example.org>',
  '<"a\nb"@example.org>',
  '<"a\\\nb"@example.org>',
  '<a\u0085b@example.org>',
  '<a\u200bb@example.org>',
  '<bob@exa\u2028mple.org>',
  '<\ud800@example.org>',
  `<${'a'.repeat(256)}@example.org>`,
  `<bob@${'a'.repeat(64)}.example>`,
  `<bob@${'a.'.repeat(140)}example>`,
  '<(comment)bob@example.org>',
];

describe('parsePath', () => {
  test.each(good)('%s', (text, local, domain) => {
    const parsed = parsePath(text);
    expect(parsed?.end).toBe(text.length);
    expect(parsed?.address).toEqual(local === undefined ? undefined : { local, domain });
  });

  test.each(bad)('refuses %j', (text) => {
    expect(parsePath(text)).toBeUndefined();
  });

  test('stops where the parameters begin', () => {
    const text = 'MAIL FROM:<bob@example.org> SIZE=1';
    expect(parsePath(text, 10)).toEqual({ address: { local: 'bob', domain: 'example.org' }, end: 27 });
  });

  test('an address written out is read back as the same address', () => {
    const local = fc.string({
      minLength: 1,
      maxLength: 40,
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    });
    const domain = fc.option(fc.domain(), { nil: undefined });
    fc.assert(
      fc.property(local, domain, (local, domain) => {
        const written = formatAddress({ local, domain });
        expect(parsePath(`<${written}>`)).toEqual({ address: { local, domain }, end: written.length + 2 });
      }),
      { numRuns: 2000 },
    );
  });

  test('never throws, and what it accepts holds no control character', () => {
    const odd = fc.string({
      unit: fc.oneof(
        fc.constantFrom('<', '>', '@', '"', '\\', '[', ']', ':', ',', '.', ' ', '%', '!', '\r', '\n', '\0'),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      ),
      maxLength: 60,
    });
    fc.assert(
      fc.property(odd, (text) => {
        const parsed = parsePath(text);
        if (parsed?.address === undefined) return;
        const written = formatAddress(parsed.address);
        expect(/\p{Cc}/u.test(written)).toBe(false);
        expect(parsed.end).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 20_000 },
    );
  });

  test.each([
    ['(', ''],
    ['"', ''],
    ['\\"', '"'],
    ['@a,', ''],
    ['<', ''],
    ['a.', ''],
    ['[', '<a@'],
  ])('a megabyte of %s is answered at once', (piece, before) => {
    const text = `<${before}${piece.repeat(1_000_000 / piece.length)}`;
    const start = performance.now();
    parsePath(text);
    expect(performance.now() - start).toBeLessThan(300);
  });
});

test('helpers', () => {
  expect(literalAddress('[127.0.0.1]')).toBe('127.0.0.1');
  expect(literalAddress('[IPv6:::1]')).toBe('::1');
  expect(literalAddress('127.0.0.1')).toBeUndefined();
  expect(comparable('BÜCHER.example')).toBe('xn--bcher-kva.example');
  expect(isInternational({ local: 'a', domain: 'b' })).toBe(false);
  expect(isInternational({ local: 'ü', domain: undefined })).toBe(true);
  expect(parseAddress('bob@example.org')).toEqual({ local: 'bob', domain: 'example.org' });
  expect(parseAddress('bob@example.org x')).toBeUndefined();
  expect(parseAddress('<>')).toBeUndefined();
});
