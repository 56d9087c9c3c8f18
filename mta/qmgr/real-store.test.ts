/** The queue manager with the real store and the real Maildir agent. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLocalAgent } from '../local/agent.ts';
import type { NewMessage, QueueStore } from '../queue/store.ts';
import { openQueueStore } from '../queue/sqlite-store.ts';
import { createErrorAgent } from './fixed-agents.ts';
import { createQueueManager, type QueueManager } from './queue-manager.ts';
import { createResolver } from './resolve.ts';
import { testConfiguration } from './testing/test-configuration.ts';

let folder = '';
let log: string[] = [];
let next = 0;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qmgr-'));
  log = [];
});
afterEach(() => rm(folder, { recursive: true }));

function manage(store: QueueStore, set: Record<string, string> = {}): QueueManager {
  const configuration = testConfiguration({ postrider_profile: 'sink', ...set });
  const local = createLocalAgent({
    mailFolder: join(folder, 'mail'),
    hostname: 'h',
    configuration: () => configuration,
  });
  const resolver = createResolver({ configuration: () => configuration, knownUser: () => false });
  return createQueueManager({
    store,
    configuration: () => configuration,
    log: { line: (service, text) => void log.push(`${service}: ${text}`) },
    agents: new Map([
      ['virtual', local],
      ['error', createErrorAgent(false)],
      ['retry', createErrorAgent(true)],
    ]),
    resolve: (address, message) =>
      address.endsWith('@late.test')
        ? { transport: 'retry', nexthop: '4.3.2 closed' }
        : address.endsWith('@no.test')
          ? { transport: 'error', nexthop: '5.1.1 nobody' }
          : resolver.resolve(address, message),
    newId: id,
  });
}

const id = (): string => (0xabcde00000 + next++).toString(16).toUpperCase();

const message = (to: string, more: Partial<NewMessage> = {}): NewMessage => {
  const data = Buffer.from(`Subject: x\n\n${'y'.repeat(3900)}\n`);
  return {
    id: id(),
    arrival: Date.now(),
    envelope: { sender: 'ada@example.org' },
    recipients: [{ address: to }],
    size: data.length,
    body: { kind: 'memory', data },
    ...more,
  };
};

const files = async (mailbox: string): Promise<number> =>
  (await readdir(join(folder, 'mail', mailbox, 'new')).catch(() => [])).length;

/** Resolves when the queue satisfies the test: told by its own events. */
async function until(manager: QueueManager, fits: () => boolean): Promise<void> {
  if (fits()) return;
  await new Promise<void>((resolve) => {
    const off = manager.onChanged(() => {
      if (!fits()) return;
      off();
      resolve();
    });
  });
}

const empty = (manager: QueueManager) => (): boolean => Object.values(manager.counts()).every((count) => count === 0);

test('a thousand messages at once reach their Maildirs, none twice', async () => {
  const store = await openQueueStore(join(folder, 'spool'));
  const manager = manage(store);
  manager.start();
  await Promise.all(Array.from({ length: 1000 }, (_, i) => manager.accept(message(`u${i % 7}@x.test`))));
  await until(manager, empty(manager));
  const counts = await Promise.all(Array.from({ length: 7 }, (_, i) => files(`u${i}@x.test`)));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1000);
  expect(manager.flow().delivered).toBe(1000);
  expect(log.filter((line) => line.endsWith(': removed'))).toHaveLength(1000);
  await manager.stop();
  await store.close();
});

test('what was accepted and not delivered is taken up by the next run', async () => {
  const first = await openQueueStore(join(folder, 'spool'));
  const dead = manage(first);
  // Never started: accepts only.
  await Promise.all(Array.from({ length: 450 }, () => dead.accept(message('a@x.test'))));
  await dead.stop();
  await first.close();
  const second = await openQueueStore(join(folder, 'spool'));
  const manager = manage(second, { qmgr_message_active_limit: '50' });
  manager.start();
  await until(manager, empty(manager));
  expect(await files('a@x.test')).toBe(450);
  await manager.stop();
  await second.close();
});

test('a bounce is stored and delivered; a deferred message can be held, released, expired, removed', async () => {
  const store = await openQueueStore(join(folder, 'spool'));
  const manager = manage(store);
  manager.start();
  await manager.accept(message('x@no.test'));
  await until(manager, empty(manager));
  expect(await files('ada@example.org')).toBe(1);

  const late = [message('x@late.test'), message('y@late.test'), message('z@late.test')];
  for (const one of late) await manager.accept(one);
  await until(manager, () => manager.counts().deferred === 3 && manager.counts().active === 0);
  const [a = '', b = '', c = ''] = late.map((one) => one.id);
  const listed = await manager.list({ filter: [], sort: 'arrival', descending: false, limit: 10 });
  expect(listed.entries.map(({ queue, reason }) => [queue, reason])).toEqual(Array(3).fill(['deferred', 'closed']));
  expect((listed.entries[0]?.expires ?? 0) - (listed.entries[0]?.arrival ?? 0)).toBe(432_000_000);

  await manager.act('hold', { ids: [a] });
  expect(manager.counts()).toMatchObject({ hold: 1, deferred: 2 });
  const tries = (which: string): number => log.filter((line) => line.startsWith(`retry: ${which}: to=`)).length;
  await manager.act('release', { ids: [a] });
  await until(manager, () => tries(a) === 2 && manager.counts().active === 0);
  await manager.act('retry', { ids: [b] });
  await until(manager, () => tries(b) === 2 && manager.counts().active === 0);
  await manager.act('requeue', { ids: [b] });
  await until(manager, () => tries(b) === 3 && manager.counts().active === 0);
  await manager.act('expire', { ids: [a] });
  await until(manager, () => manager.counts().deferred === 2 && manager.counts().active === 0);
  expect(await files('ada@example.org')).toBe(2);
  await manager.act('remove', { ids: [b, c] });
  await until(manager, empty(manager));
  await manager.stop();
  await store.close();
});
