/**
 * What people and programs get wrong: folders, configuration files, ports, payloads. Each is answered at once, by name,
 * with what to do about it, and what ran goes on.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '#mta/config/version.ts';
import { rawControl, signIn, type RawPeer } from '../support/rpc.ts';
import {
  command,
  postrider,
  projectFolder,
  startServer,
  temporaryFolder,
  type RunningServer,
} from '../support/server.ts';
import { SmtpClient } from '../support/smtp-client.ts';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('bad-input');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const anyPorts = ['--smtp', '127.0.0.1:0'];
const webPort = ['--http', '127.0.0.1:0'];

describe('a data folder that cannot be used', () => {
  /** Ends at once with 77, naming the folder and the remedy. */
  async function refused(data: string, remedy: RegExp, names = ['mta']): Promise<void> {
    for (const name of names) {
      const { code, stdout, stderr } = await postrider([
        ...[name, '--data', data, ...anyPorts],
        ...(name === 'serve' ? webPort : []),
      ]);
      expect(stderr).toContain(`The data folder ${data} cannot be used`);
      expect(stderr).toMatch(remedy);
      expect(stderr).toContain('--data or POSTRIDER_DATA');
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect({ code, stdout }).toEqual({ code: 77, stdout: '' });
    }
  }

  it('is a file', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, 'precious');
    await refused(file, /is a file/, ['mta', 'serve']);
    await refused(path.join(file, 'below'), /is a file/);
    expect(await readFile(file, 'utf8')).toBe('precious');
  });

  it('lies where no folder can be made', () =>
    refused('/proc/nope/deeper', /choose a place on a disk/, ['mta', 'serve']));

  it('lies on a read-only file system', async () => {
    const mount = path.join(folder, 'read-only');
    await mkdir(mount);
    const mounted = await command('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', mount]);
    expect(mounted.stderr).toBe('');
    try {
      await refused(path.join(mount, 'data'), /mounted read-only/);
      await refused(mount, /mounted read-only/);
    } finally {
      await command('umount', [mount]);
    }
  });

  it('belongs to somebody else', async () => {
    const data = path.join(folder, 'private');
    await mkdir(data, { mode: 0o755 });
    await chmod(folder, 0o755);
    const { code, stderr } = await command(
      'setpriv',
      [
        ...['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath],
        ...[path.join(projectFolder, 'app/cli/postrider.ts'), 'mta', '--data', data, ...anyPorts],
      ],
      { cwd: '/' },
    );
    expect(stderr).toMatch(
      /The data folder .*private cannot be used: EACCES.* Give yourself write access to .*private/,
    );
    expect(code).toBe(77);
  });
});

describe('a configuration that is broken when it starts', () => {
  const data = (): string => path.join(folder, 'configured');
  let files: Record<'main.cf' | 'master.cf', string>;
  const file = (name: string): string => path.join(data(), 'etc', name);

  beforeAll(async () => {
    const server = await startServer({ command: 'mta', data: data() });
    await server.stop();
    files = {
      'main.cf': await readFile(file('main.cf'), 'utf8'),
      'master.cf': await readFile(file('master.cf'), 'utf8'),
    };
  });

  const serveToo = 'message_size_limit = plenty';
  const cycle = 'myhostname = $mydomain\nmydomain = $myhostname';
  it.each([
    ['main.cf', serveToo, /message_size_limit.*plenty/],
    ['main.cf', 'just words', /just words|name = value|=/],
    // It is the first that uses the circle whose line is told.
    ['main.cf', cycle, /line \d+: .*myhostname → mydomain|mydomain → myhostname/],
    ['master.cf', 'smtps inet n - y', /field/],
    ['master.cf', 'smtps inot n - y - - smtpd', /inot/],
    ['master.cf', '127.0.0.1:99999 inet n - n - - smtpd', /99999/],
  ] as const)('%s: %s', async (name, text, reason) => {
    const before = files[name];
    await writeFile(file(name), `${before.trimEnd()}\n${text}\n`);
    const line = before.trimEnd().split('\n').length + 1;
    try {
      // serve says what its mail server said, and ends with its code.
      for (const args of text === serveToo ? [['mta'], ['serve', ...webPort]] : [['mta']]) {
        const { code, stderr } = await postrider([...args, '--data', data()]);
        expect(stderr).toContain(name);
        if (text !== cycle) expect(stderr).toMatch(new RegExp(`line ${line}\\b`));
        expect(stderr).toMatch(reason);
        expect(code).toBe(78);
      }
    } finally {
      await writeFile(file(name), before);
    }
  });

  it('is said on reload too, and the one that runs stays', async () => {
    const server = await startServer({ command: 'mta', data: data() });
    try {
      await writeFile(file('main.cf'), `${files['main.cf']}\nmessage_size_limit = plenty\n`);
      const { code, stderr } = await server.run('reload');
      expect(stderr).toMatch(/main\.cf, line \d+: .*message_size_limit/);
      expect(code).not.toBe(0);
      const client = await SmtpClient.open(server.port);
      expect((await client.say('EHLO x.test')).text).toMatch(/SIZE \d+/);
      await client.quit();
      expect(await readFile(path.join(data(), 'log/mail.log'), 'utf8')).toContain('the previous configuration stays');
      await writeFile(file('main.cf'), files['main.cf']);
      expect((await server.run('reload')).code).toBe(0);
    } finally {
      await writeFile(file('main.cf'), files['main.cf']);
      await server.cleanUp();
    }
  });
});

