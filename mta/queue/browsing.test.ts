import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import Database from 'better-sqlite3';
import path from 'node:path';
import { parseFilter, queueFields } from '../contract/filter.ts';
import { openQueueStore, type SqliteQueueStore } from './sqlite-store.ts';
import type { ListQuery, QueueAction } from './store.ts';
import { newMessage, outcome, query, removeFolder, temporaryFolder } from './testing/messages.ts';

const none: ReadonlySet<string> = new Set();
const filter = (text: string) => parseFilter(text, queueFields);

async function ids(store: SqliteQueueStore, text: string, changes: Partial<ListQuery> = {}): Promise<string[]> {
  const { entries, total } = await store.list(query(filter(text), changes));
  expect(total, `total of ${text}`).toBe(entries.length);
  return entries.map(({ id }) => id).sort();
}

/** Follows the cursors to the end; `between` is called after each page. */
async function walk(
  store: SqliteQueueStore,
  changes: Partial<ListQuery>,
  between: (page: number) => Promise<void> = () => Promise.resolve(),
): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; ; page++) {
    const answer = await store.list(query([], { ...changes, cursor }));
    seen.push(...answer.entries.map(({ id }) => id));
    cursor = answer.cursor;
    if (cursor === undefined) return seen;
    expect(cursor.length).toBeLessThanOrEqual(200);
    await between(page);
  }
}

