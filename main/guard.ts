/**
 * What no page may do: get a permission, navigate away, open a window, embed a webview, ask another origin.
 * The exceptions: a link a person clicked goes to the browser after they confirmed its host; images that a person
 * allowed in a mail load inside its preview.
 */
import { app, BrowserWindow, dialog, shell, type Session, type WebContents } from 'electron';
import { previewPath } from '#app/web/preview.ts';
import { log } from './logger.ts';
import { origin } from './scheme.ts';
import type { Texts } from './texts.ts';

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

export function guardContents(texts: () => Texts): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event) => {
      event.preventDefault();
      void openOutside(event.url, contents, texts());
    });
    contents.on('will-frame-navigate', (event) => {
      if (!event.url.startsWith(origin + previewPath)) event.preventDefault();
    });
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      void openOutside(url, contents, texts());
      return { action: 'deny' };
    });
  });
}

let asking = false;

/** A URL as it is shown to be confirmed: the host in its ASCII form, so that look-alike letters show. */
export function outsideTarget(url: string): { href: string; shown: string } | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !outside.has(parsed.protocol)) return undefined;
  return { href: parsed.href, shown: parsed.protocol === 'mailto:' ? parsed.pathname : parsed.host };
}

async function openOutside(url: string, contents: WebContents, texts: Texts): Promise<void> {
  const target = outsideTarget(url);
  const window = BrowserWindow.fromWebContents(contents);
  if (target === undefined || window === null || asking) return;
  asking = true;
  try {
    const { response } = await dialog.showMessageBox(window, {
      type: 'question',
      message: texts.openLink(target.shown),
      detail: target.href.length > 500 ? `${target.href.slice(0, 500)}…` : target.href,
      buttons: [texts.open, texts.cancel],
      defaultId: 1,
      cancelId: 1,
    });
    if (response === 0) await shell.openExternal(target.href);
  } catch (error) {
    log(`${target.shown} could not be opened: ${String(error)}`);
  } finally {
    asking = false;
  }
}
