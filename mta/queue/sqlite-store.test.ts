import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openQueueStore, type QueueStoreOptions, type SqliteQueueStore } from './sqlite-store.ts';
import { DurabilityError } from './store.ts';
import { newMessage, outcome, query, removeFolder, temporaryFolder } from './testing/messages.ts';

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

async function reopen(options?: QueueStoreOptions): Promise<void> {
  await store.close();
  store = await openQueueStore(spool, options);
}

function bytes(body: Awaited<ReturnType<SqliteQueueStore['body']>>): string {
  return body.kind === 'memory' ? new TextDecoder().decode(body.data) : body.path;
}

describe('adding', () => {
  test('a message comes back whole, also after opening again', async () => {
    const message = newMessage('4jXQPS5Fs2zJnB7', {
      to: ['Bob@Example.org', 'cy@example.net'],
      envelope: {
        sender: 'ada@example.com',
        client: '192.0.2.9',
        helo: 'h',
        envelopeId: 'E1',
        ret: 'HDRS',
        smtputf8: true,
        body: '8BITMIME',
      },
      recipients: [
        {
          address: 'Bob@Example.org',
          originalAddress: 'bobby@example.org',
          notify: ['SUCCESS', 'DELAY'],
          originalRecipient: 'rfc822;b',
        },
        { address: 'cy@example.net' },
      ],
      subject: 'Grüße',
      messageId: '<m@x>',
    });
    await store.add(message);
    for (let round = 0; round < 2; round++) {
      const stored = await store.message(message.id);
      expect(stored).toMatchObject({
        id: message.id,
        queue: 'incoming',
        arrival: message.arrival,
        envelope: message.envelope,
        attempts: 0,
        warned: false,
        forcedExpire: false,
      });
      expect(stored?.recipients[0]).toMatchObject({ ...message.recipients[0], index: 0, state: 'waiting' });
      expect(stored?.recipients[1]).toMatchObject({ address: 'cy@example.net', index: 1, state: 'waiting' });
      expect(bytes(await store.body(message.id))).toContain('Hello');
      expect(await store.get(message.id)).toMatchObject({ subject: 'Grüße', messageId: '<m@x>', recipientCount: 2 });
      expect(store.counts()).toEqual({ incoming: 1, deferred: 0, hold: 0, corrupt: 0 });
      await reopen();
    }
  });

  test('messages added at once share commits', async () => {
    const before = store.commits;
    await Promise.all(Array.from({ length: 300 }, (_, n) => store.add(newMessage(`A${String(n)}`))));
    expect(store.counts().incoming).toBe(300);
    expect(store.commits - before).toBeLessThan(20);
  });

  test('a taken id fails alone; the rest of its batch is stored', async () => {
    await store.add(newMessage('A1', { text: 'first' }));
    const results = await Promise.allSettled(['A0', 'A1', 'A2', 'A2'].map((id) => store.add(newMessage(id))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(String(results[1]?.status === 'rejected' && results[1].reason)).toContain('queue id A1 is taken');
    expect(store.counts().incoming).toBe(3);
    await reopen();
    expect(bytes(await store.body('A1'))).toBe('first');
    expect(store.counts().incoming).toBe(3);
  });

  test.each([
    ['id', newMessage('../x')],
    ['recipients', newMessage('A1', { to: [] })],
    ['arrival', newMessage('A1', { arrival: NaN })],
    ['size', newMessage('A1', { size: 1.5 })],
    ['body.file', newMessage('A1', { body: { kind: 'spool', file: '../queue.db' } })],
    ['body.file', newMessage('A1', { body: { kind: 'spool', file: 'not-there' } })],
  ])('a message with a bad %s is refused by name', async (field, message) => {
    await expect(store.add(message)).rejects.toMatchObject({ code: 'bad-input', field });
    expect(store.counts().incoming).toBe(0);
  });

  test("a caller's buffer is neither taken away nor held on to", async () => {
    const data = Buffer.from('abc');
    const message = newMessage('A1', { body: { kind: 'memory', data }, size: 3 });
    await store.add(message);
    data.fill(0);
    expect(bytes(await store.body('A1'))).toBe('abc');
  });

  test('a large body stays a file, and goes when its message goes', async () => {
    const data = randomBytes(300_000);
    const file = path.join(store.bodiesFolder, 'A1.body');
    writeFileSync(file, data);
    await store.add(newMessage('A1', { size: data.length, body: { kind: 'spool', file: 'A1.body' } }));
    // With the checksum of the caller, which then has to be right.
    writeFileSync(path.join(store.bodiesFolder, 'A2.body'), data);
    await store.add(newMessage('A2', { body: { kind: 'spool', file: 'A2.body', checksum: crc32(data) } }));
    expect((await store.body('A2')).kind).toBe('file');
    writeFileSync(path.join(store.bodiesFolder, 'A3.body'), data);
    await store.add(newMessage('A3', { body: { kind: 'spool', file: 'A3.body', checksum: 1 } }));
    await expect(store.body('A3')).rejects.toThrow('checksum');
    expect(await store.body('A1')).toEqual({ kind: 'file', path: file, size: data.length });
    const slice = await store.raw('A1', 100_000, 50);
    expect(slice?.total).toBe(data.length);
    expect(Buffer.from(slice?.data ?? []).equals(data.subarray(100_000, 100_050))).toBe(true);
    await store.settle({ id: 'A1', outcomes: [outcome('sent')] });
    await store.close();
    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });

  test('raw reads slices of a small body; nothing of an unknown one', async () => {
    await store.add(newMessage('A1', { text: '0123456789' }));
    const slice = await store.raw('A1', 3, 4);
    expect([new TextDecoder().decode(slice?.data), slice?.total]).toEqual(['3456', 10]);
    expect((await store.raw('A1', 99, 4))?.data).toHaveLength(0);
    expect(await store.raw('NONE', 0, 4)).toBeUndefined();
    await expect(store.body('NONE')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('opening', () => {
  test('a database that would not sync its commits is refused', async () => {
    await store.close();
    await expect(openQueueStore(spool, { synchronous: 'NORMAL' })).rejects.toThrow(DurabilityError);
    await expect(openQueueStore(spool, { synchronous: 'OFF' })).rejects.toThrow('synchronous is 0, not 2 (FULL)');
    store = await openQueueStore(spool);
  });

  test('a spool has one owner', async () => {
    await expect(openQueueStore(spool)).rejects.toMatchObject({ code: 'conflict' });
    await store.add(newMessage('A1'));
    expect(store.counts().incoming).toBe(1);
  });

  test('requests made before close are finished by it; later ones fail', async () => {
    const adds = Array.from({ length: 50 }, (_, n) => store.add(newMessage(`A${String(n)}`)));
    const lists = store.list(query());
    // A turn of the loop: add() checks its input before it asks the writer.
    await Promise.resolve();
    await store.close();
    await Promise.all(adds);
    await lists;
    await expect(store.add(newMessage('B'))).rejects.toThrow('closed');
    store = await openQueueStore(spool);
    expect(store.counts().incoming).toBe(50);
  });

  test('the reading threads end when idle and start again when asked', async () => {
    await reopen({ readerIdleMs: 1 });
    for (let round = 0; round < 3; round++) {
      expect((await store.list(query())).total).toBe(0);
      expect(await store.nextDue()).toBeUndefined();
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  });
});

test('a drained queue gives its space back', async () => {
  await reopen({ freePages: 100, walPages: 1 });
  const ids = Array.from({ length: 300 }, (_, n) => `A${String(n)}`);
  await Promise.all(ids.map((id) => store.add(newMessage(id, { text: 'x'.repeat(20_000) }))));
  await store.add(newMessage('B0'));
  const file = path.join(spool, 'queue.db');
  const before = statSync(file).size;
  expect(before).toBeGreaterThan(4_000_000);
  await store.act('remove', { ids }, new Set());
  for (let n = 1; n < 10; n++) await store.add(newMessage(`B${String(n)}`));
  await store.close();
  expect(statSync(file).size).toBeLessThan(before / 2);
  store = await openQueueStore(spool);
  expect(store.counts().incoming).toBe(10);
});

describe('settling', () => {
  test('sent to all: gone', async () => {
    await store.add(newMessage('A1', { to: ['a@x.org', 'b@x.org'] }));
    await store.settle({ id: 'A1', outcomes: [outcome('sent', 0), outcome('bounced', 1)] });
    expect(await store.message('A1')).toBeUndefined();
    expect(store.counts()).toEqual({ incoming: 0, deferred: 0, hold: 0, corrupt: 0 });
    await expect(store.body('A1')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('deferred: due when said, with the reason of the first unfinished recipient', async () => {
    await store.add(newMessage('A1', { to: ['a@x.org', 'b@Y.org', 'c@z.org'] }));
    await store.settle({
      id: 'A1',
      outcomes: [outcome('sent', 0), outcome('deferred', 1, 'Greylisted'), outcome('deferred', 2, 'Full')],
      nextAttempt: 1000,
      warned: true,
    });
    expect(await store.message('A1')).toMatchObject({
      queue: 'deferred',
      attempts: 1,
      nextAttempt: 1000,
      warned: true,
      recipients: [
        { state: 'sent' },
        { state: 'deferred', reason: 'Greylisted', dsn: '4.4.1', relay: 'mx.example.org', at: 5 },
        { state: 'deferred' },
      ],
    });
    expect((await store.list(query())).entries[0]).toMatchObject({
      queue: 'deferred',
      reason: 'Greylisted',
      dsn: '4.4.1',
      domain: 'y.org',
    });
    expect(await store.nextDue()).toBe(1000);
    expect(await store.due(999, undefined, 10)).toHaveLength(0);
    expect(await store.due(1000, undefined, 10)).toHaveLength(1);
    await store.settle({ id: 'A1', outcomes: [outcome('sent', 1), outcome('deferred', 2, 'Full')], nextAttempt: 2000 });
    expect(await store.message('A1')).toMatchObject({ attempts: 2, nextAttempt: 2000, warned: true });
    expect((await store.list(query())).entries[0]).toMatchObject({ reason: 'Full', domain: 'z.org' });
    await store.settle({ id: 'A1', outcomes: [outcome('bounced', 2)] });
    expect(store.counts()).toEqual({ incoming: 0, deferred: 0, hold: 0, corrupt: 0 });
    expect(await store.nextDue()).toBeUndefined();
  });

  test('outcomes of a part of the recipients leave the message where it is', async () => {
    await store.add(newMessage('A1', { to: ['a@x.org', 'b@y.org'] }));
    await store.settle({ id: 'A1', outcomes: [outcome('sent', 0)] });
    expect(await store.message('A1')).toMatchObject({ queue: 'incoming', attempts: 0 });
    await store.settle({ id: 'A1', outcomes: [outcome('sent', 1)] });
    expect(await store.message('A1')).toBeUndefined();
  });

  test('a report is stored with the outcome, and not when the message is gone', async () => {
    await store.add(newMessage('A1'));
    const settlement = {
      id: 'A1',
      outcomes: [outcome('bounced')],
      spawned: [newMessage('D1', { envelope: { sender: '' }, text: 'report' })],
    };
    await store.settle(settlement);
    expect(bytes(await store.body('D1'))).toBe('report');
    await store.settle({ ...settlement, spawned: [newMessage('D2')] });
    expect(await store.message('D2')).toBeUndefined();
    expect(store.counts().incoming).toBe(1);
  });

  test('a report that cannot be stored undoes its settlement', async () => {
    await store.add(newMessage('A1'));
    await store.add(newMessage('D1'));
    await expect(
      store.settle({ id: 'A1', outcomes: [outcome('bounced')], spawned: [newMessage('D1')] }),
    ).rejects.toThrow('A1: the queue id of its report is taken');
    expect(await store.message('A1')).toMatchObject({ recipients: [{ state: 'waiting' }] });
    expect(store.counts().incoming).toBe(2);
  });

  test('put on hold meanwhile: stays on hold', async () => {
    await store.add(newMessage('A1'));
    await store.act('hold', { ids: ['A1'] }, new Set());
    await store.settle({ id: 'A1', outcomes: [outcome('deferred')], nextAttempt: 1 });
    expect(await store.message('A1')).toMatchObject({ queue: 'hold', attempts: 1, nextAttempt: undefined });
    expect(await store.due(10, undefined, 10)).toHaveLength(0);
  });
});

test('incoming is paged oldest first, over messages that go meanwhile', async () => {
  for (let n = 0; n < 10; n++) await store.add(newMessage(`A${String(n)}`, { arrival: n < 5 ? 100 : 200 - n }));
  const ids: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await store.incoming(after, 3);
    if (page.length === 0) break;
    ids.push(...page.map(({ id }) => id));
    after = page.at(-1)?.id;
    // The queue manager delivers what it got before it asks for more.
    for (const { id } of page) await store.settle({ id, outcomes: [outcome('sent')] });
  }
  expect(ids).toEqual(['A0', 'A1', 'A2', 'A3', 'A4', 'A9', 'A8', 'A7', 'A6', 'A5']);
});

test('due is paged by (nextAttempt, id) over equal times', async () => {
  for (const id of ['C', 'A', 'D', 'B', 'E']) {
    await store.add(newMessage(id));
    await store.settle({ id, outcomes: [outcome('deferred')], nextAttempt: id === 'E' ? 1 : 7 });
  }
  const ids: string[] = [];
  let after: { nextAttempt: number; id: string } | undefined;
  for (;;) {
    const page = await store.due(7, after, 2);
    const last = page.at(-1);
    if (last === undefined) break;
    ids.push(...page.map(({ id }) => id));
    after = { nextAttempt: last.nextAttempt ?? 0, id: last.id };
  }
  expect(ids).toEqual(['E', 'A', 'B', 'C', 'D']);
});
