/**
 * `postrider mta`: the MTA alone, in the foreground. One line (with --json one JSON object) when it is ready; SIGTERM,
 * SIGINT or, when it was started with an IPC channel, the end of that channel stop it, and it exits 0.
 */
import { Option } from 'commander';
import { ConfigurationError } from '../config/errors.ts';
import { PostriderError } from '../contract/errors.ts';
import { command, dataOf, runCommand } from './commander.ts';
import { exitCodes, Fatal, write, type Run } from './io.ts';

interface Flags {
  data?: string;
  profile?: 'sink' | 'server';
  domain?: string;
  smtp?: string[];
  json?: boolean;
}

export const run: Run = (argv, io) => {
  const program = command('mta', 'Run the mail server alone, without the web interface.', io)
    .addOption(new Option('--profile <profile>', 'of a new data folder').choices(['sink', 'server']))
    .option('--domain <name>', 'mydomain of a new data folder; myhostname is mail. before it')
    .option(
      '--smtp <host:port>',
      'listen here (repeatable); port 0 takes any free port',
      (value, list: string[] = []) => [...list, value],
    )
    .option('--json', 'print one JSON object when ready');
  return runCommand(program, argv, io, async () => {
    const { data, profile, domain, smtp, json } = program.opts<Flags>();
    const { startMta } = await import('../master/mta.ts');
    // Asked to stop before it is ready: it stops as soon as it is.
    const asked = stopRequests();
    const mta = await startMta({
      data: dataOf(data === undefined ? {} : { data }, io),
      ...(profile === undefined ? {} : { profile }),
      ...(domain === undefined ? {} : { domain }),
      ...(smtp === undefined ? {} : { smtp }),
    }).catch((error: unknown) => {
      asked.done();
      throw startFailure(error);
    });
    try {
      const ready = { event: 'ready', ...mta.ready };
      const where = mta.ready.smtp.length === 0 ? 'no SMTP listener' : `SMTP on ${mta.ready.smtp.join(', ')}`;
      await write(
        io.stdout,
        json === true
          ? `${JSON.stringify(ready)}\n`
          : `postrider mta: ready: ${where}; data in ${mta.ready.data}; pid ${mta.ready.pid}\n`,
      );
      if (process.send !== undefined && process.connected) process.send(ready);
      await Promise.race([asked.requested, mta.stopped]);
      await mta.stop();
      return exitCodes.ok;
    } finally {
      asked.done();
      if (process.connected) process.disconnect();
    }
  });
};

/**
 * A broken configuration is 78, a data folder that cannot be used 77, one in use or a port that is taken 69: scripts
 * can tell them apart.
 */
function startFailure(error: unknown): unknown {
  if (error instanceof ConfigurationError) return new Fatal(exitCodes.configuration, error.message);
  if (error instanceof PostriderError) {
    const { code, message } = error;
    return new Fatal(
      code === 'bad-input' ? exitCodes.configuration : code === 'denied' ? exitCodes.denied : exitCodes.unavailable,
      message,
    );
  }
  return error;
}

function stopRequests(): { requested: Promise<void>; done: () => void } {
  let stop = (): void => undefined;
  const requested = new Promise<void>((resolve) => {
    stop = resolve;
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (process.send !== undefined) process.on('disconnect', stop);
  return {
    requested,
    done: () => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      process.off('disconnect', stop);
    },
  };
}
