import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { en } from '../../i18n/en/index.ts';
import { zh } from '../../i18n/zh/index.ts';
import { details, knownReply, parseEnhanced, remedyOf, replyClass, replyCodes, subjects } from './codes.ts';

describe.each([
  ['en', en.send],
  ['zh', zh.send],
] as const)('the catalogue %s', (_, words) => {
  it('has words for exactly the codes that are known', () => {
    expect(Object.keys(words.codes).map(Number)).toEqual([...replyCodes]);
    expect(Object.keys(words.enhanced.subjects)).toEqual([...subjects]);
    expect(new Set(Object.keys(words.enhanced.details))).toEqual(new Set(details));
    for (const text of [...Object.values(words.codes), ...Object.values(words.enhanced.details)]) {
      expect(text.trim()).not.toBe('');
    }
  });
});

it('puts every code in a class', () => {
  expect([220, 354, 451, 550].map(replyClass)).toEqual(['done', 'goOn', 'later', 'never']);
  expect(knownReply(250)).toBe(250);
  expect(knownReply(299)).toBeUndefined();
});

describe('an enhanced status code', () => {
  it.each([
    ['5.1.1', { class: '5', subject: '1', detail: '1.1' }],
    ['4.7.999', { class: '4', subject: '7', detail: undefined }],
    ['2.9.9', { class: '2', subject: undefined, detail: undefined }],
  ])('%s', (text, parts) => expect(parseEnhanced(text)).toEqual(parts));
  it.each(['', '3.1.1', '5.1', '5.1.1.1', 'x5.1.1', '5.1111.1'])('%j is none', (text) =>
    expect(parseEnhanced(text)).toBeUndefined(),
  );
});

describe('a failure has a remedy', () => {
  it.each([
    ['connect', 'Connection refused: nothing listens on 127.0.0.1, port 9', 'refused'],
    ['connect', 'The name mx.nowhere.test cannot be resolved', 'notFound'],
    ['connect', 'No answer from 192.0.2.1:25 within 15 seconds', 'timeout'],
    ['greeting', 'This is no SMTP server: its answer has no three-digit code', 'notSmtp'],
    ['tls', 'The server closed the connection', 'tlsWrapper'],
    ['tls', 'The certificate of mx.test is not trusted: SELF_SIGNED', 'certificate'],
    ['starttls', 'The server does not offer STARTTLS; choose no encryption or another port', 'noStarttls'],
    ['auth', 'The server does not offer AUTH.', 'noAuth'],
    ['auth', '535 5.7.8 Error: authentication failed', 'credentials'],
    ['mail', '530 5.7.0 Must issue a STARTTLS command first', 'tlsRequired'],
    ['mail', '530 5.7.0 Authentication required', 'authRequired'],
    ['mail', '553 5.1.8 Sender address rejected', 'sender'],
    ['mail', '552 5.3.4 Message size exceeds fixed limit', 'tooLarge'],
    ['rcpt', 'x@far.test: 554 5.7.1 <x@far.test>: Relay access denied', 'relay'],
    ['rcpt', 'x@far.test: 550 5.1.1 <x@far.test>: Recipient address rejected: User unknown', 'unknownUser'],
    ['rcpt', 'x@far.test: 452 4.2.2 over quota', 'full'],
    ['rcpt', 'x@far.test: 450 4.2.0 Greylisted', 'later'],
    ['rcpt', 'x@far.test: 501 5.1.3 Bad recipient address syntax', 'syntax'],
    ['message', '550 5.7.1 spam', 'policy'],
    ['rcpt', 'The server does not offer SMTPUTF8, which é@b.test needs', 'unicode'],
    ['quit', '', 'other'],
  ])('at %s: %s', (step, message, remedy) => expect(remedyOf({ step, message })).toBe(remedy));

  it('whatever the words are', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ maxLength: 3000 }), (step, message) => {
        expect(en.send.remedies[remedyOf({ step, message })]).not.toBe('');
      }),
    );
  });
});
