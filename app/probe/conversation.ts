/**
 * One SMTP conversation, line by line, with everything said kept for a person to read.
 *
 * Promises: every wait has a deadline; a reply has bounded length; what a server says is shown with control characters
 * made visible; secrets given to `hide` never stand in the transcript, not even when the server repeats them.
 * Fails with StepError: which step, and why in words.
 */
import { connect as netConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { TranscriptLine } from '../contract/api.ts';

export interface Reply {
  readonly code: number;
  readonly enhanced: string | undefined;
  /** Each line without its code. */
  readonly lines: readonly string[];
}

export class StepError extends Error {
  readonly step: string;
  constructor(step: string, message: string) {
    super(message);
    this.step = step;
  }
}

const longestLine = 8192;
const mostLines = 500;

export class Conversation {
  readonly lines: TranscriptLine[] = [];
  readonly #begin = performance.now();
  readonly #host: string;
  readonly #port: number;
  readonly #secrets = new Set<string>();
  #socket: Socket | undefined;
  #received = '';
  #failure: Error | undefined;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  milliseconds(): number {
    return Math.round((performance.now() - this.#begin) * 10) / 10;
  }

  note(text: string): void {
    this.lines.push({ at: this.milliseconds(), side: 'note', text });
  }

  /** From now on these words are shown as dots. */
  hide(...secrets: string[]): void {
    for (const secret of secrets) if (secret !== '') this.#secrets.add(secret);
  }

  /** Whether the other end is this machine. */
  get local(): boolean {
    const address = this.#socket?.remoteAddress ?? '';
    return address === '::1' || /^(?:::ffff:)?127\./.test(address);
  }

  /** This end's address as SMTP writes it: `[127.0.0.1]`, `[IPv6:::1]` (RFC 5321 §4.1.3). */
  get literal(): string {
    const address = (this.#socket?.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '').replace(/%.*$/, '');
    return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
  }

  async connect(timeout: number): Promise<void> {
    this.note(`Connecting to ${this.#host}, port ${this.#port}`);
    const socket = netConnect({ host: this.#host, port: this.#port });
    this.#socket = socket;
    await this.#settled('connect', timeout, socket, 'connect');
    this.note(`Connected to ${socket.remoteAddress ?? '?'}`);
    this.#listen(socket);
  }

  /**
   * Begins TLS on the connection; returns protocol and cipher. A certificate that is not trusted is refused, except on
   * this machine, where nobody stands between.
   */
  async secure(step: string, timeout: number): Promise<string> {
    const plain = this.#socket;
    if (plain === undefined) throw new StepError(step, 'Not connected');
    // What came before the handshake was not encrypted and must not be taken for an answer (CVE-2021-38371).
    if (this.#received !== '') throw new StepError(step, 'The server sent data before encryption began');
    plain.removeAllListeners('data');
    const socket = tlsConnect({
      socket: plain,
      ...(isIP(this.#host) === 0 ? { servername: this.#host } : {}),
      // Judged below, where the answer can be put in words.
      rejectUnauthorized: false,
    });
    this.#socket = socket;
    await this.#settled(step, timeout, socket, 'secureConnect');
    this.#judge(step, socket);
    this.#listen(socket);
    const secured = `${socket.getProtocol() ?? 'TLS'} ${socket.getCipher().name}`;
    this.note(`Encrypted: ${secured}`);
    return secured;
  }

  #judge(step: string, socket: TLSSocket): void {
    if (socket.authorized) return;
    const why = String(socket.authorizationError);
    if (!this.local) throw new StepError(step, `The certificate of ${this.#host} is not trusted: ${why}`);
    this.note(`The certificate is not trusted (${why}); accepted because the server is on this machine`);
  }

  /** Waits for an event of a socket that is being set up. */
  async #settled(step: string, timeout: number, socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new StepError(step, `No answer from ${this.#host}:${this.#port} within ${timeout / 1000} seconds`));
      }, timeout);
      const done = (): void => {
        clearTimeout(late);
        socket.off(event, good);
        socket.off('error', bad);
        socket.off('close', gone);
      };
      const good = (): void => {
        done();
        resolve();
      };
      const bad = (error: Error): void => {
        done();
        // A later error of the same socket has nobody to tell.
        socket.on('error', () => undefined);
        reject(new StepError(step, this.#words(error)));
      };
      const gone = (): void => {
        done();
        reject(new StepError(step, 'The server closed the connection'));
      };
      socket.once(event, good);
      socket.once('error', bad);
      socket.once('close', gone);
    });
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Sends a command; `shown` replaces it in the transcript when it carries a secret. */
  async command(step: string, text: string, timeout: number, shown: string = text): Promise<Reply> {
    this.lines.push({ at: this.milliseconds(), side: 'client', text: shown });
    return await this.transfer(step, `${text}\r\n`, timeout);
  }

  /** Sends bytes as they are and reads the reply. */
  async transfer(step: string, bytes: string | Buffer, timeout: number): Promise<Reply> {
    if (this.#socket?.writable === true) this.#socket.write(bytes);
    return await this.reply(step, timeout);
  }

  /** Reads one reply, however many lines it has. */
  async reply(step: string, timeout: number): Promise<Reply> {
    const deadline = performance.now() + timeout;
    const lines: string[] = [];
    for (;;) {
      const line = await this.#line(step, deadline, timeout);
      const [, digits, separator = '', rest = ''] = /^(\d{3})([ -]?)(.*)$/s.exec(line) ?? [];
      const text = this.#shown(digits === undefined ? line : rest);
      const enhanced = /^[245]\.\d{1,3}\.\d{1,3}(?= |$)/.exec(rest)?.[0];
      this.lines.push({
        at: this.milliseconds(),
        side: 'server',
        text: (digits ?? '') + separator + text,
        ...(digits === undefined ? {} : { code: Number(digits) }),
        ...(enhanced === undefined ? {} : { enhanced }),
      });
      if (digits === undefined) {
        throw new StepError(step, 'This is no SMTP server: its answer has no three-digit code');
      }
      lines.push(text);
      if (separator !== '-') return { code: Number(digits), enhanced, lines };
      if (lines.length >= mostLines) throw new StepError(step, `The answer has more than ${mostLines} lines`);
    }
  }

  async #line(step: string, deadline: number, timeout: number): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\n');
      if (end !== -1 && end <= longestLine) {
        const line = this.#received.slice(0, end).replace(/\r$/, '');
        this.#received = this.#received.slice(end + 1);
        return Buffer.from(line, 'latin1').toString('utf8');
      }
      if (this.#received.length > longestLine) {
        throw new StepError(step, `The server sent a line of more than ${longestLine} bytes`);
      }
      if (this.#failure !== undefined) throw new StepError(step, this.#words(this.#failure));
      if (this.#ended) throw new StepError(step, 'The server closed the connection');
      const left = deadline - performance.now();
      if (left <= 0) throw new StepError(step, `No answer within ${timeout / 1000} seconds`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #shown(text: string): string {
    let shown = text;
    for (const secret of this.#secrets) shown = shown.replaceAll(secret, '••••');
    return shown.replace(
      /[\p{Cc}\u2028-\u202e]/gu,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  }

  #words(error: Error): string {
    const where = `${this.#host}, port ${this.#port}`;
    switch ((error as NodeJS.ErrnoException).code) {
      case 'ECONNREFUSED':
        return `Connection refused: nothing listens on ${where}`;
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return `The name ${this.#host} cannot be resolved`;
      case 'ECONNRESET':
      case 'EPIPE':
        return 'The server broke the connection off';
      case 'ETIMEDOUT':
        return `No answer from ${where}`;
      case 'EHOSTUNREACH':
      case 'ENETUNREACH':
        return `There is no way to ${where} from here`;
      default:
        return error.message || String((error as NodeJS.ErrnoException).code ?? 'The connection failed');
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#ended = true;
    this.#wake();
  }
}
