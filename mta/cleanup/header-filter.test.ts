import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeaderFilter, type HeaderRules } from './header-filter.ts';

const rules: HeaderRules = {
  drop: new Set(['return-path', 'bcc']),
  headerLimit: 1000,
  missing: (has) => (has('date') ? '' : 'Date: now\n'),
};

function run(pieces: string[], using: HeaderRules = rules): { text: string; filter: HeaderFilter } {
  const filter = new HeaderFilter(using);
  let text = '';
  const out = (bytes: Buffer): void => {
    text += bytes.toString('latin1');
  };
  for (const piece of pieces) filter.write(Buffer.from(piece, 'latin1'), out);
  filter.end(out);
  return { text, filter };
}

const cases: [string, string, string][] = [
  ['complete headers pass unchanged', 'Date: x\nSubject: y\n\nbody\n', 'Date: x\nSubject: y\n\nbody\n'],
  ['missing ones come last', 'Subject: y\n\nbody\n', 'Subject: y\nDate: now\n\nbody\n'],
  ['no headers at all', '\nbody\n', 'Date: now\n\nbody\n'],
  ['nothing at all', '', 'Date: now\n'],
  ['headers without a body', 'Subject: y\n', 'Subject: y\nDate: now\n'],
  [
    'Return-Path and Bcc go, with their folded lines',
    'Return-Path: <a>\nA: b\nBCC: x,\n y,\n z\nDate: x\n\nb\n',
    'A: b\nDate: x\n\nb\n',
  ],
  ['a name with a blank before the colon', 'Date : x\nBcc : y\n\n', 'Date : x\n\n'],
  ['a line that is no header ends them', 'A: b\nhello world\nB: c\n', 'A: b\nDate: now\n\nhello world\nB: c\n'],
  ['a body at once', 'hello\n', 'Date: now\n\nhello\n'],
  ['a body that begins with a blank', ' hello\n', 'Date: now\n\n hello\n'],
  ['a header line without a name', 'A: b\n: x\n', 'A: b\nDate: now\n\n: x\n'],
  ['a name that is never finished', 'A: b\nSubj', 'A: b\nDate: now\n\nSubj'],
  ['a mailbox line', 'From bob Mon\nDate: x\n\nb\n', 'X-Mailbox-Line: From bob Mon\nDate: x\n\nb\n'],
  ['a mailbox line further down is body', 'A: b\nFrom bob\n', 'A: b\nDate: now\n\nFrom bob\n'],
  ['bytes above ASCII in a value', 'Subject: \xe9\xff\nDate: x\n\n\xe9\n', 'Subject: \xe9\xff\nDate: x\n\n\xe9\n'],
  ['bytes above ASCII in a name', 'S\xe9: x\n', 'Date: now\n\nS\xe9: x\n'],
];

describe('HeaderFilter', () => {
  test.each(cases)('%s', (_name, input, output) => {
    expect(run([input]).text).toBe(output);
    for (let at = 0; at <= input.length; at += 1) {
      expect(run([input.slice(0, at), input.slice(at)]).text, `split at ${at}`).toBe(output);
    }
    expect(run([...input]).text, 'byte by byte').toBe(output);
  });

  test('remembers the first Subject and Message-ID, unfolded, as UTF-8; counts Received', () => {
    const input =
      'Received: a\nRECEIVED: b\n c\nSubject: Gr\xc3\xbc\xc3\x9fe\n\tan alle \nmessage-id:\n <1@x>\nSubject: other\nDate: x\n\nReceived: no\n';
    for (const pieces of [[input], [...input]]) {
      const { filter } = run(pieces);
      expect(filter.subject).toBe('Grüße an alle');
      expect(filter.messageId).toBe('<1@x>');
      expect(filter.received).toBe(2);
    }
  });

  test('names of object properties are just names', () => {
    const { text, filter } = run(['__proto__: x\nconstructor: y\nDate: z\n\n']);
    expect(text).toBe('__proto__: x\nconstructor: y\nDate: z\n\n');
    expect(filter.subject).toBeUndefined();
  });

  test('one header is cut at header_size_limit; the rest goes on', () => {
    const small = { ...rules, headerLimit: 10 };
    expect(run(['A: 12345678901234\nDate: x\n\n'], small).text).toBe('A: 1234567\nDate: x\n\n');
    expect(run(['A: 1\n 2\n 3\n 4\n 5\nDate: x\n\n'], small).text).toBe('A: 1\n 2\n 3\nDate: x\n\n');
    expect(run([...'A: 1\n 2\n 3\n 4\n 5\nDate: x\n\n'], small).text).toBe('A: 1\n 2\n 3\nDate: x\n\n');
  });

  test('half a million headers take memory for one', () => {
    const filter = new HeaderFilter(rules);
    let size = 0;
    const chunk = Buffer.from('X-Again: 1\n'.repeat(5000));
    for (let n = 0; n < 100; n += 1) filter.write(chunk, (bytes) => (size += bytes.length));
    expect(size).toBe(chunk.length * 100);
  });

  test('however it is cut, the result is the same', () => {
    const unit = fc.constantFrom('A', 'b', ':', ' ', '\t', '\n', '\n', 'Bcc', 'Date: ', 'From ', '\xe9', '\x01');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 40 }), fc.array(fc.nat(100), { maxLength: 8 }), (units, cuts) => {
        const input = units.join('');
        const at = [...new Set(cuts)].filter((cut) => cut < input.length).sort((a, b) => a - b);
        const pieces = [0, ...at].map((from, index) => input.slice(from, at[index] ?? input.length));
        expect(run(pieces).text).toBe(run([input]).text);
      }),
      { numRuns: 5000 },
    );
  });
});
