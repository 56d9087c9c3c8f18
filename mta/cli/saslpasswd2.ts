/**
 * saslpasswd2(8): sets (-c creates) or deletes (-d) an SMTP user. The password comes on stdin: with -p as it is,
 * without, it is asked for twice on the terminal. Never in an argument.
 */
import { hostname } from 'node:os';
import { PostriderError } from '../contract/errors.ts';
import { openSaslUsers, splitLogin } from '../smtpd/sasl/users.ts';
import { readArguments } from './arguments.ts';
import { readCliConfiguration } from './configuration.ts';
import { exitCodes, Fatal, guarded, readAll, write, type CliIo, type Run } from './io.ts';
import { usersFile } from './sasl-file.ts';

const usage = 'usage: saslpasswd2 [-p] [-c|-d] [-u domain] [-f file] [--data dir] userid';
/** -a (application) and -n (no plaintext) of the original change nothing: there are no plaintext passwords here. */
const command = { name: 'saslpasswd2', letters: 'pcdnu:f:a:', usage, failure: exitCodes.usage };
/** Longest password read; the store has its own, lower limit. */
const passwordLimit = 65_536;

export const run: Run = (argv, io) =>
  guarded('saslpasswd2', io, async () => {
    const { data, options, operands } = await readArguments(command, argv, io);
    const value = (letter: string): string | undefined => options.findLast((option) => option.letter === letter)?.value;
    const [login, ...more] = operands;
    if (login === undefined || login === '' || more.length > 0) {
      throw new Fatal(exitCodes.usage, usage);
    }
    if (value('c') !== undefined && value('d') !== undefined)
      throw new Fatal(exitCodes.usage, `-c and -d contradict each other; ${usage}`);
    const domain = value('u');
    const { user, realm } =
      domain === undefined ? splitLogin(login, await defaultRealm(data())) : { user: login, realm: domain };
    const users = openSaslUsers(value('f') ?? (await usersFile(data())));
    // As the original: deleting a user that is not there is no error.
    if (value('d') !== undefined) {
      await users.remove(user, realm);
      return exitCodes.ok;
    }
    const password = value('p') === undefined ? await askPassword(io) : await readPassword(io);
    try {
      await users.set(user, realm, password, { create: value('c') !== undefined });
    } catch (error) {
      if (error instanceof PostriderError && error.code === 'not-found') {
        throw new Fatal(exitCodes.failure, `user not found: ${user}@${realm}; -c creates it`);
      }
      throw error;
    }
    return exitCodes.ok;
  });

/** smtpd_sasl_local_domain, or $myhostname when that is empty: what smtpd gives a bare name. */
async function defaultRealm(data: string): Promise<string> {
  const configuration = await readCliConfiguration(data);
  if (configuration === undefined) return hostname();
  const local = configuration.text('smtpd_sasl_local_domain');
  return local === '' ? configuration.text('myhostname') : local;
}

async function readPassword(io: CliIo): Promise<string> {
  const { data, tooLong } = await readAll(io.stdin, passwordLimit);
  const password = data.toString('utf8').replace(/\r?\n$/, '');
  if (tooLong || password === '')
    throw new Fatal(exitCodes.failure, 'no password on standard input; -p expects one line');
  return password;
}

async function askPassword(io: CliIo): Promise<string> {
  const password = await prompt(io, 'Password: ');
  if (password === '') throw new Fatal(exitCodes.failure, 'an empty password is not allowed');
  if ((await prompt(io, 'Again (for verification): ')) !== password) {
    throw new Fatal(exitCodes.failure, 'passwords don’t match; nothing was changed');
  }
  return password;
}

/** One line from the terminal, without echo. */
async function prompt(io: CliIo, question: string): Promise<string> {
  const { stdin } = io;
  if (!('setRawMode' in stdin) || typeof stdin.setRawMode !== 'function') {
    throw new Fatal(exitCodes.usage, 'standard input is no terminal; use -p to give the password on standard input');
  }
  const terminal = stdin as NodeJS.ReadStream;
  await write(io.stderr, question);
  terminal.setRawMode(true);
  terminal.resume();
  try {
    return await new Promise<string>((resolve, reject) => {
      let text = '';
      const finish = (end: () => void): void => {
        terminal.off('data', read);
        end();
      };
      const read = (chunk: Buffer | string): void => {
        for (const char of chunk.toString()) {
          if (char === '\r' || char === '\n' || char === '\x04') return finish(() => resolve(text));
          if (char === '\x03') return finish(() => reject(new Fatal(130, 'interrupted; nothing was changed')));
          text = char === '\x7f' || char === '\b' ? [...text].slice(0, -1).join('') : text + char;
        }
      };
      terminal.on('data', read);
    });
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    await write(io.stderr, '\n');
  }
}
