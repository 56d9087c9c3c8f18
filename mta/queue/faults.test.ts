/**
 * What a crash, a full disk, a failing disk and a damaged file do to the queue. Real ones: processes killed with SIGKILL,
 * a tmpfs of 4 MB (needs the right to mount), fsync failing by strace, bytes flipped. Without these the tests fail.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openQueueStore, type SqliteQueueStore } from './sqlite-store.ts';
import { CorruptBodyError, StoreFullError } from './store.ts';
import { newMessage, outcome, query, removeFolder, temporaryFolder } from './testing/messages.ts';

const adder = path.join(import.meta.dirname, 'testing', 'adder.ts');
let spool: string;
let store: SqliteQueueStore | undefined;

beforeEach(() => {
  spool = temporaryFolder();
});

afterEach(async () => {
  await store?.close();
  store = undefined;
  removeFolder(spool);
});

async function allIds(of: SqliteQueueStore): Promise<Set<string>> {
  const ids = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await of.list(query([], { limit: 1000, cursor }));
    for (const { id } of page.entries) ids.add(id);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}

test('whatever was acknowledged before kill -9 is there, ten times over', async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < 10; round++) {
    const child = spawn(process.execPath, [adder, spool, `R${String(round)}x`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line);
      // At another moment each time; lines still in the pipe count too.
      if (++seen === 20 + round * 37) child.kill('SIGKILL');
    }
    expect((await exited)[1]).toBe('SIGKILL');
  }
  expect(acknowledged.length).toBeGreaterThan(1800);
  store = await openQueueStore(spool);
  const present = await allIds(store);
  expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
  for (const id of acknowledged.slice(-50)) {
    const body = await store.body(id);
    expect(body.kind === 'memory' && new TextDecoder().decode(body.data)).toBe(`${id} `.repeat(500));
  }
  expect(store.counts().incoming).toBe(present.size);
}, 300_000);

describe('on a disk of 4 MB', () => {
  let disk: string;

  beforeEach(() => {
    disk = path.join(spool, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
  });

  afterEach(async () => {
    await store?.close();
    store = undefined;
    execFileSync('umount', [disk]);
  });

  test('full: refused, nothing of it stored, and on again when there is space', async () => {
    const ballast = path.join(disk, 'ballast');
    writeFileSync(ballast, new Uint8Array(2_000_000));
    store = await openQueueStore(disk);
    const kept: string[] = [];
    const refused: string[] = [];
    for (let n = 0; refused.length < 5 && n < 2000; n++) {
      const id = `F${String(n)}`;
      try {
        await store.add(newMessage(id, { text: 'x'.repeat(20_000) }));
        kept.push(id);
      } catch (error) {
        expect(error).toBeInstanceOf(StoreFullError);
        refused.push(id);
      }
    }
    expect(refused.length).toBe(5);
    expect(kept.length).toBeGreaterThan(10);
    expect(store.counts().incoming).toBe(kept.length);
    expect([...(await allIds(store))].sort()).toEqual([...kept].sort());

    rmSync(ballast);
    await store.add(newMessage('AGAIN', { text: 'x'.repeat(20_000) }));
    for (const id of kept.slice(0, 5)) await store.settle({ id, outcomes: [outcome('sent')] });
    await store.close();
    store = await openQueueStore(disk);
    expect(store.findings).toEqual([]);
    const present = await allIds(store);
    expect([...present].sort()).toEqual([...kept.slice(5), 'AGAIN'].sort());
  }, 180_000);
});

test('a failing fsync is never acknowledged, and the store works on with a new thread', async () => {
  await (await openQueueStore(spool)).close();
  const strace = ['-f', '-qq', '-o', path.join(spool, 'trace'), '-e', 'trace=fdatasync,fsync'];
  // Some syncs of the storing thread fail, each once, then the disk is well again.
  const inject = ['-e', 'inject=fsync,fdatasync:error=EIO:when=15+9'];
  const child = spawn('strace', [...strace, ...inject, process.execPath, adder, spool, 'E', '300'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  expect((await exited)[0]).toBe(0);
  expect(readFileSync(path.join(spool, 'trace'), 'utf8')).toContain('EIO');
  const refused = lines.filter((line) => line.startsWith('refused'));
  const acknowledged = lines.filter((line) => !line.startsWith('refused'));
  expect(refused.length).toBeGreaterThan(0);
  expect(new Set(refused)).toEqual(new Set(['refused StoreIoError']));
  expect(refused.length + acknowledged.length).toBe(300);
  store = await openQueueStore(spool);
  const present = await allIds(store);
  expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
  expect(store.findings).toEqual([]);
}, 300_000);

describe('bodies', () => {
  test('a damaged one is moved to corrupt; the rest goes on', async () => {
    store = await openQueueStore(spool);
    await store.add(newMessage('A1', { text: 'the first' }));
    await store.add(newMessage('A2', { text: 'the second' }));
    await store.settle({ id: 'A1', outcomes: [outcome('deferred')], nextAttempt: 1 });
    await store.close();
    const db = new Database(path.join(spool, 'queue.db'));
    db.exec(`UPDATE bodies SET data = CAST('the FIRST' AS BLOB) WHERE seq = 1`);
    db.close();
    store = await openQueueStore(spool);
    await expect(store.body('A1')).rejects.toThrow(CorruptBodyError);
    expect(store.counts()).toEqual({ incoming: 1, deferred: 0, hold: 0, corrupt: 1 });
    expect(await store.get('A1')).toMatchObject({ queue: 'corrupt', reason: 'body does not fit its checksum' });
    expect((await store.body('A2')).kind).toBe('memory');
    // A person may still look at it, and only remove it.
    expect((await store.raw('A1', 0, 100))?.total).toBe(9);
    expect(await store.act('release', { ids: ['A1'] }, new Set())).toMatchObject({ done: 0, unknown: [] });
    await expect(store.body('A1')).rejects.toThrow(CorruptBodyError);
    expect(await store.act('remove', { ids: ['A1'] }, new Set())).toMatchObject({ done: 1 });
    expect(store.counts()).toEqual({ incoming: 1, deferred: 0, hold: 0, corrupt: 0 });
  });

  test('a damaged file is found when read, a missing or cut one at opening; stray files go', async () => {
    store = await openQueueStore(spool);
    const file = (id: string) => path.join(spool, 'bodies', `${id}.body`);
    for (const id of ['FLIP', 'GONE', 'CUT', 'GOOD', 'LATE']) {
      const data = new Uint8Array(100_000).fill(65);
      writeFileSync(file(id), data);
      await store.add(newMessage(id, { size: data.length, body: { kind: 'spool', file: `${id}.body` } }));
    }
    await store.close();
    writeFileSync(file('FLIP'), new Uint8Array(100_000).fill(65).fill(66, 50_000, 50_001));
    truncateSync(file('CUT'), 99_999);
    rmSync(file('GONE'));
    writeFileSync(file('STRAY'), 'x');
    store = await openQueueStore(spool);
    expect(store.findings.map(({ code }) => code).sort()).toEqual([
      'queue-body-missing',
      'queue-body-missing',
      'queue-orphans',
    ]);
    expect(existsSync(file('STRAY'))).toBe(false);
    expect(store.counts()).toMatchObject({ incoming: 3, corrupt: 2 });
    await expect(store.body('FLIP')).rejects.toThrow(CorruptBodyError);
    rmSync(file('LATE'));
    await expect(store.body('LATE')).rejects.toThrow('body file is missing');
    expect(store.counts()).toMatchObject({ incoming: 1, corrupt: 4 });
    expect((await store.body('GOOD')).kind).toBe('file');
  });
});

describe('a damaged database', () => {
  async function fill(): Promise<void> {
    store = await openQueueStore(spool);
    for (let n = 0; n < 200; n++) await store.add(newMessage(`A${String(n)}`, { text: 'z'.repeat(3000) }));
    for (let n = 0; n < 100; n++) {
      await store.settle({ id: `A${String(n)}`, outcomes: [outcome('deferred', 0, 'timed out')], nextAttempt: 5 + n });
    }
    await store.close();
  }

  test('no database at all: put aside whole, and the queue starts empty', async () => {
    writeFileSync(path.join(spool, 'queue.db'), 'this is not a database, but somebody put it here'.repeat(100));
    mkdirSync(path.join(spool, 'bodies'));
    writeFileSync(path.join(spool, 'bodies', 'X1.body'), 'may be all that is left');
    store = await openQueueStore(spool);
    await store.add(newMessage('NEW'));
    expect(store.counts().incoming).toBe(1);
    expect(store.findings.map(({ code }) => code)).toEqual(['queue-damaged', 'queue-orphans']);
    const aside = path.join(spool, readdirSync(spool).find((name) => name.startsWith('damaged-')) ?? '');
    expect(readFileSync(path.join(aside, 'queue.db'), 'utf8')).toContain('this is not a database');
    expect(readFileSync(path.join(aside, 'bodies', 'X1.body'), 'utf8')).toBe('may be all that is left');
  });

  test('pages overwritten anywhere: it opens, and what can be read of it is there', async () => {
    await fill();
    const file = path.join(spool, 'queue.db');
    const whole = readFileSync(file);
    const rescued: number[] = [];
    for (let round = 0; round < 12; round++) {
      const damaged = Buffer.from(whole);
      // The first page holds the header and the schema; the rest is taken in turn.
      const page = 1 + Math.floor(((whole.length / 4096 - 1) * round) / 12);
      damaged.fill(0xa5, page * 4096, page * 4096 + 4096);
      removeFolder(spool);
      mkdirSync(spool);
      writeFileSync(file, damaged);
      store = await openQueueStore(spool);
      const { incoming, deferred, corrupt } = store.counts();
      rescued.push(incoming + deferred + corrupt);
      for (const { id } of (await store.list(query([], { limit: 1000 }))).entries) {
        await store.body(id).catch((error: unknown) => expect(error).toBeInstanceOf(CorruptBodyError));
      }
      await store.add(newMessage(`NEW${String(round)}`));
      await store.settle({ id: `NEW${String(round)}`, outcomes: [outcome('sent')] });
      await store.close();
      store = undefined;
    }
    // A page of the message table costs its own rows; none costs the queue.
    expect(Math.min(...rescued)).toBeGreaterThan(100);
    expect(rescued.filter((count) => count === 200).length).toBeGreaterThan(6);
  }, 180_000);

  test('a cut WAL loses its end, not the queue', async () => {
    const child = spawn(process.execPath, [adder, spool, 'W'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    let seen = 0;
    for await (const _line of createInterface({ input: child.stdout })) if (++seen === 300) child.kill('SIGKILL');
    await exited;
    const wal = path.join(spool, 'queue.db-wal');
    truncateSync(wal, Math.floor(readFileSync(wal).length / 2) + 100);
    store = await openQueueStore(spool);
    expect(store.counts().incoming).toBeGreaterThan(50);
    expect((await allIds(store)).size).toBe(store.counts().incoming);
  });
});
