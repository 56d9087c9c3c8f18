/**
 * One message in full: its texts, its parts, its header, and what the server noted about its delivery.
 *
 * Promises: linear; never throws; text and header are bounded, and `truncated` says when something was left out.
 */
import type * as z from 'zod';
import type { DeliveryNote, MailMessage, MailPart, MailSummary } from '../contract/mail.ts';
import { decodeText, decodeTransfer } from './decode.ts';
import { fieldValue, type Header } from './header.ts';
import type { Part, Structure } from './structure.ts';
import { addresses, decodeField, formatAddresses, isInlineText } from './summary.ts';

export interface MessageLimits {
  /** Bytes of text, and of HTML, that are handed over. */
  readonly textBytes: number;
}

export const defaultMessageLimits: MessageLimits = { textBytes: 4 * 1_048_576 };

type Body = Omit<z.input<typeof MailMessage>, keyof MailSummary>;

/** All of a MailMessage that its summary lacks. `complete` is false when `bytes` is only the message's beginning. */
export function readMessage(
  bytes: Buffer,
  structure: Structure,
  complete: boolean,
  limits = defaultMessageLimits,
): Body {
  const { header, parts } = structure;
  const text = new Text(bytes, limits.textBytes);
  const html = new Text(bytes, limits.textBytes);
  const htmlParts = parts.filter((part) => isInlineText(part, 'text/html'));
  for (const part of parts) {
    if (isInlineText(part, 'text/plain')) {
      text.addText(part);
      // A list's footer beside an HTML part: without this the HTML view would lack it.
      const hasHtmlTwin = htmlParts.some(
        (other) => other.alternative === part.alternative && part.alternative !== undefined,
      );
      if (htmlParts.length > 0 && !hasHtmlTwin) html.addTextAsHtml(part);
    } else if (isInlineText(part, 'text/html')) html.addText(part);
  }
  const cc = formatAddresses(addresses(header, 'cc'));
  const replyTo = formatAddresses(addresses(header, 'reply-to'));
  const date = fieldValue(header, 'date');
  const messageId = fieldValue(header, 'message-id');
  return {
    delivery: deliveryNote(header),
    ...(date === undefined ? {} : { date: date.slice(0, 1000) }),
    ...(messageId === undefined ? {} : { messageId: decodeField(messageId).slice(0, 1000) }),
    ...(cc === '' ? {} : { cc }),
    ...(replyTo === '' ? {} : { replyTo }),
    headers: header.fields.map(({ name, value }) => [name, value]),
    ...(text.used ? { text: text.value } : {}),
    ...(html.used ? { html: html.value } : {}),
    parts: listedParts(structure).map((part, index) => describePart(bytes, part, index)),
    truncated: !complete || structure.cut || text.cut || html.cut,
  };
}

/** The parts that can be asked for by index: all that is not shown as the message's text. */
export function listedParts(structure: Structure): Part[] {
  return structure.parts.filter((part) => !isInlineText(part, 'text/plain') && !isInlineText(part, 'text/html'));
}

export function partContent(bytes: Buffer, part: Part): Buffer {
  return decodeTransfer(bytes.subarray(part.start, part.end), part.encoding);
}

function describePart(bytes: Buffer, part: Part, index: number): MailPart {
  const named = part.filename ?? (part.type === 'message/rfc822' ? 'message.eml' : undefined);
  const inline = part.disposition === 'inline' || (part.disposition !== 'attachment' && part.contentId !== undefined);
  return {
    index,
    type: part.type,
    ...(named === undefined ? {} : { filename: named }),
    size: decodedSize(bytes, part),
    ...(part.contentId === undefined ? {} : { contentId: part.contentId }),
    disposition: inline ? 'inline' : 'attachment',
  };
}

