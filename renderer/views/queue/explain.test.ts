import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queueNames } from '#mta/contract/mail.ts';
import { en } from '../../i18n/en/index.ts';
import { zh } from '../../i18n/zh/index.ts';
import { answerOf, explain, explainReason, shortReason } from './explain.ts';

describe('a reason', () => {
  it.each([
    ['connect to 127.0.0.1[127.0.0.1]:9: Connection refused', '4.4.1', 'refused'],
    ['connect to mx.slow.test[192.0.2.9]:25: Connection timed out', '4.4.1', 'timedOut'],
    [
      'conversation with mx.slow.test[192.0.2.9] timed out while receiving the initial server greeting',
      '4.4.2',
      'timedOut',
    ],
    ['host mx1[192.0.2.1] said: 450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted', '4.2.0', 'greylisted'],
    ['host mx1[192.0.2.1] said: 451 4.7.1 Greylisting in action, please come back later', '4.7.1', 'greylisted'],
    ['host mx1[192.0.2.1] said: 452 4.2.2 The mailbox is over quota', '4.2.2', 'overQuota'],
    [
      'Host or domain name not found. Name service error for name=far.test type=MX: Host not found, try again',
      '4.4.3',
      'hostNotFound',
    ],
    ['Cannot start TLS: handshake failure', '4.7.5', 'tls'],
    ['TLS is required, but was not offered by host mx1[192.0.2.1]', '4.7.4', 'tls'],
    [
      'host mx1[192.0.2.1] said: 550 5.1.1 <a@b.test>: Recipient address rejected: User unknown in local recipient table',
      '5.1.1',
      'unknownUser',
    ],
    [
      'SASL authentication failed; server smtp[192.0.2.1] said: 535 5.7.8 Error: authentication failed',
      '4.7.8',
      'auth',
    ],
    ['lost connection with mx1[192.0.2.1] while sending RCPT TO', '4.4.2', 'lostConnection'],
    ['connect to mx1[2001:db8::1]:25: No route to host', '4.4.1', 'unreachable'],
    ['connect to mx1[2001:db8::1]:25: Network is unreachable', '4.4.1', 'unreachable'],
    ['host mx1[192.0.2.1] said: 554 5.7.1 <a@b.test>: Relay access denied', '5.7.1', 'relayDenied'],
    ['host mx1[192.0.2.1] said: 550 5.7.1 Message rejected as spam', '5.7.1', 'policy'],
    ['host mx1[192.0.2.1] said: 421 4.7.0 Too many connections from your host', '4.7.0', 'rateLimited'],
    ['mail for far.test loops back to myself', '5.4.6', 'loop'],
    ['message size 20000000 exceeds size limit 10240000 of server mx1', '5.3.4', 'tooLarge'],
    ['mail transport unavailable', '4.3.0', 'local'],
    ['host mx1[192.0.2.1] said: 451 4.9.9 Hmm', '4.9.9', 'temporary'],
    ['host mx1[192.0.2.1] said: 599 Hmm', undefined, 'permanent'],
    [undefined, undefined, 'waiting'],
  ])('%s', (reason, dsn, kind) => expect(explainReason(reason, dsn).kind).toBe(kind));

  it('is explained whatever it is, in both languages, in no time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...queueNames),
        fc.option(fc.string({ maxLength: 3000, unit: 'binary' }), { nil: undefined }),
        fc.boolean(),
        (queue, reason, forcedExpire) => {
          const { kind, outlook } = explain({ queue, reason, forcedExpire });
          for (const { queue: words } of [en, zh]) {
            expect(words.kinds[kind].title).not.toBe('');
            expect(words.outlooks[outlook]).not.toBe('');
          }
        },
      ),
    );
    const start = performance.now();
    for (const piece of ['conversation with ', 'exceeded ', 'try again later', 'a.b-'])
      explainReason(piece.repeat(50_000), '4.0.0');
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('a place in the queue', () => {
  it.each([
    ['incoming', 'incoming'],
    ['active', 'active'],
    ['hold', 'held'],
    ['corrupt', 'corrupt'],
    ['deferred', 'refused'],
  ] as const)('%s', (queue, kind) => {
    expect(explain({ queue, reason: 'Connection refused', forcedExpire: false }).kind).toBe(kind);
  });
  it('that ends now goes before its reason', () => {
    expect(explain({ queue: 'deferred', reason: 'Connection refused', forcedExpire: true }).kind).toBe('expiring');
  });
});

it('takes an answer apart', () => {
  expect(answerOf('host mx1.partner.test[192.0.2.1]:25 said: 450 4.2.0 Greylisted')).toEqual({
    host: 'mx1.partner.test',
    code: '450 4.2.0',
    words: 'Greylisted',
  });
  expect(answerOf('host mx1[192.0.2.1] said: 450-4.7.1 first line')).toEqual({
    host: 'mx1',
    code: '450 4.7.1',
    words: 'first line',
  });
  expect(answerOf('connect to 127.0.0.1[127.0.0.1]:9: Connection refused')).toEqual({
    host: undefined,
    code: undefined,
    words: 'connect to 127.0.0.1[127.0.0.1]:9: Connection refused',
  });
});

it.each([
  ['connect to mx.far.test[192.0.2.1]:25: Connection refused', 'Connection refused · mx.far.test:25'],
  ['delivery temporarily suspended: connect to mx[::1]:25: Connection timed out', 'Connection timed out · mx:25'],
  ['host mx[192.0.2.1] said: 450 4.2.0 <a@b.test>: Recipient address rejected: Greylisted', '450 4.2.0 Greylisted'],
  ['mail transport unavailable', 'mail transport unavailable'],
])('%s in short', (reason, short) => expect(shortReason(reason)).toBe(short));
