/**
 * The changes a message can undergo, each a few statements inside the writer's transaction: added, settled, acted on,
 * found corrupt.
 *
 * Fails: throws SqliteError; the writer undoes the request (or the batch) then. Body files are removed after the commit,
 * by the caller, from `removedFiles`: a crash in between leaves an orphan that the next opening removes.
 */
import { crc32 } from 'node:zlib';
import type { Db } from './database.ts';
import { reasonKey } from './reason.ts';
import { queueCodes, recipientStates } from './schema.ts';
import type { QueueAction, RecipientOutcome } from './store.ts';
import { Tally, type Place } from './tally.ts';
import type { ActAnswer, PackedMessage, PackedSettlement } from './wire.ts';

interface MessageRow extends Place {
  readonly seq: number;
  readonly recipients: number;
  readonly body_file: string | null;
}

interface OpenRecipient {
  readonly idx: number;
  readonly address: string;
  readonly state: number;
  readonly reason: string | null;
  readonly dsn: string | null;
}

interface Parking {
  readonly queue: number;
  readonly nextAttempt: number;
  readonly attempts: number;
  readonly warned: number;
}

const [waiting, , deferred] = [0, 1, 2] as const;
const reasonCacheLimit = 10_000;

export class Changes {
  readonly tally: Tally;
  /** Body files whose messages are gone once the transaction is committed. */
  removedFiles: string[] = [];
  readonly #reasonIds = new Map<string, number>();
  readonly #sql;

  constructor(db: Db) {
    this.tally = new Tally(db);
    this.#sql = prepare(db);
  }

  /** Forgets what was learnt inside a transaction that did not happen. */
  rolledBack(): void {
    this.tally.rolledBack();
    this.#reasonIds.clear();
    this.removedFiles = [];
  }

