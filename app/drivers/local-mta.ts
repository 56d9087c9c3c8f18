/**
 * Our own MTA on this machine as a MailServer: the control socket of a data folder, connected again when it drops.
 *
 * Promises: subscriptions outlive a connection; after a reconnect the events that say "look again" are sent, since
 * some may have been missed. A call made while disconnected waits a moment for the connection (a restart takes less
 * than a second), then fails with `unavailable`; a call that was under way when the connection dropped fails at once,
 * because whether it was done is not known.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CallOptions, EventName, EventPayload, Unsubscribe } from '#mta/contract/contract.ts';
import { PostriderError } from '#mta/contract/errors.ts';
import { EventHub, type Connection } from '#mta/contract/rpc.ts';
import { mailServer, type MailServerClient, type MailServerContract } from '#mta/contract/server.ts';
import { connectControl } from '#mta/control/connect.ts';

export type Connect = (dataFolder: string) => Promise<Connection<MailServerContract>>;

export interface LocalMtaDriverOptions {
  dataFolder: string;
  /** How long a call waits for a connection, in milliseconds. */
  patience?: number;
  /** Pause between attempts to connect again, in milliseconds. */
  retryEvery?: number;
  connect?: Connect;
}

export class LocalMtaDriver implements MailServerClient {
  readonly #dataFolder: string;
  readonly #patience: number;
  readonly #retryEvery: number;
  readonly #connect: Connect;
  readonly #events = new EventHub<MailServerContract>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  #connection: Connection<MailServerContract> | undefined;
  /** Why calls do not wait: the server was stopped or cannot start. */
  #refusal: string | undefined;
  #retrying: AbortController | undefined;
  #everConnected = false;

  constructor(options: LocalMtaDriverOptions) {
    this.#dataFolder = options.dataFolder;
    this.#patience = options.patience ?? 2000;
    this.#retryEvery = options.retryEvery ?? 100;
    this.#connect = options.connect ?? connectControl;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Told at every change, with the new state. */
  onConnection(listener: (connected: boolean) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** One attempt. Throws `unavailable` when no MTA answers. From then on a dropped connection is made again. */
  async open(): Promise<void> {
    if (this.#connection !== undefined) return;
    const connection = await this.#connect(this.#dataFolder);
    if (this.connected) {
      connection.close();
      return;
    }
    this.#refusal = undefined;
    this.#retrying?.abort();
    this.#retrying = undefined;
    this.#connection = connection;
    for (const name of Object.keys(mailServer.events) as EventName<MailServerContract>[]) {
      connection.on(name, (payload) => this.#events.emit(name, payload));
    }
    void connection.closed.then(() => this.#lost(connection));
    this.#tell(true);
    if (this.#everConnected) void this.#announce(connection);
    this.#everConnected = true;
  }

  /** A connection is on its way: calls wait for it again. */
  expect(): void {
    this.#refusal = undefined;
  }

  /** Lets go of the connection and makes no other; calls fail with `reason` until the next `open`. */
  close(reason: string): void {
    this.#refusal = reason;
    this.#retrying?.abort();
    this.#retrying = undefined;
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    connection.close();
    this.#tell(false);
  }

  readonly call: MailServerClient['call'] = (async (
    name: keyof MailServerContract['methods'],
    input: never,
    options?: CallOptions,
  ): Promise<unknown> => {
    const connection = this.#connection ?? (await this.#connected(options?.signal));
    return await connection.call(name, input, options);
  }) as MailServerClient['call'];

  on<K extends EventName<MailServerContract>>(
    event: K,
    listener: (payload: EventPayload<MailServerContract, K>) => void,
  ): Unsubscribe {
    return this.#events.on(event, listener);
  }

  #tell(connected: boolean): void {
    for (const listener of this.#listeners) listener(connected);
  }

  #lost(connection: Connection<MailServerContract>): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    const stop = new AbortController();
    this.#retrying = stop;
    this.#tell(false);
    void this.#retry(stop.signal);
  }

  async #retry(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await delay(this.#retryEvery, undefined, { signal });
        await this.open();
        return;
      } catch {
        // Nothing answers yet, or closed meanwhile: the loop's condition tells which.
      }
    }
  }

  /** Waits for a connection as long as patience lasts. */
  #connected(signal: AbortSignal | undefined): Promise<Connection<MailServerContract>> {
    if (this.#refusal !== undefined) return Promise.reject(new PostriderError('unavailable', this.#refusal));
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(deadline);
        unsubscribe();
        signal?.removeEventListener('abort', cancelled);
      };
      const cancelled = (): void => {
        settle();
        reject(new PostriderError('cancelled', 'The call was cancelled'));
      };
      const deadline = setTimeout(() => {
        settle();
        reject(new PostriderError('unavailable', this.#refusal ?? 'The mail server does not answer'));
      }, this.#patience);
      const unsubscribe = this.onConnection(() => {
        if (this.#connection === undefined) return;
        settle();
        resolve(this.#connection);
      });
      signal?.addEventListener('abort', cancelled, { once: true });
    });
  }

  /** After a gap: views refetch on these, whatever they missed. */
  async #announce(connection: Connection<MailServerContract>): Promise<void> {
    try {
      const [counts, { mailboxes }, health] = await Promise.all([
        connection.call('queue.counts', {}),
        connection.call('mail.mailboxes', {}),
        connection.call('server.health', {}),
      ]);
      this.#events.emit('queue.changed', counts);
      for (const { name } of mailboxes) this.#events.emit('mail.changed', { mailbox: name });
      this.#events.emit('health.changed', health);
    } catch {
      // Dropped again, or a server too busy to answer: the next reconnect says it, views show their own errors.
    }
  }
}
