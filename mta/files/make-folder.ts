/**
 * A folder and the folders above it, private to their owner. Node's own recursive mkdir asks for ever on a file system
 * that answers ENOENT below a folder that exists, as /proc does; this one asks once for each level.
 * Throws the file system's error: ENOTDIR when a part of the path is a file, EROFS, EACCES, ENOSPC, ENOENT.
 */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

export async function makeFolder(folder: string, mode = 0o700): Promise<void> {
  const above = path.dirname(folder);
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && above !== folder && !(await isFolder(above))) {
      await makeFolder(above, mode);
      await mkdir(folder, { mode }).catch(ifMissing(folder));
    } else await ifMissing(folder)(error);
  }
}

/** Somebody else may have made it meanwhile, and a read-only file system may say EROFS of one that is there. */
function ifMissing(folder: string): (error: unknown) => Promise<void> {
  return async (error) => {
    if (await isFolder(folder)) return;
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw error;
    throw Object.assign(new Error(`ENOTDIR: ${folder} is a file, not a folder`), { code: 'ENOTDIR', path: folder });
  };
}

async function isFolder(file: string): Promise<boolean> {
  return stat(file).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
