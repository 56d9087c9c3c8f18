/**
 * Makes new names in a folder survive a power cut: fsync of the folder. Nothing to do on Windows, which cannot sync a
 * folder; its file system journals names. Throws the file system's error.
 */
import { closeSync, fsync, fsyncSync, openSync } from 'node:fs';

/**
 * The folder is opened anew for each call: a descriptor that is kept may belong to a folder that was deleted and made
 * again. Only the sync itself is slow enough to be waited for.
 */
export function syncFolder(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.platform === 'win32') {
      resolve();
      return;
    }
    const fd = openSync(folder, 'r');
    fsync(fd, (error) => {
      try {
        closeSync(fd);
      } catch {
        // The sync before it reported what matters.
      }
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** For threads that wait anyway. */
export function syncFolderNow(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
