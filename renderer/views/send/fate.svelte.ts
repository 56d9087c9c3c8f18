/**
 * Follows an accepted message to its end: what the log says of its deliveries, live, and where it lies in the Inbox.
 * Stops looking when every recipient has an end or it is told to.
 */
import type { LogLine } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { coalesce } from '../../state/coalesce.ts';
import { deliveryOf, lastWords, type Delivery } from '../queue/timeline.ts';

/** How many of the newest messages are looked through. */
const newest = 20;

export class Fate {
  /** The last word on every recipient. */
  deliveries = $state.raw<readonly Delivery[]>([]);
  /** Where it lies. */
  arrived = $state.raw<{ mailbox: string; id: string } | undefined>(undefined);
  readonly queueId: string;
  readonly #client: MailServerClient;
  #looked: readonly string[] = [];
  readonly #look = coalesce(() => this.#find(), 300);
  readonly #stops: (() => void)[];

  constructor(client: MailServerClient, queueId: string) {
    this.queueId = queueId;
    this.#client = client;
    this.#stops = [
      client.on('log.lines', ({ lines }) => this.#take(lines)),
      client.on('mail.arrived', () => this.#look.request()),
      () => this.#look.stop(),
    ];
    void this.#history();
    this.#look.request();
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  #take(lines: readonly LogLine[]): void {
    const fresh = lines
      .filter(({ queueId }) => queueId === this.queueId)
      .map(deliveryOf)
      .filter((delivery) => delivery !== undefined);
    if (fresh.length === 0) return;
    this.deliveries = lastWords([...this.deliveries, ...fresh]);
    if (this.arrived === undefined && fresh.some(({ status }) => status === 'sent')) this.#look.request();
  }

  async #history(): Promise<void> {
    try {
      const filter = [{ field: 'id', value: this.queueId, not: false }];
      const { lines } = await this.#client.call('log.search', { filter, limit: 100 });
      this.#take(lines.toReversed());
    } catch {
      // Without a log the Inbox alone tells.
    }
  }

  async #find(): Promise<void> {
    if (this.arrived !== undefined) return;
    try {
      const { messages } = await this.#client.call('mail.list', { limit: newest });
      for (const { id, mailbox } of messages) {
        if (this.#looked.includes(id)) continue;
        const { delivery } = await this.#client.call('mail.get', { id });
        this.#looked = [...this.#looked, id].slice(-newest * 2);
        if (delivery.queueId !== this.queueId) continue;
        this.arrived = { mailbox, id };
        return;
      }
    } catch {
      // The next arrival looks again.
    }
  }
}
