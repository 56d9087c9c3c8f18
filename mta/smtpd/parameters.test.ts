import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeXtext, parseMailParameters, parseRcptParameters, type Offered } from './parameters.ts';

const all: Offered = { size: true, eightBit: true, smtputf8: true, dsn: true, auth: true };
const none: Offered = { size: false, eightBit: false, smtputf8: false, dsn: false, auth: false };

test('what is offered is read', () => {
  expect(parseMailParameters(' SIZE=10 body=8bitmime SMTPUTF8 RET=full ENVID=a+3Db AUTH=<>', all)).toEqual({
    value: { size: 10, body: '8BITMIME', smtputf8: true, ret: 'FULL', envelopeId: 'a+3Db' },
  });
  expect(parseRcptParameters(' NOTIFY=success,delay ORCPT=rfc822;a+40b', all)).toEqual({
    value: { notify: ['SUCCESS', 'DELAY'], originalRecipient: 'rfc822;a@b' },
  });
  expect(parseRcptParameters(' ORCPT=utf-8;\\x{FC}@b', all)).toEqual({ value: { originalRecipient: 'utf-8;ü@b' } });
});

test.each(['SIZE=1', 'BODY=7BIT', 'SMTPUTF8', 'AUTH=<>', '__proto__=1', 'constructor'])(
  '%s is refused where it is not offered',
  (word) => {
    expect(parseMailParameters(word, none)).toEqual({ reply: `555 5.5.4 Unsupported option: ${word}` });
  },
);

test.each([
  'rfc822;',
  ';a',
  'rfc822;a+0Ab',
  'rfc822;a+0D',
  'rfc822;a+00',
  'rfc822;a=b',
  'rfc822;a+4',
  'utf-8;\\x{D800}',
  'utf-8;\\x{A}',
  'rfc 822;a',
  '',
])('ORCPT=%s is refused', (value) => {
  expect(parseRcptParameters(`ORCPT=${value}`, all)).toHaveProperty('reply');
});

test('xtext comes back, and nothing decodes to a control character', () => {
  const encode = (text: string): string =>
    text.replace(/[^!-*,-<>-~]/g, (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
  const ascii = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(ascii, (text) => {
      expect(decodeXtext(encode(text))).toBe(text);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('+', '0', 'A', 'D', '8', 'a', '=', ' ', '\n') }), (text) => {
      expect(/\p{Cc}/u.test(decodeXtext(text) ?? '')).toBe(false);
    }),
  );
});

test('never throws', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom(
          'SIZE',
          '=',
          ' ',
          'ENVID',
          'RET',
          '+',
          '0',
          ';',
          ',',
          'NOTIFY',
          'ORCPT',
          'rfc822',
          '\0',
          'ü',
        ),
      }),
      (text) => {
        parseMailParameters(text, all);
        parseRcptParameters(text, all);
      },
    ),
    { numRuns: 5000 },
  );
});
