/**
 * Where the control socket of a data folder is. Both ends compute it, so it is one function.
 *
 * A Unix socket's path may have about 100 bytes; a longer one moves to a private folder under XDG_RUNTIME_DIR or the
 * temporary folder, named by a hash of the data folder. On Windows it is a named pipe.
 */
import { createHash } from 'node:crypto';
import { lstat, realpath } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { makeFolder } from '../files/make-folder.ts';
import { PostriderError } from '../contract/errors.ts';

const longestSocketPath = 100;

/** The address for `net.connect({path})` and `server.listen({path})`. */
export async function controlAddress(
  dataFolder: string,
  platform: NodeJS.Platform = process.platform,
): Promise<string> {
  const resolved = await realpath(dataFolder).catch(() => path.resolve(dataFolder));
  const hash = createHash('sha256').update(resolved).digest('hex').slice(0, 32);
  if (platform === 'win32') return `\\\\.\\pipe\\postrider-${hash}`;
  const near = path.join(resolved, 'run', 'control.sock');
  if (Buffer.byteLength(near) <= longestSocketPath) return near;
  return path.join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `postrider-${userInfo().uid}`, `${hash}.sock`);
}

/** Makes the folder of the address, private to this user; refuses one that somebody else owns. */
export async function prepareControlFolder(
  address: string,
  platform: NodeJS.Platform = process.platform,
): Promise<void> {
  if (platform === 'win32') return;
  const folder = path.dirname(address);
  await makeFolder(folder);
  const status = await lstat(folder);
  if (!status.isDirectory() || status.uid !== userInfo().uid || (status.mode & 0o022) !== 0) {
    throw new PostriderError(
      'denied',
      `${folder} must be a folder that only you can write to; it would hold the control socket. Remove it or set XDG_RUNTIME_DIR.`,
    );
  }
}
