/**
 * Flags and removal, as maildir(5) has them: flags are letters in the file name, and a message whose flags were set
 * lives in `cur`.
 *
 * Promises: tolerant of other programs that rename or remove first; letters that are not ours stay; a rename never
 * replaces another message. An action over many messages gives way between slices, reports progress, and stops where
 * it is when cancelled: what was done stays done, and is counted.
 */
import { existsSync, mkdirSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type * as z from 'zod';
import type { CallContext } from '../contract/contract.ts';
import type { ActionResult } from '../contract/mail.ts';
import { parseMaildirName, switchFlag, withFlags } from './file-name.ts';
import type { FolderScan } from './folder-scan.ts';
import type { MessageRow, Sql } from './index-database.ts';
import type { MailboxFolders } from './mailbox-folders.ts';
import type { MailLocator } from './mail-locator.ts';
import { isSystemError } from './system-error.ts';

type Result = z.input<typeof ActionResult>;
/** False when the file is not where the row says. */
type Step = (row: MessageRow) => boolean;

const sliceTime = 20;
const sliceMessages = 200;

export class MailActions {
  readonly #db: Sql;
  readonly #folders: MailboxFolders;
  readonly #scan: FolderScan;
  readonly #locator: MailLocator;
  readonly #changed: (directory: string) => void;

  constructor(
    db: Sql,
    folders: MailboxFolders,
    scan: FolderScan,
    locator: MailLocator,
    changed: (directory: string) => void,
  ) {
    this.#db = db;
    this.#folders = folders;
    this.#scan = scan;
    this.#locator = locator;
    this.#changed = changed;
  }

  /** Sets or clears `S` and `F`. */
  flag(
    input: { ids: readonly string[]; seen?: boolean | undefined; flagged?: boolean | undefined },
    context: CallContext,
  ): Promise<Result> {
    return this.#each(input.ids, context, (row) => {
      const flags = parseMaildirName(row.name)?.flags ?? '';
      let wanted = input.seen === undefined ? flags : switchFlag(flags, 'S', input.seen);
      if (input.flagged !== undefined) wanted = switchFlag(wanted, 'F', input.flagged);
      const name = withFlags(row.name, wanted);
      if (row.in_new === 0 && (name === row.name || wanted === flags)) return existsSync(this.#locator.path(row));
      const cur = join(this.#folders.path(row.directory, row.folder), 'cur');
      const target = join(cur, name);
      if (existsSync(target)) return false;
      try {
        rename(this.#locator.path(row), target, cur);
      } catch (error) {
        if (isSystemError(error, 'ENOENT')) return false;
        throw error;
      }
      this.#scan.renamed(row.folder_id, row.id, name, false);
      return true;
    });
  }

  remove(ids: readonly string[], context: CallContext): Promise<Result> {
    return this.#each(ids, context, (row) => {
      try {
        unlinkSync(this.#locator.path(row));
      } catch (error) {
        if (isSystemError(error, 'ENOENT')) return false;
        throw error;
      }
      this.#scan.removed(row.folder_id, row.id);
      return true;
    });
  }

  async #each(ids: readonly string[], context: CallContext, step: Step): Promise<Result> {
    const result: Result & { cancelled: boolean } = { done: 0, unknown: [], cancelled: false };
    const touched = new Map<string, Set<number>>();
    const refreshed = new Set<string>();
    let at = 0;
    try {
      while (at < ids.length) {
        if (context.signal.aborted) {
          result.cancelled = true;
          break;
        }
        const deadline = performance.now() + sliceTime;
        // One by one on disk; what the index learns of it in one transaction.
        this.#db.exec('begin');
        try {
          for (const end = Math.min(ids.length, at + sliceMessages); at < end && performance.now() < deadline; at++) {
            const id = ids[at] ?? '';
            const row = this.#one(id, step, refreshed);
            if (row === undefined) {
              result.unknown.push(id);
              continue;
            }
            result.done++;
            const folders = touched.get(row.directory) ?? new Set();
            touched.set(row.directory, folders.add(row.folder_id));
          }
        } finally {
          // Also after a fault: the files are renamed, and the index must say so.
          if (this.#db.inTransaction) this.#db.exec('commit');
        }
        context.progress({ done: at, total: ids.length });
        if (at < ids.length) await new Promise<void>((resolve) => setImmediate(resolve));
      }
    } finally {
      for (const [directory, folders] of touched) {
        for (const id of folders) this.#scan.postpone(id);
        this.#changed(directory);
      }
    }
    return result;
  }

  /** The message, if it was there to be changed. */
  #one(id: string, step: Step, refreshed: Set<string>): MessageRow | undefined {
    let row = this.#locator.find(id, refreshed);
    if (row === undefined) return undefined;
    if (step(row)) return row;
    row = this.#locator.findAgain(id, row, refreshed);
    return row !== undefined && step(row) ? row : undefined;
  }
}

function rename(from: string, to: string, directory: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || existsSync(directory)) throw error;
    // A Maildir that lost its `cur`.
    mkdirSync(directory, { mode: 0o700 });
    renameSync(from, to);
  }
}