  add(message: PackedMessage, bytes: Uint8Array | undefined): void {
    const { sender, ...rest } = message.envelope;
    const body = message.body;
    const queue = message.hold === true ? queueCodes.hold : queueCodes.incoming;
    const domain = domainOf(message.recipients[0]?.address ?? '');
    const data = 'file' in body ? undefined : bytes?.subarray(body.offset, body.offset + body.length);
    const seq = Number(
      this.#sql.insertMessage.run(
        message.id,
        queue,
        message.arrival,
        message.size,
        sender,
        message.recipients.length,
        domain,
        message.subject ?? null,
        message.messageId ?? null,
        JSON.stringify(rest),
        'file' in body ? body.file : null,
        'file' in body ? body.size : body.length,
        'file' in body ? body.checksum : crc32(data ?? new Uint8Array(0)),
      ).lastInsertRowid,
    );
    for (const [index, recipient] of message.recipients.entries()) {
      this.#sql.insertRecipient.run(
        seq,
        index,
        recipient.address,
        recipient.originalAddress ?? null,
        recipient.notify === undefined ? null : recipient.notify.join(','),
        recipient.originalRecipient ?? null,
      );
    }
    if (!('file' in body)) this.#sql.insertBody.run(seq, data ?? new Uint8Array(0));
    this.tally.move(undefined, { queue, reason_id: 0, domain });
  }

  /** Applies outcomes; nothing when the message is gone. */
  settle(settlement: PackedSettlement, bytes: Uint8Array | undefined): void {
    const row = this.#sql.find.get(settlement.id);
    if (row === undefined) return;
    for (const spawned of settlement.spawned ?? []) this.add(spawned, bytes);
    if (row.recipients === 1 && settlement.outcomes.length === 1 && isFinal(settlement.outcomes[0])) {
      this.#remove(row);
      return;
    }
    for (const outcome of settlement.outcomes) {
      this.#sql.settleRecipient.run(
        recipientStates.indexOf(outcome.state),
        outcome.reason,
        outcome.dsn,
        outcome.relay ?? null,
        outcome.at,
        row.seq,
        outcome.index,
      );
    }
    const first = this.#firstOpen(row.seq);
    if (first === undefined) {
      this.#remove(row);
      return;
    }
    // Outcomes of a part of the recipients, the others still being tried: the message stays where it is.
    const retry = settlement.nextAttempt;
    const stays = retry === undefined || row.queue === queueCodes.hold || row.queue === queueCodes.corrupt;
    this.#park(row, first, {
      queue: stays ? row.queue : queueCodes.deferred,
      nextAttempt: stays ? -1 : retry,
      attempts: retry === undefined ? 0 : 1,
      warned: settlement.warned === true ? 1 : 0,
    });
  }

  act(action: QueueAction, ids: readonly string[], now: number): ActAnswer {
    const changed: string[] = [];
    const unknown: string[] = [];
    let done = 0;
    for (const id of ids) {
      const row = this.#sql.find.get(id);
      if (row === undefined) {
        unknown.push(id);
        continue;
      }
      const answer = this.#actOn(action, row, now);
      if (answer === 'changed') changed.push(id);
      if (answer !== 'unfit') done++;
    }
    return { changed, done, unknown };
  }

  /** Into corrupt, saying why; nothing when the message is gone or there already. */
  corrupt(id: string, reason: string): void {
    const row = this.#sql.find.get(id);
    if (row === undefined || row.queue === queueCodes.corrupt) return;
    const to = { queue: queueCodes.corrupt, reason_id: this.#reasonId(reason), domain: row.domain };
    this.#sql.corrupt.run(reason, to.reason_id, row.seq);
    this.tally.move(row, to);
  }

  #actOn(action: QueueAction, row: MessageRow, now: number): 'changed' | 'same' | 'unfit' {
    const { incoming, deferred: parked, hold, corrupt } = queueCodes;
    if (action === 'remove') {
      this.#remove(row);
      return 'changed';
    }
    if (row.queue === corrupt) return 'unfit';
    switch (action) {
      case 'hold':
        if (row.queue === hold) return 'same';
        return this.#to(row, hold, 0);
      case 'release':
        // As postsuper -H: released mail goes to deferred, and is due at once.
        if (row.queue !== hold) return 'same';
        return this.#to(row, parked, now);
      case 'retry':
        if (row.queue === hold) return 'unfit';
        if (row.queue === incoming) return 'same';
        return this.#to(row, parked, now);
      case 'expire':
        // As postsuper -e: a held message is flagged and stays held.
        this.#sql.expire.run(row.queue === parked ? 1 : 0, now, row.seq);
        return 'changed';
      case 'requeue': {
        const first = this.#requeueRecipients(row.seq);
        const to = { queue: incoming, reason_id: 0, domain: domainOf(first) };
        this.#sql.requeue.run(to.domain, row.seq);
        this.tally.move(row, to);
        return 'changed';
      }
    }
  }

  #to(row: MessageRow, queue: number, nextAttempt: number): 'changed' {
    this.#sql.moveTo.run(queue, nextAttempt, row.seq);
    if (queue !== row.queue) this.tally.move(row, { ...row, queue });
    return 'changed';
  }

  #requeueRecipients(seq: number): string {
    this.#sql.reopenRecipients.run(seq);
    return this.#sql.openRecipients.get(seq)?.address ?? '';
  }

  /** The recipient a list shows: the first that was deferred, else the first not yet tried. */
  #firstOpen(seq: number): OpenRecipient | undefined {
    let first: OpenRecipient | undefined;
    for (const recipient of this.#sql.openRecipients.iterate(seq)) {
      if (recipient.state === deferred) return recipient;
      first ??= recipient;
    }
    return first;
  }

  #park(row: MessageRow, first: OpenRecipient, parking: Parking): void {
    const to = {
      queue: parking.queue,
      reason_id: first.reason === null ? 0 : this.#reasonId(first.reason),
      domain: domainOf(first.address),
    };
    this.#sql.park.run(
      to.queue,
      parking.nextAttempt,
      parking.nextAttempt,
      parking.attempts,
      parking.warned,
      to.domain,
      first.reason,
      first.dsn,
      to.reason_id,
      row.seq,
    );
    this.tally.move(row, to);
  }

  #remove(row: MessageRow): void {
    this.#sql.deleteMessage.run(row.seq);
    this.#sql.deleteRecipients.run(row.seq);
    if (row.body_file === null) this.#sql.deleteBody.run(row.seq);
    else this.removedFiles.push(row.body_file);
    this.tally.move(row, undefined);
  }

  #reasonId(reason: string): number {
    const key = reasonKey(reason);
    if (key === '') return 0;
    const cached = this.#reasonIds.get(key);
    if (cached !== undefined) return cached;
    let id = this.#sql.findReason.get(key)?.reason_id;
    id ??= Number(this.#sql.insertReason.run(key).lastInsertRowid);
    if (this.#reasonIds.size >= reasonCacheLimit) this.#reasonIds.clear();
    this.#reasonIds.set(key, id);
    return id;
  }
}

