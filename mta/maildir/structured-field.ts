/**
 * Fields of the form `value; name=value; …`: Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183), with the
 * continuations and charsets of RFC 2231.
 *
 * Promises: linear; never throws; a parameter given twice counts once, the first time (as most readers take it, so that
 * a filter and a person see the same message).
 */
import { decodeWords } from 'postal-mime';
import { charsetDecoder } from './decode.ts';

export interface StructuredField {
  /** Lower case. */
  readonly value: string;
  /** Lower-case names. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Only this much of a field is looked at, and this many parameters. */
const longestField = 8192;
const mostParameters = 100;

export function parseStructuredField(field: string): StructuredField {
  const text = field.slice(0, longestField);
  const raw = new Map<string, string>();
  let position = skipSpace(text, 0);
  const start = position;
  while (position < text.length && !isSpace(text[position]) && text[position] !== ';' && text[position] !== '(') {
    position++;
  }
  const value = text.slice(start, position).toLowerCase();
  while (position < text.length && raw.size < mostParameters) {
    const semicolon = text.indexOf(';', position);
    if (semicolon === -1) break;
    position = skipSpace(text, semicolon + 1);
    const nameStart = position;
    while (position < text.length && text[position] !== '=' && text[position] !== ';') position++;
    if (text[position] !== '=') continue;
    const name = text.slice(nameStart, position).trim().toLowerCase();
    position = skipSpace(text, position + 1);
    let parameter: string;
    if (text[position] === '"') {
      const parts: string[] = [];
      for (position++; position < text.length && text[position] !== '"'; position++) {
        if (text[position] === '\\' && position + 1 < text.length) position++;
        parts.push(text[position] ?? '');
      }
      parameter = parts.join('');
      position++;
    } else {
      const valueStart = position;
      while (position < text.length && text[position] !== ';') position++;
      parameter = withoutComment(text.slice(valueStart, position));
    }
    if (name !== '' && !raw.has(name)) raw.set(name, parameter);
  }
  return { value, parameters: joinContinuations(raw) };
}

/** `name*0*=utf-8''a%20; name*1=b` → `name` = `a b` (RFC 2231 §3, §4). */
function joinContinuations(raw: ReadonlyMap<string, string>): Map<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of raw) {
    const star = name.indexOf('*');
    if (star === -1) {
      if (!joined.has(name)) joined.set(name, value.includes('=?') ? decodeWords(value) : value);
      continue;
    }
    const base = name.slice(0, star);
    const suffix = name.slice(star + 1);
    if (base === '') continue;
    if (suffix === '') joined.set(base, decodeExtended([{ value, encoded: true }]));
    else if (suffix === '0' || suffix === '0*') joined.set(base, decodeExtended(sections(raw, base)));
  }
  return joined;
}

interface Section {
  readonly value: string;
  readonly encoded: boolean;
}

function sections(raw: ReadonlyMap<string, string>, base: string): Section[] {
  const found: Section[] = [];
  for (let i = 0; i < mostParameters; i++) {
    const plain = raw.get(`${base}*${String(i)}`);
    const encoded = raw.get(`${base}*${String(i)}*`);
    if (encoded !== undefined) found.push({ value: encoded, encoded: true });
    else if (plain !== undefined) found.push({ value: plain, encoded: false });
    else break;
  }
  return found;
}

function decodeExtended(parts: readonly Section[]): string {
  let charset = 'utf-8';
  const bytes: Buffer[] = [];
  parts.forEach((part, index) => {
    let value = part.value;
    if (index === 0 && part.encoded) {
      const first = value.indexOf("'");
      const second = first === -1 ? -1 : value.indexOf("'", first + 1);
      if (second !== -1) {
        charset = value.slice(0, first) || charset;
        value = value.slice(second + 1);
      }
    }
    bytes.push(part.encoded ? percentDecode(value) : Buffer.from(value));
  });
  return charsetDecoder(charset).decode(Buffer.concat(bytes));
}

function percentDecode(text: string): Buffer {
  const source = Buffer.from(text);
  const target = Buffer.alloc(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    const code = source[i] === 0x25 ? Number.parseInt(source.toString('latin1', i + 1, i + 3), 16) : Number.NaN;
    if (Number.isNaN(code) || !/^[0-9a-fA-F]{2}$/.test(source.toString('latin1', i + 1, i + 3))) {
      target[length++] = source[i] ?? 0;
    } else {
      target[length++] = code;
      i += 2;
    }
  }
  return target.subarray(0, length);
}

function withoutComment(value: string): string {
  const comment = value.search(/[ \t]\(/);
  return (comment === -1 ? value : value.slice(0, comment)).trim();
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text[at])) at++;
  return at;
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\r' || char === '\n';
}
