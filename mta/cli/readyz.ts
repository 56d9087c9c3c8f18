/**
 * `postrider readyz`: exit 0 when the server takes mail, 69 when not; `--wait [seconds]` waits for it (60 s unless
 * said otherwise).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import { command, dataOf, runCommand } from './commander.ts';
import { exitCodes, withServer, write, type CliIo, type Run } from './io.ts';

const usualWait = 60;
/** Milliseconds between two questions. */
const pause = 100;

export const run: Run = (argv, io) => {
  const program = command(
    'readyz',
    'Tell whether the mail server is ready: exit 0 when it is, 69 when not.',
    io,
  ).option('--wait [seconds]', `wait until it is ready, at most so long (default ${usualWait})`, parseSeconds);
  return runCommand(program, argv, io, async () => {
    const options = program.opts<{ data?: string; wait?: number | true }>();
    const data = dataOf(options, io);
    const seconds = options.wait === true ? usualWait : (options.wait ?? 0);
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const problem = await ask(io, data);
      if (problem === undefined) {
        await write(io.stdout, 'ready\n');
        return exitCodes.ok;
      }
      if (performance.now() >= deadline) {
        await write(io.stderr, `readyz: not ready: ${problem}\n`);
        return exitCodes.unavailable;
      }
      await sleep(pause);
    }
  });
};

/** Why it is not ready; undefined when it is. */
async function ask(io: CliIo, data: string): Promise<string | undefined> {
  try {
    const { ready, findings } = await withServer(io, data, (server) => server.call('server.health', {}));
    if (ready) return undefined;
    return findings.find(({ level }) => level === 'error')?.message ?? 'the server says it is not ready';
  } catch (error) {
    if (error instanceof PostriderError && error.code === 'unavailable') return errorMessage(error);
    throw error;
  }
}

function parseSeconds(value: string): number {
  const seconds = Number(value);
  if (value.trim() === '' || !Number.isFinite(seconds) || seconds < 0) {
    throw new InvalidArgumentError(`"${value}" is not a number of seconds.`);
  }
  return seconds;
}
