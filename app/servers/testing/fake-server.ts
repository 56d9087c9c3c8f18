/** A ManagedServer that answers what a test gives it and refuses the rest loudly. */
import type { Handlers } from '#mta/contract/contract.ts';
import { EventHub, local } from '#mta/contract/rpc.ts';
import { mailServer, type MailServerContract } from '#mta/contract/server.ts';
import type { ManagedServer } from '../server.ts';

export interface FakeServer extends ManagedServer {
  readonly events: EventHub<MailServerContract>;
  change(): void;
}

export function fakeServer(id: string, given: Partial<Handlers<MailServerContract>> = {}): FakeServer {
  const events = new EventHub<MailServerContract>();
  const listeners = new Set<() => void>();
  const refuse = Object.fromEntries(
    Object.keys(mailServer.methods).map((name) => [
      name,
      () => {
        throw new Error(`no fake for ${name}`);
      },
    ]),
  );
  const handlers = { ...refuse, ...given } as Handlers<MailServerContract>;
  return {
    entry: () => ({ id, name: id, kind: 'local', environment: 'local', state: 'running', readOnly: false }),
    client: local(mailServer, handlers, events),
    start: () => Promise.reject(new Error('no fake for start')),
    stop: () => Promise.resolve(),
    close: () => Promise.resolve(),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    events,
    change: () => {
      for (const listener of listeners) listener();
    },
  };
}
