/** The program as a process: the real MTA, the real page server, real signals. */
import 'vscode-jsonrpc/node';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '#mta/contract/rpc.ts';
import { api, serverClient } from '../contract/api.ts';
import { webSocketWire } from '../web/ws-wire.ts';

const program = fileURLToPath(new URL('./postrider.ts', import.meta.url));

let folder: string;
let data: string;
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postrider-cli-'));
  data = path.join(folder, 'data');
  children = [];
});
afterEach(async () => {
  await Promise.all(
    children.map((child) => {
      child.kill('SIGKILL');
      return exit(child);
    }),
  );
  await expect.poll(() => run(['readyz', '--data', data]).then(({ code }) => code), { timeout: 20_000 }).not.toBe(0);
  await rm(folder, { recursive: true, force: true });
});

function start(args: string[], script = program): ChildProcess & { out: string; err: string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('POSTRIDER_')));
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env });
  children.push(child);
  const told = Object.assign(child, { out: '', err: '' });
  child.stdout.on('data', (text: Buffer) => (told.out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (told.err += text.toString()));
  return told;
}

function exit(child: ChildProcess): Promise<number | null> {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('close', resolve));
}

async function run(
  args: string[],
  input = '',
  script = program,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = start(args, script);
  child.stdin?.end(input);
  const code = await exit(child);
  return { code, out: child.out, err: child.err };
}

interface Ready {
  smtp: string[];
  http: string;
  url: string;
  pid: number;
}

async function serve(): Promise<{ child: ReturnType<typeof start>; ready: Ready }> {
  const child = start(['serve', '--data', data, '--smtp', '127.0.0.1:0', '--http', '127.0.0.1:0', '--json']);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', () => {
      if (child.out.includes('\n')) resolve();
    });
    child.once('close', () => reject(new Error(`serve ended: ${child.err}`)));
  });
  return { child, ready: JSON.parse(child.out) as Ready };
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test(
  'a message sent by SMTP is seen through the page; SIGTERM ends everything with 0',
  { timeout: 90_000 },
  async () => {
    const { child, ready } = await serve();
    const answer = await fetch(ready.url, { redirect: 'manual' });
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    const socket = new WebSocket(`${ready.http.replace('http', 'ws')}/rpc`, {
      headers: { cookie, origin: ready.http },
    });
    await new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
    });
    const server = serverClient(connect(api, webSocketWire(socket)), 'local');
    const arrived = new Promise((resolve) => server.on('mail.arrived', resolve));

    const sent = await run(['send', '--data', data, '--subject', 'Grüße', 'ann@example.org']);
    expect(sent).toMatchObject({ code: 0, out: expect.stringMatching(/queued as \w+\.\n$/) });
    await arrived;
    await expect
      .poll(async () => (await server.call('mail.list', {})).messages.map(({ subject }) => subject), {
        timeout: 10_000,
      })
      .toEqual(['Grüße']);

    child.kill('SIGTERM');
    expect(await exit(child)).toBe(0);
    expect(alive(ready.pid)).toBe(false);
    expect(child.err).toBe('');
  },
);

test('when serve is killed, its mail server ends by itself', { timeout: 90_000 }, async () => {
  const { child, ready } = await serve();
  child.kill('SIGKILL');
  await exit(child);
  await expect.poll(() => alive(ready.pid), { timeout: 20_000 }).toBe(false);
});

test('when the mail server is killed it comes back, and the page stays', { timeout: 90_000 }, async () => {
  const { child, ready } = await serve();
  process.kill(ready.pid, 'SIGKILL');
  await expect.poll(() => child.err, { timeout: 30_000 }).toMatch(/ended by SIGKILL.*\n.*runs \(pid \d+\)/s);
  expect(await (await fetch(`${ready.http}/readyz`)).json()).toEqual({ ready: true });
});

test(
  'called through a link named mailq it is mailq; unknown commands are usage errors',
  { timeout: 60_000 },
  async () => {
    const link = path.join(folder, 'mailq');
    await symlink(program, link);
    expect(await run(['--data', data], '', link)).toMatchObject({
      code: 69,
      err: expect.stringMatching(/mail system is down/),
    });
    expect(await run(['nope'])).toMatchObject({ code: 64, err: expect.stringContaining("unknown command 'nope'") });
    expect(await run(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    const help = await run(['--help']);
    for (const name of ['serve', 'send', 'url', 'postqueue', 'sendmail']) expect(help.out).toContain(`  ${name}`);
  },
);
