import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultHeaderLimits, fieldValue, readHeader } from './header.ts';

const read = (text: string): ReturnType<typeof readHeader> => readHeader(Buffer.from(text));

describe('readHeader', () => {
  test('unfolds, trims, keeps order and case', () => {
    const header = read('Subject: one\r\n two\r\n\tthree\r\nX-A : b\r\nfrom:c\r\n\r\nbody');
    expect(header.fields.map(({ name, key, value }) => [name, key, value])).toEqual([
      ['Subject', 'subject', 'one two\tthree'],
      ['X-A', 'x-a', 'b'],
      ['from', 'from', 'c'],
    ]);
    expect(header.bodyStart).toBe(Buffer.from('Subject: one\r\n two\r\n\tthree\r\nX-A : b\r\nfrom:c\r\n\r\n').length);
    expect(header.cut).toBe(false);
  });

  test('takes bare line feeds, an mbox line, and the end of the file for an end', () => {
    expect(read('From a@b Mon\nA: 1\nB: 2').fields.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(read('A: 1\n\nB: 2').fields).toHaveLength(1);
    expect(read('').fields).toEqual([]);
    expect(read('\r\nA: 1').fields).toEqual([]);
  });

  test('a line that is no field begins the body', () => {
    const header = read('A: 1\r\nthis is no field\r\nB: 2\r\n');
    expect(header.fields).toHaveLength(1);
    expect(header.bodyStart).toBe(6);
    expect(read('A: 1\r\n--b:c\r\n').fields).toHaveLength(1);
  });

  test('bytes that are not UTF-8 are Windows-1252; control characters become spaces', () => {
    expect(fieldValue(readHeader(Buffer.from('Subject: caf\xe9\0x\r\n\r\n', 'latin1')), 'subject')).toBe('café x');
    expect(fieldValue(read('Subject: café\r\n\r\n'), 'subject')).toBe('café');
  });

  test('field names that objects have are plain names', () => {
    const header = read('__proto__: a\r\nconstructor: b\r\n\r\n');
    expect(fieldValue(header, '__proto__')).toBe('a');
    expect(fieldValue(header, 'constructor')).toBe('b');
    expect(fieldValue(header, 'tostring')).toBeUndefined();
  });

  test('a line of a megabyte, and 500,000 fields, cost what the limits say', () => {
    const long = readHeader(Buffer.from(`Subject: ${'x'.repeat(1_000_000)}\r\nTo: a\r\n\r\n`));
    expect(long.cut).toBe(true);
    expect(fieldValue(long, 'subject')?.length).toBe(defaultHeaderLimits.fieldBytes - 1);
    expect(fieldValue(long, 'to')).toBe('a');
    const many = readHeader(Buffer.from('A: b\r\n'.repeat(500_000)));
    expect(many.cut).toBe(true);
    expect(many.fields).toHaveLength(defaultHeaderLimits.fields);
  });

  test('reads back any fields that are written properly', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/);
    const value = fc.stringMatching(/^[!-~]{1,20}( [!-~]{1,20}){0,3}$/);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 20 }),
        fc.constantFrom('\r\n', '\n'),
        fc.boolean(),
        (fields, eol, fold) => {
          const text = fields
            .map(([key, content]) => `${key}: ${fold ? content.replaceAll(' ', `${eol} `) : content}${eol}`)
            .join('');
          const header = readHeader(Buffer.from(`${text}${eol}body`));
          expect(header.fields.map((field) => [field.name, field.value])).toEqual(fields);
          expect(header.bodyStart).toBe(text.length + eol.length);
        },
      ),
    );
  });

  test('never throws, and the body starts within the message', () => {
    const piece = fc.oneof(fc.constantFrom('\r', '\n', '\r\n', ':', ' ', '\t', '--', 'From ', 'A', '\0'), fc.string());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(60), (pieces, start) => {
        const bytes = Buffer.from(pieces.join(''));
        const from = Math.min(start, bytes.length);
        const header = readHeader(bytes, from);
        expect(header.bodyStart).toBeGreaterThanOrEqual(from);
        expect(header.bodyStart).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});
