/**
 * A disk that fills up: mail is put off with 452, what was acknowledged stays, the server goes on answering, and takes
 * mail again as soon as there is room.
 */
import { mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mailbox } from '../support/maildir.ts';
import { rawControl, signIn } from '../support/rpc.ts';
import { command, eventually, startServer, temporaryFolder, type RunningServer } from '../support/server.ts';
import { SmtpClient } from '../support/smtp-client.ts';

let folder: string;
let data: string;
let server: RunningServer;
let filler: string;
const acknowledged = new Set<string>();

beforeAll(async () => {
  folder = await temporaryFolder('full');
  const { stderr, code } = await command('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
  expect(code, stderr).toBe(0);
  data = path.join(folder, 'data');
  filler = path.join(folder, 'filler');
  await mkdir(data);
  server = await startServer({ data });
});
afterAll(async () => {
  await server.cleanUp();
  await command('umount', ['-l', folder]);
  await rm(folder, { recursive: true, force: true });
});

/** Leaves `bytes` free. */
async function fill(bytes: number): Promise<void> {
  await rm(filler, { force: true });
  const { bavail, bsize } = await statfs(folder);
  await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
}

async function send(name: string, size: number, to = 'all@full.test'): Promise<string> {
  const client = await SmtpClient.open(server.port);
  await client.say('EHLO load.test');
  const line = `\n${'x'.repeat(99)}`;
  const reply = await client.send('load@client.test', [to], `Subject: ${name}\n${line.repeat(Math.ceil(size / 100))}`);
  await client.quit();
  if (reply.code === 250) acknowledged.add(name);
  return reply.text;
}

it('puts mail off with 452 4.3.1, small and large, and loses none', { timeout: 90_000 }, async () => {
  for (let n = 0; n < 20; n++) expect(await send(`before${n}`, 2000)).toMatch(/^250/);
  await fill(600_000);
  const replies: string[] = [];
  for (let n = 0; n < 200 && replies.filter((text) => !text.startsWith('250')).length < 10; n++) {
    replies.push(await send(`full${n}`, 20_000));
  }
  const refused = new Set(replies.filter((text) => !text.startsWith('250')));
  expect([...refused]).toEqual(['452 4.3.1 Insufficient system storage']);
  // Larger than what is kept in memory: the file cannot be written.
  expect(await send('large', 3_000_000)).toBe('452 4.3.1 Insufficient system storage');

  // It still answers, on both sides, and says what is wrong.
  const control = await rawControl(data);
  expect((await control.request('queue.counts', { input: {} })).result).toMatchObject({ corrupt: 0 });
  const page = await (await signIn(server.ready))();
  const { result } = await page.request('server.overview', { input: { server: 'local', input: {} } });
  expect(result).toMatchObject({ findings: expect.any(Array) as unknown });
  expect(JSON.stringify((result as { findings: unknown }).findings)).toMatch(/space|ENOSPC|disk|full/i);
  control.close();
  page.close();
  expect((await server.run('postqueue', '-j')).code).toBe(0);

  await rm(filler);
  const room = performance.now();
  await eventually(
    async () => ((await send('after', 2000)).startsWith('250') ? true : undefined),
    'mail is taken',
    5000,
  );
  expect(performance.now() - room).toBeLessThan(5000);
  expect(await send('large after', 3_000_000)).toMatch(/^250/);

  await eventually(
    async () => {
      await server.run('postqueue', '-f');
      return (await server.run('postqueue', '-p')).stdout.includes('Mail queue is empty') ? true : undefined;
    },
    'the queue draining',
    30_000,
  );
  const new_ = path.join(mailbox(data, 'all@full.test'), 'new');
  const copies = new Map<string, number>();
  for (const file of await readdir(new_)) {
    const text = await readFile(path.join(new_, file), 'utf8');
    const name = /^Subject: (.+)$/m.exec(text)?.[1] ?? 'none';
    expect(text.endsWith(`${'x'.repeat(99)}\n`), file).toBe(true);
    copies.set(name, (copies.get(name) ?? 0) + 1);
  }
  expect([...acknowledged].filter((name) => copies.get(name) !== 1)).toEqual([]);
  expect([...copies.keys()].filter((name) => !acknowledged.has(name))).toEqual([]);
  expect(await readdir(path.join(mailbox(data, 'all@full.test'), 'tmp'))).toEqual([]);
  expect(await readdir(path.join(data, 'spool', 'bodies'))).toEqual([]);
  // The log tells of the time it could not be written, and goes on.
  await eventually(
    async () => ((await readFile(path.join(data, 'log/mail.log'), 'utf8')).includes('status=sent') ? true : undefined),
    'the log going on',
  );
  expect(server.errors()).toBe('');
  expect((await server.run('readyz')).code).toBe(0);
});

it('starts on a full disk, or says why not', { timeout: 60_000 }, async () => {
  expect(await server.stop()).toBe(0);
  await fill(0);
  try {
    const again = await startServer({ data }).catch((error: unknown) => String(error));
    if (typeof again === 'string') expect(again).toMatch(/ENOSPC|no space|full/i);
    else {
      server = again;
      expect(await send('no room', 3_000_000)).toMatch(/^452 4\.3\.1/);
    }
  } finally {
    await rm(filler, { force: true });
  }
  await server.stop();
  server = await startServer({ data });
  expect(await send('room', 2000)).toMatch(/^250/);
});
