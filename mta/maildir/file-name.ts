/**
 * Maildir file names: `1700000000.M123456P42R1f.host,S=2048:2,FS` (https://cr.yp.to/proto/maildir.html; the `,S=` size
 * is Maildir++'s). Everything before `:2,` names the message and never changes; the letters after it are flags.
 *
 * Promises: never throws; linear. On Windows `:` cannot stand in a name, so `;2,` is written there, and both are read
 * everywhere.
 */
export interface MaildirName {
  /** The part that stays the same when flags change. */
  readonly unique: string;
  /** Flag letters as they stand in the name; empty when there are none. */
  readonly flags: string;
  /** Delivery time in milliseconds, when the name tells it. */
  readonly time: number | undefined;
  /** Size in bytes, when the name tells it. */
  readonly size: number | undefined;
}

const leadingSeconds = /^(\d{1,11})(?:\.|$)/;
const microseconds = /^\d{1,11}\.(?:[A-LN-Z][0-9a-fA-F]*)*M(\d{1,6})(?![0-9])/;
const sizeField = /,S=(\d{1,15})(?=$|,)/;

/** Takes a file name apart; undefined for names that are no message (`.nfs…`, hidden files). */
export function parseMaildirName(name: string): MaildirName | undefined {
  // U+FFFD: the name was not UTF-8, and cannot be opened by what we have of it.
  if (name === '' || name.startsWith('.') || name.length > 255 || name.includes('\ufffd')) return undefined;
  const info = infoStart(name);
  const unique = info === -1 ? name : name.slice(0, info);
  if (unique === '') return undefined;
  const flags = info !== -1 && name.startsWith('2,', info + 1) ? name.slice(info + 3) : '';
  const seconds = leadingSeconds.exec(unique)?.[1];
  const micros = microseconds.exec(unique)?.[1];
  const size = sizeField.exec(unique)?.[1];
  return {
    unique,
    flags,
    time: seconds === undefined ? undefined : Number(seconds) * 1000 + Math.floor(Number(micros ?? 0) / 1000),
    size: size === undefined ? undefined : Number(size),
  };
}

/** The name with exactly these flags. Letters are sorted and unique, as the specification asks. */
export function withFlags(name: string, flags: string, separator: string = platformSeparator): string {
  const info = infoStart(name);
  const unique = info === -1 ? name : name.slice(0, info);
  const letters = [...new Set(flags)].filter((letter) => /^[A-Za-z]$/.test(letter)).sort();
  return `${unique}${info === -1 ? separator : name.charAt(info)}2,${letters.join('')}`;
}

/** `flags` with one letter switched on or off. */
export function switchFlag(flags: string, letter: string, on: boolean): string {
  const without = flags.replaceAll(letter, '');
  return on ? without + letter : without;
}

export const platformSeparator: string = process.platform === 'win32' ? ';' : ':';

function infoStart(name: string): number {
  const colon = name.lastIndexOf(':');
  return colon === -1 ? name.lastIndexOf(';2,') : colon;
}