describe('arguments and ports', () => {
  it.each([
    [['mta', '--smtp', 'nonsense:port:x'], /nonsense:port:x/],
    [['mta', '--smtp', '127.0.0.1:70000'], /70000/],
    [['mta', '--smtp', '192.0.2.1:2525'], /192\.0\.2\.1/],
    [['serve', '--http', '127.0.0.1:70000'], /70000/],
    [['serve', '--profile', 'both'], /both/],
    [['mta', '--domain', 'no spaces here'], /no spaces here/],
    [['mta', 'stray'], /stray|too many arguments/],
  ])('%s', async ([name = '', ...args], reason) => {
    const data = path.join(folder, 'arguments');
    const { code, stdout, stderr } = await postrider([name, '--data', data, ...args]);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
    expect([64, 69, 78]).toContain(code);
  });

  it('a taken port: the next one in the sink, an error naming it in the server profile', async () => {
    const other: Server = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const sink = await startServer({ command: 'mta', smtp: `127.0.0.1:${port}` });
      expect(sink.port).toBeGreaterThan(port);
      const control = await rawControl(sink.data);
      expect((await control.request('server.overview', { input: {} })).result).toMatchObject({
        listeners: [{ port: sink.port, wanted: port }],
        version: version(),
      });
      control.close();
      await sink.cleanUp();
      const { code, stderr } = await postrider([
        ...['mta', '--profile', 'server', '--data', path.join(folder, 'taken'), '--smtp', `127.0.0.1:${port}`],
      ]);
      expect(stderr).toContain(`port ${port} is in use by another program`);
      expect(code).toBe(69);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});

describe('payloads', () => {
  let server: RunningServer;
  let web: () => Promise<RawPeer>;
  beforeAll(async () => {
    server = await startServer();
    web = await signIn(server.ready);
  });
  afterAll(() => server.cleanUp());

  const id = 'ABCDEF';
  const cases: [string, unknown, string][] = [
    ['queue.get', {}, 'id'],
    ['queue.get', { id: 5 }, 'id'],
    ['queue.get', { id: '../etc' }, 'id'],
    ['queue.get', { id: 'A'.repeat(65) }, 'id'],
    ['queue.list', { limit: 1001 }, 'limit'],
    ['queue.list', { limit: -1 }, 'limit'],
    ['queue.list', { sort: 'colour' }, 'sort'],
    ['queue.list', { cursor: 'x'.repeat(201) }, 'cursor'],
    ['queue.list', { cursor: 'nonsense' }, 'cursor'],
    ['queue.list', { filter: [{ field: 'from', value: 7 }] }, 'filter.0.value'],
    ['queue.list', { filter: Array.from({ length: 33 }, () => ({ field: 'text', value: 'x' })) }, 'filter'],
    ['queue.raw', { id, length: 1e9 }, 'length'],
    ['queue.raw', { id, offset: -1 }, 'offset'],
    ['queue.remove', { selection: { ids: 'ALL' } }, 'selection'],
    ['queue.remove', {}, 'selection'],
    ['mail.get', { id: 5 }, 'id'],
    ['mail.list', { mailbox: 'x'.repeat(301) }, 'mailbox'],
    ['mail.list', { cursor: 'nonsense' }, 'cursor'],
    ['mail.flag', { ids: [5] }, 'ids.0'],
    ['log.search', { limit: 'all' }, 'limit'],
    ['log.search', { cursor: 'nonsense' }, 'cursor'],
    ['send.submit', { sender: 'a@b.test', recipients: [], data: '' }, 'recipients'],
    ['send.submit', { sender: 'a@b.test\r\nRCPT TO:<x>', recipients: ['a@b.test'], data: '' }, 'sender'],
    ['send.submit', { sender: '', recipients: ['a\u0000@b.test'], data: '' }, 'recipients.0'],
  ];

  it('over the control socket: bad-input that names the field', async () => {
    const control = await rawControl(server.data);
    const told = [];
    for (const [method, input, field] of cases) {
      const { error } = await control.request(method, { input });
      if (error?.data?.code !== 'bad-input' || error.data.field !== field) told.push({ method, input, field, error });
      else expect(error.message).toContain(field.split('.')[0]);
    }
    expect(told).toEqual([]);
    // An id is opaque: one that we never made is one that is not there.
    const forged = await control.request('mail.get', { input: { id: '../../etc/passwd' } });
    expect(forged.error?.data).toEqual({ code: 'not-found', field: 'id' });
    for (const params of [undefined, null, [], { input: null }, { input: [] }, { input: 'x' }]) {
      expect((await control.request('queue.get', params)).error?.data?.code).toBe('bad-input');
    }
    control.close();
  });

  it('over the WebSocket: the same, below the server it is for', async () => {
    const page = await web();
    const told = [];
    for (const [method, input, field] of cases) {
      const { error } = await page.request(method, { input: { server: 'local', input } });
      const named = error?.data?.field === field || error?.data?.field === `input.${field}`;
      if (error?.data?.code !== 'bad-input' || !named) told.push({ method, input, field, error });
    }
    expect(told).toEqual([]);
    for (const [name, code] of [
      ['nobody', 'not-found'],
      ['constructor', 'not-found'],
      ['__proto__', 'bad-input'],
      [5, 'bad-input'],
    ] as const) {
      const { error } = await page.request('queue.counts', { input: { server: name, input: {} } });
      expect(error?.data).toEqual({ code, field: 'server' });
    }
    expect((await page.request('preferences.set', { input: { theme: 'pink' } })).error?.data).toEqual({
      code: 'bad-input',
      field: 'theme',
    });
    page.close();
  });

  it('members that aim at prototypes change nothing', async () => {
    const control = await rawControl(server.data);
    const page = await web();
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      for (const peer of [control, page]) expect((await peer.request(name, { input: {} })).error?.code).toBe(-32_601);
    }
    const hostile = '{"__proto__":{"ready":false,"limit":5},"constructor":{"prototype":{"ready":false}}}';
    for (const [peer, input] of [
      [control, hostile],
      [page, `{"server":"local","input":${hostile},"__proto__":{"ready":false}}`],
    ] as const) {
      peer.send(`{"jsonrpc":"2.0","id":"h","method":"queue.counts","params":{"input":${input},"__proto__":{"x":1}}}`);
    }
    expect((await control.request('server.health', { input: {} })).result).toMatchObject({ ready: true });
    const health = await page.request('server.health', { input: { server: 'local', input: {} } });
    expect(health.result).toMatchObject({ ready: true });
    expect((await page.request('preferences.set', { input: JSON.parse(hostile) as object })).result).toEqual({
      theme: 'system',
      language: 'system',
    });
    control.close();
    page.close();
  });

  it('what is no JSON, or no request, ends that connection at most', async () => {
    for (const text of [
      'hello',
      '5',
      'null',
      '"x"',
      '{',
      '[',
      `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      '[]',
      '{}',
    ]) {
      const control = await rawControl(server.data);
      const page = await web();
      for (const peer of [control, page]) {
        peer.send(text);
        peer.send('{"jsonrpc":"2.0","id":{},"method":5}');
        peer.send('{"jsonrpc":"2.0","id":9,"result":{}}');
        peer.send('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":{}}}');
        peer.send('{"jsonrpc":"2.0","method":"$/progress","params":null}');
        peer.close();
      }
    }
    const control = await rawControl(server.data);
    expect((await control.request('server.health', { input: {} })).result).toMatchObject({ ready: true });
    control.close();
    const page = await web();
    expect((await page.request('app.info', { input: {} })).result).toMatchObject({ version: version() });
    page.close();
    expect(server.errors()).toBe('');
  });

  it('10 MB that are not a line hold up nobody; without end, they are cut off', { timeout: 60_000 }, async () => {
    const flood = await rawControl(server.data);
    const page = await web();
    const ten = Buffer.alloc(10 * 1024 * 1024, 'x');
    await flood.write(ten);
    page.send(ten.toString());
    await page.closed;
    const other = await rawControl(server.data);
    expect((await other.request('server.health', { input: {} })).result).toMatchObject({ ready: true });
    for (let sent = 1; sent < 14; sent++) await flood.write(ten);
    await flood.closed;
    const big = await web();
    big.send('x'.repeat(33 * 1024 * 1024));
    await big.closed;
    expect((await other.request('server.health', { input: {} })).result).toMatchObject({ ready: true });
    expect(await (await fetch(`${server.ready.http ?? ''}/readyz`)).json()).toEqual({ ready: true });
    other.close();
  });
});
