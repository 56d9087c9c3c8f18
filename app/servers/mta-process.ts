/**
 * An MTA process as the supervisor sees it, and how it is started with the toolchain's own Node.
 * Electron brings its own `SpawnMta` (utilityProcess): a packaged app has no Node to run.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

/** What the MTA says on its IPC channel once every listener is open. */
export const MtaReady = z.object({
  event: z.literal('ready'),
  /** `127.0.0.1:1025` */
  smtp: z.array(z.string()),
  data: z.string(),
  pid: z.number().int(),
});
export type MtaReady = z.output<typeof MtaReady>;

export interface MtaExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what it wrote to stderr. */
  readonly stderr: string;
}

export interface MtaProcess {
  readonly pid: number | undefined;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, also when the program could not be started at all. */
  onExit(listener: (exit: MtaExit) => void): void;
  /** SIGTERM: finish what is in hand; SIGKILL: at once. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Starts `postrider <args>`; the first argument is `mta`. */
export type SpawnMta = (args: readonly string[]) => MtaProcess;

export interface MtaCommand {
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/** This very program, from a checkout or from the bundle, where every entry lies in one folder. */
export function ownCommand(): MtaCommand {
  const script = import.meta.url.endsWith('.ts') ? '../cli/postrider.ts' : './postrider.js';
  return { command: process.execPath, args: [fileURLToPath(new URL(script, import.meta.url))] };
}

const keptStderr = 8192;

export function spawnWithNode(
  { command, args: first, env }: MtaCommand = ownCommand(),
  onStderr: (text: string) => void = () => undefined,
): SpawnMta {
  return (args) => {
    const child = spawn(command, [...first, ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: env ?? process.env,
      windowsHide: true,
      // A process group of its own: Ctrl-C in a terminal reaches us alone, and we end the child in good order. Should
      // we die, it sees its IPC channel close.
      detached: process.platform !== 'win32',
    });
    let stderr = '';
    let exit: MtaExit | undefined;
    const listeners: ((exit: MtaExit) => void)[] = [];
    let drained: NodeJS.Timeout | undefined;
    const ended = (code: number | null, signal: string | null): void => {
      clearTimeout(drained);
      if (exit !== undefined) return;
      exit = { code, signal, stderr };
      for (const listener of listeners) listener(exit);
    };
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => {
      stderr = (stderr + text).slice(-keptStderr);
      onStderr(text);
    });
    child.on('error', (error) => {
      stderr += `${command}: ${error.message}\n`;
      if (child.pid === undefined) ended(null, null);
    });
    // 'close' comes when stderr is read to its end; something that inherited it may hold it open, so not for ever.
    child.on('exit', (code, signal) => {
      drained = setTimeout(ended, 500, code, signal);
    });
    child.on('close', ended);
    return {
      pid: child.pid,
      onMessage: (listener) => child.on('message', listener),
      onExit: (listener) => {
        if (exit === undefined) listeners.push(listener);
        else listener(exit);
      },
      kill: (signal) => child.kill(signal),
    };
  };
}
