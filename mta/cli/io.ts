/**
 * What every command is given and how it ends: standard streams, environment, the data folder, the control socket.
 *
 * A command is `run(argv, io)` → exit code; it never calls process.exit and never throws for a person's mistake: that
 * becomes `name: fatal: …` on stderr and a sysexits(3) code, as Postfix's commands do.
 */
import { once } from 'node:events';
import path from 'node:path';
import { dataFolder as defaultDataFolder, type Environment } from '../config/data-folder.ts';
import { ConfigurationError } from '../config/errors.ts';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import type { Connection } from '../contract/rpc.ts';
import type { MailServerContract } from '../contract/server.ts';

export type MailServerConnection = Connection<MailServerContract>;

export interface CliIo {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly env: Environment;
  /** Reaches the MTA of a data folder; connectControl when absent. */
  readonly connect?: ((dataFolder: string) => Promise<MailServerConnection>) | undefined;
}

export type Run = (argv: readonly string[], io: CliIo) => Promise<number>;

/** sysexits(3) */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 64,
  unavailable: 69,
  software: 70,
  temporary: 75,
  denied: 77,
  configuration: 78,
} as const;

/** Ends a command: `name: fatal: message` and the code. */
export class Fatal extends Error {
  override name = 'Fatal';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Runs `body` and turns what it throws into a line on stderr and an exit code. */
export async function guarded(
  name: string,
  io: CliIo,
  body: () => Promise<number>,
  failure: number = exitCodes.failure,
): Promise<number> {
  try {
    return await body();
  } catch (error) {
    const code =
      error instanceof Fatal
        ? error.code
        : error instanceof PostriderError && error.code === 'unavailable'
          ? exitCodes.unavailable
          : failure;
    const known = error instanceof Fatal || error instanceof PostriderError || error instanceof ConfigurationError;
    const hint =
      error instanceof PostriderError && error.code === 'unavailable'
        ? '; start it with "postrider mta" or "postrider serve"'
        : '';
    await write(io.stderr, `${name}: fatal: ${known ? '' : 'internal error: '}${errorMessage(error)}${hint}\n`);
    return code;
  }
}

/** Writes and waits when the reader is slow. A reader that has gone away (EPIPE) is not an error: it has read enough. */
export async function write(stream: NodeJS.WritableStream, text: string | Uint8Array): Promise<boolean> {
  if (text.length === 0) return true;
  if (!stream.writable) return false;
  if (stream.write(text)) return true;
  try {
    await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
    throw error;
  }
  return stream.writable;
}

/** Takes `--data DIR` or `--data=DIR` out of the arguments (not after `--`). */
export function takeData(
  argv: readonly string[],
  env: Environment,
): { readonly data: () => string; readonly rest: string[] } {
  const rest: string[] = [];
  let named: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--') {
      rest.push(...argv.slice(i));
      break;
    }
    if (word !== '--data' && !word.startsWith('--data=')) {
      rest.push(word);
      continue;
    }
    const value = word === '--data' ? argv[++i] : word.slice('--data='.length);
    if (value === undefined || value === '') throw new Fatal(exitCodes.usage, '--data needs a folder');
    named = path.resolve(value);
  }
  return { data: () => named ?? defaultDataFolder(env), rest };
}

/** Connects, calls `use`, and closes, however that ends. */
export async function withServer<T>(
  io: CliIo,
  data: string,
  use: (server: MailServerConnection) => Promise<T>,
): Promise<T> {
  const connect = io.connect ?? (await import('../control/connect.ts')).connectControl;
  const server = await connect(data);
  try {
    return await use(server);
  } finally {
    server.close();
  }
}

/** All of stdin; at most `limit` bytes, after which reading stops and `tooLong` is true. */
export async function readAll(
  stream: NodeJS.ReadableStream,
  limit: number,
): Promise<{ data: Buffer; tooLong: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    chunks.push(bytes);
    length += bytes.length;
    if (length > limit) return { data: Buffer.concat(chunks), tooLong: true };
  }
  return { data: Buffer.concat(chunks), tooLong: false };
}
