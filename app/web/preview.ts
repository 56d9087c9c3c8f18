/**
 * A mail's HTML on its way into the preview frame: kept under an unguessable id, served once, then gone.
 *
 * Why a resource of its own: `srcdoc` inherits the page's Content-Security-Policy, and a mail needs inline styles that
 * the page must not allow. Served by its own URL the frame has its own policy (`previewHeaders`), which forbids scripts,
 * forms, frames and every request; the iframe's `sandbox=""` says the same a second time.
 * Used by browser mode over HTTP and by the desktop's scheme handler alike.
 * Promises: at most `entries` at once (the oldest goes first), none older than `maxAge`, one reading each.
 */
import { randomBytes } from 'node:crypto';
import { previewCsp } from '../contract/csp.ts';

export const previewPath = '/preview/';

export interface Preview {
  readonly html: string;
  readonly remoteContent: boolean;
}

export class PreviewStore {
  readonly #entries = new Map<string, { preview: Preview; until: number }>();
  readonly #limit: number;
  readonly #maxAge: number;
  readonly #now: () => number;

  /** `maxAge` in milliseconds. */
  constructor(options: { entries?: number; maxAge?: number; now?: () => number } = {}) {
    this.#limit = options.entries ?? 20;
    this.#maxAge = options.maxAge ?? 60_000;
    this.#now = options.now ?? Date.now;
  }

  /** Returns the id to ask for: 32 random bytes as base64url. */
  put(html: string, options: { remoteContent?: boolean } = {}): string {
    this.#sweep();
    while (this.#entries.size >= this.#limit) {
      const oldest = this.#entries.keys().next();
      if (oldest.done === true) break;
      this.#entries.delete(oldest.value);
    }
    const id = randomBytes(32).toString('base64url');
    this.#entries.set(id, {
      preview: { html, remoteContent: options.remoteContent ?? false },
      until: this.#now() + this.#maxAge,
    });
    return id;
  }

  /** The same, as the path the frame loads. */
  path(html: string, options: { remoteContent?: boolean } = {}): string {
    return previewPath + this.put(html, options);
  }

  /** Hands it out once; undefined when the id is unknown, used or too old. */
  take(id: string): Preview | undefined {
    this.#sweep();
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    return entry?.preview;
  }

  #sweep(): void {
    const now = this.#now();
    for (const [id, entry] of this.#entries) if (entry.until <= now) this.#entries.delete(id);
  }
}

/** The headers a preview is served with, lower-case names. Only images may come from elsewhere, and only on request. */
export function previewHeaders(preview: Pick<Preview, 'remoteContent'>): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': previewCsp(preview),
    'cache-control': 'no-store',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=(), fullscreen=(), autoplay=()',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off',
  };
}
