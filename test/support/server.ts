/**
 * Runs the real `postrider serve` (or `mta`) in a data folder of the test's own, on free loopback ports, and ends it.
 * Fails with what the program wrote when it does not become ready.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));
const cli = path.join(projectFolder, 'app/cli/postrider.ts');

export interface Ready {
  event: 'ready';
  smtp: string[];
  http?: string;
  url?: string;
  data: string;
  pid: number;
}

export interface ServerOptions {
  command?: 'serve' | 'mta';
  data?: string;
  profile?: 'sink' | 'server';
  domain?: string;
  smtp?: string;
  arguments?: string[];
  env?: NodeJS.ProcessEnv;
}

export interface RunningServer {
  readonly ready: Ready;
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** What it wrote to stderr so far. */
  errors(): string;
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
  /** Runs `postrider ARGS` on the same data folder. */
  run(...args: string[]): Promise<CommandResult>;
  /** Stops it if it still runs and removes its data folder. */
  cleanUp(): Promise<void>;
}

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export async function temporaryFolder(name: string): Promise<string> {
  return mkdtemp(path.join(tmpdir(), `postrider-${name}-`));
}

/** Runs a program by argv to its end; never throws for its exit code. */
export function command(
  file: string,
  args: readonly string[],
  options: { input?: string | Buffer; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      { env: { ...process.env, ...options.env }, cwd: options.cwd, maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({
          code,
          stdout,
          stderr: error !== null && typeof error.code !== 'number' ? `${stderr}${error.message}` : stderr,
        });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

export function postrider(
  args: readonly string[],
  options: { input?: string | Buffer; env?: NodeJS.ProcessEnv } = {},
): Promise<CommandResult> {
  return command(process.execPath, [cli, ...args], options);
}

export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const own = options.data === undefined;
  const data = options.data ?? (await temporaryFolder('data'));
  const name = options.command ?? 'serve';
  const args = [cli, name, '--data', data, '--json', '--smtp', options.smtp ?? '127.0.0.1:0'];
  if (name === 'serve') args.push('--http', '127.0.0.1:0');
  if (options.profile !== undefined) args.push('--profile', options.profile);
  if (options.domain !== undefined) args.push('--domain', options.domain);
  args.push(...(options.arguments ?? []));
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, 'line').then(([line]) => line as string),
    once(child, 'exit').then(([code, signal]) => {
      throw new Error(`postrider ${name} ended (${String(code ?? signal)}) before it was ready:\n${errors}`);
    }),
  ]);
  const ready = JSON.parse(first) as Ready;
  const address = ready.smtp[0] ?? '';
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const stop = (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return exited;
  };
  return {
    ready,
    data,
    host: address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(address.lastIndexOf(':') + 1)),
    process: child,
    errors: () => errors,
    stop,
    run: (...words) => postrider(words, { env: { ...options.env, POSTRIDER_DATA: data } }),
    cleanUp: async () => {
      await stop();
      if (own) await rm(data, { recursive: true, force: true });
    },
  };
}

/** Resolves when `check` gives something; asks again every 20 ms, for things that no event announces to a test. */
export async function eventually<T>(
  check: () => Promise<T | undefined> | T | undefined,
  what: string,
  milliseconds = 20_000,
): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
