/**
 * The Content-Security-Policies of the application's page and of the preview frame, one string for every host
 * (browser mode and the desktop's scheme handler). Pure.
 */

/**
 * The page: its own files only, and no string ever becomes markup or script except through the two named policies:
 * `svelte-trusted-html` (Svelte's compiled templates) and `dompurify` (the sanitiser of mail HTML).
 * Frames load from the page's own origin only: the previews, which carry `previewCsp`.
 */
export const pageCsp = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types svelte-trusted-html dompurify',
].join('; ');

/** A mail's HTML: no script, form, frame or request; images from elsewhere only when the person asked for them. */
export function previewCsp(options: { remoteContent: boolean }): string {
  return [
    'sandbox',
    "default-src 'none'",
    `img-src ${options.remoteContent ? 'data: https: http:' : 'data:'}`,
    "style-src 'unsafe-inline'",
    'font-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ');
}
