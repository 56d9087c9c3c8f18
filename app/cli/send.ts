/**
 * `postrider send`: one test message by real SMTP, with the conversation printed.
 * Ends with 0 when every recipient was taken, 75 when trying later may help, 69 when it was refused.
 */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { connectControl } from '#mta/control/connect.ts';
import { badInput } from '#mta/contract/errors.ts';
import { dataFolder } from '#mta/config/data-folder.ts';
import { TestMessage, type Transcript } from '../contract/api.ts';
import { collect, dataOption, exitCode, parseHostPort, type HostPort } from './options.ts';
import type { Surroundings } from './serve.ts';

export interface SendOptions {
  data?: string;
  from: string;
  subject: string;
  text?: string;
  html?: string;
  server?: HostPort;
  security: 'none' | 'starttls' | 'tls';
  user?: string;
  passwordFile?: string;
  json?: boolean;
}

export function sendCommand(run: (to: string[], options: SendOptions) => Promise<void>): Command {
  return new Command('send')
    .description('send a test message by SMTP and print the conversation')
    .argument('<to...>', 'recipients')
    .addOption(dataOption())
    .option('--from <address>', 'sender; "" for the null sender', 'postrider@localhost')
    .option('--subject <text>', 'subject', 'A test message from Postrider')
    .option('--text <text>', 'the body; - reads it from standard input')
    .option('--html <file>', 'an HTML body beside the text')
    .addOption(
      new Option('--server <host:port>', 'where to send it; without it, the server that runs on the data folder')
        .env('POSTRIDER_SERVER')
        .argParser(parseHostPort),
    )
    .addOption(new Option('--security <kind>', 'encryption').choices(['none', 'starttls', 'tls']).default('none'))
    .option('--user <name>', 'log in as; the password comes from POSTRIDER_PASSWORD or --password-file')
    .option('--password-file <file>', 'read the password from here (its first line)')
    .option('--json', 'print the transcript as JSON')
    .action((to: string[], options: SendOptions) => run(collect(to.join(','), undefined), options));
}

export async function send(
  to: readonly string[],
  options: SendOptions,
  around: Pick<Surroundings, 'out' | 'err' | 'env'> & { input(): Promise<string> },
): Promise<number> {
  const { host, port } = options.server ?? (await runningServer(options.data ?? dataFolder(around.env)));
  const parsed = TestMessage.safeParse({
    from: options.from,
    to: [...to],
    subject: options.subject,
    text: options.text === '-' ? await around.input() : (options.text ?? 'This is a test message.\n'),
    ...(options.html === undefined ? {} : { html: await readFile(options.html, 'utf8') }),
    host,
    port,
    security: options.security,
    ...(options.user === undefined ? {} : { username: options.user, password: await password(options, around.env) }),
  });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw badInput(
      issue?.path.join('.') ?? 'input',
      `${issue?.path.join('.') ?? 'input'}: ${issue?.message ?? 'invalid'}`,
    );
  }
  const { sendProbe } = await import('../probe/probe.ts');
  const transcript = await sendProbe(parsed.data);
  if (options.json === true) around.out(`${JSON.stringify(transcript)}\n`);
  else around.out(print(transcript));
  if (transcript.ok) return exitCode.ok;
  const last = transcript.lines.findLast(({ code }) => code !== undefined && code >= 400)?.code;
  return last === undefined || last < 500 ? exitCode.temporary : exitCode.unavailable;
}

async function password(options: SendOptions, env: NodeJS.ProcessEnv): Promise<string> {
  if (options.passwordFile === undefined) return env['POSTRIDER_PASSWORD'] ?? '';
  return (await readFile(options.passwordFile, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
}

/** The first SMTP address of the MTA on the data folder. Throws `unavailable` when none runs. */
async function runningServer(data: string): Promise<HostPort> {
  const connection = await connectControl(data);
  try {
    const { listeners } = await connection.call('server.overview', {});
    const listener = listeners.find(({ tls }) => tls !== 'wrapper');
    if (listener === undefined)
      throw badInput('server', 'The mail server has no plain SMTP listener; name one with --server');
    const { address, port } = listener;
    return { host: address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address, port };
  } finally {
    connection.close();
  }
}

function print({ lines, ok, queueId, failure, milliseconds }: Transcript): string {
  const marks = { client: 'C: ', server: 'S: ', note: '-- ' };
  const told = lines.map(({ side, text }) => `${marks[side]}${text}`);
  const end = ok
    ? `Taken in ${milliseconds} ms${queueId === undefined ? '' : `, queued as ${queueId}`}.`
    : `Not taken${failure === undefined ? '' : `: ${failure.message}`}`;
  return `${[...told, '', end].join('\n')}\n`;
}
