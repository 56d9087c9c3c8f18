/**
 * What `new` and `cur` of a folder hold, and when they changed.
 *
 * Promises: a directory that is not there, may not be read, or is a link, holds nothing.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from './system-error.ts';

export interface Found {
  readonly name: string;
  readonly inNew: boolean;
}

export interface DirectoryTimes {
  /** Nanoseconds; -1 when it is no directory, and then it is not read: a link might lead anywhere. */
  readonly new: bigint;
  readonly cur: bigint;
}

/** Undefined when neither directory is there: this is no Maildir. */
export function directoryTimes(path: string): DirectoryTimes | undefined {
  const times = { new: directoryTime(join(path, 'new')), cur: directoryTime(join(path, 'cur')) };
  return times.new === -1n && times.cur === -1n ? undefined : times;
}

function directoryTime(path: string): bigint {
  try {
    const info = lstatSync(path, { bigint: true });
    return info.isDirectory() ? info.mtimeNs : -1n;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG')) return -1n;
    throw error;
  }
}

/** Adds the messages of a directory, by the unique parts of their names. */
export function readNames(path: string, inNew: boolean, into: Map<string, Found>): void {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return;
    throw error;
  }
  for (const name of names) {
    const unique = uniquePart(name);
    if (unique !== undefined) into.set(unique, { name, inNew });
  }
}

/** As parseMaildirName tells it, but quick for the many names that are known already. */
function uniquePart(name: string): string | undefined {
  if (name.startsWith('.') || name.includes('\ufffd')) return undefined;
  const colon = name.lastIndexOf(':');
  const end = colon === -1 ? name.lastIndexOf(';2,') : colon;
  return end === -1 ? name : end === 0 ? undefined : name.slice(0, end);
}

/** The file's modification time in milliseconds. */
export function modified(path: string): number {
  try {
    return Math.floor(lstatSync(path).mtimeMs);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EACCES')) return Date.now();
    throw error;
  }
}
