/**
 * Keeps the index of one folder true to its `new` and `cur` directories, which other programs may change at any time.
 *
 * Promises: an unchanged directory costs one stat. A directory changed less than `settleTime` ago is read again next
 * time, since a further change within the clock's grain would not show. A message that moves from `new` to `cur`, or
 * changes its flags, keeps its row; one that appears in both is one message, and `cur` wins.
 * A directory that is large is not read again and again: see `restFactor`. Of very many new messages the newest come
 * into the index at once and the others by `load`, so that a large Maildir opens quickly; its counts are right at once.
 */
import { join } from 'node:path';
import { parseMaildirName, type MaildirName } from './file-name.ts';
import { directoryTimes, modified, readNames, type DirectoryTimes, type Found } from './folder-names.ts';
import { encodeMailId, isDigestId } from './mail-id.ts';
import type { Sql } from './index-database.ts';
import type { MailboxFolders } from './mailbox-folders.ts';

export interface FolderChange {
  readonly added: number;
  /** Removed, moved, or with other flags. */
  readonly changed: number;
  /** Read for the first time since the program started: what was found is no news. */
  readonly first: boolean;
}

export interface FolderScanOptions {
  /** Milliseconds: the grain of the file system's clock, with room (FAT has two seconds). */
  readonly settleTime: number;
  /** After a scan that took t, the next one comes no sooner than t times this, unless it is forced. */
  readonly restFactor: number;
  /** So many new messages of one folder come into the index at once. */
  readonly atOnce: number;
}

/** How long a folder is left alone after it was read, in milliseconds. */
interface Rest {
  readonly length: number;
  /** On the clock of performance.now(), as is `latest`, which no postponement goes beyond. */
  until: number;
  readonly latest: number;
}

/** Messages that `load` is still to put into the index, the oldest first. */
interface Backlog {
  readonly directory: string;
  readonly folder: string;
  readonly files: Arrival[];
  /** To be stored when all are in. */
  readonly times: DirectoryTimes;
}

interface Arrival {
  readonly file: Found;
  readonly parsed: MaildirName;
  readonly received: number;
}

interface Known {
  readonly id: number;
  readonly name: string;
  readonly inNew: boolean;
}

interface FolderRow {
  readonly id: number;
  readonly new_time: string;
  readonly cur_time: string;
}

/** Milliseconds. */
const longestRest = 30_000;

const unchanged: FolderChange = { added: 0, changed: 0, first: false };

export class FolderScan {
  readonly #db: Sql;
  readonly #folders: MailboxFolders;
  readonly #options: FolderScanOptions;
  readonly #rest = new Map<number, Rest>();
  readonly #opened = new Set<number>();
  readonly #backlogs = new Map<number, Backlog>();
  readonly #statements;

