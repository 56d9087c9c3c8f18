/**
 * The active queue: the messages in memory, by id, and how many more may come (qmgr_message_active_limit).
 * Promises: `ids` is live; a message is in it once, from `add` until `remove`. Never fails.
 */
import type { Configuration } from '../config/configuration.ts';
import type { ActiveMessage } from './active.ts';

export class ActiveQueue {
  readonly #configuration: () => Configuration;
  readonly #messages = new Map<string, ActiveMessage>();
  readonly #ids = new Set<string>();
  readonly #origin = { incoming: 0, deferred: 0 };
  #limit = 20_000;

  constructor(configuration: () => Configuration) {
    this.#configuration = configuration;
    this.reload();
  }

  /** The configuration changed: what is in memory beyond a smaller limit stays. */
  reload(): void {
    this.#limit = Math.max(1, this.#configuration().int('qmgr_message_active_limit'));
  }

  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** How many more messages may become active. */
  get room(): number {
    return this.#limit - this.#messages.size;
  }

  /** The room that is worth a read of the store. */
  get leastRoom(): number {
    return Math.max(1, Math.min(200, Math.floor(this.#limit / 4)));
  }

  /** How many of the store's incoming and deferred messages are active. */
  get origin(): { readonly incoming: number; readonly deferred: number } {
    return this.#origin;
  }

  has(id: string): boolean {
    return this.#messages.has(id);
  }

  get(id: string): ActiveMessage | undefined {
    return this.#messages.get(id);
  }

  add(active: ActiveMessage): void {
    const { id } = active.message;
    this.#messages.set(id, active);
    this.#ids.add(id);
    this.#origin[active.origin]++;
  }

  /** False when it is not there, or another of the same id is. */
  remove(active: ActiveMessage): boolean {
    const { id } = active.message;
    if (this.#messages.get(id) !== active) return false;
    this.#messages.delete(id);
    this.#ids.delete(id);
    this.#origin[active.origin]--;
    return true;
  }
}
