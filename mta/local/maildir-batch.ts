/**
 * Puts a batch of messages into Maildirs, durably.
 *
 * For each: `tmp/` with O_EXCL, write, fdatasync, rename into `new/`; then one fsync of each `new/` touched. Only then
 * is a message reported as delivered. The syncs of a batch run at the same time, so that the file system commits its
 * journal once for many; everything else is synchronous, which costs a thread of its own the least.
 *
 * Promises: nothing is left in `tmp/` by a failure (a crash may leave files; Maildir readers remove those older than
 * 36 hours). Folders are made when missing. A failure of one message is its own. When the fsync of `new/` fails,
 * the messages renamed into it are taken out again and reported as failed: they must not be delivered twice.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  fstatSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join, dirname } from 'node:path';
import { syncFolder, syncFolderNow } from '../files/sync-folder.ts';
import { errorCode, systemErrorText } from '../qmgr/system-error.ts';

export interface MaildirItem {
  readonly id: number;
  /** The Maildir, an absolute path. */
  readonly folder: string;
  /** Header lines to put before the message, each ending in LF. */
  readonly head: string;
  readonly body: { readonly data: Uint8Array } | { readonly path: string };
  /** Bytes of head and body that the file may have; 0 is no limit (virtual_mailbox_limit, mailbox_size_limit). */
  readonly limit: number;
}

export interface MaildirResult {
  readonly id: number;
  /** The name in `new/`. */
  readonly file?: string;
  readonly size?: number;
  readonly error?: { readonly code: string; readonly text: string };
}

interface Written {
  readonly item: MaildirItem;
  readonly fd: number;
  readonly name: string;
  readonly size: number;
}

const chunkSize = 256 * 1024;
const run = randomBytes(4).toString('hex');
let serial = 0;

/** `host` with what Maildir names may not hold replaced, as maildir(5) asks. */
export function maildirHost(host: string): string {
  const clean = host.replaceAll('/', '\\057').replaceAll(':', '\\072').replaceAll(',', '\\054');
  return /^[\x21-\x7e]{1,100}$/.test(clean) ? clean : 'localhost';
}

function uniqueName(host: string, size: number): string {
  const now = performance.timeOrigin + performance.now();
  const seconds = Math.floor(now / 1000);
  const micros = Math.floor((now - seconds * 1000) * 1000);
  serial = (serial + 1) >>> 0;
  const random = run + serial.toString(16).padStart(8, '0');
  return `${seconds}.M${micros}P${process.pid}R${random}.${host},S=${size}`;
}

/** Delivers all of `items`; never rejects. `host` comes from maildirHost. */
export async function deliverBatch(items: readonly MaildirItem[], host: string): Promise<MaildirResult[]> {
  const results: MaildirResult[] = [];
  const written: Written[] = [];
  for (const item of items) {
    try {
      written.push(write(item, host));
    } catch (error) {
      results.push(failed(item, error));
    }
  }
  const unsynced = new Set<Written>();
  await Promise.all(
    written.map(
      (entry) =>
        new Promise<void>((resolve) => {
          fdatasync(entry.fd, (error) => {
            if (error !== null) {
              results.push(failed(entry.item, error));
              unsynced.add(entry);
            }
            resolve();
          });
        }),
    ),
  );
  const renamed = new Map<string, Written[]>();
  for (const entry of written) {
    const temporary = join(entry.item.folder, 'tmp', entry.name);
    closeQuietly(entry.fd);
    if (unsynced.has(entry)) {
      unlinkQuietly(temporary);
      continue;
    }
    try {
      renameSync(temporary, join(entry.item.folder, 'new', entry.name));
      const folder = renamed.get(entry.item.folder);
      if (folder === undefined) renamed.set(entry.item.folder, [entry]);
      else folder.push(entry);
    } catch (error) {
      unlinkQuietly(temporary);
      results.push(failed(entry.item, error));
    }
  }
  await Promise.all(
    [...renamed].map(async ([folder, entries]) => {
      try {
        await syncFolder(join(folder, 'new'));
        for (const { item, name, size } of entries) results.push({ id: item.id, file: name, size });
      } catch (error) {
        for (const { item, name } of entries) {
          unlinkQuietly(join(folder, 'new', name));
          results.push(failed(item, error));
        }
      }
    }),
  );
  return results;
}

function write(item: MaildirItem, host: string): Written {
  const head = Buffer.from(item.head, 'utf8');
  const source = 'path' in item.body ? openSync(item.body.path, 'r') : undefined;
  try {
    const bodySize = 'data' in item.body ? item.body.data.byteLength : fstatSync(source ?? -1).size;
    const size = head.length + bodySize;
    if (item.limit > 0 && size > item.limit) throw Object.assign(new Error('File too large'), { code: 'EFBIG' });
    const name = uniqueName(host, size);
    const temporary = join(item.folder, 'tmp', name);
    const fd = create(item.folder, temporary);
    try {
      if ('data' in item.body) {
        writeAll(fd, Buffer.concat([head, item.body.data]));
      } else {
        writeAll(fd, head);
        copy(source ?? -1, fd);
      }
    } catch (error) {
      closeQuietly(fd);
      unlinkQuietly(temporary);
      throw error;
    }
    return { item, fd, name, size };
  } finally {
    if (source !== undefined) closeQuietly(source);
  }
}

function create(folder: string, file: string): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  try {
    return openSync(file, flags, 0o600);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    makeMaildir(folder);
    return openSync(file, flags, 0o600);
  }
}

/** Makes the Maildir; its own entry and its three folders are on disk when this returns. */
function makeMaildir(folder: string): void {
  for (const part of ['tmp', 'new', 'cur']) mkdirSync(join(folder, part), { recursive: true, mode: 0o700 });
  for (const made of [folder, dirname(folder)]) syncFolderNow(made);
}

function writeAll(fd: number, data: Uint8Array): void {
  for (let offset = 0; offset < data.byteLength;) offset += writeSync(fd, data, offset);
}

function copy(from: number, to: number): void {
  const chunk = Buffer.allocUnsafe(chunkSize);
  for (;;) {
    const length = readSync(from, chunk, 0, chunkSize, null);
    if (length === 0) return;
    writeAll(to, chunk.subarray(0, length));
  }
}

function failed(item: MaildirItem, error: unknown): MaildirResult {
  return { id: item.id, error: { code: errorCode(error) ?? '', text: systemErrorText(error) } };
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The sync before it reported what matters.
  }
}

function unlinkQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // Gone already, or the disk is beyond help: the failure is reported by the caller.
  }
}
