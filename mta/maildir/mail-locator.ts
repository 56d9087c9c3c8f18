/**
 * From an id to the message's file, wherever it has moved meanwhile.
 *
 * Promises: an id that is unknown, made up or of a removed message is `not-found`; a file that was renamed between
 * looking and opening is looked for once more.
 */
import { join } from 'node:path';
import { PostriderError } from '../contract/errors.ts';
import { messageColumns, type MessageRow, type Sql } from './index-database.ts';
import { decodeMailId, isDigestId } from './mail-id.ts';
import type { MailboxFolders } from './mailbox-folders.ts';

const from = `select ${messageColumns} from message m join folder f on f.id = m.folder_id where`;

export class MailLocator {
  readonly #folders: MailboxFolders;
  readonly #refresh: (directory: string, folder: string) => void;
  readonly #statements;

  constructor(db: Sql, folders: MailboxFolders, refresh: (directory: string, folder: string) => void) {
    this.#folders = folders;
    this.#refresh = refresh;
    this.#statements = {
      byName: db.prepare<[string, string, string], MessageRow>(
        `${from} f.directory = ? and f.folder = ? and m.uniq = ?`,
      ),
      byLongId: db.prepare<[string], MessageRow>(`${from} m.long_id = ?`),
    };
  }

  /** The message's row. `refreshed` remembers the folders that were read again, so that many ids cost one reading. */
  find(id: string, refreshed = new Set<string>()): MessageRow | undefined {
    if (isDigestId(id)) return this.#statements.byLongId.get(id);
    const location = decodeMailId(id);
    if (location === undefined) return undefined;
    const { directory, folder, unique } = location;
    const row = this.#statements.byName.get(directory, folder, unique);
    if (row !== undefined) return row;
    if (!this.#folders.exists(directory) || !this.#again(directory, folder, refreshed)) return undefined;
    return this.#statements.byName.get(directory, folder, unique);
  }

  /** The row once more, after its file was not where the row says. */
  findAgain(id: string, row: MessageRow, refreshed: Set<string>): MessageRow | undefined {
    this.#again(row.directory, row.folder, refreshed);
    return this.find(id, refreshed);
  }

  path(row: MessageRow): string {
    return join(this.#folders.path(row.directory, row.folder), row.in_new === 1 ? 'new' : 'cur', row.name);
  }

  /** Reads the message's file by `read`, which gives undefined when the file is not there. */
  read<T>(id: string, read: (path: string) => T | undefined): { row: MessageRow; file: T } {
    const refreshed = new Set<string>();
    let row = this.find(id, refreshed);
    for (let attempt = 0; row !== undefined && attempt < 2; attempt++) {
      const file = read(this.path(row));
      if (file !== undefined) return { row, file };
      refreshed.clear();
      row = this.findAgain(id, row, refreshed);
    }
    throw new PostriderError('not-found', 'The message is not there any more', { field: 'id' });
  }

  #again(directory: string, folder: string, refreshed: Set<string>): boolean {
    const key = `${directory}/${folder}`;
    if (refreshed.has(key)) return false;
    refreshed.add(key);
    this.#refresh(directory, folder);
    return true;
  }
}
