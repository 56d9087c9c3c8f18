/**
 * A mail's HTML made fit for the preview frame. DOMPurify (string in, string out) takes out everything that acts; the
 * hooks put inline images in, count and take out remote content, and disarm links (they are listed beside the frame).
 * It is one layer of three: the frame has no permissions (sandbox) and a policy of its own that forbids requests.
 */
import DOMPurify from 'dompurify';
import { isRemote, rewriteCss, type Link } from './content.ts';

export interface Sanitised {
  readonly html: string;
  /** How many things wanted to be loaded from elsewhere. */
  readonly remote: number;
  readonly links: readonly Link[];
}

/** The ground a message without styles of its own stands on; weighs nothing against any style the message has. */
const ground =
  '<style>:where(html){font:14px/1.5 system-ui,sans-serif;color:#1b1c1a;background:#fff}:where(body){margin:20px 24px;overflow-wrap:anywhere}:where(img){max-width:100%}img:not([src]){outline:1px dashed #c4c4be;outline-offset:-1px;background:#f6f6f4;color:#77776f;font-size:12px}</style>';

const addressAttributes = ['src', 'background', 'poster', 'data', 'lowsrc'];

/**
 * `images` are the message's inline images as data URIs, by Content-ID without brackets. `remote` lets addresses of
 * other machines stand.
 */
export function sanitise(html: string, images: ReadonlyMap<string, string>, remote: boolean): Sanitised {
  let count = 0;
  const links: Link[] = [];

  const rewrite = (address: string): string | undefined => {
    const cid = /^\s*cid:(.+)$/i.exec(address)?.[1];
    if (cid !== undefined) return images.get(decode(cid.trim()));
    if (/^\s*data:image\//i.test(address)) return address;
    if (!isRemote(address)) return undefined;
    count++;
    return remote ? address : undefined;
  };

  DOMPurify.addHook('uponSanitizeElement', (node) => {
    if (node.nodeName === 'STYLE') node.textContent = rewriteCss(node.textContent ?? '', rewrite);
  });
  DOMPurify.addHook('afterSanitizeAttributes', (node) => {
    for (const name of addressAttributes) {
      const value = node.getAttribute(name);
      if (value === null) continue;
      const next = rewrite(value);
      if (next === undefined) node.removeAttribute(name);
      else node.setAttribute(name, next);
    }
    const srcset = node.getAttribute('srcset');
    if (srcset !== null) {
      if (/(?:https?:)?\/\//i.test(srcset)) count++;
      if (!remote) node.removeAttribute('srcset');
    }
    const style = node.getAttribute('style');
    if (style !== null && /url\(|@import/i.test(style)) node.setAttribute('style', rewriteCss(style, rewrite));
    node.removeAttribute('target');
    node.removeAttribute('ping');
    const href = node.getAttribute('href');
    if (href !== null && !href.startsWith('#')) {
      links.push({ href, text: (node.textContent ?? '').replace(/\s+/g, ' ').trim().slice(0, 200) });
      node.setAttribute('href', '#');
      node.setAttribute('title', href);
    }
  });
  try {
    const clean = DOMPurify.sanitize(html, {
      WHOLE_DOCUMENT: true,
      USE_PROFILES: { html: true },
      ADD_TAGS: ['style', 'center', 'font'],
      FORBID_TAGS: [
        'form',
        'input',
        'button',
        'textarea',
        'select',
        'option',
        'dialog',
        'audio',
        'video',
        'source',
        'track',
      ],
      ADD_ATTR: ['background'],
      ALLOW_DATA_ATTR: false,
    });
    return { html: `<!doctype html>${ground}${clean}`, remote: count, links };
  } finally {
    DOMPurify.removeAllHooks();
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
