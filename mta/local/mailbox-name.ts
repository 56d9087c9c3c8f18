/**
 * Mailbox name (an address, a user name) ↔ folder name under `<data>/mail`.
 *
 * Promises: the folder is one safe path component whatever the name: no separator, no leading dot, never empty, at
 * most 200 bytes, ASCII only; two names that mean the same mailbox share a folder, two that do not never do. Decoding
 * gives back the (folded) name, except for names too long to be spelt, which are known by their hash only.
 *
 * Rules: names are compared without regard to case, as Postfix's virtual(8) folds addresses and local(8) user
 * names; Unicode is normalised (NFC). Letters, digits and `_ - + @ =` and inner dots stay; all else is percent-encoded
 * UTF-8 (upper-case hexadecimal), a leading dot too (Maildir++ folders and hidden files begin with one).
 */
import { createHash } from 'node:crypto';

const plain = /^[a-z0-9_\-+@=.]$/;
/** Bytes of a folder name; leaves room for Maildir++ suffixes below every file system's 255. */
const folderLimit = 200;
const hashMark = '%~';

/** The form in which two spellings of one mailbox are equal. */
export function foldMailbox(name: string): string {
  return name.toWellFormed().normalize('NFC').toLowerCase().normalize('NFC');
}

/** The folder of a mailbox. Never throws. */
export function mailboxFolder(name: string): string {
  const folded = foldMailbox(name);
  let folder = '';
  for (const char of folded) {
    if (plain.test(char) && !(char === '.' && folder === '')) folder += char;
    else for (const byte of Buffer.from(char, 'utf8')) folder += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  // A lone `%` is not the encoding of anything else: it stands for the empty name.
  if (folder === '') return '%';
  if (folder.length <= folderLimit) return folder;
  const digest = createHash('sha256').update(folded, 'utf8').digest('hex');
  const head = folder.slice(0, folderLimit - hashMark.length - digest.length).replace(/%[0-9A-F]?$/, '');
  return `${head}${hashMark}${digest}`;
}

/**
 * The mailbox of a folder; undefined when no mailbox name leads to it (a folder that somebody else put there).
 * A hashed folder is its own name: `mailboxFolder` of it is not that folder again, so look such ones up by folder.
 */
export function mailboxOfFolder(folder: string): string | undefined {
  if (folder === '%') return '';
  if (/^[a-z0-9_\-+@=.%A-F]*%~[0-9a-f]{64}$/.test(folder) && folder.length <= folderLimit) return folder;
  if (!/^(?:[a-z0-9_\-+@=.]|%[0-9A-F]{2})+$/.test(folder)) return undefined;
  let name: string;
  try {
    name = decodeURIComponent(folder);
  } catch {
    return undefined;
  }
  return mailboxFolder(name) === folder ? name : undefined;
}
