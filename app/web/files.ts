/**
 * The built page from its folder, and nothing else from the disk: plain names only, links that lead outside refused.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

export interface PageFile {
  body: Uint8Array<ArrayBuffer>;
  type: string;
  etag: string;
  /** Its name carries a hash of its content: it never changes. */
  immutable: boolean;
}

const plainPath = /^(?:\/[\w-][\w.-]*)+$/;
const hashedName = /[.-][\w-]{8,}\.\w+$/;

/** `urlPath` is decoded and begins with a slash. Undefined when there is no such file, or it is not to be served. */
export async function pageFile(folder: string, urlPath: string): Promise<PageFile | undefined> {
  const type = types[path.extname(urlPath)];
  if (type === undefined || !plainPath.test(urlPath)) return undefined;
  try {
    const root = await realpath(folder);
    const file = await realpath(path.join(root, ...urlPath.split('/')));
    if (!file.startsWith(root + path.sep)) return undefined;
    const { mtimeMs, size } = await stat(file);
    return {
      body: new Uint8Array(await readFile(file)),
      type,
      etag: `"${Math.round(mtimeMs).toString(36)}-${size.toString(36)}"`,
      immutable: urlPath.startsWith('/assets/') && hashedName.test(urlPath),
    };
  } catch {
    // Absent, a folder, or not readable: to a browser all the same.
    return undefined;
  }
}
