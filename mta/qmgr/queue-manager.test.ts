import { expect, test } from 'vitest';
import type { Route } from './agent.ts';
import { bounced, deferred, gate, rig, sent, type Answer, type Rig } from './testing/rig.ts';

const minute = 60_000;
const smtp = (address: string): { transport: string; nexthop: string } => ({
  transport: 'smtp',
  nexthop: address.slice(address.lastIndexOf('@') + 1),
});

const oneAtATime = { initial_destination_concurrency: '1', default_destination_concurrency_limit: '1' };

/** A manager that has started and whose deliveries wait until `held` is opened, and succeed then. */
async function blocked(
  set?: Readonly<Record<string, string>>,
  resolve?: (address: string) => Route,
): Promise<{ held: ReturnType<typeof gate>; r: Rig }> {
  const held = gate();
  const waiting = async (): Promise<Answer> => {
    await held.wait;
    return sent;
  };
  const r = rig(waiting, set, resolve);
  r.manager.start();
  await r.clock.settle();
  return { held, r };
}

test('a fresh message is delivered from memory and removed, with Postfix’s log lines', async () => {
  const r = rig(() => ({ ...sent, transmission: 0.0312 }));
  r.manager.start();
  await r.clock.settle();
  await r.manager.accept(r.message('B76B92205CE', ['bob@example.org'], { size: 346 }));
  await r.clock.settle();
  expect(r.store.rows.size).toBe(0);
  expect(r.store.bodiesRead).toBe(0);
  expect(r.log).toEqual([
    'qmgr: B76B92205CE: from=<ada@example.org>, size=346, nrcpt=1 (queue active)',
    'virtual: B76B92205CE: to=<bob@example.org>, relay=virtual, delay=0.03, delays=0/0/0/0.03, dsn=2.0.0, status=sent (delivered to maildir)',
    'qmgr: B76B92205CE: removed',
  ]);
  expect(r.manager.flow()).toEqual({ delivered: 1, relayed: 0, deferred: 0, bounced: 0 });
  expect(r.manager.counts()).toEqual({ incoming: 0, active: 0, deferred: 0, hold: 0, corrupt: 0 });
  await r.manager.stop();
});

test('back-off is clamp(age, minimal, maximal), with exact timers', async () => {
  const tries: number[] = [];
  const r = rig(() => {
    tries.push(Math.round((r.clock.now() - start) / 6000) / 10);
    return deferred;
  });
  const start = r.clock.now();
  r.manager.start();
  await r.manager.accept(r.message('A1', ['bob@example.org']));
  await r.clock.advance(300 * minute);
  // Never less than 300 s, then the age again, at most 4000 s.
  expect(tries).toEqual([0, 5, 10, 20, 40, 80, 146.7, 213.3, 280]);
  await r.manager.stop();
});

test('a message too old is returned with its last reason; a bounce too old is dropped', async () => {
  const r = rig(() => deferred, { maximal_queue_lifetime: '1h', bounce_queue_lifetime: '10m' });
  r.manager.start();
  await r.manager.accept(r.message('A1', ['bob@example.org']));
  await r.manager.accept(r.message('A2', ['bob@example.org'], { envelope: { sender: '' } }));
  await r.clock.advance(11 * minute);
  expect(r.log).toContain('qmgr: A2: from=<>, status=expired, returned to sender');
  expect(r.log).toContain('bounce: warning: A2: undeliverable notification discarded');
  expect([...r.store.rows.keys()]).toEqual(['A1']);
  await r.clock.advance(75 * minute);
  expect(r.log).toContain('qmgr: A1: from=<ada@example.org>, status=expired, returned to sender');
  expect(r.log).toContain('bounce: A1: sender non-delivery notification: D0000001');
  expect(r.store.rows.get('D0000001')?.message.recipients[0]?.address).toBe('ada@example.org');
  expect(r.store.settlements.find(({ spawned }) => spawned !== undefined)?.id).toBe('A1');
  await r.manager.stop();
});

