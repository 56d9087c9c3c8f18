/**
 * One TCP connection to a mail server: commands out, replies in, in order.
 *
 * Promises: every wait has a time limit; what fails is a ConnectionError in Postfix's words; after a failure, or after
 * `close`, the connection is dead and holds no timer. Bytes that came before a TLS handshake are never read after it.
 */
import { createReadStream } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { StoredBody } from '../queue/store.ts';
import { systemErrorText } from '../qmgr/system-error.ts';
import { BodyEncoder } from './encode-body.ts';
import { ReplyReader, type Reply } from './reply.ts';

export interface Peer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** `mail.example.org[192.0.2.1]` */
export function peerText({ name, address }: Peer): string {
  return `${name}[${address}]`;
}

export class ConnectionError extends Error {
  override name = 'ConnectionError';
  readonly dsn: string;
  constructor(dsn: string, text: string) {
    super(text);
    this.dsn = dsn;
  }
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: ConnectionError): void;
}

const chunkSize = 64 * 1024;

export class Connection {
  readonly peer: Peer;
  #socket: Socket | TLSSocket;
  #reader = new ReplyReader();
  readonly #replies: Reply[] = [];
  #waiting: Waiting | undefined;
  #failure: 'lost' | 'timeout' | undefined;
  #drain: (() => void) | undefined;
  #onIdleData: (() => void) | undefined;

  private constructor(peer: Peer, socket: Socket | TLSSocket) {
    this.peer = peer;
    this.#socket = socket;
    this.#listen(socket);
  }

