/**
 * What can be told of an HTML part without showing it: its text, and whether it would fetch something.
 *
 * Promises: one pass, linear; never throws; bounded output. This only informs (a snippet, a badge): what keeps remote
 * content away is the viewer's sandbox, not this.
 */
const named = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
  ['zwnj', ''],
  ['zwj', ''],
  ['shy', ''],
  ['copy', '©'],
  ['reg', '®'],
  ['trade', '™'],
  ['hellip', '…'],
  ['mdash', '—'],
  ['ndash', '–'],
  ['laquo', '«'],
  ['raquo', '»'],
  ['lsquo', '‘'],
  ['rsquo', '’'],
  ['ldquo', '“'],
  ['rdquo', '”'],
  ['bull', '•'],
  ['middot', '·'],
  ['euro', '€'],
  ['auml', 'ä'],
  ['ouml', 'ö'],
  ['uuml', 'ü'],
  ['Auml', 'Ä'],
  ['Ouml', 'Ö'],
  ['Uuml', 'Ü'],
  ['szlig', 'ß'],
  ['eacute', 'é'],
  ['egrave', 'è'],
  ['agrave', 'à'],
]);

/** Elements whose content is not text. */
const hidden = new Set(['style', 'script', 'title', 'template', 'noscript', 'svg', 'select', 'textarea']);
/** Attributes that make a viewer fetch, wherever they stand; `href` only does on some elements. */
const fetching = new Set(['src', 'srcset', 'background', 'poster', 'data', 'xlink:href', 'lowsrc', 'dynsrc']);
const fetchingHref = new Set(['link', 'image', 'use', 'feimage', 'base']);

/** The first `length` characters or so of the text in the HTML, white space folded. */
export function htmlToText(html: string, length: number): string {
  let text = '';
  let hiddenIn: string | undefined;
  for (const token of tokens(html)) {
    if (token.kind === 'text') {
      if (hiddenIn === undefined)
        text += decodeEntities(html.slice(token.start, Math.min(token.end, token.start + 4 * length)));
    } else if (hiddenIn !== undefined) {
      if (token.kind === 'close' && token.name === hiddenIn) hiddenIn = undefined;
    } else {
      if (token.kind === 'open' && hidden.has(token.name)) hiddenIn = token.name;
      if (!inline.has(token.name)) text += ' ';
    }
    // Mostly white space so far is possible: fold before giving up.
    if (text.length > 2 * length) {
      text = foldSpace(text);
      if (text.length >= length) break;
    }
  }
  return foldSpace(text).slice(0, length);
}

const inline = new Set([
  'a',
  'b',
  'i',
  'u',
  'em',
  'strong',
  'span',
  'font',
  'small',
  'big',
  'sub',
  'sup',
  'code',
  'abbr',
]);

/** Whether showing the HTML would fetch something over the network: images, style sheets, fonts, media. */
export function hasRemoteContent(html: string): boolean {
  let inStyle = false;
  for (const token of tokens(html)) {
    if (token.kind === 'text') {
      if (inStyle && styleFetches(html.slice(token.start, token.end))) return true;
    } else if (token.kind === 'close') {
      if (token.name === 'style') inStyle = false;
    } else {
      if (token.name === 'style') inStyle = true;
      for (const [name, value] of attributes(html.slice(token.nameEnd, token.end))) {
        if (name === 'style' && styleFetches(decodeEntities(value))) return true;
        const loads = fetching.has(name) || (name === 'href' && fetchingHref.has(token.name));
        if (loads && (name === 'srcset' ? anyRemote(value) : isRemote(value))) return true;
      }
    }
  }
  return false;
}

interface Token {
  readonly kind: 'text' | 'open' | 'close';
  /** Lower-case element name; empty for text. */
  readonly name: string;
  readonly nameEnd: number;
  readonly start: number;
  readonly end: number;
}

/** Raw text elements end only at their own closing tag (HTML §13.2.5.4). */
const rawText = new Set(['style', 'script', 'title', 'textarea']);

