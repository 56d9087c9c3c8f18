/** Folders of the checkout, and where what is fetched is kept between runs. */
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const dist = path.join(root, 'dist');
export const out = path.join(root, 'out');

/** Outside the checkout, so that a fresh clone need not fetch again: XDG_CACHE_HOME/postrider, ~/.cache/postrider. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return path.join(base !== undefined && path.isAbsolute(base) ? base : path.join(homedir(), '.cache'), 'postrider');
}
