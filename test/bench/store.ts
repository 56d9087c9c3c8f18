/**
 * How fast the queue store is: adds/s and settles/s of 4 KB messages with concurrent callers, and what browsing a long
 * deferred queue costs. `node test/bench/store.ts [messages] [callers] [deferred]`; figures go to stdout.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openQueueStore, type SqliteQueueStore } from '#mta/queue/sqlite-store.ts';
import type { ListQuery, NewMessage } from '#mta/queue/store.ts';

const [messages = 10_000, callers = 20, deferred = 0] = process.argv.slice(2).map(Number);
const body = new Uint8Array(4000).fill(0x78);
const folder = mkdtempSync(path.join(process.env['BENCH_FOLDER'] ?? os.tmpdir(), 'store-bench-'));

function message(n: number, prefix: string): NewMessage {
  return {
    id: `${prefix}${String(n).padStart(9, '0')}`,
    arrival: Date.now(),
    envelope: {
      sender: `sender${String(n % 1000)}@example.com`,
      client: '127.0.0.1',
      helo: 'bench',
      protocol: 'ESMTP',
    },
    recipients: [{ address: `rcpt${String(n)}@example${String(n % 200)}.org` }],
    size: body.length,
    subject: 'bench',
    body: { kind: 'memory', data: body },
  };
}

async function each(count: number, work: (n: number) => Promise<void>): Promise<number> {
  const start = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) await work(next++);
    }),
  );
  return (count / (performance.now() - start)) * 1000;
}

function say(name: string, value: number, unit: string): void {
  process.stdout.write(`${name.padEnd(44)} ${value.toFixed(value < 100 ? 1 : 0)} ${unit}\n`);
}

async function timed(name: string, work: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  say(name, times.at(-1) ?? 0, `ms worst of 10, median ${(times[4] ?? 0).toFixed(1)} ms`);
}

const outcome = (state: 'sent' | 'deferred', n = 0) => ({
  index: 0,
  state,
  dsn: state === 'sent' ? '2.0.0' : '4.4.1',
  reason: `connect to mx${String(n % 7)}.example.org[192.0.2.1]:25: Connection ${n % 3 === 0 ? 'timed out' : 'refused'}`,
  at: Date.now(),
});

async function browse(store: SqliteQueueStore): Promise<void> {
  const active = new Set<string>();
  const page: ListQuery = { filter: [], sort: 'arrival', descending: true, limit: 100, active };
  await timed('list, first page', () => store.list(page));
  await timed('list by sender', () => store.list({ ...page, sort: 'sender' }));
  const filter = (field: string, value: string) => [{ field, value, not: false }];
  await timed('list domain:', () => store.list({ ...page, filter: filter('domain', 'example7.org') }));
  await timed('list reason: contains', () => store.list({ ...page, filter: filter('reason', 'timed out') }));
  await timed('list to: contains, rare', () => store.list({ ...page, filter: filter('to', 'rcpt777@') }));
  await timed('list text, rare', () => store.list({ ...page, filter: filter('text', 'rcpt777@') }));
  await timed('list older:', () => store.list({ ...page, filter: filter('older', '1s') }));
  await timed('groups by reason', () => store.groups('reason', [], 100, active));
  await timed('groups by destination', () => store.groups('destination', [], 100, active));
}

const store = await openQueueStore(folder);
try {
  say('add', await each(messages, (n) => store.add(message(n, 'A'))), '/s');
  say('commits', store.commits, '');
  const settled = await each(messages, (n) => store.settle({ id: message(n, 'A').id, outcomes: [outcome('sent')] }));
  say('settle (sent)', settled, '/s');
  const pending: Promise<void>[] = [];
  const both = await each(messages, async (n) => {
    const item = message(n, 'B');
    await store.add(item);
    pending.push(store.body(item.id).then(() => store.settle({ id: item.id, outcomes: [outcome('sent')] })));
  });
  say('add while settling', both, '/s');
  await Promise.all(pending);
  say('rss', process.memoryUsage().rss / 1e6, 'MB');
  if (deferred > 0) {
    say('add (to defer)', await each(deferred, (n) => store.add(message(n, 'D'))), '/s');
    const rate = await each(deferred, (n) =>
      store.settle({
        id: message(n, 'D').id,
        outcomes: [outcome('deferred', n)],
        nextAttempt: Date.now() + 300_000 + n,
      }),
    );
    say('settle (deferred)', rate, '/s');
    await browse(store);
    say('rss', process.memoryUsage().rss / 1e6, 'MB');
  }
} finally {
  await store.close();
  rmSync(folder, { recursive: true });
}