  /** Rejects with `connect to host[ip]:port: Connection refused`. */
  static open(peer: Peer, timeout: number, options: { localAddress?: string | undefined } = {}): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { localAddress } = options;
      const socket = connect({
        host: peer.address,
        port: peer.port,
        ...(localAddress === undefined ? {} : { localAddress }),
      });
      const refuse = (text: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectionError('4.4.1', `connect to ${peerText(peer)}:${peer.port}: ${text}`));
      };
      const timer = setTimeout(() => refuse('Connection timed out'), timeout);
      const failed = (error: Error): void => refuse(systemErrorText(error));
      socket.once('error', failed);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', failed);
        socket.setNoDelay(true);
        resolve(new Connection(peer, socket));
      });
    });
  }

  get secure(): boolean {
    return 'encrypted' in this.#socket && this.#socket.encrypted;
  }

  get dead(): boolean {
    return this.#failure !== undefined;
  }

  /** `TLSv1.3 with cipher …`, once secure. */
  tlsText(): string {
    if (!('getCipher' in this.#socket)) return '';
    const { name } = this.#socket.getCipher();
    return `${this.#socket.getProtocol() ?? 'TLS'} with cipher ${name}`;
  }

  get authorized(): boolean {
    return 'authorized' in this.#socket && this.#socket.authorized;
  }

  #listen(socket: Socket | TLSSocket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#replies.push(...this.#reader.push(chunk));
      this.#onIdleData?.();
      this.#give();
    });
    socket.on('drain', () => this.#release());
    socket.on('error', () => this.#fail('lost'));
    socket.on('close', () => this.#fail('lost'));
    socket.on('end', () => this.#fail('lost'));
  }

  #release(): void {
    const drain = this.#drain;
    this.#drain = undefined;
    drain?.();
  }

  #fail(how: 'lost' | 'timeout'): void {
    if (this.#failure === undefined) {
      this.#failure = how;
      this.#socket.destroy();
      this.#onIdleData?.();
    }
    this.#give();
    this.#release();
  }

  #give(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const reply = this.#replies.shift();
    if (reply !== undefined) {
      this.#waiting = undefined;
      waiting.resolve(reply);
    } else if (this.#failure !== undefined) {
      this.#waiting = undefined;
      waiting.reject(this.#error(''));
    }
  }

  #error(doing: string): ConnectionError {
    const text =
      this.#failure === 'timeout'
        ? `conversation with ${peerText(this.peer)} timed out while ${doing}`
        : `lost connection with ${peerText(this.peer)} while ${doing}`;
    return new ConnectionError('4.4.2', text);
  }

  /** The next reply. `doing` completes "lost connection with … while …". */
  async reply(timeout: number, doing: string): Promise<Reply> {
    const timer = setTimeout(() => this.#fail('timeout'), timeout);
    try {
      return await new Promise<Reply>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.#give();
      });
    } catch {
      throw this.#error(doing);
    } finally {
      clearTimeout(timer);
    }
  }

  write(data: string | Uint8Array): void {
    if (this.#failure === undefined) this.#socket.write(data);
  }

  command(line: string, timeout: number, doing: string): Promise<Reply> {
    this.write(`${line}\r\n`);
    return this.reply(timeout, doing);
  }

  /** Sends the message and the final dot; waits for the network as it goes. */
  async sendBody(body: StoredBody, lineLimit: number, timeout: number): Promise<void> {
    const encoder = new BodyEncoder(lineLimit);
    if (body.kind === 'memory') {
      for (let start = 0; start < body.data.byteLength; start += chunkSize) {
        await this.#sendChunk(encoder.encode(body.data.subarray(start, start + chunkSize)), timeout);
      }
    } else {
      for await (const chunk of createReadStream(body.path, { highWaterMark: chunkSize })) {
        if (this.#failure !== undefined) break;
        await this.#sendChunk(encoder.encode(chunk as Buffer), timeout);
      }
    }
    await this.#sendChunk(encoder.end(), timeout);
    this.#socket.uncork();
  }

  async #sendChunk(data: Buffer, timeout: number): Promise<void> {
    // A server that hangs up in the middle may have said why: the caller reads that reply.
    if (this.#failure !== undefined) return;
    if (this.#socket.writableCorked === 0) this.#socket.cork();
    if (this.#socket.write(data) && this.#socket.writableLength < chunkSize) return;
    this.#socket.uncork();
    if (!this.#socket.writableNeedDrain) return;
    const timer = setTimeout(() => this.#fail('timeout'), timeout);
    await new Promise<void>((resolve) => {
      this.#drain = resolve;
    });
    clearTimeout(timer);
  }

  /** After the server's 220 to STARTTLS, or at once in wrapper mode. */
  async startTls(options: {
    timeout: number;
    servername: string;
    verify: boolean;
    ca: string | undefined;
  }): Promise<void> {
    if (this.#replies.length > 0 || this.#reader.pending) {
      this.#fail('lost');
      throw new ConnectionError('4.7.5', `${peerText(this.peer)} sent more than its reply to STARTTLS`);
    }
    const plain = this.#socket;
    plain.removeAllListeners();
    plain.on('error', () => undefined);
    this.#reader = new ReplyReader();
    await new Promise<void>((resolve, reject) => {
      const secure = connectTls({
        socket: plain,
        rejectUnauthorized: options.verify,
        ...(/^[0-9.]+$|:/.test(options.servername) ? {} : { servername: options.servername }),
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      });
      const failed = (reason: string): void => {
        clearTimeout(timer);
        secure.on('error', () => undefined);
        secure.destroy();
        plain.destroy();
        this.#failure = 'lost';
        reject(new ConnectionError('4.7.5', `Cannot start TLS: ${reason}`));
      };
      const timer = setTimeout(() => failed('handshake timed out'), options.timeout);
      const onError = (error: Error & { code?: string }): void => {
        const certificate = /CERT|SELF_SIGNED|ALTNAME|VERIFY/.test(error.code ?? '');
        failed(certificate ? `certificate verification failed: ${error.message}` : 'handshake failure');
      };
      const onClose = (): void => failed('handshake failure');
      secure.once('error', onError);
      secure.once('close', onClose);
      secure.once('secureConnect', () => {
        clearTimeout(timer);
        secure.off('error', onError);
        secure.off('close', onClose);
        this.#socket = secure;
        this.#listen(secure);
        resolve();
      });
    });
  }

  /** Told when the server speaks or hangs up while nobody asks it anything. */
  whenDisturbed(call: (() => void) | undefined): void {
    this.#onIdleData = call;
  }

  /** Says QUIT and does not wait for long. */
  quit(timeout = 1000): void {
    if (this.#failure !== undefined) return;
    this.#failure = 'lost';
    const socket = this.#socket;
    socket.end('QUIT\r\n');
    const timer = setTimeout(() => socket.destroy(), timeout);
    socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.#failure ??= 'lost';
    this.#socket.destroy();
  }
}
