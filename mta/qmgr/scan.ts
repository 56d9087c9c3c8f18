/**
 * Fills the active queue from the store: one from incoming and one from deferred in turn (qmgr(8)).
 *
 * Each scan remembers its place; it starts over when something may have appeared before that place. What left memory
 * while a read was under way is passed over when the read brings it, as the read may be older than the settlement.
 */
import type { QueuedMessage, QueueStore } from '../queue/store.ts';
import type { Clock } from './clock.ts';

export interface ScanOptions {
  readonly store: QueueStore;
  readonly clock: Clock;
  /** How many more messages may become active. */
  readonly room: () => number;
  /** Scans wait until there is room for so many: not a read for each message that leaves. */
  readonly leastRoom: () => number;
  readonly isActive: (id: string) => boolean;
  readonly activate: (message: QueuedMessage) => void;
  /** A read failed; it is tried again soon. */
  readonly onError: (error: unknown) => void;
}

const chunk = 200;
/** Timers are exact, but scans are at least this far apart: messages due within it are read together. */
const settleTime = 250;
const retryAfterError = 5000;
const latest = Number.MAX_SAFE_INTEGER;
/** Sorts behind every queue id. */
const lastId = '~';

export class QueueScan {
  readonly #options: ScanOptions;
  #incoming = { wanted: false, again: false, after: undefined as string | undefined };
  #due = { wanted: false, after: undefined as { nextAttempt: number; id: string } | undefined };
  #running: Promise<void> | undefined;
  #stopped = false;
  #wakeAt = Infinity;
  #cancelWake: (() => void) | undefined;
  /** Ids that left memory while a read was under way. */
  readonly #left = new Set<string>();
  #reading = false;

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  /** Incoming may hold messages that are not in memory. */
  wantIncoming(fromStart: boolean): void {
    if (fromStart) this.#incoming.after = undefined;
    if (this.#incoming.wanted) this.#incoming.again = true;
    this.#incoming.wanted = true;
  }

  /** Deferred may hold messages that are due. */
  wantDue(fromStart: boolean): void {
    if (fromStart) this.#due.after = undefined;
    this.#due.wanted = true;
  }

  /** Whether messages wait in the store for room in memory: fresh ones then wait their turn there too. */
  get behind(): boolean {
    return this.#incoming.wanted || (this.#due.wanted && this.#options.room() < this.#options.leastRoom());
  }

  /** A message will be due at this time. */
  wakeAt(time: number): void {
    if (this.#stopped || time >= this.#wakeAt) return;
    this.#cancelWake?.();
    this.#wakeAt = time;
    const wait = Math.max(settleTime, time - this.#options.clock.now());
    this.#cancelWake = this.#options.clock.after(wait, () => {
      this.#wakeAt = Infinity;
      this.#cancelWake = undefined;
      this.wantDue(false);
      this.run();
    });
  }

  /** A message left memory (or was acted upon). */
  left(id: string): void {
    if (this.#reading) this.#left.add(id);
  }

  run(): void {
    if (this.#stopped || this.#running !== undefined) return;
    if (!(this.#incoming.wanted || this.#due.wanted) || this.#options.room() < this.#options.leastRoom()) return;
    this.#running = this.#fill()
      .catch((error: unknown) => {
        this.#options.onError(error);
        this.#options.clock.after(retryAfterError, () => this.run());
        return true;
      })
      .then((failed) => {
        this.#running = undefined;
        if (failed !== true) this.run();
      });
  }

  /** Ends scanning; resolves when no read is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelWake?.();
    await this.#running;
  }

  async #fill(): Promise<void> {
    while (!this.#stopped && (this.#incoming.wanted || this.#due.wanted)) {
      const room = this.#options.room();
      if (room <= 0) return;
      const limit = Math.max(1, Math.min(chunk, Math.ceil(room / 2)));
      const now = this.#options.clock.now();
      this.#left.clear();
      this.#reading = true;
      const wantedDue = this.#due.wanted;
      const incomingFrom = this.#incoming.after;
      const dueFrom = this.#due.after;
      let fresh: QueuedMessage[];
      let due: QueuedMessage[];
      try {
        [fresh, due] = await Promise.all([
          this.#incoming.wanted ? this.#options.store.incoming(incomingFrom, limit) : [],
          this.#due.wanted ? this.#options.store.due(now, dueFrom, limit) : [],
        ]);
      } finally {
        this.#reading = false;
      }
      if (this.#stopped) return;
      this.#moveOn(fresh, due, limit, incomingFrom, dueFrom);
      for (let i = 0; i < Math.max(fresh.length, due.length); i++) {
        for (const message of [fresh[i], due[i]]) {
          if (message === undefined || this.#left.has(message.id) || this.#options.isActive(message.id)) continue;
          this.#options.activate(message);
        }
      }
      if (wantedDue && !this.#due.wanted) await this.#planWake(now);
    }
  }

  #moveOn(
    fresh: readonly QueuedMessage[],
    due: readonly QueuedMessage[],
    limit: number,
    incomingFrom: string | undefined,
    dueFrom: { nextAttempt: number; id: string } | undefined,
  ): void {
    // A scan that was sent back to its start meanwhile stays there.
    if (this.#incoming.wanted && this.#incoming.after === incomingFrom) {
      if (fresh.length === limit) this.#incoming.after = fresh.at(-1)?.id;
      else {
        this.#incoming.after = undefined;
        this.#incoming.wanted = this.#incoming.again;
        this.#incoming.again = false;
      }
    }
    if (this.#due.wanted && this.#due.after === dueFrom) {
      const last = due.at(-1);
      if (last?.nextAttempt !== undefined) this.#due.after = { nextAttempt: last.nextAttempt, id: last.id };
      if (due.length < limit) this.#due.wanted = false;
    }
  }

  /** Asks when the next message is due that the scan has not seen: those in memory come before it. */
  async #planWake(now: number): Promise<void> {
    const seen = this.#due.after;
    const from = seen !== undefined && seen.nextAttempt > now ? seen : { nextAttempt: now, id: lastId };
    const [next] = await this.#options.store.due(latest, from, 1);
    if (next?.nextAttempt !== undefined) this.wakeAt(next.nextAttempt);
  }
}
