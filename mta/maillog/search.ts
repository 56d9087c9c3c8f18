/**
 * Searches the mail log, newest line first, by reading the file backwards in blocks.
 *
 * Promises: memory holds one block and at most `limit` lines, whatever the size of the log; a search that finds little
 * stops after a budget of bytes and of time and returns a cursor to go on from, so an answer with few or no lines and
 * a cursor is no end. A line that is being written, and one that is no log line, are passed over.
 * Goes on into `mail.log.1`, `mail.log.2`, … (not into compressed ones). A log that is not there has no lines.
 * Fails: `bad-input` for a filter or cursor it cannot read; otherwise the file system's own error.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { badInput } from '../contract/errors.ts';
import type { Filter } from '../contract/filter.ts';
import type { LogLine } from '../contract/mail.ts';
import { parseLogLine } from './parse.ts';
import { compileLogFilter, type LogFilter } from './search-filter.ts';

export interface LogQuery {
  readonly filter: Filter;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface LogSearchOptions {
  /** Bytes read in one call before it stops with what it has. */
  readonly budgetBytes?: number | undefined;
  /** Milliseconds in one call before it stops with what it has. */
  readonly budgetTime?: number | undefined;
  readonly blockBytes?: number | undefined;
  /** Bytes kept of one line. */
  readonly lineBytes?: number | undefined;
  /** How many rotated files are looked for. */
  readonly rotated?: number | undefined;
  readonly now?: (() => number) | undefined;
}

export interface LogPage {
  lines: LogLine[];
  cursor?: string;
}

/** Lines may be out of order by as much: several processes write. */
const disorder = 60_000;

interface Segment {
  readonly path: string;
  readonly inode: string;
  readonly size: number;
  /** What to add to an offset so that positions grow with time over all files; 0 for the live one. */
  readonly base: number;
}

/** One page of lines that fit, newest first; `position` is the byte offset in the live log, negative in older files. */
export async function searchLog(file: string, query: LogQuery, options: LogSearchOptions = {}): Promise<LogPage> {
  const now = (options.now ?? Date.now)();
  const filter = compileLogFilter(query.filter, now);
  const budget: Budget = {
    bytes: options.budgetBytes ?? 256 * 1_048_576,
    deadline: performance.now() + (options.budgetTime ?? 1500),
  };
  const found = await segments(file, options.rotated ?? 10);
  const start = query.cursor === undefined ? undefined : parseCursor(query.cursor);
  const first = start === undefined ? 0 : found.findIndex(({ inode }) => inode === start.inode);
  const lines: LogLine[] = [];
  // The file of the cursor is gone (compressed, removed): nothing older can be told.
  if (first === -1) return { lines };
  for (let index = first; index < found.length; index++) {
    const segment = found[index];
    if (segment === undefined) break;
    const handle = await open(segment.path, 'r').catch(ignoreMissing);
    if (handle === undefined) continue;
    try {
      const resumed = index === first && start !== undefined && start.offset < segment.size;
      const from = resumed ? start.offset : await lastLineEnd(handle, segment.size);
      const end = await skipYounger(handle, from, filter.before, now);
      const scan = new Scan(handle, segment, filter, now, options, budget);
      const outcome = await scan.run(end, lines, query.limit);
      if (outcome.done === 'paused' || (outcome.done === 'full' && outcome.offset > 0)) {
        return { lines, cursor: `${segment.inode}.${String(outcome.offset)}` };
      }
      if (outcome.done === 'past') return { lines };
      const next = found[index + 1];
      if (outcome.done === 'full')
        return next === undefined ? { lines } : { lines, cursor: `${next.inode}.${String(next.size)}` };
    } finally {
      await handle.close();
    }
  }
  return { lines };
}

interface Budget {
  bytes: number;
  readonly deadline: number;
}

interface Outcome {
  /** `end`: the start of the file; `full`: the page is; `past`: all that follows is too old; `paused`: out of budget. */
  readonly done: 'end' | 'full' | 'past' | 'paused';
  /** All lines that start at or after this offset were looked at. */
  readonly offset: number;
}

class Scan {
  readonly #handle: FileHandle;
  readonly #segment: Segment;
  readonly #filter: LogFilter;
  readonly #now: Date;
  readonly #budget: Budget;
  readonly #block: Buffer;
  readonly #lineBytes: number;
  readonly #ascii: boolean;

  constructor(
    handle: FileHandle,
    segment: Segment,
    filter: LogFilter,
    now: number,
    options: LogSearchOptions,
    budget: Budget,
  ) {
    this.#handle = handle;
    this.#segment = segment;
    this.#filter = filter;
    this.#now = new Date(now);
    this.#budget = budget;
    this.#block = Buffer.allocUnsafe(Math.max(16, options.blockBytes ?? 262_144));
    this.#lineBytes = options.lineBytes ?? 65_536;
    this.#ascii = filter.words.every((word) => /^[\x20-\x7e]*$/.test(word));
  }

