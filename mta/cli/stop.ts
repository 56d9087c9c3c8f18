/** `postrider stop`: the running server finishes what is in hand and ends; this waits for it. Exit 69 when none runs. */
import { PostriderError } from '../contract/errors.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { command, dataOf, runCommand } from './commander.ts';
import { exitCodes, Fatal, withServer, write, type Run } from './io.ts';

export const run: Run = (argv, io) => {
  const program = command('stop', 'Stop the mail server once it has finished what is in hand.', io);
  return runCommand(program, argv, io, async () => {
    const pid = await withServer(io, dataOf(program.opts<{ data?: string }>(), io), async (server) => {
      const overview = await server.call('server.overview', {});
      try {
        await server.call('server.stop', {});
      } catch (error) {
        // The connection may end before the answer gets through: then it has stopped.
        if (!(error instanceof PostriderError) || error.code !== 'unavailable') throw error;
      }
      await server.closed;
      return overview.pid;
    });
    // The socket closes a little before the process ends; who starts the next one wants the data folder free.
    if (pid !== undefined && !(await ended(pid))) {
      throw new Fatal(
        exitCodes.temporary,
        `the server (pid ${pid}) took the order and is still finishing what is in hand`,
      );
    }
    await write(io.stdout, 'stopped\n');
    return exitCodes.ok;
  });
};

/** Milliseconds: the most to wait for the process, and between two looks. */
const longestWait = 30_000;
const pause = 25;

/** Whether the process has ended, at the latest after `longestWait`. */
async function ended(pid: number): Promise<boolean> {
  // An MTA within this very process (a test, an embedding program) has ended when its socket has.
  if (pid === process.pid) return true;
  const deadline = performance.now() + longestWait;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      // EPERM: it is there, and somebody else's by now or still.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
    }
    if (performance.now() >= deadline) return false;
    await sleep(pause);
  }
}
