/**
 * A small SMTP client for tests: says a line, gives the whole reply. Strict enough to notice a wrong reply, plain enough
 * to say anything a hostile client would. Rejects when the server hangs up.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

export interface Reply {
  code: number;
  /** All lines, as they came, without CRLF. */
  lines: string[];
  text: string;
}

export class SmtpClient {
  readonly socket: Socket;
  #text = '';
  #lines: string[] = [];
  readonly #replies: Reply[] = [];
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  #closed: Error | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#take(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('The server closed the connection')));
  }

  /** Connects and reads the greeting. */
  static async open(port: number, host = '127.0.0.1'): Promise<SmtpClient> {
    const socket = connect({ port, host, noDelay: true });
    await once(socket, 'connect');
    const client = new SmtpClient(socket);
    await client.reply();
    return client;
  }

  reply(): Promise<Reply> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async say(line: string): Promise<Reply> {
    this.socket.write(`${line}\r\n`);
    return this.reply();
  }

  /** Sends one message over an open session; resolves to the reply to the final dot, or the first refusal. */
  async send(from: string, to: readonly string[], message: string): Promise<Reply> {
    for (const line of [`MAIL FROM:<${from}>`, ...to.map((each) => `RCPT TO:<${each}>`), 'DATA']) {
      const reply = await this.say(line);
      if (reply.code >= 400) return reply;
    }
    const stuffed = message.replaceAll(/\r?\n/g, '\r\n').replaceAll(/^\./gm, '..');
    return this.say(`${stuffed}\r\n.`);
  }

  async quit(): Promise<void> {
    await this.say('QUIT').catch(() => undefined);
    this.socket.destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    for (let end = this.#text.indexOf('\n'); end !== -1; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end).replace(/\r$/, '');
      this.#text = this.#text.slice(end + 1);
      this.#lines.push(line);
      if (/^\d{3}-/.test(line)) continue;
      const reply = { code: Number(line.slice(0, 3)), lines: this.#lines, text: this.#lines.join('\n') };
      this.#lines = [];
      const next = this.#waiting.shift();
      if (next === undefined) this.#replies.push(reply);
      else next.resolve(reply);
    }
  }

  #end(error: Error): void {
    this.#closed ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#closed);
  }
}
