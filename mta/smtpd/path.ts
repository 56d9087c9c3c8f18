/**
 * Envelope addresses: the paths of MAIL FROM and RCPT TO (RFC 5321 §4.1.2, RFC 6531 §3.3).
 *
 * Promises: linear in the length of the input; never throws; what it accepts holds no control character, so that it
 * can go into a log line or a header. A quoted local part is unquoted in `local` and quoted again only where the
 * address is written out (`formatAddress`), so `"x@evil y"@local` keeps its one domain.
 * Tolerant where Postfix is (strict_rfc821_envelopes = no): a path without angle brackets, a bare local part, dots
 * anywhere in a local part. Source routes are read and dropped (RFC 5321 §4.1.1.3 and appendix C).
 */
import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

export interface MailAddress {
  /** Without quotes and backslashes. Empty only in the null path. */
  readonly local: string;
  /** As typed, no final dot; `[192.0.2.1]` for a literal; undefined when there was none. */
  readonly domain: string | undefined;
}

export interface ParsedPath {
  /** Undefined for `<>`. */
  readonly address: MailAddress | undefined;
  /** Where the parameters begin: the first character after the path. */
  readonly end: number;
}

/** RFC 5321 §4.5.3.1 says 64 and 255; local parts of bounce addresses are often longer than 64. */
const localLimit = 255;
const domainLimit = 255;
const labelLimit = 63;

const at = 0x40;
const less = 0x3c;
const greater = 0x3e;
const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const space = 0x20;

/** RFC 5322 atext, as a table by code. */
const atext = new Uint8Array(128);
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~") {
  atext[char.charCodeAt(0)] = 1;
}

/** Letters of other scripts (RFC 6531), without the C1 controls and the characters that are not seen. */
function isForeign(code: number): boolean {
  return code > 0x9f && code !== 0x200b && code !== 0x2028 && code !== 0x2029 && code !== 0x2060 && code !== 0xfeff;
}

/**
 * Reads one path at `from` (blanks before it are skipped).
 * Undefined when it is not one.
 */
export function parsePath(text: string, from = 0): ParsedPath | undefined {
  let position = from;
  while (text.charCodeAt(position) === space) position += 1;
  const bracketed = text.charCodeAt(position) === less;
  if (bracketed) {
    position += 1;
    if (text.charCodeAt(position) === greater) return { address: undefined, end: position + 1 };
    if (text.charCodeAt(position) === at) {
      const after = skipRoute(text, position);
      if (after === undefined) return undefined;
      position = after;
    }
  }
  const local = readLocal(text, position);
  if (local === undefined) return undefined;
  position = local.end;
  let domain: string | undefined;
  if (text.charCodeAt(position) === at) {
    const read = readDomain(text, position + 1);
    if (read === undefined) return undefined;
    domain = read.domain;
    position = read.end;
  }
  if (bracketed) {
    if (text.charCodeAt(position) !== greater) return undefined;
    position += 1;
  }
  if (position < text.length && text.charCodeAt(position) !== space) return undefined;
  return { address: { local: local.local, domain }, end: position };
}

/** `@relay.example,@other.example:` → the position after the colon. */
function skipRoute(text: string, from: number): number | undefined {
  let position = from;
  for (;;) {
    if (text.charCodeAt(position) !== at) return undefined;
    const read = readDomain(text, position + 1);
    if (read === undefined) return undefined;
    position = read.end;
    const code = text.charCodeAt(position);
    position += 1;
    if (code === colon) return position;
    if (code !== comma) return undefined;
  }
}

function readLocal(text: string, from: number): { local: string; end: number } | undefined {
  if (text.charCodeAt(from) === quote) return readQuoted(text, from + 1);
  let position = from;
  for (; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === 0x2e) continue;
    if (code < 128 ? atext[code] !== 1 : !isForeign(code)) break;
  }
  if (position === from || position - from > localLimit) return undefined;
  const local = text.slice(from, position);
  return local.isWellFormed() ? { local, end: position } : undefined;
}

