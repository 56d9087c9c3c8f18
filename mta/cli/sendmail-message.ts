/** What sendmail does to a message before it hands it on: end of input, recipients of the headers, sender's name. Pure. */
import { addressParser, type Address } from 'postal-mime';

const lf = 0x0a;

/** The message up to a line that is just `.`. */
export function endAtDot(message: Buffer): Buffer {
  for (let start = 0; start < message.length;) {
    const newline = message.indexOf(lf, start);
    const end = newline === -1 ? message.length : newline;
    const line = message.subarray(start, end).toString('latin1');
    if (line === '.' || line === '.\r') return message.subarray(0, start);
    if (newline === -1) break;
    start = newline + 1;
  }
  return message;
}

/** The recipients of To, Cc and Bcc; of Resent-To, Resent-Cc and Resent-Bcc when there is one of those (sendmail -t). */
export function headerRecipients(message: Buffer): string[] {
  const fields = headerFields(message);
  const of = (names: readonly string[]): string[] =>
    fields.filter(([name]) => names.includes(name.toLowerCase())).flatMap(([, value]) => addresses(value));
  const resent = of(['resent-to', 'resent-cc', 'resent-bcc']);
  return resent.length > 0 ? resent : of(['to', 'cc', 'bcc']);
}

/** Adds `From: Full Name <sender>` to a message that has no From. */
export function withFullName(message: Buffer, fullName: string, sender: string): Buffer {
  if (headerFields(message).some(([name]) => name.toLowerCase() === 'from')) return message;
  const clean = [...fullName].filter((char) => char >= ' ' && char !== '\x7f').join('');
  const phrase = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/.test(clean) ? clean : `"${clean.replace(/["\\]/g, '\\$&')}"`;
  const rest = headerFields(message).length === 0 && !/^\r?\n/.test(message.subarray(0, 2).toString('latin1'));
  return Buffer.concat([Buffer.from(`From: ${phrase} <${sender}>\n${rest ? '\n' : ''}`), message]);
}

/** The addresses of one word, `a@b, "C" <c@d>`, with `origin` where a domain is missing. `<>` and '' are ''. */
export function qualify(word: string, origin: string): string[] {
  const trimmed = word.trim();
  if (trimmed === '' || trimmed === '<>') return [''];
  return addresses(trimmed).map((address) =>
    address.includes('@') || origin === '' ? address : `${address}@${origin}`,
  );
}

function addresses(value: string): string[] {
  const flat = (list: readonly Address[]): string[] =>
    list.flatMap((entry) => {
      if (entry.group !== undefined) return flat(entry.group);
      // A bare `root` is parsed as a name without an address.
      const text = entry.address === '' || entry.address === undefined ? entry.name : entry.address;
      return text.trim() === '' ? [] : [text.trim()];
    });
  return flat(addressParser(value));
}

/** Unfolded header fields up to the first line that is none. */
function headerFields(message: Buffer): [string, string][] {
  const fields: [string, string][] = [];
  for (let start = 0; start < message.length;) {
    const newline = message.indexOf(lf, start);
    const end = newline === -1 ? message.length : newline;
    const line = message.subarray(start, end).toString('utf8').replace(/\r$/, '');
    const last = fields.at(-1);
    const field = /^([!-9;-~]+)[ \t]*:(.*)$/s.exec(line);
    if (/^[ \t]/.test(line) && last !== undefined) last[1] += line;
    else if (field !== null) fields.push([field[1] ?? '', field[2] ?? '']);
    // An mbox "From " line before the headers is skipped, as by sendmail.
    else if (!(fields.length === 0 && line.startsWith('From '))) break;
    start = end + 1;
  }
  return fields;
}
