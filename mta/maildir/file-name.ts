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

/** Takes a file name apart; undefined for names that are no message (`.nfs…`, hidden files). */
export function parseMaildirName(name: string): MaildirName | undefined {
  // U+FFFD: the name was not UTF-8, and cannot be opened by what we have of it.
  if (name === '' || name.startsWith('.') || name.length > 255 || name.includes('\ufffd')) return undefined;
  const info = infoStart(name);
  const unique = info === -1 ? name : name.slice(0, info);
  if (unique === '') return undefined;
  const flags = info !== -1 && name.startsWith('2,', info + 1) ? name.slice(info + 3) : '';
  return { unique, flags, time: timeOf(unique), size: sizeOf(unique) };
}

/** `1700000000.M123456…`, or `1700000000.V801I1fM123456…`: seconds, and microseconds after the letter M. */
function timeOf(unique: string): number | undefined {
  const dot = unique.indexOf('.');
  const end = dot === -1 ? unique.length : dot;
  const seconds = end === 0 || end > 11 ? undefined : digits(unique, 0, end);
  if (seconds === undefined) return undefined;
  // Letter and digits by turns; hexadecimal ones use the letters to F.
  let at = end + 1;
  while (at < unique.length && isField(unique.charCodeAt(at)) && unique.charCodeAt(at) !== 0x4d) {
    at++;
    while (at < unique.length && isHex(unique.charCodeAt(at))) at++;
  }
  if (unique.charCodeAt(at) !== 0x4d) return seconds * 1000;
  let last = at + 1;
  while (last < unique.length && isDigit(unique.charCodeAt(last))) last++;
  const micros = last > at + 7 ? undefined : digits(unique, at + 1, last);
  return seconds * 1000 + Math.floor((micros ?? 0) / 1000);
}

function sizeOf(unique: string): number | undefined {
  const start = unique.indexOf(',S=');
  if (start === -1) return undefined;
  const end = unique.indexOf(',', start + 3);
  const last = end === -1 ? unique.length : end;
  return last - start > 18 ? undefined : digits(unique, start + 3, last);
}

/** The number between two places, when there is nothing but digits. */
function digits(text: string, start: number, end: number): number | undefined {
  if (start >= end) return undefined;
  let value = 0;
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (!isDigit(code)) return undefined;
    value = value * 10 + code - 0x30;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHex(code: number): boolean {
  return isDigit(code) || (code >= 0x61 && code <= 0x66) || (code >= 0x41 && code <= 0x46);
}

/** The letters that open a field of the middle part: `V`, `I`, `M`, `P`, `Q`, `R`, … */
function isField(code: number): boolean {
  return code >= 0x41 && code <= 0x5a;
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