test('one delay warning after delay_warning_time', async () => {
  const r = rig((request) => (request.message.envelope.sender === '' ? sent : deferred), { delay_warning_time: '1h' });
  r.manager.start();
  await r.manager.accept(r.message('A1', ['bob@example.org']));
  await r.clock.advance(600 * minute);
  expect(r.log.filter((line) => line.includes('sender delay notification'))).toHaveLength(1);
  await r.manager.stop();
});

test('a bounce goes out with the settlement, NOTIFY=NEVER gets none', async () => {
  const r = rig((request) => (request.message.envelope.sender === '' ? sent : bounced));
  r.manager.start();
  await r.clock.settle();
  await r.manager.accept(r.message('A1', ['bob@example.org', 'eve@example.org']));
  await r.clock.settle();
  await r.manager.accept(r.message('A2', [], { recipients: [{ address: 'bob@example.org', notify: ['NEVER'] }] }));
  await r.clock.settle();
  expect(r.store.rows.size).toBe(0);
  const spawned = r.store.settlements.flatMap((settlement) => settlement.spawned ?? []);
  expect(spawned).toHaveLength(1);
  const report = spawned[0];
  expect(report?.envelope.sender).toBe('');
  const text = report?.body.kind === 'memory' ? Buffer.from(report.body.data).toString() : '';
  expect(text).toContain('<bob@example.org>: no such user');
  expect(text).toContain('<eve@example.org>: no such user');
  expect(r.log).toContain('qmgr: D0000001: removed');
  await r.manager.stop();
});

test('initial concurrency 5, growing by one with each success to the limit', async () => {
  const held = gate();
  let blocking = true;
  const r = rig(
    async () => {
      if (blocking) await held.wait;
      return sent;
    },
    { default_destination_concurrency_limit: '8' },
    smtp,
  );
  r.manager.start();
  for (let i = 0; i < 60; i++) await r.manager.accept(r.message(`A${i}`, ['bob@example.org']));
  await r.clock.settle();
  expect(r.peak()).toBe(5);
  blocking = false;
  held.open();
  await r.clock.settle();
  await r.clock.settle();
  expect(r.peak()).toBe(8);
  expect(r.store.rows.size).toBe(0);
  await r.manager.stop();
});

test('a failed cohort suspends the destination for minimal_backoff_time, others go on', async () => {
  const down = {
    state: 'deferred',
    dsn: '4.4.1',
    reason: 'connect to h: Connection refused',
    destinationFailed: true,
  } as const;
  let up = false;
  const held = gate();
  const r = rig(
    async (_, address) => {
      await held.wait;
      return address.endsWith('@dead.test') && !up ? down : sent;
    },
    {},
    smtp,
  );
  r.manager.start();
  await r.clock.settle();
  await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      r.manager.accept(r.message(`A${i}`, [`x@${i % 3 === 2 ? 'live' : 'dead'}.test`])),
    ),
  );
  held.open();
  await r.clock.settle();
  expect(r.deliveries.filter(({ route }) => route.nexthop === 'live.test')).toHaveLength(4);
  expect([...r.store.rows.keys()]).toHaveLength(8);
  const tried = r.deliveries.filter(({ route }) => route.nexthop === 'dead.test').length;
  expect(tried).toBeLessThan(8);
  expect(r.log.filter((line) => line.startsWith('error: '))).toHaveLength(8 - tried);
  expect(r.log.find((line) => line.startsWith('error: '))).toMatch(
    /to=<x@dead\.test>, relay=none, delay=0, delays=0\/0\/0\/0, dsn=4\.4\.1, status=deferred \(delivery temporarily suspended: connect to h: Connection refused\)$/,
  );
  up = true;
  await r.clock.advance(6 * minute);
  expect(r.store.rows.size).toBe(0);
  await r.manager.stop();
});

test('retry now tries a suspended destination at once', async () => {
  let up = false;
  const down = { state: 'deferred', dsn: '4.4.1', reason: 'no', destinationFailed: true } as const;
  const r = rig(() => (up ? sent : down), {}, smtp);
  r.manager.start();
  for (let i = 0; i < 6; i++) await r.manager.accept(r.message(`A${i}`, ['x@dead.test']));
  await r.clock.settle();
  up = true;
  await r.clock.advance(1000);
  expect(r.store.rows.size).toBe(6);
  const result = await r.manager.act('retry', { ids: ['A1', 'A2', 'NOPE'] });
  expect(result).toMatchObject({ done: 2, unknown: ['NOPE'] });
  await r.clock.advance(1000);
  expect([...r.store.rows.keys()]).toEqual(['A0', 'A3', 'A4', 'A5']);
  await r.manager.stop();
});