/** Without decoding it: exact for base64 of even lines, as programs write it. */
function decodedSize(bytes: Buffer, part: Part): number {
  const encoded = bytes.subarray(part.start, part.end);
  if (part.encoding.trim().toLowerCase() !== 'base64') return encoded.length;
  const firstEnd = encoded.indexOf(0x0a);
  const lineEnds = firstEnd > 0 && encoded[firstEnd - 1] === 0x0d ? 2 : 1;
  const lines = firstEnd === -1 ? 0 : Math.floor(encoded.length / (firstEnd + 1));
  const tail = encoded.toString('latin1', Math.max(0, encoded.length - 4)).trimEnd();
  const padding = tail.endsWith('==') ? 2 : tail.endsWith('=') ? 1 : 0;
  return Math.max(0, Math.floor(((encoded.length - lines * lineEnds) * 3) / 4) - padding);
}

/** Text put together from parts, up to a limit. */
class Text {
  readonly #bytes: Buffer;
  readonly #limit: number;
  readonly #pieces: string[] = [];
  #taken = 0;
  cut = false;

  constructor(bytes: Buffer, limit: number) {
    this.#bytes = bytes;
    this.#limit = limit;
  }

  get used(): boolean {
    return this.#pieces.length > 0;
  }

  get value(): string {
    return this.#pieces.join('\n');
  }

  addText(part: Part): void {
    this.#pieces.push(this.#take(part));
  }

  addTextAsHtml(part: Part): void {
    const text = this.#take(part);
    if (text.trim() === '') return;
    const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    this.#pieces.push(`<pre style="white-space:pre-wrap">${escaped}</pre>`);
  }

  #take(part: Part): string {
    // Encodings make at most three bytes of one.
    const room = Math.max(0, this.#limit - this.#taken);
    const encoded = this.#bytes.subarray(part.start, Math.min(part.end, part.start + 3 * room));
    let decoded = decodeTransfer(encoded, part.encoding);
    if (part.start + encoded.length < part.end || decoded.length > room) this.cut = true;
    if (decoded.length > room) decoded = decoded.subarray(0, room);
    this.#taken += decoded.length;
    return decodeText(decoded, part.parameters.get('charset')).replaceAll('\r\n', '\n');
  }
}

/**
 * What the server that delivered wrote at the top: Return-Path, Delivered-To and X-Original-To stand above the first
 * Received field (local(8), virtual(8)); that field names the queue id and who was signed in. A field further down is
 * the sender's word, and not believed.
 */
export function deliveryNote(header: Header): DeliveryNote {
  const top = header.fields.findIndex((field) => field.key === 'received');
  const above = header.fields.slice(0, top === -1 ? Math.min(header.fields.length, 8) : top);
  const first = (key: string): string | undefined => above.find((field) => field.key === key)?.value;
  const returnPath = first('return-path');
  const recipient = first('delivered-to') ?? first('x-original-to');
  if (returnPath === undefined && recipient === undefined) return {};
  const received = top === -1 ? '' : (header.fields[top]?.value.slice(0, 2000) ?? '');
  const queueId = /\sid ([0-9A-Za-z]{5,64})(?=[\s;]|$)/.exec(received)?.[1];
  return {
    ...(queueId === undefined ? {} : { queueId }),
    ...(returnPath === undefined ? {} : { sender: withoutAngles(returnPath) }),
    ...(recipient === undefined ? {} : { recipient: withoutAngles(first('x-original-to') ?? recipient) }),
    ...saslUser(received),
  };
}

function saslUser(received: string): { saslUser?: string } {
  // As smtpd(8) writes it with smtpd_sasl_authenticated_header, before `by`. The last one: a HELO name stands earlier.
  const opener = '(Authenticated sender: ';
  const start = received.lastIndexOf(opener);
  if (start === -1) return {};
  const end = received.indexOf(')', start);
  return end === -1 ? {} : { saslUser: received.slice(start + opener.length, end).slice(0, 320) };
}

function withoutAngles(value: string): string {
  const trimmed = value.trim().slice(0, 1000);
  return trimmed.startsWith('<') && trimmed.endsWith('>') ? trimmed.slice(1, -1) : trimmed;
}
