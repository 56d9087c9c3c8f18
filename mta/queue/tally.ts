/**
 * Counts of messages by queue, and of parked messages by (queue, reason, destination), kept in the same transaction as
 * the messages. Changes gather in memory during a transaction and are written once before its commit.
 */
import type { Db } from './database.ts';
import { queueCodes } from './schema.ts';
import type { StoreCounts } from './store.ts';

/** Where a message is counted. */
export interface Place {
  readonly queue: number;
  readonly reason_id: number;
  readonly domain: string;
}

interface Delta {
  readonly place: Place;
  n: number;
}

export class Tally {
  #counts: number[];
  readonly #total = [0, 0, 0, 0];
  readonly #parked = new Map<string, Delta>();
  /** Of the request being applied: merged when it succeeds. */
  #staged: Delta[] = [];
  readonly #count;
  readonly #upsert;
  readonly #prune;

  constructor(db: Db) {
    this.#counts = [0, 0, 0, 0];
    for (const row of db.prepare<[], { queue: number; n: number }>('SELECT queue, n FROM counters').all()) {
      this.#counts[row.queue] = row.n;
    }
    this.#count = db.prepare<[number, number]>('UPDATE counters SET n = n + ? WHERE queue = ?');
    this.#upsert = db.prepare<[number, number, string, number]>(
      'INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n',
    );
    this.#prune = db.prepare<[number, number, string]>(
      'DELETE FROM tallies WHERE queue = ? AND reason_id = ? AND domain = ? AND n <= 0',
    );
  }

  /** As of the last commit. */
  counts(): StoreCounts {
    const [incoming = 0, deferred = 0, hold = 0, corrupt = 0] = this.#counts;
    return { incoming, deferred, hold, corrupt };
  }

  /** A message goes from one place to another; undefined is outside the store. */
  move(from: Place | undefined, to: Place | undefined): void {
    if (from !== undefined) this.#staged.push({ place: from, n: -1 });
    if (to !== undefined) this.#staged.push({ place: to, n: 1 });
  }

  /** The request succeeded. */
  keep(): void {
    for (const { place, n } of this.#staged) {
      this.#total[place.queue] = (this.#total[place.queue] ?? 0) + n;
      if (place.queue === queueCodes.incoming) continue;
      const key = `${String(place.queue)} ${String(place.reason_id)} ${place.domain}`;
      const known = this.#parked.get(key);
      if (known === undefined) this.#parked.set(key, { place, n });
      else known.n += n;
    }
    this.#staged = [];
  }

  /** The request failed and was undone. */
  drop(): void {
    this.#staged = [];
  }

  /** Writes what has gathered; call within the transaction, right before its commit. */
  write(): void {
    for (const [queue, n] of this.#total.entries()) if (n !== 0) this.#count.run(n, queue);
    for (const { place, n } of this.#parked.values()) {
      if (n === 0) continue;
      this.#upsert.run(place.queue, place.reason_id, place.domain, n);
      if (n < 0) this.#prune.run(place.queue, place.reason_id, place.domain);
    }
  }

  committed(): void {
    this.#counts = this.#counts.map((count, queue) => count + (this.#total[queue] ?? 0));
    this.#clear();
  }

  rolledBack(): void {
    this.#clear();
  }

  #clear(): void {
    this.#staged = [];
    this.#total.fill(0);
    this.#parked.clear();
  }
}

/** Counts everything anew, after a salvage. Call within a transaction. */
export function recount(db: Db): void {
  db.exec(`
    UPDATE counters SET n = (SELECT count(*) FROM messages WHERE messages.queue = counters.queue);
    DELETE FROM tallies;
    INSERT INTO tallies SELECT queue, reason_id, domain, count(*) FROM messages WHERE queue <> 0 GROUP BY 1, 2, 3;
  `);
}
