import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createServer } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AddressInfo } from 'node:net';
import { spawnWithNode } from '../servers/mta-process.ts';
import { parseHostPort } from './options.ts';
import { serve, type ServeOptions } from './serve.ts';
import { url } from './url.ts';

const fake = fileURLToPath(new URL('../servers/testing/fake-mta.ts', import.meta.url));

let data: string;
let running: Running[];

beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'postrider-serve-'));
  await writeFile(path.join(data, 'behaviour'), 'well');
  running = [];
});
afterEach(async () => {
  for (const one of running) one.signal('SIGTERM');
  await Promise.all(running.map(({ code }) => code));
  await rm(data, { recursive: true, force: true });
});

interface Running {
  code: Promise<number>;
  signal(name: 'SIGINT' | 'SIGTERM'): void;
  out: string;
  err: string;
  /** Resolves when so much stands on stdout or stderr. */
  says(pattern: RegExp): Promise<string>;
}

function run(options: ServeOptions = {}): Running {
  const listeners = new Set<(signal: 'SIGINT' | 'SIGTERM') => void>();
  const waiting = new Set<() => void>();
  const told = (): void => {
    for (const check of waiting) check();
  };
  const one: Running = {
    out: '',
    err: '',
    signal: (name) => {
      for (const listener of listeners) listener(name);
    },
    says: (pattern) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!pattern.test(one.out + one.err)) return;
          waiting.delete(check);
          resolve(one.out + one.err);
        };
        waiting.add(check);
        check();
      }),
    code: Promise.resolve(0),
  };
  one.code = serve(
    { data, http: { host: '127.0.0.1', port: 0 }, ...options },
    {
      out: (text) => {
        one.out += text;
        told();
      },
      err: (text) => {
        one.err += text;
        told();
      },
      env: {},
      onSignal: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      spawnMta: spawnWithNode({ command: process.execPath, args: [fake] }),
      secondSignalAfter: 0,
    },
  );
  running.push(one);
  return one;
}

interface Ready {
  event: string;
  smtp: string[];
  http: string;
  url: string;
  data: string;
  pid: number;
}

async function ready(one: Running): Promise<Ready> {
  await one.says(/\n/);
  return JSON.parse(one.out) as Ready;
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('postrider serve', () => {
  test('says that it is ready in one line of JSON, answers, and leaves nothing behind on SIGTERM', async () => {
    const one = run({ json: true });
    const told = await ready(one);
    expect(one.out.match(/\n/g)).toHaveLength(1);
    expect(told).toEqual({
      event: 'ready',
      smtp: ['127.0.0.1:1025'],
      http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/),
      data,
      pid: expect.any(Number),
    });
    expect(await (await fetch(`${told.http}/readyz`)).json()).toEqual({ ready: true });
    one.signal('SIGTERM');
    expect(await one.code).toBe(0);
    expect(alive(told.pid)).toBe(false);
    await expect(fetch(told.http)).rejects.toThrow();
    expect(await readdir(path.join(data, 'run'))).not.toContain('web-url');
  });

  test('tells a person where everything is', async () => {
    const one = run();
    const text = await one.says(/Ctrl-C/);
    expect(text).toMatch(/^Postrider is ready\.\n\n {2}SMTP {2}127\.0\.0\.1:1025\n {2}Web {3}http:.*token=/);
    expect(text).toContain(`Data  ${data}`);
  });

  test('on a folder where a mail server runs adds the page only', async () => {
    const first = run({ json: true });
    const { pid } = await ready(first);
    const second = run();
    await second.says(/Postrider runs here already \(pid \d+\); this adds its web page/);
    second.signal('SIGINT');
    expect(await second.code).toBe(0);
    expect(alive(pid)).toBe(true);
  });

  test('whose port was named and is taken ends with an error that names it', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    const named = run({ http: { host: '127.0.0.1', port } });
    expect(await named.code).toBe(69);
    expect(named.err).toContain(`127.0.0.1:${port}: another program uses that port`);
    expect(named.out).toBe('');
    blocker.close();
  });

  test('whose mail server cannot start ends with its code and words', async () => {
    await writeFile(path.join(data, 'behaviour'), 'bad-configuration');
    const one = run({ json: true });
    expect(await one.code).toBe(78);
    expect(one.err).toMatch(/^postrider: main\.cf, line 3/);
    expect(one.out).toBe('');
  });

  test('starts the mail server again when it dies, and says so', async () => {
    const one = run({ json: true });
    const { pid, http } = await ready(one);
    process.kill(pid, 'SIGKILL');
    await one.says(/was ended by SIGKILL.*\n.*The mail server runs \(pid/);
    expect(await (await fetch(`${http}/readyz`)).json()).toEqual({ ready: true });
  });

  test('ends when the mail server is asked to stop', async () => {
    const one = run({ json: true });
    process.kill((await ready(one)).pid, 'SIGTERM');
    expect(await one.code).toBe(0);
  });

  test('a second Ctrl-C does not wait for a mail server that does not end', async () => {
    await writeFile(path.join(data, 'behaviour'), 'deaf');
    const one = run({ json: true });
    const { pid } = await ready(one);
    one.signal('SIGINT');
    one.signal('SIGINT');
    expect(await one.code).toBe(130);
    await expect.poll(() => alive(pid)).toBe(false);
  });

  test('Ctrl-C while it starts ends it', async () => {
    await writeFile(path.join(data, 'behaviour'), 'mute');
    const one = run({ json: true });
    await new Promise((resolve) => setImmediate(resolve));
    one.signal('SIGINT');
    expect(await one.code).toBe(0);
    expect(one.out + one.err).toBe('');
  });

  test('bound wider than this machine warns loudly', async () => {
    const one = run({ http: { host: '0.0.0.0', port: 0 } });
    await one.says(/WARNING: the web page is open to other machines \(0\.0\.0\.0:\d+\)/);
  });
});

describe('postrider url', () => {
  const ask = async (): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    const code = await url({ data }, { out: (text) => (out += text), err: (text) => (err += text), env: {} });
    return { code, out, err };
  };

  test('prints a link that works, again and again', async () => {
    const one = run({ json: true });
    const told = await ready(one);
    const visit = async (link: string): Promise<number> => (await fetch(link, { redirect: 'manual' })).status;
    expect(await visit(told.url)).toBe(303);
    await expect.poll(async () => (await ask()).out).not.toBe(`${told.url}\n`);
    const { code, out } = await ask();
    expect(code).toBe(0);
    expect(await visit(out.trim())).toBe(303);
    expect(await visit(out.trim())).toBe(403);
  });

  test('says how to start one when none runs, also when one was killed', async () => {
    expect(await ask()).toMatchObject({ code: 69, err: expect.stringContaining('postrider serve --data') });
    const one = run({ json: true });
    const told = await ready(one);
    one.signal('SIGTERM');
    await one.code;
    await writeFile(path.join(data, 'run', 'web-url'), `${told.url}\n`);
    expect((await ask()).code).toBe(69);
  });
});

test.each([
  ['127.0.0.1:8025', { host: '127.0.0.1', port: 8025 }],
  ['[::1]:0', { host: '::1', port: 0 }],
  [':80', { host: '127.0.0.1', port: 80 }],
  ['8025', { host: '127.0.0.1', port: 8025 }],
])('%s is an address', (text, address) => {
  expect(parseHostPort(text)).toEqual(address);
});

test.each(['', 'localhost', '::1:80', '127.0.0.1:65536', 'a b:1', 'http://x:1', '1:2:3'])('%j is none', (text) => {
  expect(() => parseHostPort(text)).toThrow('is not HOST:PORT');
});