describe('a mixed queue', () => {
  let spool: string;
  let store: SqliteQueueStore;
  const now = Date.now();

  beforeAll(async () => {
    spool = temporaryFolder();
    store = await openQueueStore(spool);
    const add = (id: string, sender: string, to: string[], size: number, minutes: number) =>
      store.add(newMessage(id, { envelope: { sender }, to, size, arrival: now - minutes * 60_000 }));
    const defer = (id: string, reason: string) =>
      store.settle({ id, outcomes: [outcome('deferred', 0, reason)], nextAttempt: now + 60_000 });
    await add('IN1', 'ada@example.com', ['bob@one.org'], 100, 1);
    await add('IN2', '', ['cy_x@two.org', 'dee@Three.org'], 5000, 2);
    await add('DEF1', 'Ada@example.com', ['bob@one.org'], 100, 90);
    await add('DEF2', 'eve@example.net', ['cyax@one.org'], 70_000, 120);
    await add('DEF3', 'ada@example.com', ['100%@two.org'], 100, 3000);
    await add('HLD1', 'ada@example.com', ['bob@one.org'], 100, 90);
    await defer('DEF1', 'connect to mx1.one.org[192.0.2.1]:25: Connection timed out');
    await defer('DEF2', 'connect to mx2.one.org[192.0.2.7]:25: Connection timed out');
    await defer('DEF3', 'host mx.two.org said: 450 4.2.0 <100%@two.org>: Greylisted');
    await store.act('hold', { ids: ['HLD1'] }, none);
  });

  afterAll(async () => {
    await store.close();
    removeFolder(spool);
  });

  test.each([
    ['', ['DEF1', 'DEF2', 'DEF3', 'HLD1', 'IN1', 'IN2']],
    ['queue:deferred', ['DEF1', 'DEF2', 'DEF3']],
    ['-queue:deferred', ['HLD1', 'IN1', 'IN2']],
    ['queue:deferred queue:hold', []],
    ['queue:corrupt', []],
    ['from:ADA', ['DEF1', 'DEF3', 'HLD1', 'IN1']],
    ['-from:ada', ['DEF2', 'IN2']],
    ['from:<>', ['IN2']],
    ['to:dee@three', ['IN2']],
    ['to:cy_', ['IN2']],
    ['to:100%', ['DEF3']],
    ['-to:bob', ['DEF2', 'DEF3', 'IN2']],
    ['reason:"timed out"', ['DEF1', 'DEF2']],
    ['-reason:"timed out"', ['DEF3', 'HLD1', 'IN1', 'IN2']],
    ['domain:ONE.org', ['DEF1', 'DEF2', 'HLD1', 'IN1']],
    ['domain:one.org queue:deferred', ['DEF1', 'DEF2']],
    ['domain:one.or', []],
    ['older:1h', ['DEF1', 'DEF2', 'DEF3', 'HLD1']],
    ['older:1h newer:1d', ['DEF1', 'DEF2', 'HLD1']],
    ['larger:4k', ['DEF2', 'IN2']],
    ['larger:4k smaller:10k', ['IN2']],
    ['id:DEF', ['DEF1', 'DEF2', 'DEF3']],
    ['id:def', []],
    ['Greylisted', ['DEF3']],
    ['example.net', ['DEF2']],
    ['-one.org', ['DEF3', 'IN2']],
    ['nothing-like-it', []],
  ])('%s', async (text, expected) => {
    expect(await ids(store, text)).toEqual(expected);
  });

  test.each([
    ['queue:active', ['DEF1', 'IN1']],
    ['-queue:active', ['DEF2', 'DEF3', 'HLD1', 'IN2']],
    ['queue:deferred', ['DEF2', 'DEF3']],
    ['-queue:deferred', ['DEF1', 'HLD1', 'IN1', 'IN2']],
    ['queue:incoming', ['IN2']],
    ['queue:hold', ['HLD1']],
  ])('%s, while some are active', async (text, expected) => {
    const active = new Set(['DEF1', 'IN1', 'HLD1', 'GONE']);
    expect(await ids(store, text, { active })).toEqual(expected);
  });

  test('active messages are shown as active', async () => {
    const { entries } = await store.list(query(filter('domain:one.org'), { active: new Set(['DEF1', 'IN1', 'HLD1']) }));
    expect(Object.fromEntries(entries.map(({ id, queue }) => [id, queue]))).toEqual({
      DEF1: 'active',
      DEF2: 'deferred',
      HLD1: 'hold',
      IN1: 'active',
    });
  });

  test.each([
    ['older:abc', 'older'],
    ['newer:1y', 'newer'],
    ['larger:big', 'larger'],
    ['queue:maildrop', 'queue'],
  ])('%s is refused by name', async (text, field) => {
    const refused = { code: 'bad-input', field };
    await expect(store.list(query(filter(text)))).rejects.toMatchObject(refused);
    await expect(store.groups('reason', filter(text), 10, none)).rejects.toMatchObject(refused);
    await expect(store.act('hold', { filter: filter(text) }, none)).rejects.toMatchObject(refused);
  });

  test.each(['x', 'size|1|2', 'arrival|1|x', 'arrival||', 'arrival|1'])('cursor %s is refused', async (cursor) => {
    await expect(store.list(query([], { cursor }))).rejects.toMatchObject({ code: 'bad-input', field: 'cursor' });
  });

  test('groups by reason', async () => {
    const groups = await store.groups('reason', [], 10, none);
    expect(groups).toEqual([
      {
        key: 'connect to mx….one.org[…]: Connection timed out',
        example: 'connect to mx2.one.org[192.0.2.7]:25: Connection timed out',
        dsn: '4.4.1',
        count: 2,
        destinations: 1,
        oldest: now - 120 * 60_000,
        nextAttempt: now + 60_000,
      },
      expect.objectContaining({ key: 'host mx.two.org said: 450 4.2.0 <…>: Greylisted', count: 1 }),
    ]);
    // A group's key selects the group.
    const key = groups[0]?.key ?? '';
    expect(await ids(store, `reason:"${key}"`)).toEqual(['DEF1', 'DEF2']);
    expect(await store.groups('reason', filter('from:eve'), 10, none)).toMatchObject([{ key, count: 1 }]);
  });

  test('groups by destination', async () => {
    expect(await store.groups('destination', [], 10, none)).toMatchObject([
      { key: 'one.org', count: 4, oldest: now - 120 * 60_000, nextAttempt: now + 60_000 },
      { key: 'two.org', count: 2 },
    ]);
    expect(await store.groups('destination', filter('queue:deferred'), 1, none)).toMatchObject([
      { key: 'one.org', count: 2 },
    ]);
    const active = new Set(['DEF1']);
    expect(await store.groups('destination', filter('queue:active'), 9, active)).toMatchObject([{ count: 1 }]);
  });
});

