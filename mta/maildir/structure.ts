/**
 * The parts of a MIME message (RFC 2045, RFC 2046) as offsets into its bytes; nothing is copied or decoded.
 *
 * Promises: linear in the message; never throws; never deeper and never more parts than the limits, and then says so:
 * what lies deeper stays one opaque part, what comes later is left out. A message inside a message is one part.
 */
import { defaultHeaderLimits, fieldValue, readHeader, type Header, type HeaderLimits } from './header.ts';
import { parseStructuredField, type StructuredField } from './structured-field.ts';

export interface StructureLimits {
  readonly depth: number;
  readonly parts: number;
  readonly header: HeaderLimits;
}

export const defaultStructureLimits: StructureLimits = { depth: 100, parts: 1000, header: defaultHeaderLimits };

/** A leaf. */
export interface Part {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly encoding: string;
  readonly disposition: string;
  readonly filename: string | undefined;
  readonly contentId: string | undefined;
  /** The multiparts it stands in, outermost first: `mixed`, `alternative`. */
  readonly within: readonly string[];
  /** Which multipart/alternative it stands in, numbered; undefined outside of any. */
  readonly alternative: number | undefined;
  /** Offsets of its body, still encoded. */
  readonly start: number;
  end: number;
}

export interface Structure {
  readonly header: Header;
  readonly contentType: StructuredField;
  readonly parts: readonly Part[];
  /** A limit was met. */
  readonly cut: boolean;
}

interface OpenMultipart {
  readonly boundary: string;
  readonly subtype: string;
  readonly within: readonly string[];
  readonly alternative: number | undefined;
}

const longestBoundaryLine = 1000;
const dash = 0x2d;

/** Takes the message in `bytes` apart. `bytes` may be only its beginning: the last part then ends where `bytes` does. */
export function readStructure(bytes: Buffer, limits = defaultStructureLimits): Structure {
  const parts: Part[] = [];
  const open: OpenMultipart[] = [];
  let alternatives = 0;
  let entities = 0;
  let current: Part | undefined;
  let cut = false;

  const top = readHeader(bytes, 0, bytes.length, limits.header);
  const contentType = parseStructuredField(fieldValue(top, 'content-type') ?? 'text/plain');
  cut ||= top.cut;

  /** Opens the entity whose header has been read: a multipart is pushed, a leaf becomes the current part. */
  const enter = (header: Header, defaultType: string): void => {
    const type = parseStructuredField(fieldValue(header, 'content-type') ?? defaultType);
    const boundary = type.parameters.get('boundary');
    const parent = open.at(-1);
    const within = parent === undefined ? [] : [...parent.within, parent.subtype];
    if (type.value.startsWith('multipart/') && boundary !== undefined && boundary !== '') {
      if (open.length < limits.depth) {
        const subtype = type.value.slice('multipart/'.length);
        const alternative = subtype === 'alternative' ? alternatives++ : parent?.alternative;
        // Compared with lines as bytes, so as bytes.
        open.push({ boundary: Buffer.from(boundary).toString('latin1'), subtype, within, alternative });
        current = undefined;
        return;
      }
      cut = true;
    }
    const disposition = parseStructuredField(fieldValue(header, 'content-disposition') ?? '');
    const filename = disposition.parameters.get('filename') ?? type.parameters.get('name');
    current = {
      type: type.value.includes('/') ? type.value.slice(0, 255) : 'text/plain',
      parameters: type.parameters,
      encoding: fieldValue(header, 'content-transfer-encoding')?.slice(0, 64) ?? '',
      disposition: disposition.value,
      filename: filename === undefined || filename === '' ? undefined : plainName(filename),
      contentId: fieldValue(header, 'content-id')?.slice(0, 998).replace(/^<|>$/g, ''),
      within,
      alternative: parent?.alternative,
      start: header.bodyStart,
      end: bytes.length,
    };
    parts.push(current);
  };

  enter(top, 'text/plain');
  let at = top.bodyStart;
  while (open.length > 0 && at < bytes.length) {
    const lineStart = nextBoundaryCandidate(bytes, at);
    if (lineStart === -1) break;
    const lineEnd = endOfLine(bytes, lineStart);
    at = lineEnd;
    if (lineEnd - lineStart > longestBoundaryLine) continue;
    const line = bytes.toString('latin1', lineStart + 2, lineEnd).trimEnd();
    const match = findBoundary(open, line);
    if (match === undefined) continue;
    if (current !== undefined) {
      current.end = Math.max(current.start, beforeLineEnd(bytes, lineStart));
      current = undefined;
    }
    open.length = match.index + 1;
    if (match.closes) {
      open.pop();
      continue;
    }
    if (entities++ >= limits.parts) {
      cut = true;
      break;
    }
    const header = readHeader(bytes, lineEnd, bytes.length, limits.header);
    cut ||= header.cut;
    enter(header, open.at(-1)?.subtype === 'digest' ? 'message/rfc822' : 'text/plain');
    at = header.bodyStart;
  }
  return { header: top, contentType, parts, cut };
}

/** Offset of the next line that starts with `--`, at or after `from`, which is the start of a line. */
function nextBoundaryCandidate(bytes: Buffer, from: number): number {
  if (bytes[from] === dash && bytes[from + 1] === dash) return from;
  const lineEnd = bytes.indexOf('\n--', from, 'latin1');
  return lineEnd === -1 ? -1 : lineEnd + 1;
}

function findBoundary(open: readonly OpenMultipart[], line: string): { index: number; closes: boolean } | undefined {
  for (let index = open.length - 1; index >= 0; index--) {
    const boundary = open[index]?.boundary ?? '';
    if (line.length < boundary.length || line.length > boundary.length + 2) continue;
    if (line === boundary) return { index, closes: false };
    if (line.length === boundary.length + 2 && line.endsWith('--') && line.startsWith(boundary)) {
      return { index, closes: true };
    }
  }
  return undefined;
}

function endOfLine(bytes: Buffer, at: number): number {
  const end = bytes.indexOf(0x0a, at);
  return end === -1 ? bytes.length : end + 1;
}

/** The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1). */
function beforeLineEnd(bytes: Buffer, lineStart: number): number {
  if (lineStart === 0 || bytes[lineStart - 1] !== 0x0a) return lineStart;
  return lineStart >= 2 && bytes[lineStart - 2] === 0x0d ? lineStart - 2 : lineStart - 1;
}

/** A file name without a path and without control characters: it is shown, and offered when saving. */
function plainName(name: string): string {
  let clean = '';
  for (const char of name.slice(0, 1000)) {
    const code = char.codePointAt(0) ?? 0;
    // C0, DEL, and the marks that turn the reading direction (`gpj.exe`).
    const bad =
      code < 0x20 || code === 0x7f || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    clean += bad ? '' : char;
  }
  const last = clean.split(/[/\\]/).at(-1) ?? '';
  return last.slice(0, 255).trim() || 'unnamed';
}
