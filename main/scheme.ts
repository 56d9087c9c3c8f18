/**
 * The page's own scheme, app://postrider/: the built page with its headers, and the previews, each once. Nothing else
 * answers; a path that leads out of the page's folder does not exist. The scheme is standard and secure, and may not
 * bypass the Content-Security-Policy.
 */
import { protocol, type Session } from 'electron';
import { pageFile } from '#app/web/files.ts';
import { pageHeaders } from '#app/web/headers.ts';
import { previewHeaders, previewPath, type PreviewStore } from '#app/web/preview.ts';

export const scheme = 'app';
export const origin = `${scheme}://postrider`;

/** Before the app is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

export interface SchemeOptions {
  rendererFolder: string;
  previews: PreviewStore;
}

export function serveScheme(session: Session, options: SchemeOptions): void {
  session.protocol.handle(scheme, (request) => answer(request, options));
}

/** Exported for its test. */
export async function answer(
  request: Pick<Request, 'method' | 'url'>,
  { rendererFolder, previews }: SchemeOptions,
): Promise<Response> {
  const url = new URL(request.url);
  if (`${url.protocol}//${url.host}` !== origin) return new Response(null, { status: 404, headers: pageHeaders });
  if (request.method !== 'GET') return new Response(null, { status: 405, headers: { ...pageHeaders, allow: 'GET' } });
  if (url.pathname.startsWith(previewPath)) {
    const preview = previews.take(url.pathname.slice(previewPath.length));
    if (preview !== undefined) return new Response(preview.html, { headers: previewHeaders(preview) });
  } else {
    const file = await pageFile(rendererFolder, url.pathname === '/' ? '/index.html' : decodePath(url.pathname));
    if (file !== undefined) return new Response(file.body, { headers: { ...pageHeaders, 'content-type': file.type } });
  }
  return new Response(null, { status: 404, headers: pageHeaders });
}

/** A path that does not decode is no file's. */
function decodePath(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return '';
  }
}
