/**
 * The ids of messages: base64url of mailbox folder, Maildir++ folder and the unique part of the file name.
 *
 * Promises: an id never leads out of the mail folder, whatever a caller makes up: each part must be one plain path
 * segment. An id stays the same when flags change or the message moves from `new` to `cur`.
 */
import { createHash } from 'node:crypto';

export interface MailLocation {
  /** Name of the mailbox's directory below the root. */
  readonly directory: string;
  /** Maildir++ folder without its leading dot; empty for the inbox. */
  readonly folder: string;
  readonly unique: string;
}

/** Ids longer than this (contract: 600) are replaced by a digest, which only the index resolves. */
const longest = 560;
const digestPrefix = '~';

export function encodeMailId(location: MailLocation): string {
  const text = `${location.directory}/${location.folder}/${location.unique}`;
  const id = Buffer.from(text).toString('base64url');
  return id.length <= longest ? id : digestPrefix + createHash('sha256').update(text).digest('base64url');
}

/** Whether the id names its message by a digest. */
export function isDigestId(id: string): boolean {
  return id.startsWith(digestPrefix);
}

/** Where the id's message is; undefined for anything that is not an id of ours. */
export function decodeMailId(id: string): MailLocation | undefined {
  if (id.length > longest || !/^[A-Za-z0-9_-]+$/.test(id)) return undefined;
  const bytes = Buffer.from(id, 'base64url');
  const text = bytes.toString();
  // Not canonical or not UTF-8: no id that we gave.
  if (bytes.toString('base64url') !== id || !Buffer.from(text).equals(bytes)) return undefined;
  const [directory, folder, unique, more] = text.split('/', 4);
  if (directory === undefined || folder === undefined || unique === undefined || more !== undefined) return undefined;
  if (!isPlainSegment(directory) || !isPlainSegment(unique)) return undefined;
  if (folder !== '' && !isFolderName(folder)) return undefined;
  return { directory, folder, unique };
}

/** One path segment that cannot move: not hidden, no separator of any platform, no control characters. */
export function isPlainSegment(segment: string): boolean {
  return segment !== '' && segment.length <= 255 && !segment.startsWith('.') && isSafe(segment);
}

/** A Maildir++ folder name as it stands after the leading dot: `Sent`, `Lists.2026`. */
export function isFolderName(folder: string): boolean {
  return folder !== '' && folder.length < 255 && !folder.startsWith('.') && isSafe(folder);
}

function isSafe(segment: string): boolean {
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i);
    if (code < 0x20 || code === 0x2f || code === 0x5c || code === 0x7f || code === 0xfffd) return false;
  }
  return true;
}
