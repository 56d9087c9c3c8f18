/**
 * The `mail.*` methods over a folder of Maildirs, in one thread: mailboxes, lists, searches, messages, flags, removal.
 *
 * Promises: what other programs do to the Maildirs is seen with the next call (a very large folder may lag some
 * seconds); a message that somebody else changed or removed first is no fault; hostile names, ids and contents do
 * neither lead out of the root nor cost unbounded memory. Reads and writes files synchronously: give it a thread.
 * Fails: PostriderError `not-found`, `bad-input`; anything else is the file system's.
 */
import { badInput, PostriderError } from '../contract/errors.ts';
import type { MailServerHandlers } from '../contract/server.ts';
import { ContentIndex } from './content-index.ts';
import { FolderScan, type FolderChange } from './folder-scan.ts';
import { messageColumns, openIndex, summaryOf, type MessageRow, type Sql } from './index-database.ts';
import { compileMailFilter } from './mail-filter.ts';
import { encodeMailId } from './mail-id.ts';
import { MailActions } from './mail-actions.ts';
import { MailLocator } from './mail-locator.ts';
import { MailboxFolders } from './mailbox-folders.ts';
import { readSlice, type FileSlice } from './message-file.ts';
import { listedParts, partContent, readMessage } from './message.ts';
import { readStructure } from './structure.ts';

export const mailMethods = [
  'mail.mailboxes',
  'mail.list',
  'mail.get',
  'mail.part',
  'mail.raw',
  'mail.flag',
  'mail.remove',
] as const;
export type MailMethod = (typeof mailMethods)[number];
export type MailHandlers = Pick<MailServerHandlers, MailMethod>;

export interface MailReaderOptions {
  /** Where the index is kept; in memory when absent. */
  readonly cacheFile?: string | undefined;
  /** A larger message is shown by its beginning only. */
  readonly messageBytes?: number | undefined;
  /** How much of such a message is read. */
  readonly beginningBytes?: number | undefined;
  readonly headBytes?: number | undefined;
  readonly structureBytes?: number | undefined;
  /** Milliseconds a search waits for the index when messages are new to it. */
  readonly searchWait?: number | undefined;
  readonly settleTime?: number | undefined;
  readonly restFactor?: number | undefined;
  /** So many new messages of a folder are listed before the others are in the index too. */
  readonly atOnce?: number | undefined;
  readonly sliceTime?: number | undefined;
}

/** What a reader tells of its own accord. */
export interface MailReaderEvents {
  arrived(mailbox: string, count: number): void;
  changed(mailbox: string): void;
  /** Somebody looks at this mailbox: it is worth watching. */
  opened(directory: string): void;
}

/** Time and number of a message: its place in a list. */
type Where = [number, number];

interface ListPage {
  rows: MessageRow[];
  total: number;
  more: boolean;
}

export class MailReader {
  readonly handlers: MailHandlers;
  readonly #options: MailReaderOptions;
  readonly #events: MailReaderEvents;
  readonly #folders: MailboxFolders;
  readonly #db: Sql;
  readonly #scan: FolderScan;
  readonly #content: ContentIndex;
  readonly #locator: MailLocator;
  readonly #actions: MailActions;
  /** Arrivals that the server told of itself, by directory: the scan that finds them is no news. */
  readonly #told = new Map<string, number>();
  /** Directories whose messages a search missed because they were not in the index yet. */
  readonly #incomplete = new Set<string>();
  /** By Maildir++ folder: when that folder of all mailboxes may be looked at again. */
  readonly #allRest = new Map<string, number>();

  #working = false;
  #closed = false;

