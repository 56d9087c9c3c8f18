/**
 * Browser mode: the page, the API over a WebSocket, the previews, and two health endpoints.
 *
 * Promises: every route, the WebSocket too, answers only under an exact Host; everything but health and the previews'
 * unguessable one-time paths needs the session cookie that the one-time link was exchanged for; a WebSocket and
 * anything that is not GET or HEAD needs the page's own Origin. No CORS, no request bodies, no secrets in answers.
 * A fresh link is kept in `linkFile`, readable by this user only: whoever can read it can reach the control socket too.
 */
import 'vscode-jsonrpc/node';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { WebSocketServer } from 'ws';
import { errorMessage, PostriderError } from '#mta/contract/errors.ts';
import { serve } from '#mta/contract/rpc.ts';
import type { Api } from '../api.ts';
import { api as apiContract } from '../contract/api.ts';
import { replaceFile } from '../settings/settings.ts';
import { Access, allowedHosts, hostPort, sameOrigin } from './access.ts';
import { pageFile } from './files.ts';
import { pageHeaders } from './headers.ts';
import { helpPage, notBuiltPage, reloadPage } from './pages.ts';
import { previewHeaders, previewPath, type PreviewStore } from './preview.ts';
import { webSocketWire, type WebSocketWireOptions } from './ws-wire.ts';

export interface WebOptions {
  api: Api;
  previews: PreviewStore;
  /** The built page: index.html and its assets. */
  rendererFolder: string;
  address: string;
  port: number;
  /** When the port is taken, how many of the next to try. */
  nextPorts?: number;
  /** More Host values to answer to, as `name:port`: behind a port mapping or a proxy. */
  hosts?: readonly string[];
  ready: () => Promise<boolean>;
  linkFile?: string;
  /** Bytes of one message from the page. */
  messageLimit?: number;
  connectionLimit?: number;
  wire?: WebSocketWireOptions;
}

export interface WebServer {
  readonly address: string;
  readonly port: number;
  /** `http://127.0.0.1:8025` */
  readonly origin: string;
  /** The one-time link that is valid now. */
  link(): string;
  close(): Promise<void>;
}

type App = { Bindings: HttpBindings };

export async function startWeb(options: WebOptions): Promise<WebServer> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 });
  server.maxConnections = 1000;
  const port = await listen(server, options.address, options.port, options.nextPorts ?? 0);
  const shown = options.address === '0.0.0.0' ? '127.0.0.1' : options.address === '::' ? '::1' : options.address;
  const origin = `http://${hostPort(shown, port)}`;
  const hosts = allowedHosts(options.address, port, options.hosts);

  let linking: Promise<void> = Promise.resolve();
  const link = (token: string): string => `${origin}/?token=${token}`;
  const keepLink = (token: string): void => {
    const { linkFile } = options;
    if (linkFile === undefined) return;
    // A link that cannot be kept costs a person `postrider url`, not the server.
    linking = linking.then(() => replaceFile(linkFile, `${link(token)}\n`)).catch(() => undefined);
  };
  const access = new Access({ port, onNewToken: keepLink });
  keepLink(access.token);
  await linking;

  const listener = getRequestListener(webApp(options, access, hosts).fetch, { overrideGlobalObjects: false });
  server.on('request', (request, response) => void listener(request, response));

  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.messageLimit ?? 32 * 1024 * 1024,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined);
    const refusal = refuseSocket(request, access, hosts);
    if (refusal !== undefined) return refuse(socket, refusal);
    if (sockets.clients.size >= (options.connectionLimit ?? 100)) return refuse(socket, '503 Service Unavailable');
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      serve(apiContract, options.api.handlers, options.api.events, webSocketWire(webSocket, options.wire));
    });
  });

  return {
    address: options.address,
    port,
    origin,
    link: () => link(access.token),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // 1001: going away (RFC 6455 §7.4.1)
      for (const client of sockets.clients) client.close(1001, 'The server stops');
      const force = setTimeout(() => {
        for (const client of sockets.clients) client.terminate();
        server.closeAllConnections();
      }, 500);
      server.closeIdleConnections();
      await closed;
      clearTimeout(force);
      await linking;
      await forgetLink(options.linkFile, origin);
    },
  };
}