test('recipients: 50 a delivery, each settled as it is sent; a big message does not starve a small one', async () => {
  const { held, r } = await blocked(oneAtATime, smtp);
  const many = Array.from({ length: 220 }, (_, i) => `u${i}@big.test`);
  await Promise.all([r.manager.accept(r.message('BIG', many)), r.manager.accept(r.message('SMALL', ['x@big.test']))]);
  held.open();
  await r.clock.settle();
  await r.clock.settle();
  expect(r.deliveries.map(({ recipients }) => recipients.length)).toEqual([50, 50, 1, 50, 50, 20]);
  expect(r.store.rows.size).toBe(0);
  expect(r.store.settlements.filter(({ id }) => id === 'BIG').length).toBeGreaterThan(1);
  expect(r.manager.flow().relayed).toBe(221);
  await r.manager.stop();
});

test('some sent, some deferred: only the deferred are tried again', async () => {
  let again = false;
  const r = rig((_, address) => (address.startsWith('late') && !again ? deferred : sent));
  r.manager.start();
  await r.clock.settle();
  await r.manager.accept(r.message('A1', ['now@x.test', 'late@x.test']));
  await r.clock.settle();
  again = true;
  await r.clock.advance(6 * minute);
  expect(r.deliveries.map(({ recipients }) => recipients.map(({ address }) => address))).toEqual([
    ['now@x.test'],
    ['late@x.test'],
    ['late@x.test'],
  ]);
  expect(r.store.rows.size).toBe(0);
  await r.manager.stop();
});

test('the active limit holds; the rest waits in incoming, then goes, none twice', async () => {
  const { held, r } = await blocked({ qmgr_message_active_limit: '8' });
  for (let i = 0; i < 40; i++)
    await r.manager.accept(r.message(`A${i}`, ['bob@x.test'], { arrival: r.clock.now() + i / 100 }));
  await r.clock.settle();
  expect(r.manager.counts()).toEqual({ incoming: 32, active: 8, deferred: 0, hold: 0, corrupt: 0 });
  held.open();
  await r.clock.advance(1000);
  expect(r.store.rows.size).toBe(0);
  expect(r.deliveries.map(({ message }) => message.id).sort()).toEqual(
    Array.from({ length: 40 }, (_, i) => `A${i}`).sort(),
  );
  await r.manager.stop();
});

test('what a crash left in incoming and deferred is taken up, in turn', async () => {
  const before = rig(() => sent);
  // Never started: as if it had died right after accepting.
  for (let i = 0; i < 3; i++) await before.manager.accept(before.message(`A${i}`, ['bob@x.test']));
  for (const id of ['A1', 'A2']) {
    const row = before.store.rows.get(id);
    if (row !== undefined) row.message = { ...row.message, queue: 'deferred', nextAttempt: before.clock.now() - 1 };
  }
  const after = rig(() => sent, {}, undefined, before);
  after.manager.start();
  await after.clock.settle();
  expect(after.deliveries.map(({ message }) => message.id)).toEqual(['A0', 'A1', 'A2']);
  expect(after.store.rows.size).toBe(0);
  await after.manager.stop();
});

test('hold and remove leave memory at once when nothing is in flight', async () => {
  const { held, r } = await blocked(oneAtATime, smtp);
  for (const id of ['A1', 'A2', 'A3']) await r.manager.accept(r.message(id, ['bob@x.test']));
  await r.clock.settle();
  await r.manager.act('hold', { ids: ['A2'] });
  await r.manager.act('remove', { ids: ['A3'] });
  expect([...r.manager.active]).toEqual(['A1']);
  expect(r.manager.counts()).toMatchObject({ active: 1, hold: 1, incoming: 0 });
  // In flight: it is delivered, and what was put on hold is gone because nobody waits for it any more.
  await r.manager.act('hold', { ids: ['A1'] });
  held.open();
  await r.clock.settle();
  expect([...r.store.rows.keys()]).toEqual(['A2']);
  await r.manager.act('release', { ids: ['A2'] });
  await r.clock.advance(1000);
  expect(r.store.rows.size).toBe(0);
  expect(r.deliveries.map(({ message }) => message.id)).toEqual(['A1', 'A2']);
  await r.manager.stop();
});

