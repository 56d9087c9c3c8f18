import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Transcript } from '../contract/api.ts';
import { send, type SendOptions } from './send.ts';

let folder: string;
let server: SMTPServer;
let port: number;
let caught: string[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postrider-send-'));
  caught = [];
  server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    closeTimeout: 10,
    onAuth: ({ password }, _session, done) =>
      password === 'open sesame' ? done(null, { user: 'ann' }) : done(new Error('no')),
    onRcptTo: ({ address }, _session, done) => {
      const code = address.startsWith('full') ? 452 : address.startsWith('nobody') ? 550 : undefined;
      done(code === undefined ? null : Object.assign(new Error('refused'), { responseCode: code }));
    },
    onData: (stream, _session, done) => {
      let data = '';
      stream.on('data', (chunk: Buffer) => (data += chunk.toString()));
      stream.on('end', () => {
        caught.push(data);
        done(null, '2.0.0 Ok: queued as ABC123');
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  port = (server.server.address() as AddressInfo).port;
});
afterEach(async () => {
  await new Promise<void>((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function run(
  to: string[],
  options: Partial<SendOptions> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string }> {
  let out = '';
  const code = await send(
    to,
    { from: 'a@b.example', subject: 'Hi', server: { host: '127.0.0.1', port }, security: 'none', ...options },
    {
      out: (text) => (out += text),
      err: () => undefined,
      env,
      input: () => Promise.resolve('from standard input\n'),
    },
  );
  return { code, out };
}

test('prints the conversation and the queue id', async () => {
  const { code, out } = await run(['x@y.example', 'z@y.example'], { text: '-' });
  expect(code).toBe(0);
  expect(out).toMatch(/^C: EHLO \[127\.0\.0\.1\]$/m);
  expect(out).toMatch(/^S: 250 2\.0\.0 Ok: queued as ABC123$/m);
  expect(out).toMatch(/Taken in [\d.]+ ms, queued as ABC123\.\n$/);
  expect(caught[0]).toContain('from standard input');
});

test('tells a refusal for good from one for now by its code', async () => {
  expect((await run(['nobody@y.example'])).code).toBe(69);
  expect((await run(['full@y.example'])).code).toBe(75);
  const { code, out } = await run(['x@y.example'], { server: { host: '127.0.0.1', port: 1 } });
  expect(code).toBe(75);
  expect(out).toContain('Connection refused');
});

test('takes the password from the environment or a file, and prints it nowhere', async () => {
  const file = path.join(folder, 'password');
  await writeFile(file, 'open sesame\n');
  for (const [options, env] of [
    [{ passwordFile: file }, {}],
    [{}, { POSTRIDER_PASSWORD: 'open sesame' }],
  ] as const) {
    const { code, out } = await run(['x@y.example'], { user: 'ann', ...options }, env);
    expect(code).toBe(0);
    expect(out).toMatch(/^C: AUTH PLAIN ••••$/m);
    expect(out).not.toContain('sesame');
  }
});

test('as JSON is the transcript', async () => {
  const { out } = await run(['x@y.example'], { json: true });
  expect(Transcript.parse(JSON.parse(out))).toMatchObject({ ok: true, queueId: 'ABC123' });
});

test('without a server, and none running on the folder, says so', async () => {
  await expect(
    send(
      ['x@y.example'],
      { from: 'a@b.example', subject: '', security: 'none', data: folder },
      { out: () => undefined, err: () => undefined, env: {}, input: () => Promise.resolve('') },
    ),
  ).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining(folder) });
});

test('a bad address is bad input', async () => {
  await expect(run(['x@y.example\r\nDATA'])).rejects.toMatchObject({ code: 'bad-input', field: 'to.0' });
});
