/**
 * A child that behaves like `postrider mta` towards its supervisor and no further: the control socket, the ready
 * message, the folder's lock, and on request the ways to fail. What it does next is read from `<data>/behaviour`.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { errorMessage } from '#mta/contract/errors.ts';
import { EventHub } from '#mta/contract/rpc.ts';
import { mailServer, type MailServerContract, type MailServerHandlers } from '#mta/contract/server.ts';
import { listenControl } from '#mta/control/server.ts';

const data = process.argv[process.argv.indexOf('--data') + 1] ?? '';
const behaviour = readFileSync(path.join(data, 'behaviour'), 'utf8').trim();

function fail(code: number, words: string): never {
  process.stderr.write(`${words}\n`, () => process.exit(code));
  throw new Error(words);
}

const counts = { incoming: 0, active: 0, deferred: 0, hold: 0, corrupt: 0 };
const listener = { service: 'smtp', address: '127.0.0.1', port: 1025, tls: 'none' as const, loopback: true };

async function main(): Promise<void> {
  if (behaviour === 'bad-configuration') fail(78, 'main.cf, line 3: missing "=" after attribute name: "oops"');
  mkdirSync(path.join(data, 'run'), { recursive: true, mode: 0o700 });
  try {
    // As the spool does it: an exclusive transaction that the system ends with the process.
    new Database(path.join(data, 'run', 'lock.db'), { timeout: 0 }).exec('BEGIN EXCLUSIVE');
  } catch {
    fail(75, `A mail server already runs on ${data}`);
  }
  const events = new EventHub<MailServerContract>();
  const refuse = Object.fromEntries(
    Object.keys(mailServer.methods).map((name) => [
      name,
      () => {
        throw new Error(`no fake for ${name}`);
      },
    ]),
  );
  const handlers: Partial<MailServerHandlers> = {
    'server.overview': () => ({
      software: 'fake',
      version: '0',
      profile: 'sink' as const,
      hostname: 'fake.test',
      domain: 'test',
      dataFolder: data,
      pid: process.pid,
      listeners: [listener],
      queue: counts,
      flow: { received: 0, rejected: 0, delivered: 0, relayed: 0, deferred: 0, bounced: 0 },
      sessions: 0,
      mailboxes: 0,
      messages: 0,
      capabilities: [],
      findings: [],
    }),
    'server.health': () => ({ ready: true, findings: [] }),
    'server.reload': () => {
      events.emit('queue.changed', counts);
      return { findings: [] };
    },
    'server.stop': () => {
      setTimeout(() => process.exit(0), 20);
      return {};
    },
    'queue.counts': () => counts,
    'mail.mailboxes': () => ({ mailboxes: [{ name: 'ann', folders: [], total: 0, unread: 0 }] }),
  };
  await listenControl(data, { ...refuse, ...handlers } as MailServerHandlers, events);
  if (behaviour === 'deaf') process.on('SIGTERM', () => undefined);
  else process.on('SIGTERM', () => process.exit(0));
  process.on('disconnect', () => process.exit(0));
  if (behaviour === 'mute') return;
  process.send?.({ event: 'ready', smtp: ['127.0.0.1:1025'], data, pid: process.pid });
  if (behaviour === 'dies') setTimeout(() => process.exit(70), 10);
}

void main().catch((error: unknown) => {
  process.stderr.write(`${errorMessage(error)}\n`);
});
