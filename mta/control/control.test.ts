import { mkdtemp, rm, mkdir } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PostriderError } from '../contract/errors.ts';
import { EventHub } from '../contract/rpc.ts';
import { mailServer, type MailServerContract, type MailServerHandlers } from '../contract/server.ts';
import { controlAddress } from './address.ts';
import { connectControl } from './connect.ts';
import { listenControl } from './server.ts';

let data: string;
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'postrider-control-'));
});
afterEach(async () => {
  await rm(data, { recursive: true, force: true });
});

/** Every method refuses loudly, but for those given. */
function handlers(given: Partial<MailServerHandlers>): MailServerHandlers {
  const refuse = Object.fromEntries(
    Object.keys(mailServer.methods).map((name) => [
      name,
      () => {
        throw new Error(`no fake for ${name}`);
      },
    ]),
  );
  return { ...refuse, ...given } as MailServerHandlers;
}

const counts = { incoming: 1, active: 0, deferred: 2, hold: 0, corrupt: 0 };

describe('the control socket', () => {
  it('answers, validates, reports errors with code and field, and publishes events', async () => {
    const events = new EventHub<MailServerContract>();
    const server = await listenControl(
      data,
      handlers({
        'queue.counts': () => counts,
        'queue.get': ({ id }) => {
          throw new PostriderError('not-found', `no message ${id}`);
        },
      }),
      events,
    );
    const client = await connectControl(data);
    expect(await client.call('queue.counts', {})).toEqual(counts);
    await expect(client.call('queue.get', { id: 'ABC' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(client.call('queue.get', { id: '../x' })).rejects.toMatchObject({ code: 'bad-input', field: 'id' });
    await expect(client.call('server.health', {})).rejects.toMatchObject({
      code: 'internal',
      message: 'no fake for server.health',
    });
    const seen = new Promise((resolve) => client.on('queue.changed', resolve));
    events.emit('queue.changed', counts);
    expect(await seen).toEqual(counts);
    await server.close();
    await client.closed;
    await expect(client.call('queue.counts', {})).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('reports progress and stops when cancelled', async () => {
    const server = await listenControl(
      data,
      handlers({
        'queue.hold': async (_input, { signal, progress }) => {
          progress({ done: 1, total: 3 });
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          return { done: 1, unknown: [], cancelled: true };
        },
      }),
      new EventHub<MailServerContract>(),
    );
    const client = await connectControl(data);
    const stop = new AbortController();
    const progress: unknown[] = [];
    const result = await client.call(
      'queue.hold',
      { selection: { ids: ['A'] } },
      {
        signal: stop.signal,
        onProgress: (p) => {
          progress.push(p);
          stop.abort();
        },
      },
    );
    expect(result).toEqual({ done: 1, unknown: [], cancelled: true });
    expect(progress).toEqual([{ done: 1, total: 3 }]);
    client.close();
    await server.close();
  });

  it('cuts off a peer that does not speak JSON', async () => {
    const server = await listenControl(data, handlers({}), new EventHub<MailServerContract>());
    const socket = createConnection({ path: server.address });
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
    await server.close();
  });

  it('says that nothing listens', async () => {
    await expect(connectControl(data)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('finds a short address for a deep folder', async () => {
    const deep = path.join(data, 'd'.repeat(120));
    await mkdir(deep);
    const address = await controlAddress(deep, 'linux');
    expect(Buffer.byteLength(address)).toBeLessThan(104);
    expect(await controlAddress(deep, 'win32')).toMatch(/^\\\\\.\\pipe\\postrider-[0-9a-f]{32}$/);
  });
});
