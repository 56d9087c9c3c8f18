/**
 * Which Electron to use, in this order: ELECTRON_OVERRIDE_DIST_PATH; the official one, installed; the official one,
 * downloaded (ELECTRON_MIRROR honoured); on Linux x64, the development stand-in of stand-in.ts.
 *
 * Promises: gives up quickly where the download place cannot be reached, and asks it once a run only. Says in one line
 * through `announce` what it fetches. Never throws for a missing Electron: the answer then says why and what to do.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './paths.ts';
import { run } from './run.ts';
import { isStandIn, provideStandIn } from './stand-in.ts';

export interface FoundElectron {
  /** The program. */
  readonly program: string;
  /** The folder of the distribution: what electron-builder calls electronDist. */
  readonly folder: string;
  readonly version: string;
  readonly kind: 'official' | 'stand-in';
}

export interface NoElectron {
  readonly missing: string;
}

const packageFolder = path.join(root, 'node_modules', 'electron');
/** Milliseconds to answer a HEAD request for the archive. */
const reachableWithin = 5000;
/** Milliseconds for the whole download of about 120 MB, once it is known to be there. */
const downloadWithin = 10 * 60_000;

export function programName(platform: NodeJS.Platform = process.platform): string {
  if (platform === 'darwin') return path.join('Electron.app', 'Contents', 'MacOS', 'Electron');
  return platform === 'win32' ? 'electron.exe' : 'electron';
}

let answer: Promise<FoundElectron | NoElectron> | undefined;

/** The same answer for the whole run. */
export function findElectron(announce: (line: string) => void): Promise<FoundElectron | NoElectron> {
  answer ??= find(announce);
  return answer;
}

async function find(announce: (line: string) => void): Promise<FoundElectron | NoElectron> {
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  if (override !== undefined && override !== '') {
    const found = await at(path.resolve(override));
    return (
      found ?? { missing: `ELECTRON_OVERRIDE_DIST_PATH=${override} holds no ${programName()}; correct it or unset it` }
    );
  }
  const installed = path.join(packageFolder, 'dist');
  const found = (await at(installed)) ?? ((await download(announce)) ? await at(installed) : undefined);
  if (found !== undefined) return found;
  try {
    const folder = await provideStandIn(announce);
    const standIn = folder === undefined ? undefined : await at(folder);
    if (standIn !== undefined) return standIn;
  } catch (error) {
    return { missing: `Electron cannot be had: ${error instanceof Error ? error.message : String(error)}` };
  }
  return {
    missing:
      'the Electron binary cannot be downloaded here; set ELECTRON_MIRROR, or ELECTRON_OVERRIDE_DIST_PATH to a distribution',
  };
}

async function at(folder: string): Promise<FoundElectron | undefined> {
  const program = path.join(folder, programName());
  if (!existsSync(program)) return undefined;
  const version = await readFile(path.join(folder, 'version'), 'utf8').catch(() => '');
  return {
    program,
    folder,
    version: version.trim().replace(/^v/, ''),
    kind: (await isStandIn(folder)) ? 'stand-in' : 'official',
  };
}

/** Where @electron/get would look, as its README says: mirror + `v<version>/` + file. */
function archiveUrl(version: string): string {
  const mirror =
    process.env['ELECTRON_MIRROR'] ??
    process.env['npm_config_electron_mirror'] ??
    'https://github.com/electron/electron/releases/download/';
  const folder = process.env['ELECTRON_CUSTOM_DIR'] ?? `v${version}`;
  return `${mirror}${folder}/electron-v${version}-${process.platform}-${process.arch}.zip`;
}

async function download(announce: (line: string) => void): Promise<boolean> {
  const installer = path.join(packageFolder, 'install.js');
  if (!existsSync(installer)) return false;
  const { version } = JSON.parse(await readFile(path.join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  try {
    const response = await fetch(archiveUrl(version), { method: 'HEAD', signal: AbortSignal.timeout(reachableWithin) });
    if (!response.ok) return false;
  } catch {
    return false;
  }
  announce(`Downloading Electron ${version}…`);
  const { code } = await run(process.execPath, [installer], { timeout: downloadWithin });
  return code === 0;
}
