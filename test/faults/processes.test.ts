/**
 * Processes that are killed, stopped in the middle of a load, or start beside each other: nothing acknowledged is lost,
 * no process is left, and who looks on gets the connection back.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { mailbox } from '../support/maildir.ts';
import { rawControl, signIn } from '../support/rpc.ts';
import { command, eventually, projectFolder, startServer, type RunningServer } from '../support/server.ts';
import { SmtpClient } from '../support/smtp-client.ts';

const servers: RunningServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0).reverse()) await server.cleanUp();
});

async function start(...options: Parameters<typeof startServer>): Promise<RunningServer> {
  const server = await startServer(...options);
  servers.push(server);
  return server;
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const gone = (pid: number, what: string): Promise<true> =>
  eventually(() => (alive(pid) ? undefined : true), what, 15_000);

async function send(port: number, name: string): Promise<string> {
  const client = await SmtpClient.open(port);
  const reply = await client.send('a@client.test', ['all@faults.test'], `Subject: ${name}\n\nhello`);
  await client.quit();
  return reply.text;
}

/** How many copies of each subject lie in the Maildir. */
async function delivered(data: string): Promise<Map<string, number>> {
  const copies = new Map<string, number>();
  const folder = path.join(mailbox(data, 'all@faults.test'), 'new');
  for (const file of await readdir(folder).catch(() => [])) {
    const name = /^Subject: (.+)$/m.exec(await readFile(path.join(folder, file), 'utf8'))?.[1] ?? 'none';
    copies.set(name, (copies.get(name) ?? 0) + 1);
  }
  return copies;
}

async function pidNow(server: RunningServer): Promise<number | undefined> {
  const control = await rawControl(server.data).catch(() => undefined);
  const answer = await control?.request('server.overview', { input: {} }).catch(() => undefined);
  control?.close();
  return (answer?.result as { pid: number } | undefined)?.pid;
}

it(
  'the mail server killed under serve: back with the same mail, and the page sees it',
  { timeout: 60_000 },
  async () => {
    const server = await start();
    const page = await (await signIn(server.ready))();
    const ask = async (method: string): Promise<unknown> =>
      (await page.request(method, { input: { server: 'local', input: {} } })).result;
    expect(await send(server.port, 'before')).toMatch(/^250/);
    // Delivered and settled: a kill between the two would mean a second copy.
    const log = path.join(server.data, 'log/mail.log');
    await eventually(
      async () => ((await readFile(log, 'utf8')).includes(': removed\n') ? true : undefined),
      'delivery',
    );

    process.kill(server.ready.pid, 'SIGKILL');
    const overview = (await eventually(async () => {
      const result = (await ask('server.overview')) as { pid: number; listeners: { port: number }[] } | undefined;
      return result !== undefined && result.pid !== server.ready.pid ? result : undefined;
    }, 'the new mail server on the same page connection')) as { pid: number; listeners: { port: number }[] };
    const port = overview.listeners[0]?.port ?? 0;
    expect(await send(port, 'after')).toMatch(/^250/);
    await eventually(async () => ((await delivered(server.data)).has('after') ? true : undefined), 'delivery');
    const { messages } = (await ask('mail.list')) as { messages: { subject: string }[] };
    expect(messages.map(({ subject }) => subject).sort()).toEqual(['after', 'before']);
    const { servers: list } = (await page.request('servers.list', { input: {} })).result as {
      servers: { state: string }[];
    };
    expect(list[0]?.state).toBe('running');
    page.close();
    expect(await server.stop()).toBe(0);
    expect(alive(overview.pid)).toBe(false);
  },
);

it('serve killed: its mail server ends by itself in good order', { timeout: 60_000 }, async () => {
  const server = await start();
  const client = await SmtpClient.open(server.port);
  expect((await client.say('MAIL FROM:<a@b.test>')).code).toBe(250);
  server.process.kill('SIGKILL');
  await gone(server.ready.pid, 'the end of the mail server');
  client.socket.destroy();
  const log = await readFile(path.join(server.data, 'log/mail.log'), 'utf8');
  expect(log.trim().split('\n').slice(-5).join('\n')).toContain('terminating on request');
  expect((await server.run('readyz')).code).toBe(69);
  const next = await start({ data: server.data });
  expect(await send(next.port, 'next')).toMatch(/^250/);
});

