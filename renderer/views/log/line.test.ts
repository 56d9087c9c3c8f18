import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogLine } from '#mta/contract/mail.ts';
import { matches, segmentsOf, serviceOf } from './line.ts';

const line = (text: string, more: Partial<LogLine> = {}): LogLine => ({
  position: 0,
  time: 1_000_000,
  host: 'mail',
  process: 'postfix/smtp',
  pid: 1,
  level: 'info',
  text,
  ...more,
});

describe('segmentsOf', () => {
  it('marks the queue id, the status and the codes', () => {
    const text = 'B76B92205CE: to=<x@far.test>, relay=none, dsn=4.4.1, status=deferred (said: 450 4.2.0 later)';
    expect(segmentsOf({ text, queueId: 'B76B92205CE' }).filter(({ kind }) => kind !== 'text')).toEqual([
      { kind: 'id', text: 'B76B92205CE' },
      { kind: 'code', text: '4.4.1', tone: 'warn' },
      { kind: 'status', text: 'deferred', tone: 'warn' },
      { kind: 'code', text: '450 4.2.0', tone: 'warn' },
    ]);
  });

  it('loses nothing', () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[A-F0-9]{6}$/), (rest, queueId) => {
        const text = `${queueId}: ${rest} status=sent dsn=2.0.0`;
        expect(
          segmentsOf({ text, queueId })
            .map((segment) => segment.text)
            .join(''),
        ).toBe(text);
      }),
    );
  });
});

it('names the service', () => {
  expect(serviceOf('postfix/submission/smtpd')).toBe('submission/smtpd');
  expect(serviceOf('dovecot')).toBe('dovecot');
});

describe('matches', () => {
  const now = 2_000_000;
  it.each([
    [[{ field: 'text', value: 'FAR', not: false }], true],
    [[{ field: 'text', value: 'far', not: true }], false],
    [[{ field: 'id', value: 'abc', not: false }], true],
    [[{ field: 'level', value: 'warning', not: false }], false],
    [[{ field: 'service', value: 'smtp', not: false }], true],
    [[{ field: 'after', value: '10m', not: false }], false],
    [[{ field: 'before', value: '10m', not: false }], true],
    [[{ field: 'after', value: 'nonsense', not: false }], false],
  ])('%j → %s', (filter, expected) => {
    expect(matches(line('ABC: to far', { queueId: 'ABC' }), filter, now)).toBe(expected);
  });
});
