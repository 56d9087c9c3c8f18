/**
 * Writes a file whole or not at all: a temporary one beside it, synced, renamed, the folder synced.
 * Promises: readers see the old or the new file, also after a power cut; a failed write leaves the old one and nothing
 * beside it. Throws the file system's error: ENOSPC, EACCES, EROFS, ENOENT when the folder is missing.
 */
import { randomBytes } from 'node:crypto';
import { chown, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from './sync-folder.ts';

export interface FileRights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * `rights`: the mode of a new file, less the umask; or mode and owner of the file that is replaced, to be kept. By
 * default only the owner may read and write. A link is replaced, not followed.
 */
export async function writeWhole(file: string, text: string, rights: number | FileRights = 0o600): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const kept = typeof rights === 'number' ? undefined : rights;
  const mode = typeof rights === 'number' ? rights : rights.mode & 0o7777;
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(text);
      if (kept !== undefined) await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Only root can give a file away; for others the owner is the same already.
    if (kept !== undefined && process.getuid?.() === 0) await chown(temporary, kept.uid, kept.gid);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}
