/**
 * Opens `queue.db` so that a commit means "on disk", and refuses when that cannot be had.
 *
 * Promises: a database opened for writing is in WAL mode with synchronous=FULL, both read back; better-sqlite3 is
 * compiled with NORMAL for WAL, with which acknowledged mail would die in a power cut. Fails: DurabilityError when
 * the setting did not hold, SqliteError (NOTADB, CORRUPT) when the file is damaged, PostriderError `conflict` when
 * another process owns the spool or the schema is newer than this program.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { PostriderError } from '../contract/errors.ts';
import { migrations } from './schema.ts';
import { DurabilityError } from './store.ts';

export type Db = Database.Database;

export const databaseName = 'queue.db';

export interface WriterPragmas {
  /** Page cache of the writer, in KiB. */
  readonly cacheKib: number;
  readonly pageSize: number;
  /** The WAL file is cut back to this many bytes when it is reset. */
  readonly walLimit: number;
  /** What to set `synchronous` to. Only a test says anything but FULL: to see opening refused. */
  readonly synchronous: string;
}

export function openForWriting(file: string, pragmas: WriterPragmas): Db {
  const db = new Database(file, { timeout: 10_000 });
  try {
    db.pragma(`page_size = ${String(pragmas.pageSize)}`);
    // Freed pages can be given back to the disk after a large queue has drained.
    db.pragma('auto_vacuum = INCREMENTAL');
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') {
      throw new DurabilityError(
        `${file}: journal_mode is ${String(mode)}, not wal: this file system cannot hold the queue`,
      );
    }
    db.pragma(`synchronous = ${pragmas.synchronous}`);
    assertDurable(db, file);
    db.pragma(`cache_size = -${String(pragmas.cacheKib)}`);
    db.pragma(`journal_size_limit = ${String(pragmas.walLimit)}`);
    // Checkpoints run after the acknowledgements are sent, not inside the commit.
    db.pragma('wal_autocheckpoint = 0');
    db.pragma('temp_store = MEMORY');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Throws DurabilityError unless a commit is synced: `PRAGMA synchronous` must read 2 (FULL) or 3 (EXTRA). */
export function assertDurable(db: Db, file: string): void {
  const level = db.pragma('synchronous', { simple: true });
  if (level !== 2 && level !== 3) {
    throw new DurabilityError(
      `${file}: synchronous is ${String(level)}, not 2 (FULL): accepted mail would be lost in a power cut. Refusing to open the queue.`,
    );
  }
}

export function openForReading(file: string, cacheKib: number): Db {
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 10_000 });
  db.pragma(`cache_size = -${String(cacheKib)}`);
  db.pragma('temp_store = MEMORY');
  return db;
}

/** Brings the schema up to date, all or nothing. */
export function migrate(db: Db, file: string): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version > migrations.length) {
    throw new PostriderError(
      'conflict',
      `${file} has schema version ${String(version)}; this program knows ${String(migrations.length)}. Use the newer program.`,
    );
  }
  if (version === migrations.length) return;
  db.transaction(() => {
    for (const sql of migrations.slice(version)) db.exec(sql);
    db.pragma(`user_version = ${String(migrations.length)}`);
  }).immediate();
}

/**
 * Takes the spool for this process until the returned connection is closed (or the process dies, by any signal):
 * an exclusive lock on an empty database. Two processes on one spool would remove each other's body files.
 */
export function lockSpool(spool: string): Db {
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const db = new Database(path.join(spool, 'lock'), { timeout: 2000 });
  try {
    db.pragma('journal_mode = DELETE');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if (sqliteCode(error).startsWith('SQLITE_BUSY')) {
      throw new PostriderError('conflict', `${spool} is in use by another process: stop that mail server first`);
    }
    throw error;
  }
}

/** `SQLITE_FULL`, `SQLITE_IOERR_FSYNC`, …; empty for any other error. */
export function sqliteCode(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : '';
}

/** The file is not a sound database: SQLite said so, or a check did (DamagedError). */
export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return error instanceof DamagedError || code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT');
}

export class DamagedError extends Error {
  override name = 'DamagedError';
}

/** The disk is full. SHMSIZE is how a full disk shows when the shared-memory index has to grow. */
export function isFull(error: unknown): boolean {
  const code = sqliteCode(error);
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE') return true;
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** The disk failed, or can no longer be written: what was handed to it must not be trusted. */
export function isIoFailure(error: unknown): boolean {
  const code = sqliteCode(error);
  return code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY');
}
