/** What this installation is: its version, and where its built page lies. The same two folders up from source and bundle. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version: found } = JSON.parse(text) as { version?: unknown };
  return typeof found === 'string' ? found : '0';
}

export function rendererFolder(): string {
  const relative = import.meta.url.endsWith('.ts') ? '../../dist/renderer/' : '../renderer/';
  return fileURLToPath(new URL(relative, import.meta.url));
}
