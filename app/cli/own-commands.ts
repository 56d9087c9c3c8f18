/** The commands of the application, beside those of the MTA: serve, send, url, and help. */
import { Command, CommanderError } from 'commander';
import { version } from '#mta/config/version.ts';
import { exitCode } from './options.ts';
import { send, sendCommand } from './send.ts';
import { serve, serveCommand, type Surroundings } from './serve.ts';
import { url, urlCommand } from './url.ts';

const out = (text: string): void => void process.stdout.write(text);
const err = (text: string): void => void process.stderr.write(text);

const onSignal: Surroundings['onSignal'] = (listener) => {
  const interrupt = (): void => listener('SIGINT');
  // A terminal that goes away ends us as politely as a service manager does.
  const terminate = (): void => listener('SIGTERM');
  process.on('SIGINT', interrupt).on('SIGTERM', terminate).on('SIGHUP', terminate);
  return () => process.off('SIGINT', interrupt).off('SIGTERM', terminate).off('SIGHUP', terminate);
};

async function input(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) text += String(chunk);
  return text;
}

/** `others` are the MTA's commands, name → summary, for the help. Returns the exit code; throws what a command throws. */
export async function runOwn(args: readonly string[], others: Readonly<Record<string, string>>): Promise<number> {
  let code: number = exitCode.ok;
  const around = { out, err, env: process.env };
  const program = new Command('postrider')
    .description('A mail server that behaves like Postfix, and a window onto it.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(see postrider --help)')
    .addHelpText(
      'after',
      `\nThe mail server's own commands:\n${Object.entries(others)
        .map(([name, summary]) => `  ${name.padEnd(24)}${summary}\n`)
        .join('')}` + '\nEvery command takes --data DIR or POSTRIDER_DATA.',
    );
  for (const command of [
    serveCommand(async (options) => {
      code = await serve(options, { ...around, onSignal });
    }),
    sendCommand(async (to, options) => {
      code = await send(to, options, { ...around, input });
    }),
    urlCommand(async (options) => {
      code = await url(options, around);
    }),
  ]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has said it already. Help that was asked for is no error.
    return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  }
  return code;
}
