/**
 * The text of a header value for lists and the log: encoded words (RFC 2047) decoded, control characters out, cut at
 * 500 characters. Promises: never throws; what cannot be decoded stays as it is.
 */
import { decodeWords } from 'postal-mime';

const limit = 500;

export function decodeHeaderText(raw: string): string {
  let text = raw;
  if (raw.includes('=?')) {
    try {
      text = decodeWords(raw.slice(0, 4 * limit));
    } catch {
      text = raw;
    }
  }
  return text
    .slice(0, limit)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .toWellFormed();
}
