/** Everything that delivery reads from main.cf exists in the parameter table, with the type it is read as. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Configuration } from '../config/configuration.ts';
import { writeFirstConfiguration } from '../config/first-files.ts';
import { loadConfiguration } from '../config/load.ts';
import { createLocalAgent } from '../local/agent.ts';
import { createSmtpAgent } from '../smtp/agent.ts';
import { scriptedServer } from '../smtp/testing/scripted-server.ts';
import { buildReports } from '../bounce/reports.ts';
import { queuedMessage } from '../queue/testing/messages.ts';
import { transportLimits } from './parameters.ts';
import { createResolver } from './resolve.ts';

let data = '';
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'configuration-'));
});
afterEach(() => rm(data, { recursive: true }));

async function load(profile: 'sink' | 'server'): Promise<Configuration> {
  await writeFirstConfiguration(data, { profile, domain: 'example.test' });
  return loadConfiguration(join(data, 'etc'), { dataFolder: data });
}

const message = queuedMessage({ size: 30 });
const body = { kind: 'memory', data: Buffer.from('Subject: x\n\ny\n') } as const;
const log = { line: (): void => undefined };

test('limits are Postfix’s', async () => {
  const configuration = await load('server');
  expect(transportLimits(configuration, 'smtp')).toEqual({
    initialConcurrency: 5,
    concurrency: 20,
    recipients: 50,
    processes: 100,
  });
  expect(transportLimits(configuration, 'local').concurrency).toBeGreaterThan(100);
});

test('both profiles route, deliver here and relay', async () => {
  const server = await load('server');
  const resolver = createResolver({ configuration: () => server, knownUser: (name) => name === 'ada' });
  expect(await resolver.resolve('ada@localhost')).toMatchObject({ transport: 'local', mailbox: 'ada' });
  expect(await resolver.resolve('nobody@example.test')).toMatchObject({ transport: 'error' });
  expect(await resolver.resolve('x@else.test')).toEqual({ transport: 'smtp', nexthop: 'else.test' });
  expect(await resolver.recipientKnown('nobody@localhost')).toBe(false);

  const agent = createLocalAgent({ mailFolder: join(data, 'mail'), hostname: 'h', configuration: () => server });
  for (const transport of ['local', 'virtual']) {
    const [outcome] = await agent.deliver({
      message,
      body,
      recipients: message.recipients,
      route: { transport, nexthop: '', mailbox: 'ada' },
    });
    expect(outcome?.state).toBe('sent');
  }
  await agent.close();

  const peer = await scriptedServer();
  const smtp = createSmtpAgent({ configuration: () => server, log });
  for (const host of ['127.0.0.1', 'localhost']) {
    const [outcome] = await smtp.deliver({
      message,
      body,
      recipients: message.recipients,
      route: { transport: 'smtp', nexthop: `[${host}]:${peer.port}` },
    });
    expect(outcome?.state).toBe('sent');
  }
  await smtp.close();
  await peer.close();

  const outcome = {
    index: 0,
    state: 'bounced',
    dsn: '5.0.0',
    reason: 'r',
    at: 0,
    connection: 0,
    transmission: 0,
  } as const;
  const reports = await buildReports(
    { configuration: server, log, newId: () => 'R1', now: 0, message, body: () => Promise.resolve(body) },
    { bounced: [outcome] },
  );
  expect(reports[0]?.recipients).toEqual([{ address: 'ada@example.org' }]);
});

test('the sink keeps all', async () => {
  const sink = await load('sink');
  const resolver = createResolver({ configuration: () => sink, knownUser: () => false });
  expect(resolver.resolve('any@where.test')).toMatchObject({ transport: 'virtual', mailbox: 'any@where.test' });
});
