/** The data folder: made on first use, private to its owner, and writable, or the MTA says so before it starts. */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import { makeFolder } from '../files/make-folder.ts';

const folders = ['etc', 'spool', 'mail', 'sasl', 'tls', 'log', 'run'] as const;

/** Throws `denied` naming the folder and the remedy when it cannot be made or written. */
export async function prepareDataFolder(data: string): Promise<void> {
  for (const folder of [data, ...folders.map((name) => path.join(data, name))]) {
    try {
      await makeFolder(folder);
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new PostriderError(
        'denied',
        `The data folder ${data} cannot be used: ${errorMessage(error)}. ${remedy(error, folder)}, or name another folder with --data or POSTRIDER_DATA.`,
        { field: 'data', cause: error },
      );
    }
  }
}

function remedy(error: unknown, folder: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOTDIR':
      return 'A part of that path is a file: move it away if it is yours';
    case 'EROFS':
      return 'Its file system is mounted read-only: mount it for writing';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Make room on its file system';
    case 'ENOENT':
      return 'No folder can be made there: choose a place on a disk';
    default:
      return `Give yourself write access to ${folder}`;
  }
}
