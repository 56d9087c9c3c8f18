/**
 * Reads message files that anybody may have put into a Maildir.
 *
 * Promises: only regular files are read (no link is followed, no pipe is waited for), and only as much as is asked for.
 * A file that is gone, is none, or may not be read gives undefined; other faults throw.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isSystemError } from './system-error.ts';

export interface FileSlice {
  readonly bytes: Buffer;
  /** Of the whole file. */
  readonly size: number;
}

const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** At most `length` bytes from `offset` on. */
export function readSlice(path: string, offset: number, length: number): FileSlice | undefined {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO', 'EISDIR', 'ENAMETOOLONG'))
      return undefined;
    throw error;
  }
  try {
    const info = fstatSync(fd);
    if (!info.isFile()) return undefined;
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, info.size - offset)));
    let done = 0;
    while (done < bytes.length) {
      const read = readSync(fd, bytes, done, bytes.length - done, offset + done);
      if (read === 0) break;
      done += read;
    }
    return { bytes: bytes.subarray(0, done), size: info.size };
  } finally {
    closeSync(fd);
  }
}
