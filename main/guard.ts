/**
 * What no page may do: get a permission, navigate away, open a window, embed a webview, ask another origin.
 * The exceptions: a link goes to the system's browser (the page has shown its host and asked first); images that a
 * person allowed in a mail load inside its preview.
 */
import { app, shell, type Session } from 'electron';
import { previewPath } from '#app/web/preview.ts';
import { log } from './logger.ts';
import { origin } from './scheme.ts';

const outside = new Set(['http:', 'https:', 'mailto:']);

export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event, item) => {
    // Attachments and sources are saved by blob: and data: URLs the page made; nothing is fetched from elsewhere.
    if (!/^(blob:|data:)/.test(item.getURL())) event.preventDefault();
  });
  session.webRequest.onBeforeRequest(({ url, resourceType, frame }, answer) => {
    const own = url.startsWith(`${origin}/`) || /^(blob:|data:|devtools:)/.test(url);
    const previewed = resourceType === 'image' && frame?.url.startsWith(origin + previewPath) === true;
    answer({ cancel: !(own || (previewed && /^https?:/.test(url))) });
  });
}

export function guardContents(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event) => event.preventDefault());
    contents.on('will-frame-navigate', (event) => {
      if (!event.url.startsWith(origin + previewPath)) event.preventDefault();
    });
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      openOutside(url);
      return { action: 'deny' };
    });
  });
}

/** What may go to the system's browser or mail program; undefined for anything else. */
export function outsideTarget(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed !== undefined && outside.has(parsed.protocol) ? parsed.href : undefined;
}

/** Milliseconds between two: a person clicks no faster, and a page gone wrong must not flood the desktop. */
const pause = 500;
let last = -Infinity;

function openOutside(url: string): void {
  const target = outsideTarget(url);
  const now = performance.now();
  if (target === undefined || now - last < pause) return;
  last = now;
  shell.openExternal(target).catch((error: unknown) => log(`a link could not be opened: ${String(error)}`));
}
