/**
 * The message that a probe sends: checked addresses, the composed bytes, and their form on the wire.
 * Throws `bad-input` naming the field when a value could smuggle a line into the conversation or a header.
 */
import { domainToASCII } from 'node:url';
import MailComposer from 'nodemailer/lib/mail-composer';
import { badInput } from '#mta/contract/errors.ts';
import type * as z from 'zod';
import type { TestMessage } from '../contract/api.ts';

export type ProbeMessage = z.output<typeof TestMessage>;

export interface ProbeAddress {
  /** As written in a header. */
  name: string;
  /** As written in the envelope, without angle brackets; empty for the null sender. */
  address: string;
}

// Control characters (C0, DEL, C1), and the two Unicode line ends that some software breaks lines at.
const control = /[\p{Cc}\u2028\u2029]/u;

export function refuseControls(field: string, value: string): void {
  const found = control.exec(value);
  if (found === null) return;
  const shown = found[0].charCodeAt(0).toString(16).padStart(4, '0').toUpperCase();
  throw badInput(field, `${field} holds a control character (U+${shown} at position ${found.index + 1}); remove it`);
}

/** `ann@example.org` or `Ann <ann@example.org>`. */
export function parseAddress(field: string, value: string): ProbeAddress {
  refuseControls(field, value);
  const text = value.trim();
  const open = text.lastIndexOf('<');
  const [name, address] =
    open !== -1 && text.endsWith('>') ? [text.slice(0, open).trim(), text.slice(open + 1, -1).trim()] : ['', text];
  const unquoted = address.replace(/^"(?:[^"\\]|\\.)*"/, '');
  if (/[<>\s"]/.test(unquoted)) {
    throw badInput(field, `${field}: ${JSON.stringify(value)} is not an address; write name@example.org`);
  }
  return { name: name.replace(/^"(.*)"$/, '$1'), address };
}

export function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** The address with its domain in A-labels (RFC 5890), for servers without SMTPUTF8. */
export function asciiDomain(address: string): string {
  const at = address.lastIndexOf('@');
  if (at === -1) return address;
  const domain = domainToASCII(address.slice(at + 1));
  return domain === '' ? address : `${address.slice(0, at)}@${domain}`;
}

/** The message as bytes, without anything read from files or fetched. */
export async function compose(message: ProbeMessage, from: ProbeAddress, to: readonly ProbeAddress[]): Promise<Buffer> {
  refuseControls('subject', message.subject);
  const composer = new MailComposer({
    from: from.address === '' ? { name: 'Postrider', address: 'postmaster@localhost' } : from,
    to: [...to],
    subject: message.subject,
    text: message.text,
    ...(message.html === undefined ? {} : { html: message.html }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const chunks: Buffer[] = [];
  for await (const chunk of composer.compile().createReadStream()) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

/**
 * The bytes that follow DATA: every line end CRLF, a dot before each line that begins with one, and the final dot
 * (RFC 5321 §4.5.2). No bare CR or LF is ever sent.
 */
export function dataBytes(message: Buffer): Buffer {
  // latin1 maps each byte to one character and back.
  const lines = message.toString('latin1').split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return Buffer.from(lines.map((line) => `${line.startsWith('.') ? '.' : ''}${line}\r\n`).join('') + '.\r\n', 'latin1');
}
