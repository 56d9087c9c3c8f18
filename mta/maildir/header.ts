/**
 * Reads header fields (RFC 5322 §2.2) straight from bytes.
 *
 * Promises: linear in what is read; never throws; never keeps more than the limits say, whatever the message holds
 * (a line of a megabyte, NULs, bytes of no charset). Takes CRLF and bare LF as line ends. As in Postfix's cleanup(8),
 * a line that can be no field ends the header, and the body starts with it.
 */
export interface HeaderLimits {
  /** Bytes of header that are looked at. Postfix's header_size_limit is per field and 102400. */
  readonly totalBytes: number;
  /** Bytes kept of one field. */
  readonly fieldBytes: number;
  readonly fields: number;
}

export const defaultHeaderLimits: HeaderLimits = { totalBytes: 1_048_576, fieldBytes: 102_400, fields: 2_000 };

export interface HeaderField {
  /** As written. */
  readonly name: string;
  /** Lower case. */
  readonly key: string;
  /** Unfolded, without surrounding white space; encoded words are left as they are. */
  readonly value: string;
}

export interface Header {
  readonly fields: readonly HeaderField[];
  /** Offset of the first byte of the body. */
  readonly bodyStart: number;
  /** A limit was met, so that something is missing. */
  readonly cut: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const DASH = 0x2d;

/** Reads the header that starts at `start`; stops at the empty line, at `end`, or at a limit. */
export function readHeader(bytes: Buffer, start = 0, end = bytes.length, limits = defaultHeaderLimits): Header {
  const fields: HeaderField[] = [];
  const stop = Math.min(end, start + limits.totalBytes);
  let at = start;
  let cut = false;
  // An mbox separator that some tool left at the top.
  if (bytes.toString('latin1', at, Math.min(at + 5, stop)) === 'From ') at = nextLine(bytes, at, end);
  while (at < stop) {
    if (isEmptyLine(bytes, at, end)) return { fields, bodyStart: nextLine(bytes, at, end), cut };
    const colon = fieldNameEnd(bytes, at, stop);
    if (colon === -1) return { fields, bodyStart: at, cut };
    let fieldEnd = nextLine(bytes, at, end);
    while (fieldEnd < end && isWhite(bytes[fieldEnd]) && !isEmptyLine(bytes, fieldEnd, end)) {
      fieldEnd = nextLine(bytes, fieldEnd, end);
    }
    if (fields.length >= limits.fields) cut = true;
    else {
      const name = bytes.toString('latin1', at, colon).trimEnd();
      const valueEnd = Math.min(fieldEnd, colon + 1 + limits.fieldBytes);
      if (valueEnd < fieldEnd) cut = true;
      fields.push({ name, key: name.toLowerCase(), value: unfold(decodeBytes(bytes.subarray(colon + 1, valueEnd))) });
    }
    at = fieldEnd;
  }
  return { fields, bodyStart: Math.min(at, end), cut: cut || at < end };
}

/** The first field of that name (lower case), or undefined. */
export function fieldValue(header: Header, key: string): string | undefined {
  return header.fields.find((field) => field.key === key)?.value;
}

/** UTF-8 when it is UTF-8, otherwise Windows-1252, as old programs send it without saying so. */
export function decodeBytes(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return windows1252.decode(bytes);
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const windows1252 = new TextDecoder('windows-1252');

/** Removes line ends, keeps the folding white space (RFC 5322 §2.2.3); control characters become spaces. */
function unfold(text: string): string {
  let result = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= SP && code !== 0x7f) continue;
    result += text.slice(from, i);
    if (code !== LF && code !== CR) result += code === TAB ? '\t' : ' ';
    from = i + 1;
  }
  return (result + text.slice(from)).trim();
}

function fieldNameEnd(bytes: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end) {
    const byte = bytes[i] ?? 0;
    if (byte === COLON || byte === SP || byte === TAB) break;
    if (byte < 33 || byte > 126 || i - start > 998) return -1;
    i++;
  }
  // A line of dashes is a boundary, though a boundary may hold a colon.
  if (i === start || (bytes[start] === DASH && bytes[start + 1] === DASH)) return -1;
  // White space before the colon is obsolete syntax (RFC 5322 §4.5), but real.
  for (let spaces = 0; i < end && spaces < 80; i++, spaces++) {
    if (bytes[i] === COLON) return i;
    if (!isWhite(bytes[i])) return -1;
  }
  return -1;
}

function nextLine(bytes: Buffer, at: number, end: number): number {
  const lineEnd = bytes.indexOf(LF, at);
  return lineEnd === -1 || lineEnd >= end ? end : lineEnd + 1;
}

function isEmptyLine(bytes: Buffer, at: number, end: number): boolean {
  return bytes[at] === LF || (bytes[at] === CR && (at + 1 >= end || bytes[at + 1] === LF));
}

function isWhite(byte: number | undefined): boolean {
  return byte === SP || byte === TAB;
}