  constructor(db: Sql, folders: MailboxFolders, options: FolderScanOptions) {
    this.#db = db;
    this.#folders = folders;
    this.#options = options;
    this.#statements = {
      folder: db.prepare<[string, string], FolderRow>(
        'select id, new_time, cur_time from folder where directory = ? and folder = ?',
      ),
      addFolder: db.prepare<[string, string], FolderRow>(
        'insert into folder (directory, folder) values (?, ?) returning id, new_time, cur_time',
      ),
      setTimes: db.prepare<[string, string, number]>('update folder set new_time = ?, cur_time = ? where id = ?'),
      count: db.prepare<[number, number, number]>(
        'update folder set total = total + ?, unread = unread + ? where id = ?',
      ),
      recount: db.prepare<[{ id: number }]>(
        `update folder set (total, unread) =
           (select count(*), coalesce(sum(1 - seen), 0) from message where folder_id = @id) where id = @id`,
      ),
      known: db
        .prepare<[number], [number, string, string, number]>(
          'select id, name, uniq, in_new from message where folder_id = ?',
        )
        .raw(),
      add: db.prepare<[number, string, string, number, number, number | null, number, number, string | null]>(
        `insert into message (folder_id, name, uniq, in_new, received, size, seen, flagged, long_id)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (folder_id, uniq) do nothing`,
      ),
      rename: db.prepare<[string, number, number, number, number]>(
        'update message set name = ?, in_new = ?, seen = ?, flagged = ? where id = ?',
      ),
      seen: db.prepare<[number], number>('select seen from message where id = ?').pluck(),
      remove: db.prepare<[number]>('delete from message where id = ?'),
      removeWords: db.prepare<[number]>('delete from words where id = ?'),
      foldersOf: db.prepare<[string], number>('select id from folder where directory = ?').pluck(),
      dropFolder: db.prepare<[number]>('delete from folder where id = ?'),
      dropMessages: db.prepare<[number]>('delete from message where folder_id = ?'),
      dropWords: db.prepare<[number]>('delete from words where folder_id = ?'),
    };
  }

  /** The folder's number in the index, when it has been read before. */
  folderId(directory: string, folder: string): number | undefined {
    return this.#statements.folder.get(directory, folder)?.id;
  }

  /** Milliseconds until a folder that was left alone may be read again; 0 when it may be now. */
  restOf(folderId: number): number {
    return Math.max(0, (this.#rest.get(folderId)?.until ?? 0) - performance.now());
  }

  /**
   * What just changed in the folder was done by us, and the index knows: reading it again can wait, though not for ever,
   * since others may be at it too.
   */
  postpone(folderId: number): void {
    const rest = this.#rest.get(folderId);
    if (rest !== undefined) rest.until = Math.min(rest.latest, performance.now() + rest.length);
  }

  /**
   * Reads what changed since the last time. Undefined when there is no such Maildir (any more).
   * `force` reads even a folder that should rest, but not one that has not changed.
   */
  refresh(directory: string, folder: string, force = false): FolderChange | undefined {
    const path = this.#folders.path(directory, folder);
    let row = this.#statements.folder.get(directory, folder);
    let before = directoryTimes(path);
    if (before === undefined) {
      if (row !== undefined) this.forget(row.id);
      return undefined;
    }
    if (row !== undefined) {
      if (row.new_time === this.#settled(before.new) && row.cur_time === this.#settled(before.cur)) {
        if (row.new_time !== '' && row.cur_time !== '') {
          this.#opened.add(row.id);
          return unchanged;
        }
      }
      if (!force && this.restOf(row.id) > 0) return unchanged;
    }
    row ??= this.#statements.addFolder.get(directory, folder);
    if (row === undefined) return undefined;
    this.load(row.id, Number.POSITIVE_INFINITY);
    const start = performance.now();
    const found = new Map<string, Found>();
    // A message that moves while we read may be missed in both directories: read again until nothing moved.
    for (let attempt = 0; attempt < 3; attempt++) {
      found.clear();
      if (before.new !== -1n) readNames(join(path, 'new'), true, found);
      if (before.cur !== -1n) readNames(join(path, 'cur'), false, found);
      const after = directoryTimes(path);
      if (after === undefined || (after.new === before.new && after.cur === before.cur)) break;
      before = after;
    }
    const change = this.#apply(row.id, directory, folder, path, found, before);
    const first = !this.#opened.has(row.id);
    this.#opened.add(row.id);
    const now = performance.now();
    const length = Math.min(longestRest, (now - start) * this.#options.restFactor);
    this.#rest.set(row.id, { length, until: now + length, latest: now + longestRest });
    return { ...change, first };
  }

  /** Whether messages of that folder (of any, when undefined) that are newer than `time` are still to be loaded. */
  owes(folderId: number | undefined, time: number): boolean {
    const backlogs = folderId === undefined ? [...this.#backlogs.values()] : [this.#backlogs.get(folderId)];
    return backlogs.some((backlog) => (backlog?.files.at(-1)?.received ?? Number.NEGATIVE_INFINITY) >= time);
  }

  /** Puts up to `count` more messages of a folder (of each, when undefined) into the index. */
  load(folderId: number | undefined, count: number): void {
    for (const id of folderId === undefined ? [...this.#backlogs.keys()] : [folderId]) {
      const backlog = this.#backlogs.get(id);
      if (backlog === undefined) continue;
      const { directory, folder, files, times } = backlog;
      this.#db.transaction(() => {
        const newest = count >= files.length ? files.splice(0) : files.splice(-count);
        for (const arrival of newest) this.#add(id, directory, folder, arrival);
        if (files.length > 0) return;
        this.#statements.setTimes.run(this.#settled(times.new), this.#settled(times.cur), id);
        // Some may have come both ways, and some have been removed.
        this.#statements.recount.run({ id });
      })();
      if (files.length === 0) this.#backlogs.delete(id);
    }
  }

  /** Puts a file that was just delivered into `new` into the index, without reading the directory. */
  delivered(directory: string, folder: string, names: readonly string[]): number {
    const row = this.#statements.folder.get(directory, folder);
    // Never read before: the first reading will find it.
    if (row === undefined) return 0;
    this.postpone(row.id);
    return this.#db.transaction(() => {
      let added = 0;
      for (const name of names) {
        const parsed = parseMaildirName(name);
        if (parsed === undefined) continue;
        const received = parsed.time ?? Date.now();
        added += this.#add(row.id, directory, folder, { file: { name, inNew: true }, parsed, received });
      }
      this.#statements.count.run(added, added, row.id);
      return added;
    })();
  }

  /** A message was renamed by us. */
  renamed(folderId: number, id: number, name: string, inNew: boolean): void {
    const parsed = parseMaildirName(name);
    if (parsed === undefined) return;
    const wasSeen = this.#statements.seen.get(id) ?? 0;
    const seen = Number(parsed.flags.includes('S'));
    this.#statements.rename.run(name, Number(inNew), seen, Number(parsed.flags.includes('F')), id);
    this.#statements.count.run(0, wasSeen - seen, folderId);
  }

  /** A message was removed, by us or by somebody else. */
  removed(folderId: number, id: number): void {
    const wasSeen = this.#statements.seen.get(id);
    if (wasSeen === undefined) return;
    this.#statements.remove.run(id);
    this.#statements.removeWords.run(id);
    this.#statements.count.run(-1, wasSeen - 1, folderId);
  }

  /** The mailbox is gone, with all its folders. */
  forgetMailbox(directory: string): void {
    for (const id of this.#statements.foldersOf.all(directory)) this.forget(id);
  }

  /** The folder is gone. */
  forget(folderId: number): void {
    this.#rest.delete(folderId);
    this.#opened.delete(folderId);
    this.#backlogs.delete(folderId);
    this.#db.transaction(() => {
      this.#statements.dropWords.run(folderId);
      this.#statements.dropMessages.run(folderId);
      this.#statements.dropFolder.run(folderId);
    })();
  }

  #apply(
    folderId: number,
    directory: string,
    folder: string,
    path: string,
    found: Map<string, Found>,
    times: DirectoryTimes,
  ): { added: number; changed: number } {
    return this.#db.transaction(() => {
      let changed = 0;
      for (const [id, name, unique, inNew] of this.#statements.known.all(folderId)) {
        const now = found.get(unique);
        const known: Known = { id, name, inNew: inNew === 1 };
        if (now === undefined) {
          this.removed(folderId, id);
          changed++;
        } else {
          found.delete(unique);
          if (now.name !== known.name || now.inNew !== known.inNew) {
            this.renamed(folderId, id, now.name, now.inNew);
            changed++;
          }
        }
      }
      const arrivals: Arrival[] = [];
      let unread = 0;
      for (const file of found.values()) {
        const parsed = parseMaildirName(file.name);
        if (parsed === undefined) continue;
        const received = parsed.time ?? modified(join(path, file.inNew ? 'new' : 'cur', file.name));
        arrivals.push({ file, parsed, received });
        if (!parsed.flags.includes('S')) unread++;
      }
      arrivals.sort((a, b) => a.received - b.received);
      const added = arrivals.length;
      for (const arrival of arrivals.splice(-this.#options.atOnce)) this.#add(folderId, directory, folder, arrival);
      this.#statements.count.run(added, unread, folderId);
      if (arrivals.length > 0) this.#backlogs.set(folderId, { directory, folder, files: arrivals, times });
      else this.#statements.setTimes.run(this.#settled(times.new), this.#settled(times.cur), folderId);
      return { added, changed };
    })();
  }

  #add(folderId: number, directory: string, folder: string, { file, parsed, received }: Arrival): number {
    // An id is four thirds of this in length.
    const long = directory.length + folder.length + parsed.unique.length > 120;
    const id = long ? encodeMailId({ directory, folder, unique: parsed.unique }) : '';
    return this.#statements.add.run(
      folderId,
      file.name,
      parsed.unique,
      Number(file.inNew),
      received,
      parsed.size ?? null,
      Number(parsed.flags.includes('S')),
      Number(parsed.flags.includes('F')),
      isDigestId(id) ? id : null,
    ).changes;
  }

  /** The time as it may be relied on: '' when a further change might not show in it. */
  #settled(time: bigint): string {
    return time > BigInt(Date.now() - this.#options.settleTime) * 1_000_000n ? '' : time.toString();
  }
}
