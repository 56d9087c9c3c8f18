/**
 * What a list shows of one message, and what the search knows of it, from the message's beginning.
 *
 * Promises: linear in the bytes it is given; never throws; every string is bounded, and without control characters.
 */
import { addressParser, decodeWords, type Address } from 'postal-mime';
import { decodeText, decodeTransfer } from './decode.ts';
import { fieldValue, type Header } from './header.ts';
import { foldSpace, hasRemoteContent, htmlToText } from './html.ts';
import type { Part, Structure } from './structure.ts';

/** All of a MailSummary that stands in the message itself. */
export interface Digest {
  readonly from: string;
  readonly fromName: string;
  readonly to: string;
  readonly subject: string;
  readonly snippet: string;
  /** More of the text than the snippet, for the search. */
  readonly searchText: string;
  readonly attachments: number;
  readonly remoteContent: boolean;
  readonly report: string | undefined;
}

export interface DigestLimits {
  readonly snippetLength: number;
  readonly searchTextLength: number;
  /** Characters of a subject, of an address list. */
  readonly fieldLength: number;
  /** Bytes of an encoded text part that are decoded. */
  readonly partBytes: number;
}

export const defaultDigestLimits: DigestLimits = {
  snippetLength: 140,
  searchTextLength: 280,
  fieldLength: 1000,
  partBytes: 131_072,
};

export function digest(bytes: Buffer, structure: Structure, limits = defaultDigestLimits): Digest {
  const { header } = structure;
  const from = addresses(header, 'from')[0] ?? addresses(header, 'sender')[0];
  const text = structure.parts.find((part) => isInlineText(part, 'text/plain'));
  const html = structure.parts.find((part) => isInlineText(part, 'text/html'));
  const htmlText = html === undefined ? '' : partText(bytes, html, limits.partBytes);
  let words =
    text === undefined ? '' : foldSpace(partText(bytes, text, limits.partBytes).slice(0, 8 * limits.searchTextLength));
  if (words === '' && htmlText !== '') words = htmlToText(htmlText, limits.searchTextLength);
  return {
    from: cut(from?.address ?? '', limits.fieldLength),
    fromName: cut(from?.name ?? '', limits.fieldLength),
    to: cut(formatAddresses(addresses(header, 'to')), limits.fieldLength),
    subject: cut(decodeField(fieldValue(header, 'subject') ?? ''), limits.fieldLength),
    snippet: cut(words, limits.snippetLength),
    searchText: cut(words, limits.searchTextLength),
    attachments: structure.parts.filter((part) => isAttachment(part, structure)).length,
    remoteContent: htmlText !== '' && hasRemoteContent(htmlText),
    report: reportStatus(bytes, structure),
  };
}

/** A part that is the message's text, not something attached to it. */
export function isInlineText(part: Part, type: 'text/plain' | 'text/html'): boolean {
  return (
    part.type === type && part.disposition !== 'attachment' && !(part.filename !== undefined && part.disposition === '')
  );
}

/** What a person would call an attachment: not the text, not its inline images, not the innards of a report or a signature. */
export function isAttachment(part: Part, structure: Structure): boolean {
  if (isInlineText(part, 'text/plain') || isInlineText(part, 'text/html')) return false;
  if (part.disposition === 'attachment') return true;
  if (structure.contentType.value === 'multipart/report') {
    return !/^(?:message\/|text\/rfc822-headers$|text\/)/.test(part.type);
  }
  if (part.type.endsWith('-signature') || part.type === 'application/pgp-encrypted') return false;
  if (part.alternative !== undefined && part.filename === undefined) return false;
  const inlineImage =
    part.contentId !== undefined && (part.within.at(-1) === 'related' || part.disposition === 'inline');
  return !inlineImage;
}

/** The decoded text of a text part; at most `limit` of its encoded bytes are looked at. */
export function partText(bytes: Buffer, part: Part, limit: number): string {
  const encoded = bytes.subarray(part.start, Math.min(part.end, part.start + limit));
  return decodeText(decodeTransfer(encoded, part.encoding), part.parameters.get('charset'));
}

/** Encoded words decoded (RFC 2047), white space and control characters folded. */
export function decodeField(value: string): string {
  return foldSpace(value.includes('=?') ? decodeWords(value.slice(0, longestDecoded)) : value);
}

/** Characters of a field that are decoded. */
const longestDecoded = 16_384;

/** The mailboxes of all fields of that name, groups opened up. */
export function addresses(header: Header, key: string): { name: string; address: string }[] {
  const found: { name: string; address: string }[] = [];
  for (const field of header.fields) {
    if (field.key !== key || found.length >= 1000) continue;
    for (const address of parseAddresses(field.value.slice(0, longestDecoded))) {
      found.push({ name: foldSpace(address.name), address: foldSpace(address.address ?? '') });
    }
  }
  return found;
}

function parseAddresses(value: string): Address[] {
  try {
    return addressParser(value, { flatten: true });
  } catch {
    return [];
  }
}

/** `Ada <ada@example.org>, bob@example.org` */
export function formatAddresses(list: readonly { name: string; address: string }[]): string {
  return list
    .map(({ name, address }) =>
      name === '' || name === address ? address : address === '' ? name : `${name} <${address}>`,
    )
    .join(', ');
}

/** The `Status:` of a delivery status notification (RFC 3464 §2.3.4): that of the first recipient that failed. */
function reportStatus(bytes: Buffer, structure: Structure): string | undefined {
  if (structure.contentType.value !== 'multipart/report') return undefined;
  const part = structure.parts.find(({ type }) => /^message\/(?:global-)?delivery-status$/.test(type));
  if (part === undefined) return undefined;
  const text = partText(bytes, part, 65_536);
  const found = [...text.matchAll(/^status:[ \t]{0,80}([245]\.\d{1,3}\.\d{1,3})/gim)].map((match) => match[1] ?? '');
  return found.find((status) => !status.startsWith('2')) ?? found[0];
}

function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = /[\ud800-\udbff]/.test(text.charAt(length - 1)) ? length - 1 : length;
  return text.slice(0, end);
}
