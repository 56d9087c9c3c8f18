/**
 * One connection: smtp-server's SMTPConnection with the parts replaced that this server does otherwise.
 *
 * Of the library remain: socket listeners, STARTTLS (`upgrade`), the half-close after `close`. Replaced: no wait before
 * the greeting; replies gather and leave in one write when the input is exhausted; deadlines instead of an idle
 * timeout; the command parser; errors never surface as unhandled events. contract.test.ts pins what is leant upon.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { SMTPServer } from 'smtp-server';
import { CommandInput, type InputHandler } from './input.ts';

/** What speaks over a connection. */
export interface Protocol extends Omit<InputHandler, 'idle' | 'failed'> {
  /** The connection stands (TLS included in wrapper mode): time to greet. */
  opened(): void;
  /** All that came was handled. */
  idle(): void;
  /** STARTTLS is done; everything known before is void. */
  secured(): void;
  tlsFailed(error: Error): void;
  /** The deadline passed. */
  timedOut(): void;
  failed(error: unknown): void;
  /** Called once: the connection is over, whoever ended it. */
  closed(): void;
}

export class Connection extends SMTPConnection {
  readonly #protocol: Protocol;
  #replies = '';
  #deadline = Infinity;
  #over = false;

  constructor(
    server: SMTPServer,
    socket: Socket | TLSSocket,
    options: SMTPConnectionOptions | undefined,
    speak: (connection: Connection) => Protocol,
  ) {
    super(server, socket, options);
    this.#protocol = speak(this);
  }

  // What the protocol uses.

  /** Puts a reply in line; it leaves with the others when the input is exhausted. */
  reply(text: string): void {
    this.#replies += `${text}\r\n`;
  }

  flush(): void {
    if (this.#replies === '') return;
    const text = this.#replies;
    this.#replies = '';
    // During the TLS handshake a write would go out in the clear, in the middle of it.
    if (this._upgrading || this._socket.destroyed || !this._socket.writable) return;
    this._socket.write(text);
  }

  /** The client has `ms` from now. */
  arm(ms: number): void {
    this.#deadline = performance.now() + ms;
  }

  /** The client waits for us. Answers the milliseconds it had left. */
  disarm(): number {
    const left = this.#deadline - performance.now();
    this.#deadline = Infinity;
    return left;
  }

  /** What arrived buys time, up to `most` from now. */
  extend(ms: number, most: number): void {
    if (this.#deadline !== Infinity) this.#deadline = Math.min(this.#deadline + ms, performance.now() + most);
  }

  checkDeadline(now: number): void {
    if (now < this.#deadline || this.#over) return;
    this.#deadline = Infinity;
    this.#protocol.timedOut();
    if (this._upgrading) this.destroy();
  }

  get input(): CommandInput | undefined {
    return this._parser instanceof CommandInput ? this._parser : undefined;
  }

  /** `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`, or undefined in the clear. */
  get tlsSummary(): string | undefined {
    if (!(this._socket instanceof TLSSocket)) return undefined;
    const cipher = this._socket.getCipher();
    const bits = /(?:_|-)(128|256)|CHACHA20/.exec(cipher.standardName ?? cipher.name);
    const size = bits === null ? '' : ` (${bits[1] ?? '256'}/${bits[1] ?? '256'} bits)`;
    return `${this._socket.getProtocol() ?? 'TLS'} with cipher ${cipher.standardName ?? cipher.name}${size}`;
  }

  startTls(): void {
    this.flush();
    this.upgrade(
      () => undefined,
      () => this.#protocol.secured(),
    );
  }

  /** Closes without waiting for the client to close its side. */
  closeNow(): void {
    this.close();
    this._socket.destroySoon();
  }

  destroy(): void {
    this._socket.destroy();
  }

  get isOver(): boolean {
    return this.#over;
  }

  // What is replaced of the library.

  /** Called while the base is being constructed: nothing of this class is there yet. */
  override _createParser(): CommandInput {
    const input = new CommandInput({
      line: (line, bare, more) => this.#protocol.line(line, bare, more),
      tooLong: () => this.#protocol.tooLong(),
      content: (bytes) => this.#protocol.content(bytes),
      contentEnd: (reader) => this.#protocol.contentEnd(reader),
      idle: () => this.#idle(),
      ended: () => this.#protocol.ended(),
      failed: (error) => {
        this.#protocol.failed(error);
        this.destroy();
      },
    });
    input.on('error', () => this.destroy());
    return input;
  }

  #idle(): Promise<void> | undefined {
    this.#protocol.idle();
    this.flush();
    const socket = this._socket;
    if (!socket.writableNeedDrain || socket.destroyed) return undefined;
    // A client that does not read its replies is not read from either.
    return new Promise((resolve) => {
      const done = (): void => {
        socket.removeListener('drain', done);
        socket.removeListener('close', done);
        resolve();
      };
      socket.once('drain', done);
      socket.once('close', done);
    });
  }

  /** The library would wait 100 ms here. */
  override init(): void {
    this._setListeners(() => this.#protocol.opened());
  }

  /** Deadlines of our own; an idle timeout lets a byte a minute hold a session for ever. */
  override _armTimeout(): void {
    // checkDeadline does it.
  }

  /** Replies that the library makes up itself. */
  override send(code: number, data?: string | string[]): void {
    this.reply(`${code} ${String(data ?? '')}`);
    this.flush();
    if (code === 421) this.close();
  }

  override close(): void {
    this.flush();
    super.close();
    this.#end();
  }

  override _onClose(): void {
    super._onClose();
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline = Infinity;
    this.#protocol.closed();
  }

  /** A connection that breaks is an everyday event, not an error of the server. */
  override _onError(error: Error): void {
    if (this._upgrading) this.#protocol.tlsFailed(error);
  }
}
