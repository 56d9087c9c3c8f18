/**
 * Watches the Maildirs that somebody looks at, for what other programs do to them.
 *
 * Promises: bounded in number (the longest unseen one goes first), coalesced, and only a hint: where the system cannot
 * watch (no inotify watches left, a network file system) nothing fails, and changes are seen with the next request.
 */
import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { MailboxFolders } from './mailbox-folders.ts';

export interface MailWatchOptions {
  readonly mailboxes: number;
  /** Milliseconds that changes are gathered for. */
  readonly delay: number;
}

export class MailWatch {
  readonly #folders: MailboxFolders;
  readonly #options: MailWatchOptions;
  readonly #check: (directory: string) => number;
  /** In the order they were last looked at. */
  readonly #watched = new Map<string, FSWatcher[]>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** `check` looks at a mailbox, and says in how many milliseconds it should be looked at again if it is large. */
  constructor(folders: MailboxFolders, options: MailWatchOptions, check: (directory: string) => number) {
    this.#folders = folders;
    this.#options = options;
    this.#check = check;
  }

  opened(directory: string): void {
    const watchers = this.#watched.get(directory) ?? this.#open(directory);
    this.#watched.delete(directory);
    this.#watched.set(directory, watchers);
    const [oldest] = this.#watched.keys();
    if (this.#watched.size > this.#options.mailboxes && oldest !== undefined) this.#drop(oldest);
  }

  close(): void {
    for (const directory of [...this.#watched.keys()]) this.#drop(directory);
  }

  #open(directory: string): FSWatcher[] {
    const watchers: FSWatcher[] = [];
    for (const name of ['new', 'cur']) {
      try {
        const watcher = watch(join(this.#folders.path(directory, ''), name), { persistent: false }, () =>
          this.#touched(directory, this.#options.delay),
        );
        watcher.on('error', () => watcher.close());
        watchers.push(watcher);
      } catch {
        // Not watched, then; see above.
      }
    }
    return watchers;
  }

  #touched(directory: string, delay: number): void {
    if (this.#timers.has(directory)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(directory);
      const rest = this.#check(directory);
      if (rest > this.#options.delay) this.#touched(directory, rest);
    }, delay);
    this.#timers.set(directory, timer.unref());
  }

  #drop(directory: string): void {
    for (const watcher of this.#watched.get(directory) ?? []) watcher.close();
    this.#watched.delete(directory);
    clearTimeout(this.#timers.get(directory));
    this.#timers.delete(directory);
  }
}