  /** Looks at the lines before `end`, which is where a line starts, backwards. */
  async run(end: number, lines: LogLine[], limit: number): Promise<Outcome> {
    /** All lines that start here or later were looked at. */
    let boundary = end;
    let position = end;
    /** What was read of the line before `boundary`, from `position` on; only its start is kept of a very long one. */
    let carry: Buffer = Buffer.alloc(0);
    while (position > 0) {
      if (this.#budget.bytes <= 0 || performance.now() > this.#budget.deadline) {
        // A line longer than the whole budget must not hold up the search for ever.
        return { done: 'paused', offset: boundary < end ? boundary : position };
      }
      const length = Math.min(this.#block.length, position);
      const read = await readFully(this.#handle, this.#block, position - length, length);
      if (read < length) return { done: 'end', offset: 0 };
      this.#budget.bytes -= length;
      position -= length;
      const block = this.#block.subarray(0, length);
      const first = position === 0 ? 0 : block.indexOf(0x0a) + 1;
      if (first === 0 && position > 0) {
        carry = Buffer.concat([block, carry]).subarray(0, this.#lineBytes);
        continue;
      }
      const region = Buffer.concat([block.subarray(first), carry]);
      const outcome = this.#region(region, position + first, lines, limit);
      if (outcome !== undefined) return outcome;
      boundary = position + first;
      carry = Buffer.from(block.subarray(0, Math.min(first, this.#lineBytes)));
    }
    return { done: 'end', offset: 0 };
  }

  /** Whole lines, the last first. */
  #region(region: Buffer, start: number, lines: LogLine[], limit: number): Outcome | undefined {
    if (!this.#mayHold(region)) return undefined;
    let end = region.length;
    if (end > 0 && region[end - 1] === 0x0a) end--;
    while (end > 0) {
      const lineStart = region.lastIndexOf(0x0a, end - 1) + 1;
      const text = region.toString('utf8', lineStart, Math.min(end, lineStart + this.#lineBytes));
      const parsed = parseLogLine(text.endsWith('\r') ? text.slice(0, -1) : text, this.#now);
      if (parsed !== undefined) {
        if (parsed.time < this.#filter.after - disorder) return { done: 'past', offset: start + lineStart };
        if (this.#filter.matches(parsed)) {
          lines.push({ position: this.#segment.base + start + lineStart, ...parsed });
          if (lines.length >= limit) return { done: 'full', offset: start + lineStart };
        }
      }
      end = lineStart - 1;
    }
    return undefined;
  }

  /** Whether a line in the region can fit, by its words alone; much quicker than reading its lines. */
  #mayHold(region: Buffer): boolean {
    const { words, exact, oneOf } = this.#filter;
    if (!exact.every((word) => region.includes(word))) return false;
    if (oneOf.length > 0 && !oneOf.some((word) => region.includes(word))) return false;
    if (words.length === 0) return true;
    const text = region.toString(this.#ascii ? 'latin1' : 'utf8').toLowerCase();
    return words.every((word) => text.includes(word));
  }
}

/** Where the last whole line ends: what follows is still being written. */
async function lastLineEnd(handle: FileHandle, size: number): Promise<number> {
  const block = Buffer.allocUnsafe(65_536);
  for (let end = size; end > 0 && size - end < 1_048_576; end -= Math.min(end, block.length)) {
    const length = Math.min(end, block.length);
    const read = await readFully(handle, block, end - length, length);
    const lineEnd = block.subarray(0, read).lastIndexOf(0x0a);
    if (lineEnd !== -1) return end - length + lineEnd + 1;
  }
  return size <= 1_048_576 ? 0 : size;
}

/** Halves its way to the end of the lines older than `before`; `end` itself when there is no such bound. */
async function skipYounger(handle: FileHandle, end: number, before: number, now: number): Promise<number> {
  if (before === Number.POSITIVE_INFINITY) return end;
  const date = new Date(now);
  const sample = Buffer.allocUnsafe(16_384);
  let low = 0;
  let high = end;
  while (high - low > sample.length) {
    const middle = Math.floor((low + high) / 2);
    const read = await readFully(handle, sample, middle, Math.min(sample.length, end - middle));
    const time = firstTime(sample.subarray(0, read), date);
    if (time !== undefined && time < before + disorder) low = middle;
    else high = middle;
  }
  // On to the end of a line.
  const read = await readFully(handle, sample, high, Math.min(sample.length, end - high));
  const lineEnd = sample.subarray(0, read).indexOf(0x0a);
  return lineEnd === -1 ? end : high + lineEnd + 1;
}

function firstTime(bytes: Buffer, now: Date): number | undefined {
  let at = bytes.indexOf(0x0a) + 1;
  while (at > 0 && at < bytes.length) {
    const end = bytes.indexOf(0x0a, at);
    if (end === -1) return undefined;
    const line = parseLogLine(bytes.toString('utf8', at, end), now);
    if (line !== undefined) return line.time;
    at = end + 1;
  }
  return undefined;
}

async function readFully(handle: FileHandle, target: Buffer, position: number, length: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(target, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** The live log and its rotated files, newest first. */
async function segments(file: string, rotated: number): Promise<Segment[]> {
  const found: Segment[] = [];
  let base = 0;
  for (let index = 0; index <= rotated; index++) {
    const path = index === 0 ? file : `${file}.${String(index)}`;
    const info = await stat(path, { bigint: true }).catch(ignoreMissing);
    // Between a rotation and the next line there is no live log.
    if (info === undefined) {
      if (index === 0) continue;
      break;
    }
    if (!info.isFile()) break;
    const size = Number(info.size);
    if (index > 0) base -= size;
    found.push({ path, inode: info.ino.toString(36), size, base });
  }
  return found;
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}

function parseCursor(cursor: string): { inode: string; offset: number } {
  const match = /^([0-9a-z]{1,20})\.(\d{1,15})$/.exec(cursor);
  if (match?.[1] === undefined)
    throw badInput('cursor', 'cursor: not one that log.search gave. Search anew without it.');
  return { inode: match[1], offset: Number(match[2]) };
}
