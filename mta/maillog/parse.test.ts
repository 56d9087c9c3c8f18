import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLogLine, readQueueId } from './parse.ts';

const now = new Date(2026, 10, 14, 12, 0, 0);

describe('parseLogLine', () => {
  test('reads a line of Postfix with a short queue id', () => {
    expect(
      parseLogLine('Nov 14 10:20:30 mx1 postfix/qmgr[421]: 3F8A21C0D5: from=<a@b.example>, size=300, nrcpt=1', now),
    ).toEqual({
      time: new Date(2026, 10, 14, 10, 20, 30).getTime(),
      host: 'mx1',
      process: 'postfix/qmgr',
      pid: 421,
      level: 'info',
      queueId: '3F8A21C0D5',
      text: '3F8A21C0D5: from=<a@b.example>, size=300, nrcpt=1',
    });
  });

  test('reads level and queue id together', () => {
    const line = parseLogLine(
      'Nov  4 01:02:03 mx1 postfix/submission/smtpd[9]: warning: 4dK2xL1Y3xz9Wq: queue file',
      now,
    );
    expect(line).toMatchObject({ level: 'warning', queueId: '4dK2xL1Y3xz9Wq', process: 'postfix/submission/smtpd' });
  });

  test('reads RFC 3339 time stamps, with and without a colon in the zone', () => {
    const time = Date.UTC(2026, 10, 14, 8, 20, 30, 123);
    expect(parseLogLine('2026-11-14T10:20:30.123456+02:00 mx1 postfix/smtpd[1]: x', now)?.time).toBe(time);
    expect(parseLogLine('2026-11-14T10:20:30.123456+0200 mx1 postfix/smtpd[1]: x', now)?.time).toBe(time);
  });

  test('a month that is still to come is of last year', () => {
    const line = parseLogLine('Dec 31 23:59:59 mx1 postfix/smtpd[1]: connect from x', now);
    expect(line?.time).toBe(new Date(2025, 11, 31, 23, 59, 59).getTime());
  });

  test.each(['', 'x', 'Nov 14', 'Nov 14 10:20:30 ', 'Foo 14 10:20:30 h p[1]: x', 'Nov 14 10:20:30 host no tag here'])(
    'passes over %j',
    (line) => {
      expect(parseLogLine(line, now)).toBeUndefined();
    },
  );

  test('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseLogLine(text, now)));
    fc.assert(fc.property(fc.string(), (text) => void parseLogLine(`Nov 14 10:20:30 h ${text}`, now)));
  });
});

test('words before a colon are not queue ids', () => {
  for (const text of [
    'NOQUEUE: reject: RCPT',
    'statistics: max',
    'warning: x',
    'connect from x: y',
    'ABCDEF',
    'DEADBEEF0',
  ])
    expect(readQueueId(text)).toBeUndefined();
});
