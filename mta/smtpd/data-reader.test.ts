import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataReader } from './data-reader.ts';

/** Feeds the pieces; answers the content, whether it ended, and what was left over. */
function feed(...pieces: string[]): { content: string; ended: boolean; rest: string } {
  const reader = new DataReader();
  let content = '';
  let rest = '';
  for (const piece of pieces) {
    const chunk = Buffer.from(piece, 'latin1');
    if (reader.ended) {
      rest += piece;
      continue;
    }
    const next = reader.read(chunk, 0, (buffer) => (content += buffer.toString('latin1')));
    rest += piece.slice(next);
  }
  return { content, ended: reader.ended, rest };
}

/** What must not end a message: every form of CVE-2023-51764 and relatives. */
const wrongEnds = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\n.\r',
  '\r.\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n.\r\0\n',
  '\r\0\n.\r\n',
  '\r\n\r.\r\n',
  '\r\n..\r\n',
  '\r\n .\r\n',
  '\r\n. \r\n',
  '\r\n.\r\r\n',
  '\r\n\u0085.\r\n',
];

describe('DataReader', () => {
  test.each([
    ['.\r\n', ''],
    ['a\r\n.\r\n', 'a\n'],
    ['\r\n.\r\n', '\n'],
    ['a\r\n..\r\n.\r\n', 'a\n.\n'],
    ['..\r\n.\r\n', '.\n'],
    ['a\r\n..b\r\n...c\r\n.d\r\n.\r\n', 'a\n.b\n..c\nd\n'],
    ['a\nb\r\n.\r\n', 'a\nb\n'],
    ['a\n..b\r\n.\r\n', 'a\n.b\n'],
    ['a\rb\r\n.\r\n', 'a b\n'],
    ['a\0b\r\n.\r\n', 'ab\n'],
    ['a\n.\n.\r\nb\r\n.\r\n', 'a\n.\n.\nb\n'],
  ])('%j', (input, content) => {
    expect(feed(`${input}QUIT\r\n`)).toEqual({ content, ended: true, rest: 'QUIT\r\n' });
  });

  test('no wrong end ends it, at any split', () => {
    let cases = 0;
    for (const wrong of wrongEnds) {
      const input = `a${wrong}MAIL FROM:<evil@example.org>\r\n`;
      const whole = feed(input);
      expect(whole.ended, JSON.stringify(wrong)).toBe(false);
      for (let at = 1; at < input.length; at += 1) {
        for (let next = at; next < Math.min(input.length, at + 4); next += 1) {
          cases += 1;
          const parts = feed(input.slice(0, at), input.slice(at, next), input.slice(next));
          expect(parts, JSON.stringify([wrong, at, next])).toEqual(whole);
        }
      }
      const all = feed(`${input}\r\n.\r\nRSET\r\n`);
      expect(all.ended).toBe(true);
      expect(all.rest).toBe('RSET\r\n');
      expect(all.content).toContain('MAIL FROM:<evil@example.org>');
      expect(all.content).not.toMatch(/[\r\0]/);
    }
    expect(cases).toBeGreaterThan(2000);
  });

  test('whatever is stuffed comes back, at any split', () => {
    const line = fc.string({ unit: fc.constantFrom('.', 'a', ' ', '\t', 'é'), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(60), { maxLength: 6 }), (lines, cuts) => {
        const wire =
          lines.map((text) => `${text.startsWith('.') ? '.' : ''}${text}\r\n`).join('') + '.\r\n' + 'NOOP\r\n';
        const at = [...new Set(cuts.map((cut) => Math.min(cut, wire.length)))].sort((a, b) => a - b);
        const pieces = [0, ...at].map((from, index) => wire.slice(from, at[index] ?? wire.length));
        expect(feed(...pieces)).toEqual({
          content: lines.map((text) => `${text}\n`).join(''),
          ended: true,
          rest: 'NOOP\r\n',
        });
      }),
      { numRuns: 3000 },
    );
  });

  test('stuffed lines cost no more than others', () => {
    const wire = Buffer.from('..\r\n'.repeat(1_000_000), 'latin1');
    const reader = new DataReader();
    const start = performance.now();
    let size = 0;
    for (let at = 0; at < wire.length; at += 65_536) {
      reader.read(wire.subarray(at, at + 65_536), 0, (content) => (size += content.length));
    }
    expect(size).toBe(2_000_000);
    expect(reader.size).toBe(2_000_000);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
