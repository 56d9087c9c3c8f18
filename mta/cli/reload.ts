/**
 * `postrider reload`: the running server reads its configuration again. A broken one is refused with file and line,
 * the server keeps the one it has, exit 78.
 */
import { PostriderError } from '../contract/errors.ts';
import { command, dataOf, runCommand } from './commander.ts';
import { exitCodes, Fatal, withServer, write, type Run } from './io.ts';

export const run: Run = (argv, io) => {
  const program = command('reload', 'Read main.cf and master.cf again.', io);
  return runCommand(program, argv, io, async () => {
    try {
      const { findings } = await withServer(io, dataOf(program.opts<{ data?: string }>(), io), (server) =>
        server.call('server.reload', {}),
      );
      for (const { level, file, line, message } of findings) {
        if (level === 'info') continue;
        const place = file === undefined ? '' : `${file}${line === undefined ? '' : `, line ${line}`}: `;
        await write(io.stderr, `reload: ${level}: ${place}${message}\n`);
      }
    } catch (error) {
      if (!(error instanceof PostriderError) || error.code !== 'bad-input') throw error;
      throw new Fatal(exitCodes.configuration, `${error.message} The previous configuration stays in force.`);
    }
    await write(io.stdout, 'reloaded\n');
    return exitCodes.ok;
  });
};
