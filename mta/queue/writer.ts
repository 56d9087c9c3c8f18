/**
 * Applies batches of changes, each batch in one transaction with one sync.
 *
 * Promises: a batch's answers are given after its commit. A request that breaks a rule (a queue id that exists already)
 * fails alone: the batch is run again with a savepoint around each request. A full disk fails the whole batch with
 * StoreFullError and the store goes on. Any other disk error fails the batch with StoreIoError and asks for a restart:
 * after a failed fsync the kernel may have dropped the dirty pages and a second fsync would lie, so nothing this
 * connection believes to be on disk is trusted again; the next connection reads the file anew.
 */
import { unlinkSync } from 'node:fs';
import path from 'node:path';
import { errorMessage } from '../contract/errors.ts';
import { Changes } from './changes.ts';
import { isFull, isIoFailure, type Db } from './database.ts';
import { StoreFullError, StoreIoError, type StoreCounts } from './store.ts';
import { flattenError, type Ack, type Batch, type FlatError, type WriteRequest } from './wire.ts';

export interface BatchResult {
  readonly acks: readonly Ack[];
  readonly restart: boolean;
}

interface Answered {
  readonly answers: [number, unknown][];
  readonly errors: [number, FlatError][];
}

/** A batch of so few requests is a quiet moment, in which pages can be moved. */
const quiet = 10;
const vacuumStep = 512;

/** A request failed by its own fault: run the batch again, guarded. */
class RequestFailed extends Error {}

export class Writer {
  readonly #db: Db;
  readonly #bodies: string;
  readonly #changes: Changes;
  readonly #now: () => number;
  readonly #begin;
  readonly #commit;
  readonly #walPages: number;
  readonly #freePages: number;
  #files: string[] = [];

  constructor(db: Db, options: { bodiesFolder: string; walPages: number; freePages: number; now?: () => number }) {
    this.#db = db;
    this.#bodies = options.bodiesFolder;
    this.#walPages = options.walPages;
    this.#freePages = options.freePages;
    this.#now = options.now ?? Date.now;
    this.#changes = new Changes(db);
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
  }

  counts(): StoreCounts {
    return this.#changes.tally.counts();
  }

  /** One transaction. Never throws. */
  run(batches: readonly Batch<WriteRequest>[]): BatchResult {
    try {
      let answered: Answered[];
      try {
        answered = this.#attempt(batches, false);
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
        answered = this.#attempt(batches, true);
      }
      return { acks: batches.map(({ batch }, i) => ({ batch, ...(answered[i] ?? empty()) })), restart: false };
    } catch (error) {
      return this.#fail(batches, error);
    }
  }

  /**
   * What can wait until the acknowledgements are on their way, after a batch of so many requests.
   * True: the disk failed, restart.
   */
  afterwards(requests: number): boolean {
    const files = this.#files;
    this.#files = [];
    for (const file of files) {
      try {
        unlinkSync(path.join(this.#bodies, file));
      } catch {
        // Gone already, or it will be an orphan of the next opening.
      }
    }
    return (requests <= quiet && this.#giveBack()) || this.checkpoint(this.#walPages);
  }

  /** Returns free pages to the disk in small steps, when a long queue has drained. */
  #giveBack(): boolean {
    try {
      const free = Number(this.#db.pragma('freelist_count', { simple: true }));
      const pages = Number(this.#db.pragma('page_count', { simple: true }));
      if (free > this.#freePages && free * 2 > pages) this.#db.pragma(`incremental_vacuum(${String(vacuumStep)})`);
      return false;
    } catch (error) {
      return isIoFailure(error) && !isFull(error);
    }
  }

  /** Copies the WAL into the database once it holds `pages`. A failure loses nothing: the WAL still has it all. */
  checkpoint(pages: number): boolean {
    try {
      const state = this.#db.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[];
      const waiting = (state[0]?.log ?? 0) - (state[0]?.checkpointed ?? 0);
      if (waiting > pages) this.#db.pragma('wal_checkpoint(PASSIVE)');
      return false;
    } catch (error) {
      // A full disk or a lock: tried again after the next batch.
      return isIoFailure(error) && !isFull(error);
    }
  }

  #attempt(batches: readonly Batch<WriteRequest>[], guarded: boolean): Answered[] {
    try {
      this.#begin.run();
      const answered = batches.map((batch) => this.#applyAll(batch, guarded));
      this.#changes.tally.write();
      this.#commit.run();
      this.#changes.tally.committed();
      this.#files.push(...this.#changes.removedFiles);
      this.#changes.removedFiles = [];
      return answered;
    } catch (error) {
      this.#changes.rolledBack();
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #applyAll(batch: Batch<WriteRequest>, guarded: boolean): Answered {
    const answered = empty();
    for (const [index, request] of batch.requests.entries()) {
      if (guarded) this.#db.exec('SAVEPOINT request');
      const files = this.#changes.removedFiles.length;
      try {
        const answer = this.#apply(request, batch.bytes);
        if (answer !== undefined) answered.answers.push([index, answer]);
        this.#changes.tally.keep();
        if (guarded) this.#db.exec('RELEASE request');
      } catch (error) {
        // A transaction that SQLite itself gave up cannot be continued.
        if (isFull(error) || isIoFailure(error) || !this.#db.inTransaction) throw error;
        if (!guarded) throw new RequestFailed('a request of the batch failed', { cause: error });
        this.#db.exec('ROLLBACK TO request; RELEASE request');
        this.#changes.tally.drop();
        this.#changes.removedFiles.length = files;
        answered.errors.push([index, flattenError(describe(error, request))]);
      }
    }
    return answered;
  }

  #apply(request: WriteRequest, bytes: Uint8Array | undefined): unknown {
    switch (request.kind) {
      case 'add':
        return this.#changes.add(request.message, bytes);
      case 'settle':
        return this.#changes.settle(request.settlement, bytes);
      case 'act':
        return this.#changes.act(request.action, request.ids, this.#now());
      case 'corrupt':
        return this.#changes.corrupt(request.id, request.reason);
    }
  }

  #fail(batches: readonly Batch<WriteRequest>[], error: unknown): BatchResult {
    const full = isFull(error);
    const failure = full
      ? new StoreFullError(
          'The disk of the queue is full: nothing was stored. Free some space; the store goes on by itself.',
        )
      : new StoreIoError(`The queue could not be written: ${errorMessage(error)}. Nothing was acknowledged.`);
    const flat = flattenError(failure);
    // Space may be found by moving the WAL's content to pages that are free already.
    if (full) this.checkpoint(0);
    return {
      acks: batches.map(({ batch, requests }) => ({
        batch,
        answers: [],
        errors: requests.map((_, index) => [index, flat] as const),
      })),
      restart: !full,
    };
  }
}

function empty(): Answered {
  return { answers: [], errors: [] };
}

function describe(error: unknown, request: WriteRequest): Error {
  const message = errorMessage(error);
  const id = request.kind === 'add' ? request.message.id : request.kind === 'settle' ? request.settlement.id : '';
  if (message.includes('UNIQUE constraint failed: messages.id')) {
    const taken = request.kind === 'add' ? `queue id ${id}` : `${id}: the queue id of its report`;
    const failure = new Error(`${taken} is taken: a message with that id is in the queue already`);
    failure.name = 'DuplicateIdError';
    return failure;
  }
  return new Error(`${request.kind}${id === '' ? '' : ` ${id}`}: ${message}`, { cause: error });
}
