/**
 * A stored message on its way into DATA: LF → CRLF, leading dots doubled (RFC 5321 section 4.5.2), lines longer than
 * smtp_line_length_limit broken by CRLF and a space, as Postfix does.
 *
 * Promises: the only CR and LF that go out are CRLF pairs, so that no peer can see an end of data inside the message:
 * a lone CR becomes a space (cleanup_replace_stray_cr_lf). Works chunk by chunk.
 */
const cr = 13;
const lf = 10;
const dot = 46;
const space = 32;

export class BodyEncoder {
  readonly #limit: number;
  #lineStart = true;
  #column = 0;
  #heldCr = false;

  /** `lineLimit` 0 means none. */
  constructor(lineLimit: number) {
    this.#limit = lineLimit > 0 ? Math.max(lineLimit, 2) : Number.MAX_SAFE_INTEGER;
  }

  encode(chunk: Uint8Array): Buffer {
    const input = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const breaks = Math.ceil(input.length / (this.#limit - 1)) + 1;
    const out = Buffer.allocUnsafe(input.length * 2 + breaks * 3 + 8);
    let to = 0;
    for (let start = 0; start < input.length;) {
      const end = input.indexOf(lf, start);
      let stop = end === -1 ? input.length : end;
      const next = stop + 1;
      if (this.#heldCr) {
        this.#heldCr = false;
        // CR LF split between two chunks is one line end; else the CR stood alone.
        if (end !== start) to = this.#put(out, to, spaceBytes, 0, 1);
      }
      if (stop > start && input[stop - 1] === cr) {
        stop--;
        if (end === -1) this.#heldCr = true;
      }
      to = this.#put(out, to, input, start, stop);
      if (end === -1) break;
      out[to++] = cr;
      out[to++] = lf;
      this.#lineStart = true;
      this.#column = 0;
      start = next;
    }
    return out.subarray(0, to);
  }

  /** What ends the message: a line end if it is missing, and the dot. */
  end(): Buffer {
    return Buffer.from(this.#lineStart && !this.#heldCr ? '.\r\n' : '\r\n.\r\n');
  }

  #put(out: Buffer, at: number, input: Buffer, from: number, until: number): number {
    let to = at;
    let start = from;
    if (start < until && this.#lineStart) {
      if (input[start] === dot) out[to++] = dot;
      this.#lineStart = false;
    }
    while (start < until) {
      const length = Math.min(until - start, this.#limit - this.#column);
      input.copy(out, to, start, start + length);
      for (let bare = out.indexOf(cr, to); bare !== -1 && bare < to + length; bare = out.indexOf(cr, bare)) {
        out[bare] = space;
      }
      to += length;
      start += length;
      this.#column += length;
      if (start < until) {
        out[to++] = cr;
        out[to++] = lf;
        out[to++] = space;
        this.#column = 1;
      }
    }
    return to;
  }
}

const spaceBytes = Buffer.from(' ');