describe('with a store of its own', () => {
  let spool: string;
  let store: SqliteQueueStore;

  beforeEach(async () => {
    spool = temporaryFolder();
    store = await openQueueStore(spool);
  });

  afterEach(async () => {
    await store.close();
    removeFolder(spool);
  });

  test.each(['arrival', 'nextAttempt', 'size', 'sender'] as const)(
    'pages by %s over equal keys show each message once, while others go and come',
    async (sort) => {
      const all = Array.from({ length: 60 }, (_, n) => `M${String(n).padStart(2, '0')}`);
      for (const [n, id] of all.entries()) {
        await store.add(
          newMessage(id, {
            arrival: 1000 + (n % 2),
            size: n % 3,
            envelope: { sender: `${'É|'.repeat(40)}${String(n % 2)}@x` },
          }),
        );
        if (n % 4 !== 0) await store.settle({ id, outcomes: [outcome('deferred')], nextAttempt: 7 });
      }
      await store.act('hold', { ids: all.filter((_, n) => n % 4 === 1) }, none);
      for (const descending of [false, true]) {
        const seen = await walk(store, { sort, descending, limit: 7 }, async (page) => {
          // Shown already or new: neither may disturb the rest.
          await store.add(newMessage(`N${String(page)}${descending ? 'D' : 'A'}`, { arrival: descending ? 9e12 : 1 }));
        });
        const old = seen.filter((id) => id.startsWith('M'));
        expect([...old].sort()).toEqual(all);
        expect(new Set(seen).size).toBe(seen.length);
      }
      const forwards = await walk(store, { sort, limit: 7 });
      const backwards = await walk(store, { sort, limit: 9, descending: true });
      expect(forwards).toEqual(backwards.reverse());
    },
  );

  test('actions, one by one', async () => {
    for (const id of ['IN', 'DEF', 'HLD']) await store.add(newMessage(id));
    await store.settle({ id: 'DEF', outcomes: [outcome('deferred')], nextAttempt: 9e12 });
    await store.act('hold', { ids: ['HLD'] }, none);
    const act = (action: QueueAction, ...of: string[]) => store.act(action, { ids: of }, none);

    expect(await act('retry', 'IN', 'DEF', 'HLD', 'NONE')).toEqual({ done: 2, unknown: ['NONE'], cancelled: false });
    const due = (await store.message('DEF'))?.nextAttempt ?? 0;
    expect(Math.abs(due - Date.now())).toBeLessThan(10_000);

    expect(await act('expire', 'DEF', 'HLD')).toMatchObject({ done: 2 });
    expect(await store.message('DEF')).toMatchObject({ queue: 'deferred', forcedExpire: true });
    expect(await store.message('HLD')).toMatchObject({ queue: 'hold', forcedExpire: true });

    expect(await act('release', 'HLD')).toMatchObject({ done: 1 });
    expect(await store.message('HLD')).toMatchObject({ queue: 'deferred', attempts: 0 });
    expect((await store.due(Date.now(), undefined, 9)).map(({ id }) => id).sort()).toEqual(['DEF', 'HLD']);

    expect(await act('requeue', 'DEF')).toMatchObject({ done: 1 });
    expect(await store.message('DEF')).toMatchObject({
      queue: 'incoming',
      attempts: 0,
      nextAttempt: undefined,
      forcedExpire: false,
      recipients: [{ state: 'waiting', reason: undefined }],
    });
    expect(await act('remove', 'IN', 'IN', 'DEF', 'HLD')).toEqual({ done: 3, unknown: [], cancelled: false });
    expect(store.counts()).toEqual({ incoming: 0, deferred: 0, hold: 0, corrupt: 0 });
  });

  test('a long action tells of its progress and stops when cancelled', async () => {
    await store.close();
    store = await openQueueStore(spool, { actionChunk: 10 });
    await Promise.all(Array.from({ length: 95 }, (_, n) => store.add(newMessage(`A${String(n)}`))));
    const progress: string[] = [];
    const batches: number[] = [];
    const cancel = new AbortController();
    const held = await store.act('hold', { filter: filter('id:A'), expected: 95 }, none, {
      signal: cancel.signal,
      onProgress: ({ done, total }) => progress.push(`${String(done)}/${String(total)}`),
      onBatch: (changed) => {
        batches.push(changed.length);
        if (batches.length === 3) cancel.abort();
      },
    });
    expect(held).toEqual({ done: 30, unknown: [], cancelled: true });
    expect(progress).toEqual(['10/95', '20/95', '30/95']);
    expect(store.counts()).toMatchObject({ incoming: 65, hold: 30 });
    expect(await store.act('hold', { filter: [] }, none)).toMatchObject({ done: 95, cancelled: false });
    expect(store.counts()).toMatchObject({ incoming: 0, hold: 95 });
  });

  test('an action by filter is refused when far more match than were seen', async () => {
    await Promise.all(Array.from({ length: 31 }, (_, n) => store.add(newMessage(`A${String(n)}`))));
    await expect(store.act('remove', { filter: [], expected: 20 }, none)).rejects.toMatchObject({ code: 'conflict' });
    expect(store.counts().incoming).toBe(31);
    expect(await store.act('remove', { filter: [], expected: 21 }, none)).toMatchObject({ done: 31 });
  });

  test('counters and tallies equal real counts after any operations', async () => {
    const id = fc.integer({ min: 0, max: 14 }).map((n) => `P${String(n)}`);
    const state = fc.constantFrom('sent' as const, 'deferred' as const, 'bounced' as const);
    const action = fc.constantFrom<QueueAction>('hold', 'release', 'retry', 'requeue', 'expire', 'remove');
    const operation = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), id, hold: fc.boolean() }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('settle' as const),
          id,
          states: fc.tuple(state, state),
          reason: fc.constantFrom('timed out', 'refused 1', 'refused 2'),
          spawn: fc.option(id, { nil: undefined }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('act' as const), ids: fc.array(id), action }) },
    );
    const look = new Database(path.join(spool, 'queue.db'), { readonly: true });
    const counted = look.prepare('SELECT queue, count(*) AS n FROM messages GROUP BY 1 ORDER BY 1');
    const kept = look.prepare('SELECT queue, n FROM counters WHERE n <> 0 ORDER BY 1');
    const tallied = look.prepare('SELECT * FROM tallies ORDER BY 1, 2, 3');
    const real = look.prepare(
      'SELECT queue, reason_id, domain, count(*) AS n FROM messages WHERE queue <> 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    );
    const strays = look.prepare(`SELECT
      (SELECT count(*) FROM recipients WHERE seq NOT IN (SELECT seq FROM messages)) +
      (SELECT count(*) FROM bodies WHERE seq NOT IN (SELECT seq FROM messages)) AS n`);
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
          await Promise.allSettled(
            operations.map((op) => {
              if (op.kind === 'add') {
                return store.add(newMessage(op.id, { hold: op.hold, to: ['a@x.org', 'b@y.org'] }));
              }
              if (op.kind === 'act') return store.act(op.action, { ids: op.ids }, none);
              const open = op.states.includes('deferred');
              return store.settle({
                id: op.id,
                outcomes: op.states.map((to, index) => outcome(to, index, op.reason)),
                ...(open ? { nextAttempt: 5 } : {}),
                ...(op.spawn === undefined ? {} : { spawned: [newMessage(op.spawn)] }),
              });
            }),
          );
          expect(kept.all()).toEqual(counted.all());
          expect(tallied.all()).toEqual(real.all());
          expect(strays.all()).toEqual([{ n: 0 }]);
          const { incoming, deferred, hold, corrupt } = store.counts();
          expect((await store.list(query())).total).toBe(incoming + deferred + hold + corrupt);
        }),
        { numRuns: 60 },
      );
    } finally {
      look.close();
    }
  });
});
