/**
 * `npm start`: builds what changed and runs the application: the window where there is a display and an Electron, else
 * `postrider serve`, saying in one line why and how to get the window. What stands after `--` is handed on.
 *
 * Ctrl-C and SIGTERM reach the program and are waited for: it ends its mail server first. Its exit code is ours.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { build } from './build.ts';
import { findElectron } from './electron.ts';
import { missingLibraries, packagesFor } from './libraries.ts';
import { dist, root } from './paths.ts';
import { run } from './run.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Program {
  command: string;
  args: string[];
}

function hasDisplay(): boolean {
  if (process.platform === 'darwin' || process.platform === 'win32') return true;
  return [process.env['DISPLAY'], process.env['WAYLAND_DISPLAY']].some((value) => value !== undefined && value !== '');
}

/** Chromium's sandbox on Linux: not as root, and only where a user may make a namespace. Undefined: it can be used. */
async function noSandboxBecause(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  if (process.getuid?.() === 0) return 'Running as root';
  const usable = await run('unshare', ['--user', '--map-root-user', 'true']).catch(() => undefined);
  return usable?.code === 0 ? undefined : 'This system lets no user make a namespace';
}

/** The window, or why there is none and what would bring it. */
async function windowProgram(): Promise<Program | string> {
  if (!hasDisplay()) return 'there is no display; for the window, run it in a desktop session or set DISPLAY';
  const electron = await findElectron(say);
  if ('missing' in electron) return electron.missing;
  const missing = await missingLibraries(electron.program);
  if (missing.length > 0) {
    return `Electron lacks ${missing.join(', ')}; for the window: apt-get install ${packagesFor(missing).join(' ')}`;
  }
  // Chromium reports a missing session bus and the like as errors; only what ends it is worth a person's time.
  const args = [root, '--log-level=3'];
  const reason = await noSandboxBecause();
  if (reason !== undefined) {
    say(`${reason}: the window runs without Chromium's sandbox (--no-sandbox).`);
    args.push('--no-sandbox');
  }
  if ((process.env['DISPLAY'] ?? '') === '' && process.platform === 'linux') args.push('--ozone-platform=wayland');
  return { command: electron.program, args };
}

function runToTheEnd({ command, args }: Program): Promise<number> {
  const child = spawn(command, args, { cwd: process.cwd(), stdio: 'inherit', env: electronEnvironment() });
  let asked = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // A terminal's Ctrl-C reaches the child by itself; a signal to us alone must be handed on. Twice does no harm.
      asked += 1;
      child.kill(asked > 2 ? 'SIGKILL' : signal === 'SIGHUP' ? 'SIGTERM' : signal);
    });
  }
  return new Promise((resolve) => {
    child.once('error', (error) => {
      say(`${command} cannot be run: ${error.message}`);
      resolve(1);
    });
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** Without what would make Electron a plain Node. */
function electronEnvironment(): NodeJS.ProcessEnv {
  const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env;
  return env;
}

const extra = process.argv.slice(2);
await build({ announce: say });
const window = await windowProgram();
if (typeof window === 'string') say(`Running without a window: ${window}.`);
const program =
  typeof window === 'string'
    ? { command: process.execPath, args: [path.join(dist, 'node', 'postrider.js'), 'serve'] }
    : window;
process.exitCode = await runToTheEnd({ ...program, args: [...program.args, ...extra] });
