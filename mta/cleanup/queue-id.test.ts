import { expect, test } from 'vitest';
import { QueueId } from '../contract/mail.ts';
import { compactTime, mailDate } from './mail-date.ts';
import { createQueueIds, preciseNow } from './queue-id.ts';

test('short ids: microseconds, then a number; unique', () => {
  const ids = createQueueIds();
  const made = Array.from({ length: 50_000 }, () => ids.next(preciseNow(), false));
  expect(new Set(made).size).toBe(made.length);
  for (const id of made.slice(0, 100)) {
    expect(id).toMatch(/^[0-9A-F]{6,15}$/);
    expect(QueueId.safeParse(id).success).toBe(true);
  }
  expect(createQueueIds(0x123).next(1000.5, false)).toBe('001F4124');
});

test('long ids: sortable by time, with z before the number, no vowels', () => {
  const ids = createQueueIds();
  const start = 1_795_343_498_000;
  const made = Array.from({ length: 1000 }, (_, n) => ids.next(start + n * 1.5, true));
  expect([...made].sort()).toEqual(made);
  for (const id of made)
    expect(id).toMatch(/^[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+$/);
});

test('a later start is ahead of an earlier one', () => {
  const number = (id: string): number => parseInt(id.slice(5), 16);
  expect(number(createQueueIds(2_000_000).next(0, false))).toBeGreaterThan(
    number(createQueueIds(1_000_000).next(0, false)),
  );
});

test('dates', () => {
  expect(mailDate(1_764_067_898_000)).toMatch(/^\w{3}, \d{1,2} Nov 2025 \d\d:\d\d:\d\d [+-]\d{4}( \([A-Z]+\))?$/);
  expect(new Date(mailDate(1_764_067_898_999)).getTime()).toBe(1_764_067_898_000);
  expect(compactTime(1_764_067_898_000)).toBe('20251125105138');
});