it('a second serve attaches, and takes over when the first ends', { timeout: 60_000 }, async () => {
  const first = await start();
  const second = await start({ data: first.data });
  expect(second.ready.pid).toBe(first.ready.pid);
  expect(await first.stop()).toBe(0);
  const pid = await eventually(() => pidNow(second), 'the second taking over');
  expect(pid).not.toBe(first.ready.pid);
  expect(second.errors()).toContain(`The mail server runs (pid ${pid})`);
  expect(await second.stop()).toBe(0);
  expect(alive(pid)).toBe(false);
});

it('SIGTERM in the middle of a load: exit 0, and what was acknowledged is there', { timeout: 60_000 }, async () => {
  const server = await start();
  const acknowledged = new Set<string>();
  let next = 0;
  const load = async (): Promise<void> => {
    const client = await SmtpClient.open(server.port);
    for (;;) {
      const name = `m${next++}`;
      const reply = await client.send('a@client.test', ['all@faults.test'], `Subject: ${name}\n\nhello`);
      if (reply.code !== 250) return;
      acknowledged.add(name);
      if (acknowledged.size === 300) server.process.kill('SIGTERM');
    }
  };
  await Promise.allSettled(Array.from({ length: 8 }, load));
  expect(await server.stop()).toBe(0);
  expect(alive(server.ready.pid)).toBe(false);
  expect(acknowledged.size).toBeGreaterThanOrEqual(300);

  const again = await start({ command: 'mta', data: server.data });
  await eventually(
    async () => ((await again.run('mailq')).stdout === 'Mail queue is empty\n' ? true : undefined),
    'the queue draining',
  );
  const copies = await delivered(server.data);
  // In good order means: nothing lost, and nothing twice.
  expect([...acknowledged].filter((name) => copies.get(name) !== 1)).toEqual([]);
});

it('SIGINT leaves no process', { timeout: 60_000 }, async () => {
  const server = await start();
  const { stdout } = await command('ps', ['-o', 'pid=', '--ppid', String(server.process.pid)]);
  const children = stdout.trim().split(/\s+/).map(Number);
  expect(children).toContain(server.ready.pid);
  server.process.kill('SIGINT');
  expect(await server.stop()).toBe(0);
  for (const pid of children) await gone(pid, `the end of ${pid}`);
});

it('a large message goes through in little memory; one over the limit is refused', { timeout: 60_000 }, async () => {
  const server = await start({ command: 'mta' });
  const memory = async (name: 'VmRSS' | 'VmHWM'): Promise<number> => {
    const status = await readFile(`/proc/${server.ready.pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  };
  expect(await send(server.port, 'warm')).toMatch(/^250/);
  const before = await memory('VmRSS');
  const line = Buffer.from(`${'x'.repeat(98)}\r\n`);
  const chunk = Buffer.concat(Array.from({ length: 10_000 }, () => line));
  const stream = async (megabytes: number): Promise<string> => {
    const client = await SmtpClient.open(server.port);
    for (const words of ['MAIL FROM:<a@b.test>', 'RCPT TO:<all@faults.test>', 'DATA']) await client.say(words);
    client.socket.write('Subject: large\r\n\r\n');
    for (let n = 0; n < megabytes; n++) if (!client.socket.write(chunk)) await once(client.socket, 'drain');
    const reply = await client.say('.');
    await client.quit();
    return reply.text;
  };
  expect(await stream(30)).toMatch(/^250 2\.0\.0 Ok: queued as/);
  await eventually(async () => ((await delivered(server.data)).has('large') ? true : undefined), 'delivery');
  expect((await memory('VmHWM')) - before).toBeLessThan(150);
  expect(await stream(60)).toBe('552 5.3.4 Error: message file too big');
  const client = await SmtpClient.open(server.port);
  await client.say('EHLO x.test');
  expect((await client.say('MAIL FROM:<a@b.test> SIZE=60000000')).text).toBe(
    '552 5.3.4 Message size exceeds fixed limit',
  );
  await client.quit();
  expect(await readdir(path.join(server.data, 'spool', 'bodies'))).toEqual([]);
  expect((await memory('VmHWM')) - before).toBeLessThan(150);
});

it('a reader that leaves early is no fault', { timeout: 30_000 }, async () => {
  const server = await start({ command: 'mta' });
  const child = spawn(
    'sh',
    ['-c', '"$0" app/cli/postrider.ts postconf --data "$1" | head -1', process.execPath, server.data],
    { cwd: projectFolder },
  );
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
});
