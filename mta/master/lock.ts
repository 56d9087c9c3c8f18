/**
 * One MTA a data folder. The lock is a SQLite file held in an exclusive transaction: the operating system takes it
 * back when the process dies, however it dies, on every platform; a pid file could not promise that.
 */
import path from 'node:path';
import Database from 'better-sqlite3';
import { PostriderError } from '../contract/errors.ts';

export interface FolderLock {
  release(): void;
}

/** Takes the lock or throws `conflict`. The folder `<data>/run` exists. */
export function lockDataFolder(dataFolder: string): FolderLock {
  const file = path.join(dataFolder, 'run', 'lock.db');
  const database = new Database(file, { timeout: 0 });
  try {
    database.pragma('journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
      throw new PostriderError(
        'conflict',
        `A mail server already runs on ${dataFolder}. Use another --data folder, or stop that one with "postrider stop".`,
      );
    }
    throw error;
  }
  return {
    release: () => {
      database.exec('ROLLBACK');
      database.close();
    },
  };
}
