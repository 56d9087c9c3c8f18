import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeliveryAgent, DeliveryOutcome, Route } from '../qmgr/agent.ts';
import { testConfiguration } from '../qmgr/testing/test-configuration.ts';
import type { QueuedRecipient, StoredBody } from '../queue/store.ts';
import { queuedMessage } from '../queue/testing/messages.ts';
import { createLocalAgent, type LocalAgentOptions } from './agent.ts';

const run = promisify(execFile);
let folder = '';
let agents: DeliveryAgent[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maildir-'));
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  agents = [];
  await rm(folder, { recursive: true });
});

function agentWith(set: Record<string, string> = {}, more: Partial<LocalAgentOptions> = {}): DeliveryAgent {
  const configuration = testConfiguration(set);
  const agent = createLocalAgent({
    mailFolder: folder,
    hostname: 'mail/host:1.example.test',
    configuration: () => configuration,
    ...more,
  });
  agents.push(agent);
  return agent;
}

function deliver(
  agent: DeliveryAgent,
  mailbox: string,
  to: readonly Partial<QueuedRecipient>[],
  body: StoredBody = { kind: 'memory', data: Buffer.from('Subject: hi\n\nFrom here\n') },
  route: Partial<Route> = {},
): Promise<DeliveryOutcome[]> {
  const recipients = to.map((recipient, index) => ({
    address: 'x@y.test',
    state: 'waiting' as const,
    ...recipient,
    index,
  }));
  const message = queuedMessage({ recipients });
  return agent.deliver({ message, recipients, body, route: { transport: 'virtual', nexthop: '', mailbox, ...route } });
}

const files = async (mailbox: string, part: string): Promise<string[]> => readdir(join(folder, mailbox, part));

test("Python's mailbox module reads what is delivered", async () => {
  const agent = agentWith();
  const total = 300;
  const outcomes = await Promise.all(
    Array.from({ length: total }, (_, i) =>
      deliver(
        agent,
        `user${i % 3}@example.org`,
        [{ address: `user${i % 3}@example.org`, originalAddress: 'alias@example.org' }],
        {
          kind: 'memory',
          data: Buffer.from(`Subject: number ${i}\n\nbody ${i}\n`),
        },
      ),
    ),
  );
  expect(
    outcomes
      .flat()
      .every(
        ({ state, reason, relay }) => state === 'sent' && reason === 'delivered to maildir' && relay === 'virtual',
      ),
  ).toBe(true);
  const program = `
import json, mailbox, sys
found = []
for name in ('user0', 'user1', 'user2'):
    box = mailbox.Maildir(sys.argv[1] + '/' + name + '@example.org', create=False)
    for message in box:
        found.append([message['Subject'], message['Return-Path'], message['X-Original-To'], message['Delivered-To'], message.get_payload(), message.get_subdir()])
print(json.dumps(found))
`;
  const { stdout } = await run('python3', ['-c', program, folder]);
  const found = JSON.parse(stdout) as string[][];
  expect(found).toHaveLength(total);
  expect(found.sort((a, b) => Number(a[0]?.slice(7)) - Number(b[0]?.slice(7)))[4]).toEqual([
    'number 4',
    '<ada@example.org>',
    'alias@example.org',
    'user1@example.org',
    'body 4\n',
    'new',
  ]);
  expect(await files('user0@example.org', 'tmp')).toEqual([]);
  const names = await files('user0@example.org', 'new');
  for (const name of names) {
    expect(name).toMatch(/^\d+\.M\d+P\d+R[0-9a-f]{16}\.mail\\057host\\0721\.example\.test,S=\d+$/);
    const { length } = await readFile(join(folder, 'user0@example.org', 'new', name));
    expect(name.endsWith(`,S=${length}`)).toBe(true);
  }
});

test('recipients of one mailbox share a file, with a Delivered-To each', async () => {
  const delivered: string[] = [];
  const agent = agentWith({}, { onDelivered: ({ mailbox, folder: where }) => delivered.push(`${mailbox} ${where}`) });
  const outcomes = await deliver(agent, 'App/User', [{ address: 'a@x.test' }, { address: 'b@x.test' }]);
  expect(outcomes.map(({ index, state }) => [index, state])).toEqual([
    [0, 'sent'],
    [1, 'sent'],
  ]);
  expect(delivered).toEqual(['App/User app%2Fuser']);
  const [name = ''] = await files('app%2Fuser', 'new');
  expect(await readFile(join(folder, 'app%2Fuser', 'new', name), 'utf8')).toBe(
    'Return-Path: <ada@example.org>\nX-Original-To: a@x.test\nDelivered-To: a@x.test\nX-Original-To: b@x.test\nDelivered-To: b@x.test\nSubject: hi\n\nFrom here\n',
  );
});

