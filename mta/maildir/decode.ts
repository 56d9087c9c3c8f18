/**
 * Content-Transfer-Encodings (RFC 2045 §6) and charsets to bytes and text.
 *
 * Promises: linear; never throws; bad input gives what can be read of it. Output is never larger than the input (bytes).
 */
const aliases = new Map([
  ['utf8', 'utf-8'],
  ['cp932', 'shift_jis'],
  ['windows-31j', 'shift_jis'],
  ['cp936', 'gbk'],
  ['cp949', 'euc-kr'],
  ['uhc', 'euc-kr'],
  ['cp950', 'big5'],
  ['cp874', 'windows-874'],
  ['iso-2022-jp-1', 'iso-2022-jp'],
  ['iso-2022-jp-2', 'iso-2022-jp'],
  ['cp50220', 'iso-2022-jp'],
  ['eucjp', 'euc-jp'],
  ['latin-1', 'windows-1252'],
]);

/** The decoder of a charset label; UTF-8 for one that nobody knows. */
export function charsetDecoder(label: string): InstanceType<typeof TextDecoder> {
  const name = label.trim().toLowerCase().slice(0, 40);
  try {
    return new TextDecoder(aliases.get(name) ?? name.replace(/^x-(?=windows|iso|euc|gbk|big5|sjis)/, ''));
  } catch {
    return new TextDecoder();
  }
}

/** Text in the charset it says it is in; without a charset UTF-8 if it is UTF-8, else Windows-1252. */
export function decodeText(bytes: Buffer, charset: string | undefined): string {
  if (charset === undefined || /^(us-ascii|ascii|unknown-8bit|)$/i.test(charset.trim())) {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return new TextDecoder('windows-1252').decode(bytes);
    }
  }
  return charsetDecoder(charset).decode(bytes);
}

/** Undoes a transfer encoding; an unknown one is taken as none. */
export function decodeTransfer(bytes: Buffer, encoding: string): Buffer {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      return decodeBase64(bytes);
    case 'quoted-printable':
      return decodeQuotedPrintable(bytes);
    default:
      return bytes;
  }
}

/** Node's decoder passes over line ends and foreign characters but ends at `=`, which some programs write on every line. */
function decodeBase64(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const padding = text.indexOf('=');
  if (padding === -1 || text.length - padding < 80) return Buffer.from(text, 'base64');
  const pieces: Buffer[] = [];
  for (const piece of text.split(/=+/)) if (piece !== '') pieces.push(Buffer.from(piece, 'base64'));
  return Buffer.concat(pieces);
}

function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const target = Buffer.alloc(bytes.length);
  let length = 0;
  let at = 0;
  while (at < bytes.length) {
    const equals = bytes.indexOf(0x3d, at);
    const plainEnd = equals === -1 ? bytes.length : equals;
    length += bytes.copy(target, length, at, plainEnd);
    if (equals === -1) break;
    const high = hexDigit(bytes[equals + 1]);
    const low = hexDigit(bytes[equals + 2]);
    if (high !== -1 && low !== -1) {
      target[length++] = high * 16 + low;
      at = equals + 3;
      continue;
    }
    // A soft line break: `=`, white space, line end. Anything else is a stray `=`.
    let end = equals + 1;
    while (end - equals < 80 && (bytes[end] === 0x20 || bytes[end] === 0x09 || bytes[end] === 0x0d)) end++;
    if (bytes[end] === 0x0a || end >= bytes.length) at = end + 1;
    else {
      target[length++] = 0x3d;
      at = equals + 1;
    }
  }
  return target.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x41 && byte <= 0x46) return byte - 0x37;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57;
  return -1;
}
