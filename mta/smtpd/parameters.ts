/**
 * The parameters of MAIL and RCPT (RFC 5321 §4.1.2): SIZE (1870), BODY (6152), SMTPUTF8 (6531), AUTH (4954),
 * RET, ENVID, NOTIFY, ORCPT (3461).
 *
 * Promises: linear; never throws; a parameter that is unknown, given twice or malformed is an error reply in Postfix's
 * words. xtext that decodes to a control character is refused, so that nothing of it can break a header later.
 */
import type { Notify } from '../queue/store.ts';

export interface MailParameters {
  size?: number;
  body?: '7BIT' | '8BITMIME';
  smtputf8?: boolean;
  ret?: 'FULL' | 'HDRS';
  /** Still xtext, as the client gave it. */
  envelopeId?: string;
}

export interface RcptParameters {
  notify?: readonly Notify[];
  /** Decoded: `rfc822;user@example.org`. */
  originalRecipient?: string;
}

/** Which extensions are offered in this session; the others' parameters are unknown. */
export interface Offered {
  readonly size: boolean;
  readonly eightBit: boolean;
  readonly smtputf8: boolean;
  readonly dsn: boolean;
  readonly auth: boolean;
}

export type Parsed<T> = { readonly value: T } | { readonly reply: string };

/** RFC 3461 §5.4 and §4.4: at most 100 and 500 characters. */
const envelopeIdLimit = 100;
const originalRecipientLimit = 500;

function* words(text: string): Generator<{ key: string; value: string | undefined; word: string }> {
  for (const word of text.split(' ')) {
    if (word === '') continue;
    const equals = word.indexOf('=');
    yield equals < 0
      ? { key: word.toUpperCase(), value: undefined, word }
      : { key: word.slice(0, equals).toUpperCase(), value: word.slice(equals + 1), word };
  }
}

const unsupported = (word: string): { reply: string } => ({ reply: `555 5.5.4 Unsupported option: ${shown(word)}` });

/** A client's text within a reply: no control characters, not endless. */
function shown(text: string): string {
  return text.replace(/\p{Cc}/gu, '?').slice(0, 100);
}

export function parseMailParameters(text: string, offered: Offered): Parsed<MailParameters> {
  const value: MailParameters = {};
  const seen = new Set<string>();
  for (const word of words(text)) {
    if (seen.has(word.key)) return { reply: `501 5.5.4 Error: duplicate ${shown(word.key)} parameter` };
    seen.add(word.key);
    switch (word.key) {
      case 'SIZE':
        if (!offered.size) return unsupported(word.word);
        if (word.value === undefined || !/^\d{1,20}$/.test(word.value)) {
          return { reply: '501 5.5.4 Bad message size syntax' };
        }
        value.size = Number(word.value);
        break;
      case 'BODY': {
        const body = word.value?.toUpperCase();
        if (!offered.eightBit || (body !== '7BIT' && body !== '8BITMIME')) return unsupported(word.word);
        value.body = body;
        break;
      }
      case 'SMTPUTF8':
        if (!offered.smtputf8 || word.value !== undefined) return unsupported(word.word);
        value.smtputf8 = true;
        break;
      case 'AUTH':
        // RFC 4954 §5: who first submitted it. Read and not passed on: this server trusts no client with it.
        if (!offered.auth || word.value === undefined || decodeXtext(word.value) === undefined) {
          return unsupported(word.word);
        }
        break;
      case 'RET': {
        if (!offered.dsn) return { reply: '501 5.7.1 DSN support is disabled' };
        const ret = word.value?.toUpperCase();
        if (ret !== 'FULL' && ret !== 'HDRS') return { reply: '501 5.5.4 Bad RET parameter syntax' };
        value.ret = ret;
        break;
      }
      case 'ENVID':
        if (!offered.dsn) return { reply: '501 5.7.1 DSN support is disabled' };
        if (!word.value || word.value.length > envelopeIdLimit || decodeXtext(word.value) === undefined) {
          return { reply: '501 5.5.4 Bad ENVID parameter syntax' };
        }
        value.envelopeId = word.value;
        break;
      default:
        return unsupported(word.word);
    }
  }
  return { value };
}

const notifyWords = new Set<string>(['NEVER', 'SUCCESS', 'FAILURE', 'DELAY']);

export function parseRcptParameters(text: string, offered: Offered): Parsed<RcptParameters> {
  const value: RcptParameters = {};
  const seen = new Set<string>();
  for (const word of words(text)) {
    if (seen.has(word.key)) return { reply: `501 5.5.4 Error: duplicate ${shown(word.key)} parameter` };
    seen.add(word.key);
    switch (word.key) {
      case 'NOTIFY': {
        if (!offered.dsn) return { reply: '501 5.7.1 DSN support is disabled' };
        const notify = (word.value ?? '').toUpperCase().split(',');
        const valid =
          notify.every((each): each is Notify => notifyWords.has(each)) &&
          new Set(notify).size === notify.length &&
          (notify.length === 1 || !notify.includes('NEVER'));
        if (!valid) return { reply: '501 5.5.4 Error: Bad NOTIFY parameter syntax' };
        value.notify = notify;
        break;
      }
      case 'ORCPT': {
        if (!offered.dsn) return { reply: '501 5.7.1 DSN support is disabled' };
        const orcpt = decodeOriginalRecipient(word.value ?? '');
        if (orcpt === undefined) return { reply: '501 5.5.4 Error: Bad ORCPT parameter syntax' };
        value.originalRecipient = orcpt;
        break;
      }
      default:
        return unsupported(word.word);
    }
  }
  return { value };
}

/** `rfc822;xtext` or `utf-8;unitext` (RFC 6533 §3) → decoded. */
function decodeOriginalRecipient(text: string): string | undefined {
  const semicolon = text.indexOf(';');
  if (semicolon < 1 || text.length > originalRecipientLimit) return undefined;
  const type = text.slice(0, semicolon);
  if (!/^[A-Za-z0-9-]+$/.test(type)) return undefined;
  const address = text.slice(semicolon + 1);
  if (address === '') return undefined;
  const decoded = type.toLowerCase() === 'utf-8' ? decodeUnitext(address) : decodeXtext(address);
  return decoded === undefined ? undefined : `${type};${decoded}`;
}

/** RFC 3461 §4: printable ASCII without `+`, `=` and blanks; `+XX` for any other. Undefined when malformed or unsafe. */
export function decodeXtext(text: string): string | undefined {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return undefined;
  const decoded = text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return /[\p{Cc}\u0080-\u00ff]/u.test(decoded) ? undefined : decoded;
}

/** RFC 6533 §3 utf-8-addr-unitext: UTF-8 with `\x{HEX}` for some characters. */
function decodeUnitext(text: string): string | undefined {
  const decoded = text.replace(/\\x\{([0-9A-F]{1,6})\}/g, (all, hex: string) => {
    const code = parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
  return /[\p{Cc}\u2028\u2029\\]/u.test(decoded) || !decoded.isWellFormed() ? undefined : decoded;
}
