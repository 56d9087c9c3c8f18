/**
 * Answers questions about the queue from a read-only connection. Synchronous; runs in the reader threads.
 *
 * Promises: changes nothing. A body is given out only when its checksum fits; else the answer says `corrupt`, and the
 * main thread has the writer move the message. Fails: PostriderError; whatever SQLite throws for a damaged page.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { PostriderError } from '../contract/errors.ts';
import { isDamage, type Db } from './database.ts';
import { Listing } from './listing.ts';
import { messageColumns, toQueuedMessage, toQueueMessage, type MessageRow, type RecipientRow } from './rows.ts';
import type { QueuedMessage } from './store.ts';
import type { BodyAnswer, IncomingPosition, ReadRequest } from './wire.ts';

interface BodyRow {
  readonly seq: number;
  readonly queue: number;
  readonly body_file: string | null;
  readonly body_size: number;
  readonly checksum: number;
}

/** A page of incoming, and where it ended: the message may be gone when the next page is asked for. */
export interface IncomingPage {
  readonly messages: QueuedMessage[];
  readonly end: { readonly arrival: number; readonly seq: number } | undefined;
}

export class Reader {
  readonly #bodies: string;
  readonly #listing: Listing;
  readonly #sql;

  constructor(db: Db, bodiesFolder: string) {
    this.#bodies = bodiesFolder;
    this.#listing = new Listing(db);
    this.#sql = prepare(db);
  }

  answer(request: ReadRequest): unknown {
    switch (request.kind) {
      case 'incoming':
        return this.#incoming(request.after, request.limit);
      case 'due': {
        const { nextAttempt = -1, id = '' } = request.after ?? {};
        return this.#messages(this.#sql.due.all(request.now, nextAttempt, id, request.limit));
      }
      case 'nextDue':
        return this.#sql.nextDue.get()?.n;
      case 'message': {
        const row = this.#sql.message.get(request.id);
        return row === undefined ? undefined : toQueuedMessage(row, this.#sql.recipients.all(row.seq));
      }
      case 'body':
        return this.#body(request.id);
      case 'get': {
        const row = this.#sql.message.get(request.id);
        return row === undefined ? undefined : toQueueMessage(row, this.#sql.recipients.all(row.seq));
      }
      case 'raw':
        return this.#raw(request.id, request.offset, request.length);
      case 'list':
        return this.#listing.list(request.query);
      case 'groups':
        return this.#listing.groups(request.by, request.filter, request.limit, request.active);
      case 'count':
        return this.#listing.count(request.filter, request.active);
      case 'select':
        return this.#listing.ids(request.filter, request.active, request.after, request.upTo, request.limit);
    }
  }

  #incoming(after: IncomingPosition | undefined, limit: number): IncomingPage {
    let { arrival = -1, seq = 0 } = after ?? {};
    if (after !== undefined && after.seq === undefined) {
      // A position this store did not hand out: from the message itself, or from the start when that is gone.
      const row = this.#sql.position.get(after.id);
      if (row !== undefined) ({ arrival, seq } = row);
    }
    const rows = this.#sql.incoming.all(arrival, seq, limit);
    return { messages: this.#messages(rows), end: rows.at(-1) };
  }

  #messages(rows: readonly MessageRow[]): QueuedMessage[] {
    return rows.map((row) => toQueuedMessage(row, this.#sql.recipients.all(row.seq)));
  }

  #body(id: string): BodyAnswer {
    const row = this.#find(id);
    if (row.body_file !== null) {
      return { kind: 'file', file: row.body_file, size: row.body_size, checksum: row.checksum };
    }
    let data: Uint8Array | undefined;
    try {
      data = this.#sql.body.get(row.seq)?.data;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { kind: 'corrupt', queue: row.queue, reason: 'body unreadable: the database page is damaged' };
    }
    if (data === undefined) return { kind: 'corrupt', queue: row.queue, reason: 'body is missing' };
    if (data.length !== row.body_size || crc32(data) !== row.checksum) {
      return { kind: 'corrupt', queue: row.queue, reason: 'body does not fit its checksum' };
    }
    return { kind: 'memory', data };
  }

  /** A slice as it is, unchecked: also of a corrupt message, which a person may want to see. */
  #raw(id: string, offset: number, length: number): { data: Uint8Array; total: number } | undefined {
    const row = this.#sql.bodyRow.get(id);
    if (row === undefined) return undefined;
    if (row.body_file === null) {
      const slice = this.#sql.bodySlice.get(offset + 1, length, row.seq);
      return { data: slice?.data ?? new Uint8Array(0), total: slice?.total ?? 0 };
    }
    let fd: number;
    try {
      fd = openSync(path.join(this.#bodies, row.body_file), 'r');
    } catch (error) {
      throw new PostriderError('not-found', `The body file of ${id} cannot be read`, { cause: error });
    }
    try {
      const data = new Uint8Array(Math.max(0, Math.min(length, row.body_size - offset)));
      let filled = 0;
      while (filled < data.length) {
        const read = readSync(fd, data, filled, data.length - filled, offset + filled);
        if (read === 0) break;
        filled += read;
      }
      return { data: data.subarray(0, filled), total: row.body_size };
    } finally {
      closeSync(fd);
    }
  }

  #find(id: string): BodyRow {
    const row = this.#sql.bodyRow.get(id);
    if (row === undefined) throw new PostriderError('not-found', `${id} is not in the queue`);
    return row;
  }
}

function prepare(db: Db) {
  return {
    incoming: db.prepare<[number, number, number], MessageRow>(
      `SELECT ${messageColumns} FROM messages m WHERE m.queue = 0 AND (m.arrival, m.seq) > (?, ?)
       ORDER BY m.arrival, m.seq LIMIT ?`,
    ),
    position: db.prepare<[string], { arrival: number; seq: number }>('SELECT arrival, seq FROM messages WHERE id = ?'),
    due: db.prepare<[number, number, string, number], MessageRow>(
      `SELECT ${messageColumns} FROM messages m WHERE m.queue = 1 AND m.next_attempt <= ?
       AND (m.next_attempt, m.id) > (?, ?) ORDER BY m.next_attempt, m.id LIMIT ?`,
    ),
    nextDue: db.prepare<[], { n: number }>(
      'SELECT next_attempt AS n FROM messages WHERE queue = 1 ORDER BY next_attempt LIMIT 1',
    ),
    message: db.prepare<[string], MessageRow>(`SELECT ${messageColumns} FROM messages m WHERE m.id = ?`),
    recipients: db.prepare<[number], RecipientRow>(
      'SELECT idx, address, original, notify, orcpt, state, reason, dsn, relay, at FROM recipients WHERE seq = ? ORDER BY idx',
    ),
    bodyRow: db.prepare<[string], BodyRow>(
      'SELECT seq, queue, body_file, body_size, checksum FROM messages WHERE id = ?',
    ),
    body: db.prepare<[number], { data: Uint8Array }>('SELECT data FROM bodies WHERE seq = ?'),
    bodySlice: db.prepare<[number, number, number], { data: Uint8Array; total: number }>(
      'SELECT substr(data, ?, ?) AS data, length(data) AS total FROM bodies WHERE seq = ?',
    ),
  };
}