test('expire returns at once, deferred or active; requeue tries again', async () => {
  const r = rig((request) => (request.message.envelope.sender === '' ? sent : deferred));
  r.manager.start();
  await r.clock.settle();
  for (const id of ['A1', 'A2']) await r.manager.accept(r.message(id, ['bob@x.test']));
  await r.clock.settle();
  await r.manager.act('expire', { ids: ['A1'] });
  await r.clock.advance(1000);
  expect(r.log).toContain('qmgr: A1: from=<ada@example.org>, status=force-expired, returned to sender');
  expect(r.log).toContain('bounce: A1: sender non-delivery notification: D0000001');
  const tries = r.deliveries.length;
  await r.manager.act('requeue', { ids: ['A2'] });
  await r.clock.advance(1000);
  expect(r.deliveries.length).toBe(tries + 1);
  expect([...r.store.rows.keys()]).toEqual(['A2']);
  expect((await r.manager.get('A2'))?.expires).toBeGreaterThan(r.clock.now());
  await r.manager.stop();
});

test('a store that cannot write keeps the outcome until it can, without a second delivery', async () => {
  const r = rig(() => sent);
  r.manager.start();
  await r.clock.settle();
  const accepted = r.manager.accept(r.message('A1', ['bob@x.test']));
  await accepted;
  r.store.failure = new Error('disk full');
  await r.clock.advance(10_000);
  expect(r.deliveries).toHaveLength(1);
  expect(r.log).toContain('qmgr: warning: A1: the queue cannot be written: disk full');
  r.store.failure = undefined;
  await r.clock.advance(60_000);
  expect(r.store.rows.size).toBe(0);
  expect(r.deliveries).toHaveLength(1);
  await r.manager.stop();
});

test('a damaged body goes to corrupt; an unknown transport and a throwing agent defer', async () => {
  const r = rig(
    () => {
      throw new Error('boom');
    },
    {},
    (address) => ({ transport: address.startsWith('odd') ? 'odd' : 'virtual', nexthop: 'h' }),
  );
  await r.manager.accept(r.message('A1', ['a@x.test']));
  await r.manager.accept(r.message('A2', ['odd@x.test']));
  await r.manager.accept(r.message('A3', ['b@x.test']));
  r.store.damaged.add('A3');
  r.manager.start();
  await r.clock.settle();
  expect(r.manager.counts()).toEqual({ incoming: 0, active: 0, deferred: 2, hold: 0, corrupt: 1 });
  expect(r.log.join('\n')).toContain('status=deferred (mail transport unavailable)');
  expect(r.log.join('\n')).toContain('status=deferred (unknown mail system error: boom)');
  await r.manager.stop();
});

test('stop settles what is in hand, and tells when it could not', async () => {
  const { held, r } = await blocked();
  await r.manager.accept(r.message('A1', ['bob@x.test']));
  await r.clock.settle();
  const stopped = r.manager.stop(5000);
  await r.clock.settle();
  expect(r.store.rows.size).toBe(1);
  held.open();
  await stopped;
  expect(r.store.rows.size).toBe(0);
});

test('changes are told at most every 100 ms', async () => {
  const r = rig(() => sent);
  const told: number[] = [];
  r.manager.onChanged(() => told.push(r.clock.now()));
  r.manager.start();
  for (let i = 0; i < 50; i++) {
    await r.manager.accept(r.message(`A${i}`, ['bob@x.test']));
    await r.clock.advance(7);
  }
  await r.clock.advance(1000);
  expect(told.length).toBeGreaterThan(2);
  for (const [i, at] of told.entries()) if (i > 0) expect(at - (told[i - 1] ?? 0)).toBeGreaterThanOrEqual(100);
  await r.manager.stop();
});
