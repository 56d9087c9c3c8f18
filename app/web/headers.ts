/**
 * The headers of the application's own page, the same in browser mode and in the desktop window.
 */

import { pageCsp } from '../contract/csp.ts';

/** Lower-case names. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': pageCsp,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-frame-options': 'DENY',
};
