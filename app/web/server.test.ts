import 'vscode-jsonrpc/node';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connect, type Connection } from '#mta/contract/rpc.ts';
import { createApi } from '../api.ts';
import { api as apiContract, serverClient, type ApiContract } from '../contract/api.ts';
import { fakeServer, type FakeServer } from '../servers/testing/fake-server.ts';
import { Servers } from '../servers/server.ts';
import { Settings, settingsFile } from '../settings/settings.ts';
import { PreviewStore } from './preview.ts';
import { startWeb, type WebOptions, type WebServer } from './server.ts';
import { webSocketWire } from './ws-wire.ts';

let folder: string;
let fake: FakeServer;
let ready: boolean;
let web: WebServer;
let more: WebServer[];
let sockets: WebSocket[];

async function serveWeb(options: Partial<WebOptions> = {}): Promise<WebServer> {
  const previews = new PreviewStore();
  const api = createApi({
    servers: new Servers([fake]),
    preferences: await Settings.open(settingsFile(folder)),
    info: { version: '0', platform: 'test', mode: 'browser' },
    previews,
  });
  return startWeb({
    api,
    previews,
    rendererFolder: path.join(folder, 'renderer'),
    address: '127.0.0.1',
    port: 0,
    ready: () => Promise.resolve(ready),
    linkFile: path.join(folder, 'run', 'web-url'),
    ...options,
  });
}

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postrider-web-'));
  await mkdir(path.join(folder, 'renderer', 'assets'), { recursive: true });
  await writeFile(path.join(folder, 'renderer', 'index.html'), '<!doctype html><title>page</title>');
  await writeFile(path.join(folder, 'renderer', 'assets', 'index-Ab3dEf9h.js'), 'export {};');
  await writeFile(path.join(folder, 'secret.txt'), 'secret');
  fake = fakeServer('local', {
    'queue.counts': () => ({ incoming: 1, active: 0, deferred: 0, hold: 0, corrupt: 0 }),
  });
  ready = true;
  more = [];
  sockets = [];
  web = await serveWeb();
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  await Promise.all([web, ...more].map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function ask(target: string, options: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: web.port,
        path: target,
        method: options.method ?? 'GET',
        headers: { connection: 'close', ...options.headers },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

function tokenOf(server: WebServer): string {
  return new URL(server.link()).searchParams.get('token') ?? '';
}

async function signIn(): Promise<string> {
  const answer = await ask(`/?token=${tokenOf(web)}`);
  return answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}

/** The status of a refused upgrade, or 101. */
function upgrade(headers: Record<string, string>, target = '/rpc'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${web.port}${target}`, { headers });
    sockets.push(socket);
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', reject);
  });
}

function rpc(cookie: string): { socket: WebSocket; client: Promise<Connection<ApiContract>> } {
  const socket = new WebSocket(`ws://127.0.0.1:${web.port}/rpc`, { headers: { cookie, origin: web.origin } });
  sockets.push(socket);
  const client = new Promise<Connection<ApiContract>>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => resolve(connect(apiContract, webSocketWire(socket))));
  });
  return { socket, client };
}

