/**
 * The mailboxes below the root as they stand on disk: which directories are Maildirs, under which name each is known,
 * and which Maildir++ folders it has.
 *
 * Promises: nothing outside of the root is ever named: hidden entries, links and names that could move are passed over.
 */
import { lstatSync, readdirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { mailboxFolder, mailboxOfFolder } from '../local/mailbox-name.ts';
import { isFolderName, isPlainSegment } from './mail-id.ts';
import { isSystemError } from './system-error.ts';

export class MailboxFolders {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Directories below the root that may be mailboxes. */
  directories(): string[] {
    return entries(this.#root)
      .filter((entry) => entry.isDirectory() && isPlainSegment(entry.name))
      .map((entry) => entry.name);
  }

  /** The Maildir++ folders of a mailbox, without their dots, sorted. */
  folders(directory: string): string[] {
    return entries(join(this.#root, directory))
      .filter((entry) => entry.isDirectory() && entry.name.startsWith('.') && isFolderName(entry.name.slice(1)))
      .map((entry) => entry.name.slice(1))
      .sort();
  }

  /** The name by which people know the mailbox of a directory; the directory's own for one that was not made by us. */
  nameOf(directory: string): string {
    return mailboxOfFolder(directory) ?? directory;
  }

  /** The directory of a mailbox; undefined when there is none. */
  directoryOf(mailbox: string): string | undefined {
    if (isPlainSegment(mailbox) && this.nameOf(mailbox) === mailbox && this.exists(mailbox)) return mailbox;
    const directory = mailboxFolder(mailbox);
    return this.exists(directory) ? directory : undefined;
  }

  exists(directory: string): boolean {
    return isDirectory(join(this.#root, directory));
  }

  /** Where the messages of a folder are: this path with `new` and `cur` in it. */
  path(directory: string, folder: string): string {
    return folder === '' ? join(this.#root, directory) : join(this.#root, directory, `.${folder}`);
  }
}

export function isDirectory(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG')) return false;
    throw error;
  }
}

function entries(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
    throw error;
  }
}
