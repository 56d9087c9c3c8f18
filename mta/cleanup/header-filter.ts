/**
 * Reads the header section as it streams by, and changes the little that cleanup(8) changes.
 *
 * Drops message_drop_headers; cuts one header at header_size_limit; turns a mailbox `From ` line at the top into
 * X-Mailbox-Line; ends the header section where a line is no header, putting the empty line that was missing; appends
 * the headers that are missing. Remembers Subject and Message-ID, counts Received.
 * Promises: one pass; memory bounded by the name of one header and two captured values; never throws. Input has LF
 * line ends.
 */
export interface HeaderRules {
  /** Lower case: message_drop_headers. */
  readonly drop: ReadonlySet<string>;
  /** header_size_limit, bytes of one header with its continuation lines. */
  readonly headerLimit: number;
  /** Lines to append for headers that were not there; each ends in LF. `has` takes lower-case names. */
  readonly missing: (has: (name: string) => boolean) => string;
}

const lf = 0x0a;
const space = 0x20;
const tab = 0x09;
const colon = 0x3a;

/** Longer names are no headers: RFC 5322 lines have at most 998 characters. */
const nameLimit = 998;
const captureLimit = 2000;

const lineStart = 0;
const inName = 1;
const afterName = 2;
const inValue = 3;
const body = 4;

const noted = new Set(['subject', 'message-id']);

export class HeaderFilter {
  readonly #rules: HeaderRules;
  readonly #seen = new Set<string>();
  readonly #values = new Map<string, string>();
  #state = lineStart;
  /** Bytes of a line whose kind is not known yet, as latin1. */
  #held = '';
  #first = true;
  #dropping = false;
  #headerSize = 0;
  #capture: string | undefined;
  #captured = '';
  /** How many Received headers there were. */
  received = 0;

  constructor(rules: HeaderRules) {
    this.#rules = rules;
  }

  get inBody(): boolean {
    return this.#state === body;
  }

  /** Raw value of the first such header, unfolded and trimmed; bytes as UTF-8. */
  get subject(): string | undefined {
    return this.#values.get('subject');
  }

  get messageId(): string | undefined {
    return this.#values.get('message-id');
  }

  /** Takes a chunk, gives out what is to be stored: slices of it where nothing changes. */
  write(chunk: Buffer, out: (bytes: Buffer) => void): void {
    if (this.#state === body) {
      out(chunk);
      return;
    }
    const limit = this.#rules.headerLimit;
    // The bytes from here on are not given out yet.
    let from = 0;
    // Where the header name being read begins in this chunk; what an earlier chunk had of it is held.
    let name = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      switch (this.#state) {
        case inValue:
          this.#headerSize += 1;
          if (byte === lf) {
            this.#state = lineStart;
            // The line end of a header that was cut stays.
            if (this.#dropping) from = at + 1;
          } else if (this.#dropping) from = at + 1;
          else if (this.#headerSize > limit) {
            if (from < at) out(chunk.subarray(from, at));
            from = at + 1;
          } else if (this.#capture !== undefined && this.#captured.length < captureLimit) {
            this.#captured += String.fromCharCode(byte);
          }
          break;
        case lineStart:
          if ((byte === space || byte === tab) && !this.#first) {
            // A continuation line. Once a header is cut, its further lines go as a whole.
            this.#state = inValue;
            this.#headerSize += 1;
            if (this.#dropping) from = at + 1;
            else if (this.#headerSize > limit) {
              if (from < at) out(chunk.subarray(from, at));
              from = at + 1;
              this.#dropping = true;
            } else if (this.#capture !== undefined) this.#captured += ' ';
            break;
          }
          this.#endHeader();
          if (byte === lf || byte === space || byte === tab || byte === colon) {
            if (from < at) out(chunk.subarray(from, at));
            if (byte === lf) this.#enterBody(out);
            else this.#notHeader(out);
            out(chunk.subarray(at));
            return;
          }
          this.#state = inName;
          name = at;
          break;
        case inName:
        case afterName:
          if (byte === colon) {
            this.#held += chunk.toString('latin1', name, at);
            const held = this.#beginValue();
            if (this.#dropping) {
              if (from < name) out(chunk.subarray(from, name));
              from = at + 1;
            } else if (held !== '' && name === 0 && held.length > at) {
              // Part of the name came in an earlier chunk.
              out(Buffer.from(held.slice(0, held.length - at), 'latin1'));
            }
            break;
          }
          if (this.#state === afterName && this.#first && this.#isMailboxLine(chunk, name, at)) {
            out(Buffer.from(`X-Mailbox-Line: ${this.#held}`, 'latin1'));
            this.#held = '';
            this.#first = false;
            this.#dropping = false;
            this.#headerSize = 0;
            this.#state = inValue;
            at -= 1;
            break;
          }
          if (byte === space || byte === tab) this.#state = afterName;
          else if (
            this.#state === afterName ||
            byte <= space ||
            byte > 0x7e ||
            this.#held.length + at - name >= nameLimit
          ) {
            if (from < name) out(chunk.subarray(from, name));
            this.#notHeader(out);
            out(chunk.subarray(name));
            return;
          }
          break;
        default:
      }
    }
    if (this.#state === inName || this.#state === afterName) {
      if (from < name) out(chunk.subarray(from, name));
      this.#held += chunk.toString('latin1', name, chunk.length);
    } else if (from < chunk.length) out(chunk.subarray(from));
  }

  /** The message is over. Completes a header section that had no body. */
  end(out: (bytes: Buffer) => void): void {
    if (this.#state === body) return;
    if (this.#state === inName || this.#state === afterName) {
      this.#notHeader(out);
      return;
    }
    this.#endHeader();
    this.#enterBody(out);
  }

  #isMailboxLine(chunk: Buffer, name: number, at: number): boolean {
    return /^>*From[ \t]/.test(this.#held + chunk.toString('latin1', name, at));
  }

  /** The name is complete in `#held`; answers it as it was written. */
  #beginValue(): string {
    const held = this.#held;
    const name = held.trimEnd().toLowerCase();
    this.#dropping = this.#rules.drop.has(name);
    this.#headerSize = held.length + 1;
    this.#held = '';
    this.#first = false;
    this.#state = inValue;
    if (name === 'received') this.received += 1;
    if (this.#dropping) return held;
    this.#capture = noted.has(name) && !this.#seen.has(name) ? name : undefined;
    this.#captured = '';
    this.#seen.add(name);
    return held;
  }

  #endHeader(): void {
    if (this.#capture !== undefined) {
      this.#values.set(this.#capture, Buffer.from(this.#captured, 'latin1').toString('utf8').trim());
      this.#capture = undefined;
    }
  }

  #enterBody(out: (bytes: Buffer) => void): void {
    this.#state = body;
    const lines = this.#rules.missing((name) => this.#seen.has(name));
    if (lines !== '') out(Buffer.from(lines, 'utf8'));
  }

  /** A line that is no header: the body begins here, without the empty line that should have come before. */
  #notHeader(out: (bytes: Buffer) => void): void {
    this.#enterBody(out);
    out(Buffer.from(`\n${this.#held}`, 'latin1'));
    this.#held = '';
  }
}