describe('the one-time link', () => {
  test('is exchanged once for a cookie; the same again, or a wrong one, is refused with help', async () => {
    const token = tokenOf(web);
    expect(token).toMatch(/^[\w-]{43}$/);
    const first = await ask(`/?token=${token}`);
    expect(first.status).toBe(303);
    expect(first.headers.location).toBe('/');
    const [cookie] = first.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(new RegExp(`^postrider-${web.port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`));
    const second = await ask(`/?token=${token}`);
    expect(second.status).toBe(403);
    expect(second.headers['set-cookie']).toBeUndefined();
    expect(second.body).toContain('postrider url');
    for (const wrong of ['', 'x', `${token}x`, '%00', '__proto__']) {
      expect((await ask(`/?token=${wrong}`)).status).toBe(403);
    }
    const page = await ask('/', { headers: { cookie: cookie?.split(';')[0] ?? '' } });
    expect(page.body).toContain('<title>page</title>');
  });

  test('stands in a file of this user alone, a fresh one after each use, and none after the end', async () => {
    const file = path.join(folder, 'run', 'web-url');
    expect(await readFile(file, 'utf8')).toBe(`${web.link()}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const used = web.link();
    await signIn();
    expect(web.link()).not.toBe(used);
    await expect.poll(() => readFile(file, 'utf8')).toBe(`${web.link()}\n`);
    expect(await signIn()).not.toBe('');
    await expect.poll(() => readFile(file, 'utf8')).toBe(`${web.link()}\n`);
    const other = await serveWeb();
    await web.close();
    expect(await readFile(file, 'utf8')).toBe(`${other.link()}\n`);
    await other.close();
    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });

  test('is not used up by a link preview, another path, or somebody who is signed in', async () => {
    const cookie = await signIn();
    const token = tokenOf(web);
    expect((await ask(`/?token=${token}`, { method: 'HEAD' })).status).toBe(403);
    expect((await ask(`/assets/index-Ab3dEf9h.js?token=${token}`)).status).toBe(403);
    expect((await ask(`/?token=${token}`, { headers: { cookie } })).status).toBe(303);
    expect((await ask(`/?token=${token}`)).status).toBe(303);
  });
});

describe('every combination of Host, Origin and cookie', () => {
  const good = 'good';
  const hosts = [good, 'localhost', 'evil.example', '127.0.0.1', '127.0.0.1:1', 'localhost.evil.example', 'LOCALHOST.'];
  const origins = [good, undefined, 'null', 'http://evil.example', 'https://127.0.0.1', 'http://127.0.0.1:1'];
  const cookies = [good, undefined, 'wrong', 'other-name'];

  test('is refused but for the right ones: page, assets, WebSocket, other methods', async () => {
    const session = await signIn();
    let refused = 0;
    for (const host of hosts) {
      for (const origin of origins) {
        for (const cookie of cookies) {
          const headers: Record<string, string> = {
            host: host === good ? `127.0.0.1:${web.port}` : host === 'localhost' ? `localhost:${web.port}` : host,
          };
          if (origin !== undefined) headers['origin'] = origin === good ? `http://${headers['host']}` : origin;
          if (cookie !== undefined) {
            headers['cookie'] =
              cookie === good
                ? `a=b; ${session}`
                : cookie === 'wrong'
                  ? `postrider-${web.port}=${'A'.repeat(43)}`
                  : `postrider=${session.split('=')[1] ?? ''}`;
          }
          const words = JSON.stringify(headers);
          const rightHost = host === good || host === 'localhost';
          const rightPage = rightHost && cookie === good;
          const rightSocket = rightPage && origin === good;
          expect((await ask('/', { headers })).status, words).toBe(rightPage ? 200 : 403);
          expect((await ask('/assets/index-Ab3dEf9h.js', { headers })).status, words).toBe(rightPage ? 200 : 403);
          expect((await ask('/livez', { headers })).status, words).toBe(rightHost ? 200 : 403);
          expect((await ask('/', { method: 'POST', headers })).status, words).toBe(
            rightHost && origin === good ? 405 : 403,
          );
          expect(await upgrade(headers), words).toBe(rightSocket ? 101 : 403);
          if (!rightSocket) refused++;
        }
      }
    }
    expect(refused).toBe(hosts.length * origins.length * cookies.length - 2);
  });

  test('no Host at all, or two, is refused', async () => {
    const raw = (head: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectSocket(web.port, '127.0.0.1', () => socket.write(head));
        let answer = '';
        socket.on('data', (data) => (answer += data.toString()));
        socket.on('close', () => resolve(answer));
        socket.on('error', reject);
      });
    const cookie = await signIn();
    expect(await raw(`GET / HTTP/1.0\r\nCookie: ${cookie}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 4\d\d/);
    expect(await raw(`GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\nCookie: ${cookie}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 4\d\d/,
    );
    expect(
      await raw(
        `GET / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:${web.port}\r\nConnection: close\r\nCookie: ${cookie}\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1\.1 4\d\d/);
    expect(
      await raw(`GET http://127.0.0.1:${web.port}/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`),
    ).toMatch(/^HTTP\/1\.1 403/);
  });

  test('a WebSocket anywhere but /rpc is refused', async () => {
    const headers = { cookie: await signIn(), origin: web.origin };
    for (const target of ['/', '/rpc/', '/rpc?x', '/livez']) expect(await upgrade(headers, target)).toBe(404);
  });
});