function* tokens(html: string): Generator<Token> {
  let at = 0;
  let noMoreComments = false;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    const textEnd = open === -1 ? html.length : open;
    if (textEnd > at) yield { kind: 'text', name: '', nameEnd: at, start: at, end: textEnd };
    if (open === -1) return;
    if (!noMoreComments && html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open + 4);
      if (end !== -1) {
        at = end + 3;
        continue;
      }
      noMoreComments = true;
    }
    const closes = html[open + 1] === '/';
    const nameStart = open + (closes ? 2 : 1);
    let nameEnd = nameStart;
    while (nameEnd - nameStart < 32 && /[a-zA-Z0-9:!?-]/.test(html[nameEnd] ?? '')) nameEnd++;
    if (nameEnd === nameStart) {
      yield { kind: 'text', name: '', nameEnd: open, start: open, end: open + 1 };
      at = open + 1;
      continue;
    }
    const name = html.slice(nameStart, nameEnd).toLowerCase();
    const end = tagEnd(html, nameEnd);
    yield { kind: closes ? 'close' : 'open', name, nameEnd, start: open, end };
    at = end + 1;
    if (!closes && rawText.has(name)) {
      const close = indexOfClosing(html, name, at);
      if (close > at) yield { kind: 'text', name: '', nameEnd: at, start: at, end: close };
      at = close;
    }
  }
}

/** Offset of the `>` that ends the tag; quoted values may hold one. */
function tagEnd(html: string, from: number): number {
  let quote = '';
  let afterEquals = false;
  for (let i = from; i < html.length; i++) {
    const char = html[i] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '>') return i;
    else if (afterEquals && (char === '"' || char === "'")) quote = char;
    if (quote === '' && char !== ' ' && char !== '\n' && char !== '\r' && char !== '\t') afterEquals = char === '=';
  }
  return html.length;
}

function indexOfClosing(html: string, name: string, from: number): number {
  for (let at = from; ; at += 2) {
    at = html.indexOf('</', at);
    if (at === -1) return html.length;
    if (html.slice(at + 2, at + 2 + name.length).toLowerCase() === name) return at;
  }
}

function* attributes(text: string): Generator<[string, string]> {
  let at = 0;
  while (at < text.length) {
    while (at < text.length && /[\s/]/.test(text[at] ?? '')) at++;
    const nameStart = at;
    while (at < text.length && !/[\s=/]/.test(text[at] ?? '')) at++;
    const name = text.slice(nameStart, at).toLowerCase();
    while (at < text.length && /\s/.test(text[at] ?? '')) at++;
    if (text[at] !== '=') {
      if (at === nameStart) at++;
      continue;
    }
    at++;
    while (at < text.length && /\s/.test(text[at] ?? '')) at++;
    const quote = text[at];
    let value: string;
    if (quote === '"' || quote === "'") {
      const end = text.indexOf(quote, at + 1);
      value = text.slice(at + 1, end === -1 ? text.length : end);
      at = end === -1 ? text.length : end + 1;
    } else {
      const start = at;
      while (at < text.length && !/\s/.test(text[at] ?? '')) at++;
      value = text.slice(start, at);
    }
    yield [name, value];
  }
}

function isRemote(value: string): boolean {
  // Browsers drop tabs and line ends within a URL, and leading control characters.
  const start = [...decodeEntities(value.slice(0, 400))].filter((char) => char > ' ').join('');
  return /^(?:https?:|ftp:|[/\\]{2})/i.test(start);
}

function anyRemote(srcset: string): boolean {
  return srcset.split(',').some(isRemote);
}

function styleFetches(css: string): boolean {
  const text = css.toLowerCase();
  for (const opener of ['url(', '@import', 'image-set(', 'image(']) {
    for (let at = text.indexOf(opener); at !== -1; at = text.indexOf(opener, at + opener.length)) {
      const value = text.slice(at + opener.length, at + opener.length + 200).replace(/^[\s"'(]+/, '');
      if (isRemote(value)) return true;
    }
  }
  return false;
}

/** Character references of numbers, and the named ones that mail uses. */
export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));?/g,
    (all: string, ten?: string, hex?: string, name?: string) => {
      if (name !== undefined) return named.get(name) ?? all;
      const code = ten === undefined ? Number.parseInt(hex ?? '', 16) : Number(ten);
      return code > 0x10ffff || code === 0 || (code >= 0xd800 && code <= 0xdfff)
        ? '\ufffd'
        : String.fromCodePoint(code);
    },
  );
}

/** Runs of white space, control characters and invisible characters become one space; ends trimmed. */
export function foldSpace(text: string): string {
  let result = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!isBlank(code) || (code === 0x20 && i > from && i + 1 < text.length && !isBlank(text.charCodeAt(i + 1))))
      continue;
    result += text.slice(from, i);
    if (result !== '' && !result.endsWith(' ')) result += ' ';
    from = i + 1;
  }
  return (result + text.slice(from)).trimEnd();
}

function isBlank(code: number): boolean {
  if (code <= 0x20) return true;
  if (code < 0x7f) return false;
  return (
    code <= 0xa0 ||
    code === 0xad ||
    code === 0x34f ||
    (code >= 0x2000 && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202f) ||
    (code >= 0x205f && code <= 0x2069) ||
    code === 0x3000 ||
    code === 0xfeff
  );
}
