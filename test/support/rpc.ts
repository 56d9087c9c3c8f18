/** JSON-RPC by hand, over the control socket and over the page's WebSocket: to say what no client of ours would. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { controlAddress } from '#mta/control/address.ts';
import type { Ready } from './server.ts';

export interface RawAnswer {
  id?: unknown;
  result?: unknown;
  error?: { code: number; message: string; data?: { code?: string; field?: string } };
}

export interface RawPeer {
  /** Writes these very bytes. */
  send(text: string | Buffer): void;
  /** One request; resolves to its answer, rejects when the peer hangs up. */
  request(method: unknown, params: unknown): Promise<RawAnswer>;
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
  close(): void;
}

function peer(send: (text: string | Buffer) => void, end: () => void, closed: Promise<void>): RawPeer & Sink {
  const waiting = new Map<unknown, (answer: RawAnswer) => void>();
  let next = 1;
  return {
    send,
    closed,
    close: end,
    take: (text) => {
      const answer = JSON.parse(text) as RawAnswer;
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    },
    request: (method, params) => {
      const id = next++;
      const answer = new Promise<RawAnswer>((resolve) => waiting.set(id, resolve));
      send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return Promise.race([
        answer,
        closed.then(() => {
          throw new Error(`The server hung up at ${String(method)}`);
        }),
      ]);
    },
  };
}

interface Sink {
  take(text: string): void;
}

export async function rawControl(data: string): Promise<RawPeer & { write(bytes: Buffer): Promise<void> }> {
  const socket = connect({ path: await controlAddress(data) });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const raw = peer(
    (text) => {
      socket.write(text);
      socket.write('\n');
    },
    () => socket.destroy(),
    closed,
  );
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) raw.take(line);
  });
  return {
    ...raw,
    /** Without a newline; resolves when the socket took it, or is closed. */
    write: (bytes) => Promise.race([new Promise<void>((resolve) => socket.write(bytes, () => resolve())), closed]),
  };
}

/** Signs in with the one-time link; several peers share the cookie. */
export async function signIn(ready: Ready): Promise<() => Promise<RawPeer>> {
  const { http = '', url = '' } = ready;
  const answer = await fetch(url, { redirect: 'manual' });
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  return async () => {
    const socket = new WebSocket(`${http.replace('http', 'ws')}/rpc`, { headers: { cookie, origin: http } });
    await once(socket, 'open');
    socket.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const raw = peer(
      (text) => socket.send(text, () => undefined),
      () => socket.terminate(),
      closed,
    );
    socket.on('message', (text: Buffer) => raw.take(text.toString()));
    return raw;
  };
}
