/**
 * Reads the beginnings of messages into the index: what the lists show and the searches look through.
 *
 * Works in the background in short slices, newest messages first, and gives way to requests between them.
 * Promises: a message that cannot be read, or is none, is listed all the same, with an empty summary; one that was
 * renamed meanwhile is found again.
 */
import { join } from 'node:path';
import { digest, defaultDigestLimits, type Digest } from './summary.ts';
import { readStructure } from './structure.ts';
import { readSlice } from './message-file.ts';
import type { MailboxFolders } from './mailbox-folders.ts';
import type { MessageRow, Sql } from './index-database.ts';
import { messageColumns } from './index-database.ts';

export interface ContentIndexOptions {
  /** Bytes read of every message. */
  readonly headBytes: number;
  /** Bytes read of a multipart message, so that its attachments are counted. */
  readonly structureBytes: number;
  /** Milliseconds of one slice of background work. */
  readonly sliceTime: number;
}

const emptyDigest: Digest = {
  from: '',
  fromName: '',
  to: '',
  subject: '',
  snippet: '',
  searchText: '',
  attachments: 0,
  remoteContent: false,
  report: undefined,
};

export class ContentIndex {
  readonly #db: Sql;
  readonly #folders: MailboxFolders;
  readonly #options: ContentIndexOptions;
  readonly #refresh: (directory: string, folder: string) => void;
  readonly #statements;
  readonly #onIdle: () => void;
  #running = false;
  #closed = false;

  /** `refresh` reads a folder again when a file of it is not where the index says; `onIdle` hears when all is read. */
  constructor(
    db: Sql,
    folders: MailboxFolders,
    options: ContentIndexOptions,
    refresh: (directory: string, folder: string) => void,
    onIdle: () => void,
  ) {
    this.#db = db;
    this.#folders = folders;
    this.#options = options;
    this.#refresh = refresh;
    this.#onIdle = onIdle;
    const from = `select ${messageColumns} from message m join folder f on f.id = m.folder_id where m.digested = 0`;
    this.#statements = {
      anywhere: db.prepare<[number], MessageRow>(`${from} limit ?`),
      within: db.prepare<[number, number], MessageRow>(`${from} and m.folder_id = ? order by m.received desc limit ?`),
      byId: db.prepare<[number], MessageRow>(
        `select ${messageColumns} from message m join folder f on f.id = m.folder_id where m.id = ?`,
      ),
      store: db.prepare(
        `update message set digested = ?, size = ?, sender = ?, sender_name = ?, recipients = ?, subject = ?, snippet = ?,
         attachments = ?, remote = ?, report = ? where id = ?`,
      ),
      storeWords: db.prepare(
        `insert or replace into words (id, folder_id, received, words, sender, recipients, subject)
         values (?, ?, ?, ?, ?, ?, ?)`,
      ),
    };
  }

  /** Starts reading in the background, if it is not running. */
  start(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    setImmediate(() => this.#slice());
  }

  close(): void {
    this.#closed = true;
  }

  /** Reads these messages now. Returns them as they are in the index afterwards. */
  read(rows: readonly MessageRow[]): MessageRow[] {
    const missing = rows.filter((row) => row.digested === 0);
    if (missing.length === 0) return [...rows];
    this.#store(missing);
    return rows
      .map((row) => (row.digested === 0 ? this.#statements.byId.get(row.id) : row))
      .filter((row) => row !== undefined);
  }

  /**
   * Reads what is unread yet of the folder (of all, when undefined) until it is done or `time` milliseconds have
   * passed, giving way between slices. Resolves with whether it is done.
   */
  async settle(folderId: number | undefined, time: number): Promise<boolean> {
    const deadline = performance.now() + time;
    for (;;) {
      if (!this.#readSome(folderId)) return true;
      if (this.#closed || performance.now() > deadline) return false;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #slice(): void {
    if (this.#closed) return;
    const start = performance.now();
    const more = this.#readSome(undefined);
    if (more) {
      // Half of a core at most: mail goes first.
      setTimeout(() => this.#slice(), performance.now() - start);
      return;
    }
    this.#running = false;
    this.#onIdle();
  }

  /** One slice of work; false when there was none. */
  #readSome(folderId: number | undefined): boolean {
    const batch = 64;
    const deadline = performance.now() + this.#options.sliceTime;
    do {
      const { anywhere, within } = this.#statements;
      const rows = folderId === undefined ? anywhere.all(batch) : within.all(folderId, batch);
      if (rows.length === 0) return false;
      this.#store(rows);
    } while (performance.now() < deadline);
    return true;
  }

  #store(rows: readonly MessageRow[]): void {
    // In the order of the table, which then stays dense.
    const ordered = [...rows].sort((a, b) => a.id - b.id);
    const read = ordered.map((row) => ({ row, result: this.#digest(row) }));
    const lost = new Map(
      read.filter(({ result }) => result === undefined).map(({ row }) => [row.folder_id, row] as const),
    );
    for (const row of lost.values()) this.#refresh(row.directory, row.folder);
    this.#db.transaction(() => {
      for (const { row, result } of read) {
        if (result !== undefined) {
          this.#put(row, result.digest, result.size, 1);
          continue;
        }
        const now = this.#statements.byId.get(row.id);
        if (now?.digested !== 0) continue;
        const again = this.#digest(now);
        this.#put(now, again?.digest ?? emptyDigest, again?.size ?? now.size ?? 0, again === undefined ? 2 : 1);
      }
    })();
  }

  #put(row: MessageRow, content: Digest, size: number, digested: number): void {
    const { from, fromName, to, subject, snippet, attachments, remoteContent, report } = content;
    const changes = this.#statements.store.run(
      digested,
      size,
      from,
      fromName,
      to,
      subject,
      snippet,
      attachments,
      Number(remoteContent),
      report ?? null,
      row.id,
    ).changes;
    // Removed meanwhile: no words for it either.
    if (changes === 0) return;
    const fields = [`${fromName} ${from}`, to, subject].map((text) => text.toLowerCase());
    const words = [...fields, content.searchText.toLowerCase()].join('\n');
    this.#statements.storeWords.run(row.id, row.folder_id, row.received, words, ...fields);
  }

  #digest(row: MessageRow): { digest: Digest; size: number } | undefined {
    const { headBytes, structureBytes } = this.#options;
    const path = join(this.#folders.path(row.directory, row.folder), row.in_new === 1 ? 'new' : 'cur', row.name);
    let head = readSlice(path, 0, headBytes);
    if (head === undefined) return undefined;
    let structure = readStructure(head.bytes);
    if (head.bytes.length < head.size && structure.contentType.value.startsWith('multipart/')) {
      head = readSlice(path, 0, structureBytes) ?? head;
      structure = readStructure(head.bytes);
    }
    return { digest: digest(head.bytes, structure, defaultDigestLimits), size: head.size };
  }
}
