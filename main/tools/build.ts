/**
 * Builds what runs without the toolchain: `npm run build [-- PART…] [--force]`.
 *
 *   dist/renderer           the page (Vite)
 *   dist/node/postrider.js  the command line and the MTA; every *-thread.ts of mta/ and app/ is an entry beside it, in
 *                           one flat folder, because sources find their threads by `./<name>.js`
 *   dist/main               Electron's main process (ESM) and preload (CommonJS)
 *
 * Everything is bundled but better-sqlite3 and Electron. A part whose inputs are as they were is left alone. Fails with
 * the bundler's message; a part that failed has no stamp and is built again.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, glob, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { rolldown, type InputOptions, type OutputOptions } from 'rolldown';
import { dist, root } from './paths.ts';

interface Part {
  readonly name: string;
  /** Folders and files whose contents decide whether it is built again. */
  readonly inputs: readonly string[];
  readonly output: string;
  build(into: string): Promise<void>;
}

const always = ['package.json', 'package-lock.json', 'main/tools/build.ts'];

const parts: readonly Part[] = [
  {
    name: 'renderer',
    inputs: ['renderer', 'app/contract', 'mta/contract', ...always],
    output: 'renderer',
    async build(into) {
      const { build } = await import('vite');
      const configFile = path.join(root, 'renderer/vite.config.ts');
      await build({ configFile, logLevel: 'warn', build: { outDir: into } });
    },
  },
  {
    name: 'node',
    inputs: ['app', 'mta', ...always],
    output: 'node',
    async build(into) {
      const threads = await filesLike('{app,mta}/**/*-thread.ts');
      const entries = ['app/cli/postrider.ts', ...threads];
      const input: Record<string, string> = {};
      for (const entry of entries) {
        const name = path.basename(entry, '.ts');
        if (input[name] !== undefined) throw new Error(`${entry}: another entry has the same name; rename one`);
        input[name] = path.join(root, entry);
      }
      await bundle({ input }, { dir: into, format: 'esm', chunkFileNames: 'chunk-[name]-[hash].js' });
      await makeProgram(path.join(into, 'postrider.js'));
    },
  },
  {
    name: 'main',
    inputs: ['main', 'app', 'mta', ...always],
    output: 'main',
    async build(into) {
      const main = { main: path.join(root, 'main/main.ts'), 'mta-utility': path.join(root, 'main/mta-utility.ts') };
      await bundle({ input: main }, { dir: into, format: 'esm', chunkFileNames: 'chunk-[name]-[hash].js' });
      await bundle(
        { input: { preload: path.join(root, 'main/preload/preload.ts') } },
        { dir: into, format: 'cjs', entryFileNames: '[name].cjs' },
      );
      await copyFile(path.join(root, 'main/assets/icon.png'), path.join(into, 'icon.png'));
    },
  },
];

async function bundle(input: InputOptions, output: OutputOptions): Promise<void> {
  const build = await rolldown({
    platform: 'node',
    cwd: root,
    external: ['better-sqlite3', 'electron'],
    ...input,
    onLog(level, log, handle) {
      if (level === 'warn' && log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
      // Dependencies' own circles and evals are not ours to mend.
      if (level === 'warn' && (log.id ?? '').includes('node_modules')) return;
      handle(level, log);
    },
  });
  try {
    await build.write({ entryFileNames: '[name].js', comments: { legal: true }, ...output });
  } finally {
    await build.close();
  }
}

async function makeProgram(file: string): Promise<void> {
  const code = await readFile(file, 'utf8');
  if (!code.startsWith('#!')) await writeFile(file, `#!/usr/bin/env node\n${code}`);
  await chmod(file, 0o755);
}

async function filesLike(pattern: string): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob(pattern, { cwd: root, exclude: ['**/*.test.ts'] })) files.push(file);
  return files.sort();
}

/** Of names and contents; tests are no inputs. */
async function hashOf(inputs: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const input of inputs) {
    const files = input.includes('.') ? [input] : await filesLike(`${input}/**/*.*`);
    for (const file of files) {
      const content = await readFile(path.join(root, file)).catch((error: NodeJS.ErrnoException) => {
        // A folder with a dot in its name, or a file that went away meanwhile.
        if (error.code === 'EISDIR' || error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (content !== undefined) hash.update(`${file}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex');
}

export interface BuildOptions {
  /** All when absent. */
  only?: readonly string[];
  force?: boolean;
  announce: (line: string) => void;
}

export async function build({ only, force = false, announce }: BuildOptions): Promise<void> {
  const unknown = only?.find((name) => !parts.some((part) => part.name === name));
  if (unknown !== undefined) {
    throw new Error(`There is no part ${unknown}; the parts are ${parts.map(({ name }) => name).join(', ')}`);
  }
  await mkdir(dist, { recursive: true });
  for (const part of parts) {
    if (only !== undefined && !only.includes(part.name)) continue;
    const stamp = path.join(dist, `.${part.name}.stamp`);
    const hash = await hashOf(part.inputs);
    const output = path.join(dist, part.output);
    const last = await readFile(stamp, 'utf8').catch(() => '');
    if (!force && last === hash && existsSync(output)) continue;
    announce(`Building ${part.name}…`);
    // Beside its place and then renamed: what is there stays whole until the new one is.
    const made = `${output}.new`;
    await rm(made, { recursive: true, force: true });
    await part.build(made);
    await rm(stamp, { force: true });
    await rm(output, { recursive: true, force: true });
    await rename(made, output);
    await writeFile(stamp, hash);
  }
}

if (import.meta.main) {
  const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  try {
    await build({
      ...(names.length === 0 ? {} : { only: names }),
      force: process.argv.includes('--force'),
      announce: (line) => process.stdout.write(`${line}\n`),
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
