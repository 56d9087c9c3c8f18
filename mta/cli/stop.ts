/** `postrider stop`: the running server finishes what is in hand and ends; this waits for it. Exit 69 when none runs. */
import { PostriderError } from '../contract/errors.ts';
import { command, dataOf, runCommand } from './commander.ts';
import { exitCodes, withServer, write, type Run } from './io.ts';

export const run: Run = (argv, io) => {
  const program = command('stop', 'Stop the mail server once it has finished what is in hand.', io);
  return runCommand(program, argv, io, async () => {
    await withServer(io, dataOf(program.opts<{ data?: string }>(), io), async (server) => {
      try {
        await server.call('server.stop', {});
      } catch (error) {
        // The connection may end before the answer gets through: then it has stopped.
        if (!(error instanceof PostriderError) || error.code !== 'unavailable') throw error;
      }
      await server.closed;
    });
    await write(io.stdout, 'stopped\n');
    return exitCodes.ok;
  });
};