/** The part after the last `@`, in lower case; empty for a bare name. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1 || address.length).toLowerCase();
}

function isFinal(outcome: RecipientOutcome | undefined): boolean {
  return outcome !== undefined && outcome.index === 0 && outcome.state !== 'deferred';
}

function prepare(db: Db) {
  type Value = string | number | null;
  return {
    insertMessage: db.prepare<Value[]>(
      `INSERT INTO messages (id, queue, arrival, size, sender, recipients, domain, subject, message_id, envelope,
         body_file, body_size, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertRecipient: db.prepare<Value[]>(
      'INSERT INTO recipients (seq, idx, address, original, notify, orcpt) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    insertBody: db.prepare<[number, Uint8Array]>('INSERT INTO bodies VALUES (?, ?)'),
    find: db.prepare<[string], MessageRow>(
      'SELECT seq, queue, recipients, reason_id, domain, body_file FROM messages WHERE id = ?',
    ),
    settleRecipient: db.prepare<Value[]>(
      'UPDATE recipients SET state = ?, reason = ?, dsn = ?, relay = ?, at = ? WHERE seq = ? AND idx = ?',
    ),
    openRecipients: db.prepare<[number], OpenRecipient>(
      `SELECT idx, address, state, reason, dsn FROM recipients
       WHERE seq = ? AND state IN (${String(waiting)}, ${String(deferred)}) ORDER BY idx`,
    ),
    // -1 leaves next_attempt as it is.
    park: db.prepare<Value[]>(
      `UPDATE messages SET queue = ?, next_attempt = CASE WHEN ? < 0 THEN next_attempt ELSE ? END,
         attempts = attempts + ?, warned = max(warned, ?), domain = ?, reason = ?, dsn = ?, reason_id = ? WHERE seq = ?`,
    ),
    moveTo: db.prepare<Value[]>('UPDATE messages SET queue = ?, next_attempt = ? WHERE seq = ?'),
    expire: db.prepare<Value[]>(
      'UPDATE messages SET forced_expire = 1, next_attempt = CASE WHEN ? THEN ? ELSE next_attempt END WHERE seq = ?',
    ),
    requeue: db.prepare<Value[]>(
      `UPDATE messages SET queue = 0, next_attempt = 0, attempts = 0, forced_expire = 0, reason = NULL, dsn = NULL,
         reason_id = 0, domain = ? WHERE seq = ?`,
    ),
    reopenRecipients: db.prepare<[number]>(
      `UPDATE recipients SET state = ${String(waiting)}, reason = NULL, dsn = NULL, relay = NULL, at = NULL
       WHERE seq = ? AND state = ${String(deferred)}`,
    ),
    corrupt: db.prepare<Value[]>(
      'UPDATE messages SET queue = 3, next_attempt = 0, reason = ?, dsn = NULL, reason_id = ? WHERE seq = ?',
    ),
    deleteMessage: db.prepare<[number]>('DELETE FROM messages WHERE seq = ?'),
    deleteRecipients: db.prepare<[number]>('DELETE FROM recipients WHERE seq = ?'),
    deleteBody: db.prepare<[number]>('DELETE FROM bodies WHERE seq = ?'),
    findReason: db.prepare<[string], { reason_id: number }>('SELECT reason_id FROM reasons WHERE key = ?'),
    insertReason: db.prepare<[string]>('INSERT INTO reasons (key) VALUES (?)'),
  };
}
