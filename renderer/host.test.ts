import 'vscode-jsonrpc/node';
import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import { api, type ApiContract, type ApiHandlers } from '#app/contract/api.ts';
import { EventHub, serve, type Wire } from '#mta/contract/rpc.ts';
import { Host, rpcUrl } from './host.ts';

function wirePair(): [Wire, Wire] {
  const bus = new EventEmitter();
  const end = (own: string, other: string): Wire => ({
    send: (message) => void queueMicrotask(() => bus.emit(other, structuredClone(message))),
    onMessage: (listener) => void bus.on(own, listener),
    onClose: (listener) => void bus.once('close', listener),
    close: () => void bus.emit('close'),
  });
  return [end('a', 'b'), end('b', 'a')];
}

it('connects again, keeps its listeners, and fails calls in between', async () => {
  const served: Wire[] = [];
  const events = new EventHub<ApiContract>();
  let down = false;
  const told = new EventEmitter();
  const handlers = { 'preferences.get': () => ({ theme: 'dark', language: 'en' }) } as unknown as ApiHandlers;
  const full = Object.fromEntries(Object.keys(api.methods).map((name) => [name, handlers[name as keyof ApiHandlers]]));
  const host = new Host(
    () => {
      if (down) {
        told.emit('refused');
        return Promise.reject(new Error('down'));
      }
      const [near, far] = wirePair();
      serve(api, full as ApiHandlers, events, far);
      served.push(near);
      return Promise.resolve(near);
    },
    { first: 1, most: 4 },
  );
  const states: string[] = [];
  host.onState((state) => states.push(state));
  const heard: string[] = [];
  host.client.on('preferences.changed', ({ theme }) => {
    heard.push(theme);
    told.emit('event');
  });
  host.onConnected(() => told.emit('connected'));
  await expect(host.client.call('preferences.get', {})).rejects.toMatchObject({ code: 'unavailable' });

  const lifetime = new AbortController();
  const connected = once(told, 'connected');
  const running = host.run(lifetime.signal);
  await connected;
  expect(await host.client.call('preferences.get', {})).toEqual({ theme: 'dark', language: 'en' });

  down = true;
  const refused = once(told, 'refused');
  served[0]?.close();
  await refused;
  await expect(host.client.call('preferences.get', {})).rejects.toMatchObject({ code: 'unavailable' });

  down = false;
  await once(told, 'connected');
  const event = once(told, 'event');
  events.emit('preferences.changed', { theme: 'light', language: 'zh' });
  await event;
  expect(heard).toEqual(['light']);
  expect(states).toEqual(['connected', 'reconnecting', 'connected']);
  lifetime.abort();
  await running;
});

it('asks for the socket beside the page', () => {
  expect(rpcUrl({ protocol: 'http:', host: '127.0.0.1:8025' })).toBe('ws://127.0.0.1:8025/rpc');
  expect(rpcUrl({ protocol: 'https:', host: 'mail.test' })).toBe('wss://mail.test/rpc');
});