function webApp(options: WebOptions, access: Access, hosts: ReadonlySet<string>): Hono<App> {
  const app = new Hono<App>();

  app.use(async (context, next) => {
    const { host, origin } = context.env.incoming.headers;
    for (const [name, value] of Object.entries(pageHeaders)) context.header(name, value);
    context.header('cache-control', 'no-store');
    if (host === undefined || !hosts.has(host.toLowerCase())) {
      return context.text(`This server does not answer to the host name ${JSON.stringify(host ?? '')}.\n`, 403);
    }
    if (context.req.method !== 'GET' && context.req.method !== 'HEAD') {
      if (!sameOrigin(origin, host.toLowerCase())) return context.text('Not from this page.\n', 403);
      return context.text('Method not allowed\n', 405, { allow: 'GET, HEAD' });
    }
    return await next();
  });

  app.get('/livez', (context) => context.text('ok\n'));
  app.get('/readyz', async (context) => {
    const ready = await options.ready().catch(() => false);
    return context.json({ ready }, ready ? 200 : 503);
  });

  // The frame is sandboxed, so that a browser may withhold the cookie: the path itself is the secret, and good once.
  app.get(`${previewPath}:id{[\\w-]{43}}`, (context) => {
    const { 'sec-fetch-site': site, 'sec-fetch-dest': destination } = context.env.incoming.headers;
    const framed = (site ?? 'same-origin') === 'same-origin' && (destination ?? 'iframe') === 'iframe';
    const preview = framed && context.req.method === 'GET' ? options.previews.take(context.req.param('id')) : undefined;
    if (preview === undefined) return context.text('This preview is no longer here.\n', 404);
    return new Response(preview.html, { headers: previewHeaders(preview) });
  });

  app.use(async (context, next) => {
    const signedIn = access.admits(context.env.incoming.headers.cookie);
    const token = context.req.path === '/' ? context.req.query('token') : undefined;
    // A link preview asks by HEAD, which must not use the link up; a person who is signed in needs no link.
    if (token !== undefined && context.req.method === 'GET') {
      const cookie = signedIn ? undefined : access.exchange(token);
      if (cookie !== undefined) context.header('set-cookie', cookie);
      if (signedIn || cookie !== undefined) return context.redirect('/', 303);
    }
    if (signedIn) return await next();
    // A browser withholds a Strict cookie when another site's link led here; a reload from this page brings it.
    const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = context.env.incoming.headers;
    if (token === undefined && site === 'cross-site' && mode === 'navigate' && context.req.path === '/') {
      return context.html(reloadPage);
    }
    return context.html(helpPage(token !== undefined), 403);
  });

  app.get('*', async (context) => {
    const file = await pageFile(options.rendererFolder, context.req.path === '/' ? '/index.html' : context.req.path);
    if (file === undefined) {
      return context.req.path === '/' ? context.html(notBuiltPage, 503) : context.text('Not found\n', 404);
    }
    return answerFile(context, file);
  });

  app.onError((error, context) => context.text(`${errorMessage(error)}\n`, 500));
  return app;
}

function answerFile(
  context: Context<App>,
  { body, type, etag, immutable }: NonNullable<Awaited<ReturnType<typeof pageFile>>>,
): Response {
  context.header('etag', etag);
  context.header('cache-control', immutable ? 'private, max-age=31536000, immutable' : 'private, no-cache');
  if (context.req.header('if-none-match') === etag) return context.body(null, 304);
  context.header('content-type', type);
  return context.body(body);
}

/** The status to refuse an upgrade with; undefined lets it in. */
function refuseSocket(request: IncomingMessage, access: Access, hosts: ReadonlySet<string>): string | undefined {
  const { host, origin, cookie } = request.headers;
  if (request.method !== 'GET' || request.url !== '/rpc') return '404 Not Found';
  if (host === undefined || !hosts.has(host.toLowerCase())) return '403 Forbidden';
  if (!sameOrigin(origin, host.toLowerCase()) || !access.admits(cookie)) return '403 Forbidden';
  return undefined;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

async function listen(server: Server, address: string, port: number, nextPorts: number): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: address, port: port === 0 ? 0 : port + attempt }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    } catch (error) {
      server.removeAllListeners('error');
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' && port !== 0 && attempt < nextPorts && port + attempt < 65_535) continue;
      const why = code === 'EADDRINUSE' ? 'another program uses that port' : errorMessage(error);
      throw new PostriderError(
        code === 'EADDRINUSE' ? 'conflict' : 'unavailable',
        `Cannot serve the web page on ${hostPort(address, port)}: ${why}. Choose another with --http HOST:PORT (port 0: any free one).`,
        { field: 'http', cause: error },
      );
    }
  }
}

/** Removes the link file unless a newer server on the same folder wrote it. */
async function forgetLink(file: string | undefined, origin: string): Promise<void> {
  if (file === undefined) return;
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept.startsWith(`${origin}/`)) await rm(file, { force: true });
}
