/**
 * The index of all Maildirs, in SQLite: what the lists show and the searches look through.
 *
 * It is a cache of what the Maildirs hold and nothing more: when it is damaged or of another version it is deleted and
 * made again. Written and read by one thread alone. Promises: a folder's rows and the directory times they were read
 * at change in one transaction, so a crash leaves an older state, never a wrong one.
 */
import Database from 'better-sqlite3';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import type { MailSummary } from '../contract/mail.ts';

export type Sql = Database.Database;

/** Raised with every change of the tables or of what is put in them. */
const version = 2;

const schema = `
  create table folder (
    id integer primary key,
    directory text not null,
    folder text not null,
    /* Modification times of new and cur when they were last read, in nanoseconds; '' when they must be read again. */
    new_time text not null default '',
    cur_time text not null default '',
    total integer not null default 0,
    unread integer not null default 0,
    unique (directory, folder)
  );
  create table message (
    id integer primary key,
    folder_id integer not null,
    name text not null,
    /* The part of the name before the flags. */
    uniq text not null,
    in_new integer not null,
    received integer not null,
    size integer,
    seen integer not null,
    flagged integer not null,
    /* 0 not read yet, 1 read, 2 could not be read */
    digested integer not null default 0,
    sender text, sender_name text, recipients text, subject text, snippet text,
    attachments integer not null default 0,
    remote integer not null default 0,
    report text,
    /* Digest of an id too long to be spelt out. */
    long_id text
  );
  create unique index message_name on message (folder_id, uniq);
  create index message_list on message (folder_id, received, id);
  create index message_time on message (received, id);
  create index message_undigested on message (folder_id, received) where digested = 0;
  create index message_long on message (long_id) where long_id is not null;
  /*
   * Lower-case copies in a table of their own, narrow, so that a search reads little. words has all of the fields and
   * the beginning of the text: one look at it tells whether any of them can fit.
   */
  create table words (
    id integer primary key,
    folder_id integer not null,
    received integer not null,
    words text not null,
    sender text not null, recipients text not null, subject text not null
  );
`;

/** Opens the index at `file` (made when missing), or one that lives only as long as the process. */
export function openIndex(file: string | undefined): Sql {
  if (file === undefined) return prepare(new Database(':memory:'));
  try {
    return openFile(file);
  } catch (error) {
    if (!isDamage(error)) throw error;
    removeIndex(file);
    return openFile(file);
  }
}

/** Whether the error says that the index file is damaged or not ours, so that making it anew helps. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof VersionError ||
    (error instanceof Database.SqliteError && /^SQLITE_(?:CORRUPT|NOTADB|FORMAT)/.test(error.code))
  );
}

export function removeIndex(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
}

class VersionError extends Error {}

function openFile(file: string): Sql {
  // It tells subjects and addresses: for the owner only. SQLite gives its side files the same mode.
  closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600));
  const db = new Database(file);
  try {
    return prepare(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: Sql): Sql {
  // Searches read from end to end. Takes effect in a new file only, and before it is written to.
  db.pragma('page_size = 16384');
  db.pragma('journal_mode = WAL');
  // Never damaged by a power cut in this mode, only older; and what is lost can be read again.
  db.pragma('synchronous = NORMAL');
  db.pragma('cache_size = -8192');
  const found = db.pragma('user_version', { simple: true });
  if (found === version) return db;
  if (found !== 0) throw new VersionError();
  db.transaction(() => {
    db.exec(schema);
    db.pragma(`user_version = ${String(version)}`);
  })();
  return db;
}

/** A message as the index has it. */
export interface MessageRow {
  readonly id: number;
  readonly directory: string;
  readonly folder: string;
  readonly folder_id: number;
  readonly name: string;
  readonly uniq: string;
  readonly in_new: number;
  readonly received: number;
  readonly size: number | null;
  readonly seen: number;
  readonly flagged: number;
  readonly digested: number;
  readonly sender: string | null;
  readonly sender_name: string | null;
  readonly recipients: string | null;
  readonly subject: string | null;
  readonly snippet: string | null;
  readonly attachments: number;
  readonly remote: number;
  readonly report: string | null;
}

export const messageColumns = `m.id, f.directory, f.folder, m.folder_id, m.name, m.uniq, m.in_new, m.received, m.size, m.seen,
  m.flagged, m.digested, m.sender, m.sender_name, m.recipients, m.subject, m.snippet, m.attachments, m.remote, m.report`;

/** The row as lists show it; `id` and `mailbox` are the names that callers know. */
export function summaryOf(row: MessageRow, id: string, mailbox: string): MailSummary {
  return {
    id,
    mailbox,
    folder: row.folder,
    from: row.sender ?? '',
    fromName: row.sender_name ?? '',
    to: row.recipients ?? '',
    subject: row.subject ?? '',
    snippet: row.snippet ?? '',
    received: row.received,
    size: row.size ?? 0,
    seen: row.seen === 1,
    flagged: row.flagged === 1,
    attachments: row.attachments,
    remoteContent: row.remote === 1,
    ...(row.report === null ? {} : { report: row.report }),
  };
}
