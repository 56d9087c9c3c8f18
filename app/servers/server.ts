/**
 * A server that the application looks after, whatever stands behind it, and the list of them.
 */
import { PostriderError } from '#mta/contract/errors.ts';
import type { Unsubscribe } from '#mta/contract/contract.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import type { ServerEntry, ServerId } from '../contract/api.ts';

export interface ManagedServer {
  /** How it stands now. */
  entry(): ServerEntry;
  readonly client: MailServerClient;
  /** Resolves when it runs; throws what hinders it. */
  start(): Promise<void>;
  /** Resolves when it has stopped. */
  stop(): Promise<void>;
  /** The application ends: let go, and end what we started. */
  close(): Promise<void>;
  onChange(listener: () => void): Unsubscribe;
}

export class Servers {
  readonly #servers: ReadonlyMap<ServerId, ManagedServer>;

  constructor(servers: Iterable<ManagedServer>) {
    this.#servers = new Map([...servers].map((server) => [server.entry().id, server]));
  }

  list(): ServerEntry[] {
    return [...this.#servers.values()].map((server) => server.entry());
  }

  all(): Iterable<[ServerId, ManagedServer]> {
    return this.#servers.entries();
  }

  /** Throws `not-found`. */
  get(id: ServerId): ManagedServer {
    const server = this.#servers.get(id);
    if (server === undefined) throw new PostriderError('not-found', `There is no server ${id}`, { field: 'server' });
    return server;
  }

  onChange(listener: () => void): Unsubscribe {
    const unsubscribes = [...this.#servers.values()].map((server) => server.onChange(listener));
    return () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }
}
