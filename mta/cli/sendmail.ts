/**
 * sendmail(1), Postfix's: takes a message on stdin and hands it to the running MTA.
 *
 * -t recipients from the headers, -i/-oi a lone dot does not end the message, -f sender, -F full name, -bm send
 * (default), -bp queue, -bi aliases, -q try the queue now; other options of sendmail's are taken and change nothing.
 * Exit 0 when the message is on stable storage. Like Postfix's, a failure is 75 (try again) with the reason, except
 * that what the server refuses for good is 65 (bad data).
 */
import { userInfo } from 'node:os';
import type { Configuration } from '../config/configuration.ts';
import { PostriderError } from '../contract/errors.ts';
import { readCliConfiguration } from './configuration.ts';
import { getopt } from './getopt.ts';
import { exitCodes, Fatal, guarded, readAll, takeData, withServer, write, type CliIo, type Run } from './io.ts';
import { endAtDot, headerRecipients, qualify, withFullName } from './sendmail-message.ts';

const letters = 'A:B:C:F:GIL:N:O:R:UV:X:b:f:h:imno:p:r:q:tvx';
const dataError = 65;
/** What is read when no configuration says: Postfix's default message_size_limit. */
const usualLimit = 10_240_000;

export const run: Run = (argv, io) => guarded('sendmail', io, () => send(argv, io), exitCodes.temporary);

async function send(argv: readonly string[], io: CliIo): Promise<number> {
  const { data, rest } = takeData(argv, io.env);
  // -q takes a value or none; -o is followed by its letter, -b by its mode: getopt needs a value for each.
  const { options, operands, problem } = permuted(rest.map((word) => (word === '-q' ? '-q0' : word)));
  if (problem !== undefined) {
    await write(io.stderr, `sendmail: ${problem}\n`);
    throw new Fatal(exitCodes.temporary, 'usage: sendmail [options]');
  }
  let sender: string | undefined;
  let fullName = io.env['NAME'];
  let fromHeaders = false;
  let dotEnds = true;
  let mode = 'm';
  let flush: string[] = [];
  for (const { letter, value } of options) {
    if (letter === 'f' || letter === 'r') sender = value;
    else if (letter === 'F') fullName = value;
    else if (letter === 't') fromHeaders = true;
    else if (letter === 'i' || (letter === 'o' && value === 'i')) dotEnds = false;
    else if (letter === 'b') mode = value;
    else if (letter === 'I') mode = 'i';
    else if (letter === 'q') {
      mode = 'q';
      flush = flushArguments(value);
    } else if (letter === 'N' || letter === 'R' || letter === 'V') {
      await write(
        io.stderr,
        `sendmail: warning: -${letter} ${value}: delivery reports on request are not available from this command; sent without\n`,
      );
    }
  }
  const folder = ['--data', data()];
  switch (mode) {
    case 'm':
      break;
    case 'p':
      return (await import('./postqueue.ts')).run([...folder, '-p'], io);
    case 'q':
      return (await import('./postqueue.ts')).run([...folder, ...flush], io);
    case 'i':
      return (await import('./newaliases.ts')).run(folder, io);
    default:
      throw new Fatal(exitCodes.temporary, `unsupported: -b${mode}`);
  }

  const who = localUser();
  const fail = (code: number, message: string): Fatal => new Fatal(code, `${who.name}(${who.id}): ${message}`);
  if (!fromHeaders && operands.length === 0) {
    throw fail(exitCodes.temporary, 'Recipient addresses must be specified on the command line or via the -t option');
  }
  const configuration = await readCliConfiguration(data());
  const limit = sizeLimit(configuration);
  const { data: input, tooLong } = await readAll(io.stdin, limit);
  if (tooLong) throw fail(dataError, `message file too big: message_size_limit is ${limit} bytes`);
  let message = dotEnds ? endAtDot(input) : input;
  const origin = configuration?.text('myorigin') ?? '';
  const given = fromHeaders ? [...operands, ...headerRecipients(message)] : operands;
  const recipients = [...new Set(given.flatMap((word) => qualify(word, origin)))];
  if (recipients.length === 0) throw fail(exitCodes.temporary, 'No recipient addresses found in message header');
  const from = qualify(sender ?? who.name, origin)[0] ?? '';
  if (fullName !== undefined && fullName !== '') message = withFullName(message, fullName, from);

  try {
    await withServer(io, data(), (server) =>
      server.call('send.submit', {
        sender: from,
        recipients,
        data: message.toString('base64'),
        user: who.name.slice(0, 64),
      }),
    );
  } catch (error) {
    if (!(error instanceof PostriderError)) throw error;
    if (error.code === 'unavailable') {
      throw fail(
        exitCodes.temporary,
        'mail system is down; the message was not taken. Start it with "postrider mta" or "postrider serve" and send again',
      );
    }
    throw fail(error.code === 'bad-input' ? dataError : exitCodes.temporary, error.message);
  }
  return exitCodes.ok;
}

/** `-qIid`, `-qRsite` and `-qSsite` are postqueue's -i and -s; `-q` and `-q30m` try all there is. */
function flushArguments(value: string): string[] {
  const what = value.slice(1);
  if (value.startsWith('I') && what !== '') return ['-i', what];
  return /^[RS]./.test(value) ? ['-s', what] : ['-f'];
}

/** Options may stand after recipients, as many programs write them. */
function permuted(argv: readonly string[]): ReturnType<typeof getopt> {
  const options: { letter: string; value: string }[] = [];
  const operands: string[] = [];
  let words = argv;
  for (;;) {
    const parsed = getopt(words, letters);
    options.push(...parsed.options);
    if (parsed.problem !== undefined) return { options, operands, problem: parsed.problem };
    const [first, ...more] = parsed.operands;
    if (first === undefined) return { options, operands };
    const consumed = words.length - parsed.operands.length;
    if (words[consumed - 1] === '--') return { options, operands: [...operands, ...parsed.operands] };
    operands.push(first);
    words = more;
  }
}

function sizeLimit(configuration: Configuration | undefined): number {
  const limit = configuration?.int('message_size_limit') ?? usualLimit;
  // 0 is no limit: what fits into one string of the control socket is.
  return limit === 0 ? 256 * 1024 * 1024 : limit;
}

function localUser(): { name: string; id: number } {
  try {
    const { username, uid } = userInfo();
    return { name: username, id: uid };
  } catch {
    // A user id without a passwd entry, as in many containers.
    const id = process.getuid?.() ?? -1;
    return { name: `uid${id}`, id };
  }
}
