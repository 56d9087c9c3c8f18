/** The version of this program, from package.json: two folders up from here and from the bundle alike. */
import { readFileSync } from 'node:fs';

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version: found } = JSON.parse(text) as { version?: unknown };
  return typeof found === 'string' ? found : '0';
}
