/**
 * How the desktop starts the MTA: in a packaged app as a utilityProcess, since there is no Node beside it; from a
 * checkout, and wherever POSTRIDER_NODE names one, as a child of a real Node.
 *
 * Both run dist/node/postrider.js, which lies unpacked beside an asar archive.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { app, utilityProcess } from 'electron';
import { spawnWithNode, type MtaExit, type MtaProcess, type SpawnMta } from '#app/servers/mta-process.ts';

const unpacked = import.meta.dirname.replace(/\bapp\.asar\b/, 'app.asar.unpacked');
const program = path.join(unpacked, '..', 'node', 'postrider.js');
const utilityEntry = path.join(import.meta.dirname, 'mta-utility.js');
/** better-sqlite3's binaries need Node-API 10, which Electron has since this release. */
const capableElectron = 35;
const keptStderr = 8192;

export function spawnDesktopMta(onStderr: (text: string) => void): SpawnMta {
  const node = nodeProgram();
  return node === undefined ? spawnUtility(onStderr) : spawnWithNode({ command: node, args: [program] }, onStderr);
}

/** Undefined: use a utilityProcess. */
function nodeProgram(): string | undefined {
  const named = process.env['POSTRIDER_NODE'];
  if (named !== undefined && named !== '') return named;
  if (app.isPackaged && Number.parseInt(process.versions.electron, 10) >= capableElectron) return undefined;
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const toolchain = path.join(app.getAppPath(), 'node_modules', 'node', 'bin', name);
  return existsSync(toolchain) ? toolchain : name;
}

function spawnUtility(onStderr: (text: string) => void): SpawnMta {
  return (args): MtaProcess => {
    const child = utilityProcess.fork(utilityEntry, [program, ...args], {
      serviceName: 'Postrider mail server',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    let exit: MtaExit | undefined;
    const listeners: ((exit: MtaExit) => void)[] = [];
    child.stderr?.on('data', (data: Buffer) => {
      const text = data.toString('utf8');
      stderr = (stderr + text).slice(-keptStderr);
      onStderr(text);
    });
    child.on('exit', (code) => {
      exit = { code, signal: null, stderr };
      for (const listener of listeners) listener(exit);
    });
    return {
      get pid() {
        return child.pid;
      },
      onMessage: (listener) => child.on('message', listener),
      onExit: (listener) => {
        if (exit === undefined) listeners.push(listener);
        else listener(exit);
      },
      kill: (signal) => {
        // A utilityProcess has no signals of its own on Windows: a message asks it to finish, on every platform.
        if (signal === 'SIGTERM') child.postMessage('stop');
        else if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL');
      },
    };
  };
}
