import { describe, expect, it } from 'vitest';
import type { LogLine } from '#mta/contract/mail.ts';
import { attemptsOf, deliveryOf, shortened } from './timeline.ts';

const line = (time: number, text: string): LogLine => ({
  position: time,
  time,
  host: 'mx',
  process: 'postfix/smtp',
  pid: 1,
  level: 'info',
  text,
});
const deferred =
  '4jXQPS5Fs2zJnB7: to=<ann@far.test>, orig_to=<a@far.test>, relay=mx.far.test[192.0.2.1]:25, delay=0.02, delays=0.01/0/0.01/0, dsn=4.2.0, status=deferred (host mx.far.test[192.0.2.1] said: 450 4.2.0 Greylisted (come back) (in reply to RCPT TO command))';

describe('a delivery line', () => {
  it('is read', () =>
    expect(deliveryOf(line(5, deferred))).toEqual({
      at: 5,
      to: 'ann@far.test',
      relay: 'mx.far.test[192.0.2.1]:25',
      dsn: '4.2.0',
      status: 'deferred',
      reason: 'host mx.far.test[192.0.2.1] said: 450 4.2.0 Greylisted (come back) (in reply to RCPT TO command)',
    }));
  it.each(['4jXQPS5Fs2zJnB7: removed', '4jXQPS5Fs2zJnB7: from=<a@b>, size=3, nrcpt=1 (queue active)', ''])(
    'is not %j',
    (text) => expect(deliveryOf(line(1, text))).toBeUndefined(),
  );
  it('without a relay has none', () =>
    expect(
      deliveryOf(line(1, 'A1: to=<a@b>, relay=none, delay=1, dsn=4.4.1, status=deferred (x)'))?.relay,
    ).toBeUndefined());
});

describe('tries', () => {
  it('join recipients with one answer, oldest first', () => {
    const lines = [
      line(60_000, 'A1: to=<a@b.test>, relay=none, delay=1, dsn=4.4.1, status=deferred (refused)'),
      line(1000, 'A1: to=<c@b.test>, relay=none, delay=1, dsn=4.4.1, status=deferred (refused)'),
      line(900, 'A1: to=<a@b.test>, relay=none, delay=1, dsn=4.4.1, status=deferred (refused)'),
      line(800, 'A1: removed'),
    ];
    expect(attemptsOf(lines, { recipientList: [] })).toMatchObject([
      { at: 900, recipients: 2, words: 'refused' },
      { at: 60_000, recipients: 1 },
    ]);
  });
  it('are remembered by the recipients when the log knows nothing', () => {
    expect(
      attemptsOf([], {
        recipientList: [
          { address: 'a@b.test', state: 'deferred', reason: 'host mx[192.0.2.1] said: 450 4.2.0 Later', at: 7 },
          { address: 'c@b.test', state: 'waiting' },
        ],
      }),
    ).toMatchObject([{ at: 7, host: 'mx', code: '450 4.2.0', words: 'Later', to: 'a@b.test' }]);
  });
});

it('shortens many to the first and the newest', () => {
  expect(shortened([1, 2, 3, 4, 5, 6], 3)).toEqual({ first: [1], hidden: 3, last: [5, 6] });
  expect(shortened([1, 2, 3], 3)).toEqual({ first: [1, 2, 3], hidden: 0, last: [] });
});
