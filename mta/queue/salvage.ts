/**
 * Takes over from a damaged database whatever can still be read, message by message.
 *
 * Promises: the damaged file is only read. A message is taken over whole (its row and all its recipients) or not at all; one
 * whose body cannot be read goes to corrupt, where a person sees it. Never throws for the damage: returns how many came over.
 * Index pages are not trusted: rows are fetched by their number from the tables themselves.
 */
import Database from 'better-sqlite3';
import type { Db, WriterPragmas } from './database.ts';
import { queueCodes } from './schema.ts';
import { recount } from './tally.ts';

const batchSize = 1000;

type Row = Record<string, string | number | null | Uint8Array>;

export function salvage(file: string, into: Db, pragmas: WriterPragmas): number {
  let from: Db;
  try {
    // Writable, so that the WAL beside it is replayed; nothing is written to it.
    from = new Database(file, { fileMustExist: true });
    from.pragma(`cache_size = -${String(pragmas.cacheKib)}`);
  } catch {
    return 0;
  }
  try {
    return takeOver(from, into);
  } catch {
    return 0;
  } finally {
    from.close();
  }
}

function takeOver(from: Db, into: Db): number {
  const columns = (table: string): string[] =>
    (into.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
  const insert = (table: string) => {
    const names = columns(table);
    const values = names.map((name) => `@${name}`).join(', ');
    return into.prepare<[Row]>(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${values})`);
  };
  const put = { message: insert('messages'), recipient: insert('recipients'), body: insert('bodies') };
  const get = {
    message: from.prepare<[number], Row>('SELECT * FROM messages NOT INDEXED WHERE seq = ?'),
    recipients: from.prepare<[number], Row>('SELECT * FROM recipients WHERE seq = ? ORDER BY idx'),
    body: from.prepare<[number], Row>('SELECT * FROM bodies WHERE seq = ?'),
  };
  for (const row of rowsUntilDamage(from.prepare<[], Row>('SELECT * FROM reasons NOT INDEXED'))) {
    into.prepare<[Row]>('INSERT OR IGNORE INTO reasons VALUES (@reason_id, @key)').run(row);
  }
  let rescued = 0;
  const one = (seq: number): void => {
    const message = readable(() => get.message.get(seq));
    const recipients = readable(() => get.recipients.all(seq));
    if (message === undefined || recipients === undefined || recipients.length !== message['recipients']) return;
    const body = message['body_file'] === null ? readable(() => get.body.get(seq)) : undefined;
    const lost = message['body_file'] === null && body === undefined;
    into.exec('SAVEPOINT one');
    try {
      put.message.run(
        lost
          ? {
              ...message,
              queue: queueCodes.corrupt,
              next_attempt: 0,
              reason: 'the body was lost with a damaged database',
              reason_id: 0,
            }
          : message,
      );
      for (const recipient of recipients) put.recipient.run(recipient);
      if (body !== undefined) put.body.run(body);
      into.exec('RELEASE one');
      rescued++;
    } catch {
      // Half of a row was readable, but not what the schema asks for.
      into.exec('ROLLBACK TO one; RELEASE one');
    }
  };
  const numbers = [...candidates(from)].sort((a, b) => a - b);
  for (let i = 0; i < numbers.length; i += batchSize) {
    into.transaction(() => {
      for (const seq of numbers.slice(i, i + batchSize)) one(seq);
    })();
  }
  into.transaction(() => recount(into))();
  return rescued;
}

/** Message numbers, from every table and direction that still yields some: a damaged page hides what lies behind it. */
function candidates(from: Db): Set<number> {
  const found = new Set<number>();
  for (const table of ['messages', 'recipients', 'bodies']) {
    for (const order of ['ASC', 'DESC']) {
      const source = table === 'recipients' ? table : `${table} NOT INDEXED`;
      const sql = `SELECT seq FROM ${source} ORDER BY seq ${order}`;
      const statement = readable(() => from.prepare<[], { seq: number }>(sql));
      if (statement !== undefined) for (const row of rowsUntilDamage(statement)) found.add(row.seq);
    }
  }
  return found;
}

function* rowsUntilDamage<T>(statement: Database.Statement<[], T>): Generator<T> {
  const rows = statement.iterate();
  for (;;) {
    let next: IteratorResult<T>;
    try {
      next = rows.next();
    } catch {
      return;
    }
    if (next.done === true) return;
    yield next.value;
  }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
