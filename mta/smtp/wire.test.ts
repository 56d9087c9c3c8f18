import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BodyEncoder } from './encode-body.ts';
import { commandAddress, xtext } from './envelope-commands.ts';
import { ReplyReader, type Reply } from './reply.ts';

function encode(chunks: readonly Uint8Array[], limit = 998): string {
  const encoder = new BodyEncoder(limit);
  return Buffer.concat([...chunks.map((chunk) => Buffer.from(encoder.encode(chunk))), encoder.end()]).toString(
    'latin1',
  );
}

test.each([
  ['a\nb\n', 'a\r\nb\r\n.\r\n'],
  ['a', 'a\r\n.\r\n'],
  ['', '.\r\n'],
  ['.\n', '..\r\n.\r\n'],
  ['.\r\n.\r\n', '..\r\n..\r\n.\r\n'],
  ['a\r.\rb\n', 'a . b\r\n.\r\n'],
  ['a\r', 'a\r\n.\r\n'],
])('%j → %j', (input, output) => {
  expect(encode([Buffer.from(input)])).toBe(output);
});

test('no chunking makes a difference, no bare CR or LF goes out, the end is seen once', () => {
  const bytes = fc.array(
    fc.constantFrom('a', 'b', '.', '\n', '\r', '\r\n', '\n.\n', '\r\n.\r\n', '\n.\r\n', 'x'.repeat(30)),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(60), { maxLength: 20 }), (parts, cuts) => {
      const input = Buffer.from(parts.join(''));
      const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, input.length)), input.length])].sort(
        (a, b) => a - b,
      );
      const chunks = places.slice(1).map((place, i) => input.subarray(places[i], place));
      const whole = encode([input], 20);
      expect(encode(chunks, 20)).toBe(whole);
      expect(whole.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
      expect(whole.startsWith('.\r\n') ? 0 : whole.indexOf('\r\n.\r\n') + 2).toBe(whole.length - 3);
      for (const line of whole.split('\r\n')) expect(line.length).toBeLessThanOrEqual(21);
    }),
    { numRuns: 1000 },
  );
});

test('replies come out the same however they are cut', () => {
  const stream = '220 hi\r\n250-a\r\n250-b c\r\n250 2.1.0 d\r\n550 5.1.1\r\nrubbish\r\n354\n';
  const read = (chunks: readonly string[]): Reply[] => {
    const reader = new ReplyReader();
    return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)));
  };
  const whole = read([stream]);
  expect(whole.map(({ code, status, text }) => [code, status, text])).toEqual([
    [220, undefined, '220 hi'],
    [250, '2.1.0', '250-a 250-b c 250 2.1.0 d'],
    [550, '5.1.1', '550 5.1.1'],
    [0, undefined, 'rubbish'],
    [354, undefined, '354'],
  ]);
  expect(read([...stream])).toEqual(whole);
});

test('an endless reply stays bounded', () => {
  const reader = new ReplyReader();
  for (let i = 0; i < 2000; i++) reader.push(Buffer.from('y'.repeat(5000)));
  for (let i = 0; i < 5000; i++) reader.push(Buffer.from('\r\n250-more\r\n'));
  const replies = reader.push(Buffer.from('250 end\r\n'));
  expect(replies[0]?.text.length).toBeLessThan(10_000);
});

test.each([
  ['ada@x.test', 'ada@x.test'],
  ['', ''],
  ['a b@x.test', '"a b"@x.test'],
  ['a"b@x.test', '"a\\"b"@x.test'],
  ['"a@b"@x.test', '"a@b"@x.test'],
  ['a..b@x.test', '"a..b"@x.test'],
  ['a@x.test\r\nDATA', undefined],
  ['a@x> BODY=8BITMIME', undefined],
])('address %j in a command is %j', (address, written) => {
  expect(commandAddress(address)).toBe(written);
});

test('xtext', () => {
  expect(xtext('a+b=c d~é')).toBe('a+2Bb+3Dc+20d~+C3+A9');
});
