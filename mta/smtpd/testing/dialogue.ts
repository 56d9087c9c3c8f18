/**
 * SMTP conversations as text, run over a real socket.
 *
 *     S: 220 mail.example.test ESMTP *      a line the server must send; `*` stands for anything
 *     C: EHLO client.example.test           a line the client sends; lines in a row leave in one write
 *     C> a\nb\0                             the same without line end; \r \n \0 \\ are what they look like
 *     ~ TLS                                 the client begins the TLS handshake
 *     ~ FIN                                 the client closes its side
 *     S: END                                the server must close the connection
 *
 * Fails with the conversation so far, what was expected and what came. Blank lines and indentation do not count.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface DialogueOptions {
  /** Wrapper mode: TLS from the first byte. */
  readonly tls?: boolean | undefined;
  /** Milliseconds without an answer after which it fails. */
  readonly patience?: number | undefined;
  /** Bytes per write, to cut lines anywhere. */
  readonly split?: number | undefined;
}

export class Talk {
  #socket: Socket;
  #text = '';
  #ended = false;
  #wake: (() => void) | undefined;
  readonly #patience: number;
  readonly transcript: string[] = [];
  /** What arrived in each read, for tests that count writes. */
  readonly reads: string[] = [];

  constructor(socket: Socket, patience = 5000) {
    this.#socket = socket;
    this.#patience = patience;
    this.#listen();
  }

  static async open(port: number, options: DialogueOptions = {}): Promise<Talk> {
    const socket = options.tls
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'mail.example.test' })
      : connectTcp({ port, host: '127.0.0.1' });
    socket.setNoDelay(true);
    await new Promise<void>((resolve, reject) => {
      socket.once(options.tls ? 'secureConnect' : 'connect', () => resolve());
      socket.once('error', reject);
    });
    return new Talk(socket, options.patience);
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('utf8');
      this.reads.push(text);
      this.#text += text;
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    this.#socket.on('end', end);
    this.#socket.on('close', end);
    this.#socket.on('error', end);
  }

  #fail(expected: string, came: string): never {
    throw new Error(`${this.transcript.join('\n')}\nexpected S: ${expected}\ncame     S: ${came}`);
  }

  /** The next line; undefined when the server closed. */
  async line(expected = 'a line'): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return line;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          try {
            this.#fail(expected, `nothing (${JSON.stringify(this.#text)})`);
          } catch (error) {
            reject(error as Error);
          }
        }, this.#patience);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async expect(expected: string): Promise<void> {
    const line = await this.line(expected);
    if (line === undefined) {
      if (expected !== 'END') this.#fail(expected, 'END');
      return;
    }
    this.transcript.push(`S: ${line}`);
    const pattern = expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\\*', '.*');
    if (expected === 'END' || !new RegExp(`^${pattern}$`).test(line)) this.#fail(expected, line);
  }

  /** Sends bytes; with `split`, in pieces of that many, each a write of its own. */
  async send(data: Buffer | string, split?: number): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
    const step = split ?? bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      await new Promise<void>((resolve) => this.#socket.write(bytes.subarray(at, at + step), () => resolve()));
      if (split !== undefined) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async startTls(): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners();
    if (this.#text !== '') this.#fail('nothing before TLS', this.#text);
    this.#socket = connectTls({ socket: plain, rejectUnauthorized: false, servername: 'mail.example.test' });
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('secureConnect', () => resolve());
      this.#socket.once('error', reject);
    });
    this.#listen();
  }

  fin(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }
}

const unescape = (text: string): string =>
  text.replace(/\\([rn0\\])/g, (_, char: string) => ({ r: '\r', n: '\n', 0: '\0' })[char] ?? '\\');

/** Runs a script; answers all the server said. */
export async function dialogue(port: number, script: string, options: DialogueOptions = {}): Promise<string[]> {
  const talk = await Talk.open(port, options);
  try {
    let sending = '';
    const flush = async (): Promise<void> => {
      if (sending === '') return;
      const text = sending;
      sending = '';
      await talk.send(text, options.split);
    };
    for (const raw of script.split('\n')) {
      const line = raw.trimStart();
      if (line === '') continue;
      if (line.startsWith('C:')) {
        sending += `${line.slice(3)}\r\n`;
        talk.transcript.push(line);
        continue;
      }
      if (line.startsWith('C>')) {
        sending += unescape(line.slice(3));
        talk.transcript.push(line);
        continue;
      }
      await flush();
      if (line.startsWith('S:')) await talk.expect(line.slice(3));
      else if (line === '~ TLS') await talk.startTls();
      else if (line === '~ FIN') talk.fin();
      else throw new Error(`not a line of a dialogue: ${line}`);
    }
    await flush();
    return talk.transcript.filter((line) => line.startsWith('S: ')).map((line) => line.slice(3));
  } finally {
    talk.close();
  }
}
