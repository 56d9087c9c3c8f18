/**
 * What a client sends: command lines, then the content of DATA, then command lines again.
 *
 * Replaces the parsing of smtp-server's SMTPStream (command mode and data mode); what stays of it is a Writable that a
 * socket is piped into and `isClosed`, which the library sets when the connection closes or turns to TLS.
 * Promises: a line has a limit and an over-long one costs no memory; the next command is read when the one before is
 * answered; a client that pipelines without end does not keep others waiting; an unterminated line at the end of the
 * connection is dropped. A line ends in LF; whether a CR stood before it is told.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { DataReader } from './data-reader.ts';

export interface InputHandler {
  /** One command line without its line end. `more`: the client has already sent more. */
  line(line: Buffer, bareNewline: boolean, more: boolean): Promise<void> | undefined;
  /** A line was longer than `lineLimit`; it is gone. */
  tooLong(): Promise<void> | undefined;
  /** Content of DATA, LF line ends. */
  content(bytes: Buffer): Promise<void> | undefined;
  /** The message is over. */
  contentEnd(reader: DataReader): Promise<void>;
  /** All that came was handled: time to write replies. Resolves when the socket has room. */
  idle(): Promise<void> | undefined;
  /** The client closed its side. */
  ended(): void;
  failed(error: unknown): void;
}

/** Commands handled before other connections get their turn. */
const turn = 100;

export class CommandInput extends SMTPStream {
  readonly #handler: InputHandler;
  #reader: DataReader | undefined;
  /** An unfinished line. */
  #rest: Buffer | undefined;
  #skipping = false;
  lineLimit = 2048;

  constructor(handler: InputHandler) {
    super();
    this.#handler = handler;
  }

  /** What follows is the content of a message. */
  readContent(): void {
    this.#reader = new DataReader();
  }

  get reading(): DataReader | undefined {
    return this.#reader;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, next: (error?: Error | null) => void): void {
    this.#run(chunk).then(
      () => next(),
      (error: unknown) => {
        this.isClosed = true;
        this.#handler.failed(error);
        next();
      },
    );
  }

  /** The library would run an unterminated last line; it may be half of one. */
  override _flushData(): void {
    this.#rest = undefined;
    if (!this.isClosed) this.#handler.ended();
  }

  async #run(chunk: Buffer): Promise<void> {
    let position = 0;
    let handled = 0;
    while (position < chunk.length && !this.isClosed) {
      const reader = this.#reader;
      if (reader !== undefined) {
        let pause: Promise<void> | undefined;
        position = reader.read(chunk, position, (bytes) => (pause = this.#handler.content(bytes)));
        if (pause !== undefined) await pause;
        if (reader.ended) {
          this.#reader = undefined;
          await this.#handler.contentEnd(reader);
        }
        continue;
      }
      const end = chunk.indexOf(0x0a, position);
      const wait = end < 0 ? this.#keep(chunk.subarray(position)) : this.#line(chunk, position, end);
      if (wait !== undefined) await wait;
      if (end < 0) break;
      position = end + 1;
      handled += 1;
      if (handled % turn === 0) await nextTurn();
    }
    const wait = this.#handler.idle();
    if (wait !== undefined) await wait;
  }

  #line(chunk: Buffer, from: number, end: number): Promise<void> | undefined {
    let line = chunk.subarray(from, end);
    if (this.#rest !== undefined) {
      line = Buffer.concat([this.#rest, line]);
      this.#rest = undefined;
    }
    const skipped = this.#skipping;
    this.#skipping = false;
    const bare = line.length === 0 || line[line.length - 1] !== 0x0d;
    if (!bare) line = line.subarray(0, line.length - 1);
    if (skipped || line.length > this.lineLimit) return this.#handler.tooLong();
    return this.#handler.line(line, bare, end + 1 < chunk.length || this.writableLength > chunk.length);
  }

  #keep(bytes: Buffer): undefined {
    if (this.#skipping) return;
    // A copy: the chunk may be large and would be held by its last bytes.
    const rest = this.#rest === undefined ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    this.#skipping = rest.length > this.lineLimit + 1;
    this.#rest = this.#skipping ? undefined : rest;
  }
}
