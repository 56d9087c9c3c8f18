/**
 * Runs programs by argv: to the end, or with their output collected. A child never outlives a signal sent to us.
 */
import { spawn, type SpawnOptions } from 'node:child_process';

export interface Finished {
  /** The exit code; 128 + signal number is not used: `signal` says it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What it wrote, when not inherited. */
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds; then SIGKILL. */
  timeout?: number;
  stdio?: SpawnOptions['stdio'];
}

/** Throws when the program cannot be started; how it ended is for the caller to judge. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
      ...(options.timeout === undefined ? {} : { timeout: options.timeout, killSignal: 'SIGKILL' as const }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