test('a large body is copied from its file; a missing one defers and leaves nothing', async () => {
  const agent = agentWith();
  const path = join(folder, 'spooled');
  await writeFile(path, Buffer.alloc(3_000_000, 'x'));
  const [good] = await deliver(agent, 'big', [{}], { kind: 'file', path, size: 3_000_000 });
  expect(good?.state).toBe('sent');
  const [name = ''] = await files('big', 'new');
  expect((await readFile(join(folder, 'big', 'new', name))).length).toBeGreaterThan(3_000_000);
  const [bad] = await deliver(agent, 'big', [{}], { kind: 'file', path: `${path}.gone`, size: 1 });
  expect(bad).toMatchObject({ state: 'deferred', dsn: '4.2.0' });
  expect(await files('big', 'tmp')).toEqual([]);
});

test('a mailbox deleted while the server runs is made again', async () => {
  const agent = agentWith();
  await deliver(agent, 'bob', [{}]);
  await rm(join(folder, 'bob'), { recursive: true });
  expect((await deliver(agent, 'bob', [{}]))[0]?.state).toBe('sent');
  expect(await files('bob', 'new')).toHaveLength(1);
});

test('over the limit is returned; what is in the way defers that mailbox only', async () => {
  const agent = agentWith({ virtual_mailbox_limit: '50' });
  expect((await deliver(agent, 'bob', [{}]))[0]).toMatchObject({
    state: 'bounced',
    dsn: '5.2.2',
    reason: 'maildir delivery failed: error writing message: File too large',
  });
  const roomy = agentWith();
  await writeFile(join(folder, 'blocked'), 'a file where the folder should be');
  const [blocked, fine] = await Promise.all([deliver(roomy, 'blocked', [{}]), deliver(roomy, 'fine', [{}])]);
  expect(blocked?.[0]).toMatchObject({
    state: 'deferred',
    dsn: '4.2.0',
    reason: 'maildir delivery failed: error writing message: Not a directory',
  });
  expect(fine?.[0]?.state).toBe('sent');
});

test('a failed write leaves nothing in tmp', async () => {
  const agent = agentWith();
  await mkdir(join(folder, 'bob', 'tmp'), { recursive: true });
  await writeFile(join(folder, 'bob', 'new'), 'a file where the folder should be');
  expect((await deliver(agent, 'bob', [{}]))[0]?.state).toBe('deferred');
  expect(await files('bob', 'tmp')).toEqual([]);
});

test('aliases: to mailboxes, onwards, loops, refusals', async () => {
  const table = new Map([
    ['team', 'bob, carol, dave@elsewhere.test'],
    ['carol', 'carol, \\bob'],
    ['round', 'round2'],
    ['round2', 'round'],
    ['pipe', '"|/bin/sh"'],
  ]);
  const forwarded: string[][] = [];
  const agent = agentWith(
    {},
    {
      aliases: (name) => table.get(name),
      forward: (_, addresses) => {
        forwarded.push([...addresses]);
        return Promise.resolve('NEWID');
      },
    },
  );
  const local = { transport: 'local' };
  expect((await deliver(agent, 'Team', [{ address: 'team@x.test' }], undefined, local))[0]).toMatchObject({
    state: 'sent',
    reason: 'forwarded as NEWID',
    relay: 'local',
  });
  expect(forwarded).toEqual([['dave@elsewhere.test']]);
  expect(await files('bob', 'new')).toHaveLength(1);
  expect(await files('carol', 'new')).toHaveLength(1);
  expect((await deliver(agent, 'round', [{}], undefined, local))[0]).toMatchObject({ state: 'bounced', dsn: '5.4.6' });
  expect((await deliver(agent, 'pipe', [{}], undefined, local))[0]).toMatchObject({ state: 'deferred', dsn: '4.3.5' });
  const looped: StoredBody = { kind: 'memory', data: Buffer.from('Delivered-To: Team@x.test\nSubject: x\n\ny\n') };
  expect((await deliver(agent, 'team', [{ address: 'team@x.test' }], looped, local))[0]).toMatchObject({
    state: 'bounced',
    reason: 'mail forwarding loop for team@x.test',
  });
});
