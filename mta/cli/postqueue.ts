/**
 * postqueue(1): -p and -j list the queue, -f tries all deferred mail now, -i ID one message, -s SITE one destination.
 * Exit codes and messages are Postfix's: 69 for usage, and when the mail system is down.
 */
import { PostriderError } from '../contract/errors.ts';
import type { Filter } from '../contract/filter.ts';
import type { QueueEntry } from '../contract/mail.ts';
import { readArguments } from './arguments.ts';
import { readCliConfiguration } from './configuration.ts';
import { exitCodes, Fatal, guarded, withServer, write, type MailServerConnection, type Run } from './io.ts';
import { jsonMessage, listHeading, listMessage, listSummary, type ListedMessage } from './queue-format.ts';

const usage = 'usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site';
const command = { name: 'postqueue', letters: 'c:fi:jps:v', usage, failure: exitCodes.unavailable };

export const run: Run = (argv, io) =>
  guarded('postqueue', io, async () => {
    const { data, options, operands } = await readArguments(command, argv, io);
    const modes = options.filter(({ letter }) => 'fijps'.includes(letter));
    const [mode] = modes;
    if (mode === undefined || modes.length > 1 || operands.length > 0) {
      throw new Fatal(exitCodes.unavailable, usage);
    }
    const { letter, value } = mode;
    if (letter === 'i' && !/^[0-9A-Za-z]+$/.test(value)) {
      throw new Fatal(exitCodes.unavailable, `Cannot flush queue ID - invalid name: "${value}"`);
    }
    if (letter === 's' && (value === '' || /[\s@/]/.test(value))) {
      throw new Fatal(exitCodes.unavailable, `Cannot flush mail queue - invalid destination: "${value}"`);
    }
    const listing = letter === 'p' || letter === 'j';
    try {
      return await withServer(io, data(), async (server) => {
        if (listing) {
          const long = letter === 'p' && (await usesLongIds(data()));
          await list(server, letter === 'j' ? undefined : long, (text) => write(io.stdout, text));
        } else {
          await flush(server, letter, value);
        }
        return exitCodes.ok;
      });
    } catch (error) {
      if (!(error instanceof PostriderError) || error.code !== 'unavailable') throw error;
      throw new Fatal(
        exitCodes.unavailable,
        listing ? 'Queue report unavailable - mail system is down' : 'Cannot flush mail queue - mail system is down',
      );
    }
  });

async function usesLongIds(data: string): Promise<boolean> {
  const configuration = await readCliConfiguration(data);
  return configuration?.bool('enable_long_queue_ids') ?? false;
}

async function flush(server: MailServerConnection, letter: string, value: string): Promise<void> {
  const deferred = { field: 'queue', value: 'deferred', not: false };
  const filter: Filter =
    letter === 's' ? [deferred, { field: 'domain', value: value.replace(/^\[(.*)\]$/, '$1'), not: false }] : [deferred];
  // As Postfix: an id that is not in the queue is no error.
  await server.call('queue.retry', { selection: letter === 'i' ? { ids: [value] } : { filter } });
}

/** `long` undefined means JSON. Stops when the reader has gone. */
async function list(
  server: MailServerConnection,
  long: boolean | undefined,
  print: (text: string) => Promise<boolean>,
): Promise<void> {
  let count = 0;
  let bytes = 0;
  let cursor: string | undefined;
  do {
    const page = await server.call('queue.list', { sort: 'arrival', descending: false, limit: 1000, cursor });
    cursor = page.cursor;
    let text = '';
    // showq(8) does not look into the corrupt queue.
    const shown = page.entries.filter(({ queue }) => queue !== 'corrupt');
    for (const message of await details(server, shown)) {
      if (long === undefined) {
        text += jsonMessage(message);
      } else {
        text += count === 0 ? listHeading(long) : '\n';
        text += listMessage(message, long);
      }
      count++;
      bytes += message.size;
    }
    if (!(await print(text))) return;
  } while (cursor !== undefined);
  if (long !== undefined) await print(listSummary(count, bytes));
}

/** Questions under way at once for messages with several recipients. */
const parallel = 16;

async function details(server: MailServerConnection, entries: readonly QueueEntry[]): Promise<ListedMessage[]> {
  const results: (ListedMessage | undefined)[] = [];
  for (let start = 0; start < entries.length; start += parallel) {
    results.push(...(await Promise.all(entries.slice(start, start + parallel).map((entry) => detail(server, entry)))));
  }
  return results.filter((message) => message !== undefined);
}

/** The recipients that still wait, each with its reason; undefined when the message has gone meanwhile. */
async function detail(server: MailServerConnection, entry: QueueEntry): Promise<ListedMessage | undefined> {
  const { queue, id, arrival, size, sender, forcedExpire } = entry;
  const base = { queue, id, arrival, size, sender, forcedExpire };
  if (entry.recipientCount === 1 && entry.recipients.length === 1) {
    return { ...base, recipients: entry.recipients.map((address) => ({ address, reason: entry.reason })) };
  }
  try {
    const message = await server.call('queue.get', { id });
    const open = message.recipientList.filter(({ state }) => state === 'waiting' || state === 'deferred');
    return { ...base, recipients: open.map(({ address, reason }) => ({ address, reason })) };
  } catch (error) {
    if (error instanceof PostriderError && error.code === 'not-found') return undefined;
    throw error;
  }
}
