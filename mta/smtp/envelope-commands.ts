/** MAIL FROM and RCPT TO with the parameters that the server offers (RFC 5321, 1870, 6152, 6531, 3461). */
import type { QueuedMessage, QueuedRecipient } from '../queue/store.ts';

/** EHLO keywords in upper case with their arguments. */
export type Capabilities = ReadonlyMap<string, string>;

const controls = /[\p{Cc}\u2028\u2029]/u;
const dotAtom = /^[^\s"(),:;<>@[\]\\]+$/u;

/**
 * An address as it stands in a command; undefined when it cannot stand there at all (control characters).
 * A local part that is no dot-string and not quoted yet is quoted (smtp_quote_rfc821_envelope).
 */
export function commandAddress(address: string): string | undefined {
  if (controls.test(address)) return undefined;
  const at = address.lastIndexOf('@');
  const local = at === -1 ? address : address.slice(0, at);
  const domain = at === -1 ? '' : address.slice(at);
  if (/[\s<>]/.test(domain)) return undefined;
  if (local === '' && domain === '') return '';
  const plain = dotAtom.test(local) && !local.startsWith('.') && !local.endsWith('.') && !local.includes('..');
  if (plain || /^"(?:[^"\\]|\\.)*"$/su.test(local)) return local + domain;
  return `"${local.replace(/["\\]/g, '\\$&')}"${domain}`;
}

export function isAscii(text: string): boolean {
  return !/\P{ASCII}/u.test(text);
}

/** xtext (RFC 3461 section 4). */
export function xtext(text: string): string {
  return Array.from(Buffer.from(text, 'utf8'), (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x2b && byte !== 0x3d
      ? String.fromCharCode(byte)
      : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}

export function mailCommand(message: QueuedMessage, sender: string, offered: Capabilities): string {
  const { envelope } = message;
  let command = `MAIL FROM:<${sender}>`;
  if (offered.has('SIZE')) command += ` SIZE=${message.size}`;
  if (offered.has('8BITMIME') && envelope.body === '8BITMIME') command += ' BODY=8BITMIME';
  if (offered.has('SMTPUTF8') && envelope.smtputf8 === true) command += ' SMTPUTF8';
  if (offered.has('DSN')) {
    if (envelope.ret !== undefined) command += ` RET=${envelope.ret}`;
    if (envelope.envelopeId !== undefined) command += ` ENVID=${xtext(envelope.envelopeId)}`;
  }
  return command;
}

export function rcptCommand(recipient: QueuedRecipient, address: string, offered: Capabilities): string {
  let command = `RCPT TO:<${address}>`;
  if (!offered.has('DSN')) return command;
  if (recipient.notify !== undefined && recipient.notify.length > 0) command += ` NOTIFY=${recipient.notify.join(',')}`;
  const original = recipient.originalRecipient;
  const semicolon = original?.indexOf(';') ?? -1;
  if (original !== undefined && semicolon > 0) {
    const type = original.slice(0, semicolon);
    // RFC 6533's utf-8 type has an encoding of its own; it is left out where it does not fit.
    if (/^[A-Za-z0-9-]+$/.test(type) && isAscii(original)) {
      command += ` ORCPT=${type};${xtext(original.slice(semicolon + 1))}`;
    }
  }
  return command;
}