function readQuoted(text: string, from: number): { local: string; end: number } | undefined {
  let local = '';
  let start = from;
  for (let position = from; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === quote) {
      local += text.slice(start, position);
      if (local === '' || local.length > localLimit || !local.isWellFormed()) return undefined;
      return { local, end: position + 1 };
    }
    if (position - from > 2 * localLimit) return undefined;
    if (code === backslash) {
      local += text.slice(start, position);
      position += 1;
      start = position;
      const next = text.charCodeAt(position);
      if (!(next >= 0x20 && next <= 0x7e)) return undefined;
      continue;
    }
    if (code < 0x20 || (code >= 0x7f && !isForeign(code))) return undefined;
  }
  return undefined;
}

function readDomain(text: string, from: number): { domain: string; end: number } | undefined {
  if (text.charCodeAt(from) === 0x5b) return readLiteral(text, from);
  let label = from;
  let position = from;
  for (; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === 0x2e) {
      if (!labelFits(text, label, position)) return undefined;
      label = position + 1;
      continue;
    }
    const letter =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x2d ||
      code === 0x5f;
    if (!letter && !isForeign(code)) break;
  }
  if (!labelFits(text, label, position) || position - from > domainLimit) return undefined;
  const domain = text.slice(from, position);
  return domain.isWellFormed() ? { domain, end: position } : undefined;
}

function labelFits(text: string, from: number, to: number): boolean {
  return to > from && to - from <= labelLimit && text.charCodeAt(from) !== 0x2d && text.charCodeAt(to - 1) !== 0x2d;
}

/** `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3). */
function readLiteral(text: string, from: number): { domain: string; end: number } | undefined {
  const end = text.slice(from, from + domainLimit).indexOf(']');
  if (end < 0) return undefined;
  const domain = text.slice(from, from + end + 1);
  return literalAddress(domain) === undefined ? undefined : { domain, end: from + end + 1 };
}

/** The IP address of a domain literal; undefined when it is not one. */
export function literalAddress(domain: string): string | undefined {
  if (!domain.startsWith('[') || !domain.endsWith(']')) return undefined;
  const inside = domain.slice(1, -1);
  if (isIPv4(inside)) return inside;
  if (/^ipv6:/i.test(inside) && isIPv6(inside.slice(5)) && !inside.includes('%')) return inside.slice(5).toLowerCase();
  return undefined;
}

/** Writes an address out: quotes the local part when it is not a dot-atom (RFC 5322 §3.4.1). */
export function formatAddress(address: MailAddress): string {
  const local = isDotAtom(address.local) ? address.local : `"${address.local.replace(/["\\]/g, '\\$&')}"`;
  return address.domain === undefined ? local : `${local}@${address.domain}`;
}

function isDotAtom(text: string): boolean {
  for (let position = 0; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code !== 0x2e && (code < 128 ? atext[code] !== 1 : !isForeign(code))) return false;
  }
  return text !== '';
}

/** Reads a whole string as one address, with or without brackets; undefined when there is more or it is null. */
export function parseAddress(text: string): MailAddress | undefined {
  const parsed = parsePath(text.trim());
  return parsed?.address !== undefined && parsed.end === text.trim().length ? parsed.address : undefined;
}

/** Whether the address needs SMTPUTF8 (RFC 6531). */
export function isInternational(address: MailAddress): boolean {
  return !isAscii(address.local) || (address.domain !== undefined && !isAscii(address.domain));
}

function isAscii(text: string): boolean {
  for (let position = 0; position < text.length; position += 1) if (text.charCodeAt(position) > 0x7f) return false;
  return true;
}

/** A domain as it is compared: lower case, A-labels (RFC 5890). A name that IDNA does not know stays as it is. */
export function comparable(domain: string): string {
  const lower = domain.toLowerCase();
  return isAscii(lower) ? lower : domainToASCII(lower) || lower;
}
