/**
 * SMTP replies (RFC 5321 section 4.2), read as they come.
 * Promises: linear; memory bounded: a line is cut at `lineLimit`, a reply has at most `linesLimit` lines.
 */

export interface Reply {
  /** 0 when what came is no reply at all. */
  readonly code: number;
  /** `2.1.5`, when the server gave one that fits its code. */
  readonly status: string | undefined;
  readonly lines: readonly string[];
  /** All lines with their codes, joined by a space: how Postfix logs it. */
  readonly text: string;
}

const lineLimit = 2048;
const linesLimit = 200;

export class ReplyReader {
  #line = '';
  #lines: string[] = [];
  #partial = false;

  /** Whether something came that does not make a whole reply yet. */
  get pending(): boolean {
    return this.#partial;
  }

  /** The replies that `chunk` completes. */
  push(chunk: Uint8Array): Reply[] {
    const replies: Reply[] = [];
    const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let start = 0; start < data.length;) {
      const end = data.indexOf(10, start);
      const stop = end === -1 ? data.length : end;
      if (this.#line.length < lineLimit) {
        this.#line += data.toString('utf8', start, Math.min(stop, start + lineLimit - this.#line.length));
      }
      this.#partial = true;
      if (end === -1) break;
      start = end + 1;
      const reply = this.#take(this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line);
      this.#line = '';
      if (reply !== undefined) {
        replies.push(reply);
        this.#partial = start < data.length;
      }
    }
    return replies;
  }

  #take(line: string): Reply | undefined {
    if (this.#lines.length < linesLimit) this.#lines.push(line.replace(/\p{Cc}/gu, '?'));
    if (/^[2-5]\d\d-/.test(line)) return undefined;
    const lines = this.#lines;
    this.#lines = [];
    const code = /^([2-5]\d\d)(?: |$)/.exec(line)?.[1];
    const status = /^([245])\.\d{1,3}\.\d{1,3}(?= |$)/.exec((lines.at(-1) ?? '').slice(4));
    return {
      code: Number(code ?? 0),
      status: status !== null && status[1] === line.charAt(0) ? status[0] : undefined,
      lines,
      text: lines.join(' '),
    };
  }
}