  constructor(root: string, options: MailReaderOptions, events: MailReaderEvents) {
    this.#options = options;
    this.#events = events;
    this.#folders = new MailboxFolders(root);
    this.#db = openIndex(options.cacheFile);
    this.#scan = new FolderScan(this.#db, this.#folders, {
      settleTime: options.settleTime ?? 2000,
      restFactor: options.restFactor ?? 10,
      atOnce: options.atOnce ?? 2000,
    });
    this.#content = new ContentIndex(
      this.#db,
      this.#folders,
      {
        headBytes: options.headBytes ?? 65_536,
        structureBytes: options.structureBytes ?? 2 * 1_048_576,
        sliceTime: options.sliceTime ?? 10,
      },
      (directory, folder) => this.#refresh(directory, folder, true),
      () => this.#contentComplete(),
    );
    this.#locator = new MailLocator(this.#db, this.#folders, (directory, folder) =>
      this.#refresh(directory, folder, true),
    );
    this.#actions = new MailActions(this.#db, this.#folders, this.#scan, this.#locator, (directory) =>
      events.changed(this.#folders.nameOf(directory)),
    );
    this.handlers = {
      'mail.mailboxes': () => this.#mailboxes(),
      'mail.list': (input) => this.#list(input),
      'mail.get': ({ id }) => this.#get(id),
      'mail.part': ({ id, index }) => this.#part(id, index),
      'mail.raw': ({ id, offset, length }) => this.#raw(id, offset, length),
      'mail.flag': (input, context) => this.#actions.flag(input, context),
      'mail.remove': ({ ids }, context) => this.#actions.remove(ids, context),
    };
  }

  /** The server delivered `count` messages there. With the files' names nothing has to be read to know them. */
  delivered(directory: string, files: readonly string[], count: number): void {
    this.#scan.delivered(directory, '', files);
    const unnamed = count - files.length;
    if (unnamed > 0) this.#told.set(directory, (this.#told.get(directory) ?? 0) + unnamed);
    this.#content.start();
  }

  /** Looks for what others changed in a mailbox's folders that were opened, and tells of it. Milliseconds until it makes sense again. */
  check(directory: string): number {
    let rest = 0;
    for (const folder of ['', ...this.#folders.folders(directory)]) {
      const id = this.#scan.folderId(directory, folder);
      if (id === undefined) continue;
      this.#refresh(directory, folder, false);
      rest = Math.max(rest, this.#scan.restOf(id));
    }
    return rest;
  }

  close(): void {
    this.#closed = true;
    this.#content.close();
    this.#db.close();
  }

  #mailboxes(): Awaited<ReturnType<MailHandlers['mail.mailboxes']>> {
    const directories = this.#refreshAll('');
    const counts = new Map(
      this.#db
        .prepare<[], [string, number, number]>("select directory, total, unread from folder where folder = ''")
        .raw()
        .all()
        .map(([directory, total, unread]) => [directory, { total, unread }] as const),
    );
    const mailboxes = [];
    for (const directory of directories) {
      const count = counts.get(directory);
      if (count === undefined) continue;
      mailboxes.push({ name: this.#folders.nameOf(directory), folders: this.#folders.folders(directory), ...count });
    }
    mailboxes.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { mailboxes };
  }

  async #list(
    input: Parameters<MailHandlers['mail.list']>[0],
  ): Promise<Awaited<ReturnType<MailHandlers['mail.list']>>> {
    const { mailbox, folder, limit } = input;
    const filter = compileMailFilter(input.filter, Date.now());
    const after = input.cursor === undefined ? undefined : parseCursor(input.cursor);
    const directory = mailbox === undefined ? undefined : this.#folders.directoryOf(mailbox);
    if (directory === undefined) {
      if (mailbox !== undefined) throw new PostriderError('not-found', `There is no mailbox ${mailbox}`);
      this.#refreshAll(folder);
    } else if (this.#refresh(directory, folder, false) === undefined) {
      throw new PostriderError(
        'not-found',
        folder === '' ? `There is no mailbox ${mailbox ?? ''}` : `${mailbox ?? ''} has no folder ${folder}`,
      );
    }
    const folderId = directory === undefined ? undefined : this.#scan.folderId(directory, folder);
    if (input.filter.length > 0) this.#scan.load(folderId, Number.POSITIVE_INFINITY);
    if (filter.needsContent && !(await this.#content.settle(folderId, this.#options.searchWait ?? 2000))) {
      this.#incomplete.add(directory ?? '');
    }
    this.#work();

    const conditions = [...filter.message];
    const values: (string | number)[] = [...filter.messageValues];
    if (folderId === undefined) {
      conditions.push('f.folder = ?');
      values.push(folder);
    } else {
      conditions.push('m.folder_id = ?');
      values.push(folderId);
    }
    const query = (): ListPage =>
      filter.words.length > 0
        ? this.#search(filter, conditions, values, folderId, after, limit)
        : this.#page(conditions, values, folderId, filter.message.length === 0, after, limit);
    let page = query();
    const oldest = page.more ? (page.rows.at(-1)?.received ?? 0) : Number.NEGATIVE_INFINITY;
    if (this.#scan.owes(folderId, oldest)) {
      this.#scan.load(folderId, Number.POSITIVE_INFINITY);
      page = query();
    }
    const rows = this.#content.read(page.rows);
    const last = page.rows.at(-1);
    for (const shown of directory === undefined ? new Set(rows.map((row) => row.directory)) : [directory]) {
      this.#events.opened(shown);
    }
    return {
      messages: rows.map((row) =>
        summaryOf(
          row,
          encodeMailId({ directory: row.directory, folder: row.folder, unique: row.uniq }),
          this.#folders.nameOf(row.directory),
        ),
      ),
      ...(page.more && last !== undefined ? { cursor: `${String(last.received)}.${String(last.id)}` } : {}),
      total: page.total,
    };
  }

  /** A page without words: straight from the list's index. */
  #page(
    conditions: string[],
    values: (string | number)[],
    folderId: number | undefined,
    plain: boolean,
    after: Where | undefined,
    limit: number,
  ): ListPage {
    const from = 'from message m join folder f on f.id = m.folder_id where';
    const where = after === undefined ? conditions : [...conditions, '(m.received, m.id) < (?, ?)'];
    const rows = this.#db
      .prepare<(string | number)[], MessageRow>(
        `select ${messageColumns} ${from} ${where.join(' and ')} order by m.received desc, m.id desc limit ?`,
      )
      .all(...values, ...(after ?? []), limit + 1);
    const total = plain
      ? folderId === undefined
        ? this.#db
            .prepare<[string | number], number>('select coalesce(sum(total), 0) from folder where folder = ?')
            .pluck()
            .get(values.at(-1) ?? '')
        : this.#db.prepare<[number], number>('select total from folder where id = ?').pluck().get(folderId)
      : this.#db
          .prepare<(string | number)[], number>(`select count(*) ${from} ${conditions.join(' and ')}`)
          .pluck()
          .get(...values);
    return { rows: rows.slice(0, limit), total: total ?? 0, more: rows.length > limit };
  }

  /** A page of a search: one pass over the words, then the rows of the page. */
  #search(
    filter: ReturnType<typeof compileMailFilter>,
    conditions: string[],
    values: (string | number)[],
    folderId: number | undefined,
    after: Where | undefined,
    limit: number,
  ): ListPage {
    // `cross join` keeps SQLite to this order: words first, one after the other.
    const alone = folderId !== undefined && filter.message.length === 0;
    const joined = alone ? '' : 'cross join message m on m.id = w.id cross join folder f on f.id = m.folder_id';
    const where = [...filter.words, ...(alone ? ['w.folder_id = ?'] : conditions)].join(' and ');
    const found = this.#db
      .prepare<(string | number)[], Where>(`select w.received, w.id from words w ${joined} where ${where}`)
      .raw()
      .all(...filter.wordValues, ...(alone ? [folderId] : values));
    const page = newest(found, after, limit + 1);
    const get = this.#db.prepare<[number], MessageRow>(
      `select ${messageColumns} from message m join folder f on f.id = m.folder_id where m.id = ?`,
    );
    const rows = page
      .slice(0, limit)
      .map(([, id]) => get.get(id))
      .filter((row) => row !== undefined);
    return { rows, total: found.length, more: page.length > limit };
  }

  #get(id: string): Awaited<ReturnType<MailHandlers['mail.get']>> {
    const { row, file } = this.#open(id);
    const [indexed = row] = this.#content.read([row]);
    const name = this.#folders.nameOf(row.directory);
    return {
      ...summaryOf(indexed, id, name),
      size: file.size,
      ...readMessage(file.bytes, readStructure(file.bytes), file.bytes.length === file.size),
    };
  }

  #part(id: string, index: number): Awaited<ReturnType<MailHandlers['mail.part']>> {
    const { file } = this.#open(id);
    const part = listedParts(readStructure(file.bytes))[index];
    if (part === undefined) throw new PostriderError('not-found', `The message has no part ${String(index)}`);
    if (part.end === file.bytes.length && file.bytes.length < file.size) {
      throw new PostriderError('unsupported', 'The message is too large to be taken apart; save its source instead');
    }
    return {
      type: part.type,
      ...(part.filename === undefined ? {} : { filename: part.filename }),
      data: partContent(file.bytes, part).toString('base64'),
    };
  }

  #raw(id: string, offset: number, length: number): Awaited<ReturnType<MailHandlers['mail.raw']>> {
    const { file } = this.#locator.read(id, (path) => readSlice(path, offset, length));
    return { data: file.bytes.toString('base64'), total: file.size };
  }

  /** The message, or its beginning when it is too large. */
  #open(id: string): { row: MessageRow; file: FileSlice } {
    const whole = this.#options.messageBytes ?? 25 * 1_048_576;
    return this.#locator.read(id, (path) => {
      // One look at the size, one read: never more of a large file than its beginning.
      const size = readSlice(path, 0, 0)?.size;
      if (size === undefined) return undefined;
      return readSlice(path, 0, size > whole ? (this.#options.beginningBytes ?? 1_048_576) : whole);
    });
  }

  #refresh(directory: string, folder: string, force: boolean): FolderChange | undefined {
    const change = this.#scan.refresh(directory, folder, force);
    if (change === undefined) return undefined;
    const mailbox = this.#folders.nameOf(directory);
    const told = this.#told.get(directory) ?? 0;
    if (folder === '') this.#told.delete(directory);
    const news = folder === '' ? change.added - told : 0;
    if (change.added > 0) this.#work();
    if (change.first) return change;
    if (news > 0) this.#events.arrived(mailbox, news);
    if (change.changed > 0 || (folder !== '' && change.added > 0)) this.#events.changed(mailbox);
    return change;
  }

  /** Brings that folder of every mailbox up to date, and returns the directories; not again and again when there are many. */
  #refreshAll(folder: string): string[] {
    const directories = this.#folders.directories();
    const start = performance.now();
    const rested = start >= (this.#allRest.get(folder) ?? 0);
    const known = new Set(this.#db.prepare<[], string>('select distinct directory from folder').pluck().all());
    for (const directory of directories) {
      if (rested || !known.has(directory)) this.#refresh(directory, folder, false);
      known.delete(directory);
    }
    for (const directory of known) this.#scan.forgetMailbox(directory);
    if (rested) {
      const rest = (performance.now() - start) * (this.#options.restFactor ?? 10);
      this.#allRest.set(folder, performance.now() + rest);
    }
    return directories;
  }

  /** Goes on, in slices, with what is not in the index yet: names first, then contents. */
  #work(): void {
    if (this.#working || this.#closed) return;
    if (!this.#scan.owes(undefined, Number.NEGATIVE_INFINITY)) {
      this.#content.start();
      return;
    }
    this.#working = true;
    setImmediate(() => {
      this.#working = false;
      if (this.#closed) return;
      this.#scan.load(undefined, 1000);
      this.#work();
    });
  }

  /** All messages are in the index now: whoever searched too early may search again. */
  #contentComplete(): void {
    const directories = this.#incomplete.has('') ? this.#folders.directories() : [...this.#incomplete];
    this.#incomplete.clear();
    for (const directory of directories) this.#events.changed(this.#folders.nameOf(directory));
  }
}

/** The `count` newest of `found` that come after `after`, in order. */
function newest(found: Where[], after: Where | undefined, count: number): Where[] {
  const order = (a: Where, b: Where): number => b[0] - a[0] || b[1] - a[1];
  const candidates = after === undefined ? found : found.filter((where) => order(after, where) < 0);
  return candidates.sort(order).slice(0, count);
}

function parseCursor(cursor: string): Where {
  const match = /^(-?\d{1,16})\.(\d{1,16})$/.exec(cursor);
  if (match === null) throw badInput('cursor', 'cursor: not one that mail.list gave. List anew without it.');
  return [Number(match[1]), Number(match[2])];
}
