/** The data folder: made on first use, private to its owner, and writable, or the MTA says so before it starts. */
import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage, PostriderError } from '../contract/errors.ts';

const folders = ['etc', 'spool', 'mail', 'sasl', 'tls', 'log', 'run'] as const;

/** Throws `denied` naming the folder and the remedy when it cannot be made or written. */
export async function prepareDataFolder(data: string): Promise<void> {
  for (const folder of [data, ...folders.map((name) => path.join(data, name))]) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new PostriderError(
        'denied',
        `The data folder cannot be used: ${errorMessage(error)}. Give yourself write access to ${folder}, or name another folder with --data or POSTRIDER_DATA.`,
        { field: 'data', cause: error },
      );
    }
  }
}
