/** Shared libraries that a program lacks on this Linux, and the Debian packages that bring them. */
import { run } from './run.ts';

/** Beginning of a library's file name → package, as named in Debian 12 and Ubuntu 22.04. */
const packages: Readonly<Record<string, string>> = {
  'libasound.so': 'libasound2',
  'libatk-1.0.so': 'libatk1.0-0',
  'libatk-bridge-2.0.so': 'libatk-bridge2.0-0',
  'libatspi.so': 'libatspi2.0-0',
  'libcairo.so': 'libcairo2',
  'libcups.so': 'libcups2',
  'libdbus-1.so': 'libdbus-1-3',
  'libdrm.so': 'libdrm2',
  'libexpat.so': 'libexpat1',
  'libgbm.so': 'libgbm1',
  'libgdk_pixbuf-2.0.so': 'libgdk-pixbuf-2.0-0',
  'libgio-2.0.so': 'libglib2.0-0',
  'libglib-2.0.so': 'libglib2.0-0',
  'libgobject-2.0.so': 'libglib2.0-0',
  'libgtk-3.so': 'libgtk-3-0',
  'libnspr4.so': 'libnspr4',
  'libnss3.so': 'libnss3',
  'libnssutil3.so': 'libnss3',
  'libpango-1.0.so': 'libpango-1.0-0',
  'libsmime3.so': 'libnss3',
  'libudev.so': 'libudev1',
  'libX11.so': 'libx11-6',
  'libxcb.so': 'libxcb1',
  'libXcomposite.so': 'libxcomposite1',
  'libXdamage.so': 'libxdamage1',
  'libXext.so': 'libxext6',
  'libXfixes.so': 'libxfixes3',
  'libxkbcommon.so': 'libxkbcommon0',
  'libXrandr.so': 'libxrandr2',
};

/** What `ldd` calls not found, in its words: `libnss3.so`, `libgbm.so.1`. */
export function notFound(ldd: string): string[] {
  return [...ldd.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => name ?? '');
}

/** Packages to install, each once; a library that is not in the table stands as itself. */
export function packagesFor(libraries: readonly string[]): string[] {
  const names = libraries.map(
    (library) => Object.entries(packages).find(([start]) => library.startsWith(start))?.[1] ?? library,
  );
  return [...new Set(names)].sort();
}

/** Empty when nothing is missing or it cannot be told (no ldd). */
export async function missingLibraries(program: string): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  try {
    return notFound((await run('ldd', [program])).stdout);
  } catch {
    return [];
  }
}
