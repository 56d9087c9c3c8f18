/**
 * Sessions kept for the next message to the same next hop (scache(8), in one process).
 * Promises: a kept session that the server ends, speaks on, or that nobody takes in time is let go with QUIT.
 */
import type { Session } from './session.ts';

interface Kept {
  readonly session: Session;
  readonly timer: NodeJS.Timeout;
}

/** Sessions kept to one next hop at most: as many as its concurrency can be expected to want. */
const perKey = 20;

export class SessionCache {
  readonly #kept = new Map<string, Kept[]>();
  #closed = false;

  keep(key: string, session: Session, time: number): void {
    const list = this.#kept.get(key) ?? [];
    if (this.#closed || time <= 0 || list.length >= perKey) {
      session.connection.quit();
      return;
    }
    const drop = (): void => {
      this.#remove(key, session);
      session.connection.quit();
    };
    const timer = setTimeout(drop, time);
    session.connection.whenDisturbed(drop);
    list.push({ session, timer });
    this.#kept.set(key, list);
  }

  /** The one used last: its connection is the least likely to have gone stale. */
  take(key: string): Session | undefined {
    const session = this.#kept.get(key)?.at(-1)?.session;
    if (session === undefined) return undefined;
    this.#remove(key, session);
    return session;
  }

  close(): void {
    this.#closed = true;
    for (const [key, list] of this.#kept) {
      for (const { session } of [...list]) {
        this.#remove(key, session);
        session.connection.quit();
      }
    }
  }

  #remove(key: string, session: Session): void {
    const list = this.#kept.get(key) ?? [];
    const index = list.findIndex((kept) => kept.session === session);
    if (index === -1) return;
    clearTimeout(list[index]?.timer);
    session.connection.whenDisturbed(undefined);
    list.splice(index, 1);
    if (list.length === 0) this.#kept.delete(key);
  }
}
