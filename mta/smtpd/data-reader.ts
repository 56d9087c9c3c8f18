/**
 * The content of DATA: finds its end, takes the stuffed dots out (RFC 5321 §4.5.2), turns line ends into LF.
 *
 * Promises: only CRLF . CRLF ends a message, whatever the chunks (§2.3.8, §4.1.1.4; CVE-2023-51764). A bare LF counts
 * as a line end of the content and never as part of the end (smtpd_forbid_bare_newline = normalize). A bare CR becomes
 * a space (cleanup_replace_stray_cr_lf), a NUL is dropped. So the content given out has LF line ends, no CR, no NUL,
 * and always ends with a line end. One pass, one buffer a chunk.
 */

const lf = 0x0a;
const cr = 0x0d;
const dot = 0x2e;

/** What the line before ended with. Only after CRLF may a lone dot be the end. */
const afterCrlf = 0;
const afterLf = 1;
const inLine = 2;
/** A dot opened the line; it is not yet known whether it is stuffing, content or the end. */
const dotAfterCrlf = 3;
const dotAfterLf = 4;
/** Dot and CR were seen at the start of a line. */
const dotCrAfterCrlf = 5;
const dotCrAfterLf = 6;
const crInLine = 7;

export class DataReader {
  /** DATA begins as if after a CRLF: `.` CRLF alone is an empty message. */
  #state = afterCrlf;
  #ended = false;
  /** A LF without CR was in the content. */
  bareNewline = false;
  /** Bytes given out so far. */
  size = 0;

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Reads `chunk` from `from` on and hands content to `out` (a fresh buffer, at most once a call).
   * Returns the position after what was read: the end of the chunk, or just after the end of the message.
   */
  read(chunk: Uint8Array, from: number, out: (content: Buffer) => void): number {
    // Up to two bytes that an earlier chunk left open may come out before this chunk's own.
    const buffer = Buffer.allocUnsafe(chunk.length - from + 3);
    let state = this.#state;
    let length = 0;
    let position = from;
    const end = chunk.length;
    while (position < end) {
      const byte = chunk[position] as number;
      position += 1;
      switch (state) {
        // Nearly every byte: asked first.
        case inLine:
          break;
        case crInLine:
          if (byte === lf) {
            buffer[length++] = lf;
            state = afterCrlf;
            continue;
          }
          buffer[length++] = 0x20;
          state = inLine;
          break;
        case dotAfterCrlf:
        case dotAfterLf:
          if (byte === cr) {
            state = state === dotAfterCrlf ? dotCrAfterCrlf : dotCrAfterLf;
            continue;
          }
          if (byte === lf) {
            // A lone dot with a bare LF: content.
            buffer[length++] = dot;
            buffer[length++] = lf;
            this.bareNewline = true;
            state = afterLf;
            continue;
          }
          // The dot was stuffing.
          state = inLine;
          break;
        case dotCrAfterCrlf:
        case dotCrAfterLf:
          if (byte === lf) {
            if (state === dotCrAfterCrlf) {
              this.#ended = true;
              this.#state = state;
              this.#flush(buffer, length, out);
              return position;
            }
            buffer[length++] = dot;
            buffer[length++] = lf;
            state = afterCrlf;
            continue;
          }
          // The dot was stuffing before a bare CR.
          buffer[length++] = 0x20;
          state = inLine;
          break;
        case afterCrlf:
        case afterLf:
          if (byte === dot) {
            state = state === afterCrlf ? dotAfterCrlf : dotAfterLf;
            continue;
          }
          state = inLine;
          break;
        default:
      }
      if (byte === cr) state = crInLine;
      // A NUL counts as content for the grammar above (CR NUL LF is no line end) but is not kept.
      else if (byte !== 0) {
        buffer[length++] = byte;
        if (byte === lf) {
          this.bareNewline = true;
          state = afterLf;
        }
      }
    }
    this.#state = state;
    this.#flush(buffer, length, out);
    return position;
  }

  #flush(buffer: Buffer, length: number, out: (content: Buffer) => void): void {
    if (length === 0) return;
    this.size += length;
    out(buffer.subarray(0, length));
  }
}
