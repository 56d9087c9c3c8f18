/**
 * One mail server as the page sees it: its entry, overview, counts and mailboxes, kept fresh by its events and asked for
 * again after every reconnect. Views take their `client` for everything else.
 */
import type { ServerEntry } from '#app/contract/api.ts';
import type { QueueCounts, Mailbox } from '#mta/contract/mail.ts';
import type { Capability, MailServerClient, Overview } from '#mta/contract/server.ts';
import type { Host } from '../host.ts';
import { coalesce, type Coalesced } from './coalesce.ts';

/** Milliseconds between looks at figures that no event announces (sessions, flow). */
const overviewEvery = 5000;

export class ServerSession {
  readonly id: string;
  readonly client: MailServerClient;
  entry: ServerEntry = $state.raw() as ServerEntry;
  overview = $state.raw<Overview | undefined>(undefined);
  mailboxes = $state.raw<readonly Mailbox[]>([]);
  queue = $state.raw<QueueCounts | undefined>(undefined);
  /** When the figures last came in. */
  updatedAt = $state<number | undefined>(undefined);
  readonly unread = $derived(this.mailboxes.reduce((sum, mailbox) => sum + mailbox.unread, 0));
  readonly queued = $derived(
    this.queue === undefined ? undefined : Object.values(this.queue).reduce((sum, count) => sum + count, 0),
  );
  readonly running = $derived(this.entry.state === 'running');

  readonly #overview: Coalesced;
  readonly #mailboxes: Coalesced;
  readonly #stops: (() => void)[];

  constructor(host: Host, entry: ServerEntry) {
    this.id = entry.id;
    this.entry = entry;
    this.client = host.server(entry.id);
    this.#overview = coalesce(() => this.#loadOverview(), 1000);
    this.#mailboxes = coalesce(() => this.#loadMailboxes(), 300);
    const timer = setInterval(() => {
      if (!document.hidden) this.#overview.request();
    }, overviewEvery);
    this.#stops = [
      () => clearInterval(timer),
      () => this.#overview.stop(),
      () => this.#mailboxes.stop(),
      this.client.on('queue.changed', (counts) => {
        this.queue = counts;
        this.updatedAt = Date.now();
        this.#overview.request();
      }),
      this.client.on('mail.arrived', () => {
        this.#mailboxes.request();
        this.#overview.request();
      }),
      this.client.on('mail.changed', () => this.#mailboxes.request()),
      this.client.on('health.changed', () => this.#overview.request()),
      host.onConnected(() => this.refresh()),
    ];
  }

  has(capability: Capability): boolean {
    return this.overview?.capabilities.includes(capability) ?? false;
  }

  /** The address a program sends to: the first loopback listener without wrapper TLS, else the first one. */
  get smtp(): { address: string; port: number } | undefined {
    const listeners = this.overview?.listeners ?? [];
    return listeners.find((listener) => listener.loopback && listener.tls !== 'wrapper') ?? listeners[0];
  }

  refresh(): void {
    if (!this.running) return;
    this.#overview.request();
    this.#mailboxes.request();
  }

  /** Resolves when fresh mailboxes are in. */
  reloadMailboxes(): Promise<void> {
    return this.#mailboxes.settled();
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  async #loadOverview(): Promise<void> {
    if (!this.running) return;
    try {
      const overview = await this.client.call('server.overview', {});
      this.overview = overview;
      this.queue = overview.queue;
      this.updatedAt = Date.now();
    } catch {
      // Shown by the age of the figures and the server's state; the next look follows.
    }
  }

  async #loadMailboxes(): Promise<void> {
    if (!this.running) return;
    try {
      this.mailboxes = (await this.client.call('mail.mailboxes', {})).mailboxes;
      this.updatedAt = Date.now();
    } catch {
      // As above; a server without mailboxes has none to show.
    }
  }
}
