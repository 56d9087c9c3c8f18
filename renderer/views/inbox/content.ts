/** Small pure steps on the contents of messages: bytes, file names, quotes, links. */

/** Decodes base64 as contracts carry it. */
export function fromBase64(data: string): Uint8Array<ArrayBuffer> {
  const binary = atob(data);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** A name that is safe to offer for saving: no folders, no control characters, no leading dots. Never empty. */
export function safeFileName(name: string | undefined, fallback: string): string {
  const last = (name ?? '').split(/[\\/]/).at(-1) ?? '';
  const clean = Array.from(last)
    .filter((char) => char >= ' ' && char !== '\u007f' && !'<>:"|?*'.includes(char) && !isInvisible(char))
    .join('')
    .replace(/^\.+/, '')
    .trim()
    .slice(-150);
  return clean === '' ? fallback : clean;
}

/** Marks that turn text around or hide in it: `cod\u202egpj.exe` reads as `codexe.jpg`. */
function isInvisible(char: string): boolean {
  return /[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/.test(char);
}

export interface TextLine {
  readonly text: string;
  /** How many `>` stand before it. */
  readonly depth: number;
}

/** The lines of a text body with their depth of quoting (RFC 3676 §4.5: the count of leading `>`). */
export function quotedLines(text: string): TextLine[] {
  return text.split(/\r\n|\r|\n/).map((line) => {
    const mark = /^(?:> ?)+/.exec(line)?.[0] ?? '';
    return { text: line, depth: mark.replaceAll(' ', '').length };
  });
}

export interface Link {
  readonly href: string;
  readonly text: string;
}

/** What may be opened: its protocol, and the host in its ASCII form, so that look-alike letters show. */
export function linkTarget(href: string): { url: string; host: string; kind: 'web' | 'mail' } | undefined {
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return undefined;
  }
  if (url.protocol === 'mailto:') return { url: url.href, host: url.pathname, kind: 'mail' };
  if ((url.protocol === 'http:' || url.protocol === 'https:') && url.host !== '') {
    return { url: url.href, host: url.host, kind: 'web' };
  }
  return undefined;
}

const cssUrl = /url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"']*))\s*\)/gi;

/** True for an address that leads off this machine: `http:`, `https:`, `//host`. */
export function isRemote(address: string): boolean {
  return /^\s*(?:https?:)?\/\//i.test(address);
}

/** Styles with every address passed through `replace`; undefined empties it. Imports are taken out. */
export function rewriteCss(css: string, replace: (address: string) => string | undefined): string {
  return css
    .replace(/@import\s+(?:url\([^)]*\)|"[^"]*"|'[^']*')[^;]*;?/gi, '')
    .replace(cssUrl, (_, double?: string, single?: string, bare?: string) => {
      const next = replace((double ?? single ?? bare ?? '').trim());
      return next === undefined ? 'none' : `url("${next.replaceAll('"', '%22')}")`;
    });
}
