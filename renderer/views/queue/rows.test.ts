import { describe, expect, it } from 'vitest';
import type { QueueEntry } from '#mta/contract/mail.ts';
import { fits, joinHead, partOf, queuesOf } from './rows.ts';

const entry = (id: string): QueueEntry => ({
  id,
  queue: 'deferred',
  arrival: 0,
  size: 1,
  sender: 'a@b.test',
  recipients: [],
  recipientCount: 0,
  attempts: 0,
  forcedExpire: false,
});
const entries = (ids: string): QueueEntry[] => Array.from(ids, entry);
const ids = (items: readonly QueueEntry[]): string => items.map(({ id }) => id).join('');

describe('a refreshed head', () => {
  it('takes the place of all when it is all', () => {
    const joined = joinHead({ items: entries('abc'), cursor: undefined }, { items: entries('xab'), cursor: undefined });
    expect([ids(joined.items), joined.above]).toEqual(['xab', 1]);
  });
  it('keeps what lies further down, without what is gone', () => {
    const joined = joinHead({ items: entries('abcdef'), cursor: 'f' }, { items: entries('xac'), cursor: 'c' });
    expect([ids(joined.items), joined.cursor, joined.above]).toEqual(['xacdef', 'f', 1]);
  });
  it('is alone when the two do not meet', () => {
    const joined = joinHead({ items: entries('abcdef'), cursor: 'f' }, { items: entries('xyz'), cursor: 'z' });
    expect([ids(joined.items), joined.cursor, joined.above]).toEqual(['xyz', 'z', 0]);
  });
});

it('leaves out what an action would not change', () => {
  const mixed = [
    { id: 'a', queue: 'hold' },
    { id: 'b', queue: 'deferred' },
  ] as const;
  expect(partOf('release', mixed)?.selection).toEqual({ ids: ['a'] });
  expect(partOf('retry', mixed)?.selection).toEqual({ ids: ['b'] });
  expect(partOf('remove', mixed)?.count).toBe(2);
  expect(partOf('release', [mixed[1]])).toBeUndefined();
  expect(fits('hold', ['corrupt'])).toBe(false);
});

it('knows which queues a filter speaks of', () => {
  const counts = { incoming: 0, active: 1, deferred: 3, hold: 2, corrupt: 0 };
  expect([...queuesOf([], counts)]).toEqual(['active', 'deferred', 'hold']);
  expect([...queuesOf([{ field: 'queue', value: 'hold', not: false }], counts)]).toEqual(['hold']);
  expect([...queuesOf([{ field: 'queue', value: 'hold', not: true }], counts)]).toEqual(['active', 'deferred']);
});
