/** What belongs to this installation: where its built page lies, from source and from the bundle. */
import { fileURLToPath } from 'node:url';

export function rendererFolder(): string {
  const relative = import.meta.url.endsWith('.ts') ? '../../dist/renderer/' : '../renderer/';
  return fileURLToPath(new URL(relative, import.meta.url));
}