describe('the page', () => {
  test('comes with strict headers and no CORS; assets are kept by their hash', async () => {
    const headers = { cookie: await signIn() };
    const page = await ask('/', { headers: { ...headers, origin: 'http://evil.example' } });
    expect(page.headers).toMatchObject({
      'content-security-policy': expect.stringMatching(/default-src 'none'.*require-trusted-types-for 'script'/),
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-cache',
      'content-type': 'text/html; charset=utf-8',
    });
    expect(Object.keys(page.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    const asset = await ask('/assets/index-Ab3dEf9h.js', { headers });
    expect(asset.headers['cache-control']).toBe('private, max-age=31536000, immutable');
    const again = await ask('/assets/index-Ab3dEf9h.js', {
      headers: { ...headers, 'if-none-match': asset.headers.etag ?? '' },
    });
    expect(again.status).toBe(304);
  });

  test('nothing outside its folder is served', async () => {
    await symlink(path.join(folder, 'secret.txt'), path.join(folder, 'renderer', 'link.txt'));
    const headers = { cookie: await signIn() };
    for (const target of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/..%2f..%2fsecret.txt',
      '/assets/%2e%2e/%2e%2e/secret.txt',
      '/..%5csecret.txt',
      '/%252e%252e/secret.txt',
      '/link.txt',
      '/assets',
      '/assets/',
      '//etc/passwd',
      '/index.html%00.js',
      '/.hidden.js',
    ]) {
      const answer = await ask(target, { headers });
      expect([400, 404], target).toContain(answer.status);
      expect(answer.body).not.toContain('secret');
    }
  });

  test('a link from another site is led through a reload, because the browser withheld the cookie', async () => {
    const answer = await ask('/', { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' } });
    expect(answer.body).toContain('http-equiv="refresh"');
    expect((await ask('/', { headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(403);
  });

  test('says so when it was never built', async () => {
    await rm(path.join(folder, 'renderer'), { recursive: true });
    const answer = await ask('/', { headers: { cookie: await signIn() } });
    expect(answer.status).toBe(503);
    expect(answer.body).toContain('npm run build');
  });

  test('health needs no cookie and gives nothing away', async () => {
    expect(await ask('/livez')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await ask('/readyz')).toMatchObject({ status: 200, body: '{"ready":true}' });
    ready = false;
    expect(await ask('/readyz')).toMatchObject({ status: 503, body: '{"ready":false}' });
  });
});

describe('the API over the WebSocket', () => {
  test('answers, reports bad input by field, and sends events', async () => {
    const client = await rpc(await signIn()).client;
    expect((await client.call('app.info', {})).mode).toBe('browser');
    const server = serverClient(client, 'local');
    expect((await server.call('queue.counts', {})).incoming).toBe(1);
    await expect(server.call('queue.get', { id: '../x' })).rejects.toMatchObject({
      code: 'bad-input',
      field: 'input.id',
    });
    await expect(server.call('queue.get', { id: 'ABC' })).rejects.toThrow('no fake for queue.get');
    await expect(serverClient(client, 'gone').call('queue.counts', {})).rejects.toMatchObject({
      code: 'not-found',
      field: 'server',
    });
    const arrived = new Promise((resolve) => server.on('mail.arrived', resolve));
    const listed = new Promise((resolve) => client.on('servers.changed', resolve));
    fake.events.emit('mail.arrived', { mailbox: 'ann', count: 2 });
    fake.change();
    expect(await arrived).toEqual({ mailbox: 'ann', count: 2 });
    expect(await listed).toEqual({ servers: [fake.entry()] });
    const preferences = new Promise((resolve) => client.on('preferences.changed', resolve));
    await client.call('preferences.set', { language: 'zh' });
    expect(await client.call('preferences.set', { theme: 'dark' })).toEqual({ theme: 'dark', language: 'zh' });
    expect(await preferences).toEqual({ theme: 'system', language: 'zh' });
  });

  test('a preview is served once, under its own policy, to a frame of the page only', async () => {
    const client = await rpc(await signIn()).client;
    const make = async (remoteContent: boolean): Promise<string> =>
      (await client.call('preview.create', { html: '<p>Grüße</p>', remoteContent })).path;
    const shown = await make(false);
    const answer = await ask(shown, { headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'iframe' } });
    expect(answer).toMatchObject({ status: 200, body: '<p>Grüße</p>' });
    expect(answer.headers['content-security-policy']).toMatch(/^sandbox; default-src 'none'; img-src data:;/);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['x-frame-options']).toBeUndefined();
    expect((await ask(shown)).status).toBe(404);
    const remote = await ask(await make(true));
    expect(remote.headers['content-security-policy']).toContain('img-src data: https: http:;');
    expect((await ask(await make(false), { headers: { 'sec-fetch-dest': 'document' } })).status).toBe(404);
    expect((await ask(await make(false), { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(404);
    expect((await ask(await make(false), { headers: { host: 'evil.example' } })).status).toBe(403);
    await expect(client.call('preview.create', { html: 'x'.repeat(5_000_001) })).rejects.toMatchObject({
      code: 'bad-input',
      field: 'html',
    });
  });

  test('a peer that sends no JSON, or too much at once, is cut off; others are not', async () => {
    await web.close();
    web = await serveWeb({ messageLimit: 10_000 });
    const cookie = await signIn();
    const other = await rpc(cookie).client;
    for (const data of ['{', '"text"', '[]', Buffer.from('{}'), 'x'.repeat(10_001)]) {
      const { socket, client } = rpc(cookie);
      await client;
      const closed = new Promise<number>((resolve) => socket.on('close', resolve));
      socket.send(data);
      expect([1007, 1009]).toContain(await closed);
    }
    expect((await other.call('servers.list', {})).servers).toHaveLength(1);
  });

  test('a peer that does not answer pings is taken for gone', async () => {
    await web.close();
    web = await serveWeb({ wire: { pingEvery: 30 } });
    const socket = new WebSocket(`ws://127.0.0.1:${web.port}/rpc`, {
      headers: { cookie: await signIn(), origin: web.origin },
      autoPong: false,
    });
    sockets.push(socket);
    const code = await new Promise((resolve) => socket.on('close', resolve));
    expect(code).toBe(1006);
  });

  test('a peer that reads too slowly is cut off', async () => {
    await web.close();
    web = await serveWeb({ wire: { backlog: 100_000 } });
    const { socket, client } = rpc(await signIn());
    await client;
    socket.pause();
    const closed = new Promise((resolve) => socket.on('close', resolve));
    for (let i = 0; i < 500; i++) {
      fake.events.emit('mail.arrived', { mailbox: 'x'.repeat(100_000), count: i });
    }
    socket.resume();
    await closed;
  });

  test('connections are counted', async () => {
    await web.close();
    web = await serveWeb({ connectionLimit: 2 });
    const headers = { cookie: await signIn(), origin: web.origin };
    expect(await upgrade(headers)).toBe(101);
    expect(await upgrade(headers)).toBe(101);
    expect(await upgrade(headers)).toBe(503);
  });
});

describe('the port', () => {
  test('that is taken is an error naming it, or the next one is used', async () => {
    await expect(serveWeb({ port: web.port })).rejects.toMatchObject({
      code: 'conflict',
      field: 'http',
      message: expect.stringContaining(`127.0.0.1:${web.port}`),
    });
    const next = await serveWeb({ port: web.port, nextPorts: 20 });
    more.push(next);
    expect(next.port).toBeGreaterThan(web.port);
  });
});
