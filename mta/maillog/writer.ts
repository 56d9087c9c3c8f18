/**
 * Writes the mail log in Postfix's format: `Nov 22 10:31:38 host postfix/smtpd[123]: text`.
 *
 * Promises: `line` neither throws nor blocks; lines are appended in the order they came, one write for all that
 * gathered while the last write ran; a line holds no control characters; memory is bounded by `bufferLimit`.
 * Fails: what cannot be written (disk full, no permission) is dropped and counted, and the log says how many lines it
 * lost as soon as it can be written again. The file is opened again then, so that a repaired folder is enough.
 */
import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogLevel, LogLine } from '../contract/mail.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from './log.ts';
import { readQueueId } from './parse.ts';

export interface MailLogOptions {
  /** The host in every line: the first label of myhostname, as syslog writes it. */
  readonly hostname: string;
  readonly pid: number;
  /** Told of the lines of one write, after that write; `position` is the byte offset of the line in the file. */
  readonly onLines?: ((lines: LogLine[]) => void) | undefined;
  /** Characters that may wait to be written; lines beyond it are dropped and counted. */
  readonly bufferLimit?: number | undefined;
  /** Told once when writing begins to fail, and when it works again (undefined). */
  readonly onFailure?: ((message: string | undefined) => void) | undefined;
  readonly now?: (() => number) | undefined;
}

export interface MailLogFile extends MailLog {
  /** Resolves when every line so far was handed to the system (or dropped and counted). */
  flush(): Promise<void>;
  /** After a rotation: the next line goes to a file of this name, opened anew. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  readonly text: string;
  readonly line: Omit<LogLine, 'position'> | undefined;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** A longer line is cut: Postfix's own limit for one log record. */
const lineLimit = 2048;
const controls = /[\p{Cc}\u2028\u2029]/gu;

/** Control characters become `?`, as Postfix's printable() does. UTF-8 stays. */
export function printable(text: string): string {
  return text.replace(controls, '?').toWellFormed();
}

/** `Nov 22 10:31:38`, local time. */
export function logStamp(time: number): string {
  const date = new Date(time);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = String(date.getDate()).padStart(2, ' ');
  return `${months[date.getMonth()] ?? ''} ${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Opens the log for appending, making its folder. Throws when that cannot be done: the caller starts nothing then. */
export async function openMailLog(file: string, options: MailLogOptions): Promise<MailLogFile> {
  await mkdir(dirname(file), { recursive: true, mode: 0o750 });
  const { handle, size } = await openForAppend(file);
  return new Writer(file, handle, size, options);
}

async function openForAppend(file: string): Promise<{ handle: FileHandle; size: number }> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o640);
  return { handle, size: (await handle.stat()).size };
}

class Writer implements MailLogFile {
  readonly #file: string;
  readonly #options: MailLogOptions;
  readonly #host: string;
  readonly #limit: number;
  readonly #now: () => number;
  #handle: FileHandle | undefined;
  #position: number;
  #waiting: Waiting[] = [];
  #waitingLength = 0;
  #lost = 0;
  #failing = false;
  #closed = false;
  #running: Promise<void> | undefined;
  #second = -1;
  #stamp = '';

  constructor(file: string, handle: FileHandle, size: number, options: MailLogOptions) {
    this.#file = file;
    this.#handle = handle;
    this.#position = size;
    this.#options = options;
    this.#host = printable(options.hostname.split('.')[0] ?? 'localhost').replaceAll(' ', '?') || 'localhost';
    this.#limit = options.bufferLimit ?? 8 * 1024 * 1024;
    this.#now = options.now ?? Date.now;
  }

  line(service: string, text: string, level: LogLevel = 'info'): void {
    if (this.#closed) return;
    if (this.#waitingLength > this.#limit) {
      this.#lost++;
      return;
    }
    this.#queue(service, text, level);
    this.#running ??= this.#run();
  }

  #queue(service: string, text: string, level: LogLevel): void {
    const now = this.#now();
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#stamp = logStamp(now);
    }
    let clean = printable(text.length > lineLimit ? text.slice(0, lineLimit) : text);
    if (level !== 'info') clean = `${level}: ${clean}`;
    const process = `postfix/${printable(service)}`;
    const full = `${this.#stamp} ${this.#host} ${process}[${this.#options.pid}]: ${clean}\n`;
    this.#waitingLength += full.length;
    if (this.#options.onLines === undefined) {
      this.#waiting.push({ text: full, line: undefined });
      return;
    }
    const queueId = readQueueId(level === 'info' ? clean : clean.slice(level.length + 2));
    const line: Omit<LogLine, 'position'> = {
      time: second * 1000,
      host: this.#host,
      process,
      pid: this.#options.pid,
      level,
      text: clean,
      ...(queueId === undefined ? {} : { queueId }),
    };
    this.#waiting.push({ text: full, line });
  }

  async #run(): Promise<void> {
    // A turn of the event loop gathers the lines of everything that happens in it.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      this.#waitingLength = 0;
      await this.#write(batch);
    }
    this.#running = undefined;
  }

  async #write(batch: Waiting[]): Promise<void> {
    try {
      if (this.#handle === undefined) {
        const opened = await openForAppend(this.#file);
        this.#handle = opened.handle;
        this.#position = opened.size;
      }
      if (this.#lost > 0) {
        const lost = this.#lost;
        this.#lost = 0;
        this.#queue('postlogd', `${lost} log lines were lost: they could not be written`, 'warning');
        batch.push(...this.#waiting.splice(0));
        this.#waitingLength = 0;
      }
      const data = Buffer.from(batch.map((waiting) => waiting.text).join(''), 'utf8');
      await this.#handle.appendFile(data);
      if (this.#failing) {
        this.#failing = false;
        this.#options.onFailure?.(undefined);
      }
    } catch (error) {
      this.#lost += batch.length;
      await this.#handle?.close().catch(() => undefined);
      this.#handle = undefined;
      if (!this.#failing) {
        this.#failing = true;
        this.#options.onFailure?.(`The mail log ${this.#file} cannot be written: ${errorMessage(error)}`);
      }
      return;
    }
    this.#publish(batch);
  }

  #publish(batch: Waiting[]): void {
    const lines: LogLine[] = [];
    for (const { text, line } of batch) {
      if (line !== undefined) lines.push({ ...line, position: this.#position });
      this.#position += Buffer.byteLength(text, 'utf8');
    }
    if (lines.length > 0) this.#options.onLines?.(lines);
  }

  async flush(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async reopen(): Promise<void> {
    await this.flush();
    const old = this.#handle;
    this.#handle = undefined;
    await old?.close();
    const opened = await openForAppend(this.#file);
    this.#handle = opened.handle;
    this.#position = opened.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    await this.#handle?.close();
    this.#handle = undefined;
  }
}
