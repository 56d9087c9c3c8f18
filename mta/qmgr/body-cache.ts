/**
 * Bodies of active messages: small fresh ones are kept so that they need not be read back, others are read once.
 * Promises: at most `limit` bytes are kept. Fails as the store's `body` does.
 */
import type { QueueStore, StoredBody } from '../queue/store.ts';
import type { ActiveMessage } from './active.ts';

const smallBody = 64 * 1024;
const defaultLimit = 64 * 1024 * 1024;

export class BodyCache {
  readonly #store: Pick<QueueStore, 'body'>;
  readonly #limit: number;
  #held = 0;

  constructor(store: Pick<QueueStore, 'body'>, limit = defaultLimit) {
    this.#store = store;
    this.#limit = limit;
  }

  /** Keeps the body if it is small and there is room. */
  keep(active: ActiveMessage, body: Uint8Array): void {
    // A store that takes the buffer over leaves an empty one.
    if (body.byteLength === 0 || body.byteLength > smallBody) return;
    if (this.#held + body.byteLength > this.#limit) return;
    active.body = body;
    this.#held += body.byteLength;
  }

  release(active: ActiveMessage): void {
    if (active.body !== undefined) this.#held -= active.body.byteLength;
    active.body = undefined;
  }

  /** Not a promise when it is in memory. */
  read(active: ActiveMessage): StoredBody | Promise<StoredBody> {
    if (active.body !== undefined) return { kind: 'memory', data: active.body };
    active.loading ??= this.#store.body(active.message.id);
    return active.loading;
  }
}
