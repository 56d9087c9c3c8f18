/**
 * Installs the dependencies when node_modules is missing or does not fit package-lock.json; otherwise does nothing,
 * silently. Runs before `npm start` and `npm test`, on whatever Node the machine has (20 or newer), with no dependency.
 *
 * No package's install script runs, except that of `node`, which brings the pinned Node: better-sqlite3 carries its
 * binaries, and npm would otherwise compile it (a lock file does not record its `gypfile: false`).
 * Fails with npm's own message and exit code.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const lockFile = `${root}package-lock.json`;
const installedLock = `${root}node_modules/.package-lock.json`;
const stampFile = `${root}node_modules/.postrider-installed`;

const npmCommand = process.env.npm_execpath;
const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];

function npm(args) {
  // npm_execpath is npm's own JavaScript; by hand, without npm around, the program `npm` is looked up on PATH.
  const [program, first] = npmCommand?.endsWith('.js') ? [process.execPath, [npmCommand]] : ['npm', []];
  const { status, error } = spawnSync(program, [...first, ...args], {
    cwd: root,
    stdio: 'inherit',
    shell: program === 'npm' && process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

/** The stamp is the lock file's hash; a person's own `npm ci` leaves none, then times decide. */
function isInstalled(hash) {
  const installed = modified(installedLock);
  if (installed === undefined) return false;
  const stamp = read(stampFile);
  return stamp === undefined ? installed >= (modified(lockFile) ?? 0) : stamp === hash;
}

function hasNode() {
  const { status, stdout } = spawnSync(`${root}node_modules/node/bin/node`, ['--version'], { encoding: 'utf8' });
  return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) >= 24;
}

const hash = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
const installed = isInstalled(hash);
if (!installed) {
  process.stderr.write('Installing the dependencies (npm ci)…\n');
  npm(['ci', '--ignore-scripts', ...quiet]);
}
if (!installed || read(stampFile) === undefined) {
  if (!hasNode() && Number(process.versions.node.split('.')[0]) < 24) {
    process.stderr.write('Installing Node 24 beside them…\n');
    npm(['rebuild', 'node', '--ignore-scripts=false', ...quiet]);
  } else if (!hasNode()) {
    process.stderr.write(`Using Node ${process.versions.node}.\n`);
  }
  writeFileSync(stampFile, hash);
}
