/**
 * Characters that look like the ASCII one that is meant: full-width forms, dashes, quotes and spaces that come with
 * text copied from a web page. Naming them saves the reader a hex dump.
 */
const named: ReadonlyMap<string, readonly [name: string, meant: string]> = new Map([
  ['\u00a0', ['no-break space', ' ']],
  ['\u3000', ['ideographic (full-width) space', ' ']],
  ['\u2002', ['en space', ' ']],
  ['\u2003', ['em space', ' ']],
  ['\u2009', ['thin space', ' ']],
  ['\u200b', ['zero-width space', '']],
  ['\ufeff', ['byte order mark', '']],
  ['\u2010', ['hyphen', '-']],
  ['\u2011', ['no-break hyphen', '-']],
  ['\u2012', ['figure dash', '-']],
  ['\u2013', ['en dash', '-']],
  ['\u2014', ['em dash', '-']],
  ['\u2015', ['horizontal bar', '-']],
  ['\u2212', ['minus sign', '-']],
  ['\u2018', ['left single quotation mark', "'"]],
  ['\u2019', ['right single quotation mark', "'"]],
  ['\u201c', ['left double quotation mark', '"']],
  ['\u201d', ['right double quotation mark', '"']],
  ['\u3001', ['ideographic comma', ',']],
  ['\u3002', ['ideographic full stop', '.']],
]);

export interface Lookalike {
  readonly char: string;
  /** `full-width hyphen-minus, U+FF0D` */
  readonly name: string;
  /** The ASCII character that is meant; '' when it should simply go. */
  readonly meant: string;
}

/** The first such character in `text`, or undefined. */
export function findLookalike(text: string): Lookalike | undefined {
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) continue;
    const hex = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
    const known = named.get(char);
    if (known !== undefined) return { char, name: `${known[0]}, ${hex}`, meant: known[1] };
    // U+FF01 to U+FF5E are the full-width forms of ! to ~
    if (code >= 0xff01 && code <= 0xff5e) {
      const meant = String.fromCharCode(code - 0xfee0);
      return { char, name: `full-width "${meant}", ${hex}`, meant };
    }
  }
  return undefined;
}

/** ` It has "－" (full-width "-", U+FF0D); write a plain "-".`, or '' when `text` has no such character. */
export function lookalikeHint(text: string): string {
  const found = findLookalike(text);
  if (found === undefined) return '';
  const instead =
    found.meant === '' ? 'remove it' : `write a plain ${found.meant === ' ' ? 'space' : `"${found.meant}"`}`;
  return ` It has "${found.char}" (${found.name}); ${instead}.`;
}
