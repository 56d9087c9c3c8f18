/**
 * postsuper(1): -d delete, -h hold, -H release, -r requeue, -e expire, -f expire and release; each with a queue id,
 * `-` (ids on stdin, one a line) or ALL; operands limit it to those queues. Words, counts and exit codes are Postfix's:
 * an unknown id is not an error, it is just not counted, nor is a message that was so already.
 */
import { createInterface } from 'node:readline';
import { PostriderError } from '../contract/errors.ts';
import type { Filter } from '../contract/filter.ts';
import type { QueueMessage } from '../contract/mail.ts';
import { isQueueId, readArguments } from './arguments.ts';
import { exitCodes, Fatal, guarded, withServer, write, type CliIo, type MailServerConnection, type Run } from './io.ts';

const usage =
  'usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]';
const command = { name: 'postsuper', letters: 'c:d:e:f:h:H:pr:sSv', usage };

/** In the order in which Postfix reports them. */
const operations = [
  { letters: 'd', method: 'queue.remove', text: 'Deleted', each: 'removed' },
  { letters: 'r', method: 'queue.requeue', text: 'Requeued', each: 'requeued' },
  { letters: 'h', method: 'queue.hold', text: 'Placed on hold', each: 'placed on hold' },
  { letters: 'ef', method: 'queue.expire', text: 'Force-expired', each: 'expired' },
  { letters: 'Hf', method: 'queue.release', text: 'Released from hold', each: 'released from hold' },
] as const;

const queues: readonly string[] = ['maildrop', 'incoming', 'active', 'deferred', 'hold'];
/** Ids that go in one call. */
const batch = 10_000;
/** Questions under way at once. */
const parallel = 64;

export const run: Run = (argv, io) =>
  guarded('postsuper', io, async () => {
    const { data, options, operands } = await readArguments(command, argv, io);
    const stranger = operands.find((name) => !queues.includes(name));
    if (stranger !== undefined) throw new Fatal(exitCodes.failure, `invalid directory name: ${stranger}`);

    const wanted = new Map<string, Wanted>();
    for (const { letter, value } of options) {
      if (!'defhHr'.includes(letter)) continue;
      const target = wanted.get(letter) ?? { all: false, ids: new Set<string>() };
      wanted.set(letter, target);
      if (value === 'ALL') target.all = true;
      else if (value === '-')
        for await (const line of createInterface({ input: io.stdin })) await addId(target, line, io);
      else await addId(target, value, io);
    }
    // -p, -s and -S mend queue folders; this queue is a database that mends itself at start.
    if (wanted.size === 0) return exitCodes.ok;
    await withServer(io, data(), async (server) => {
      const done = new Map<string, number>();
      const perform = async (letter: string, target: Wanted): Promise<void> => {
        for (const { letters, method, each } of operations) {
          if (!letters.includes(letter)) continue;
          const tell = (ids: readonly string[]): Promise<unknown> =>
            write(io.stderr, ids.map((id) => `postsuper: ${id}: ${each}\n`).join(''));
          done.set(method, (done.get(method) ?? 0) + (await act(server, method, target, operands, tell)));
        }
      };
      // As Postfix: single messages as the options come, then ALL, where a deletion goes first.
      for (const [letter, { ids }] of wanted) await perform(letter, { all: false, ids });
      for (const letter of 'drhefH') {
        if (wanted.get(letter)?.all === true) await perform(letter, { all: true, ids: new Set() });
      }
      for (const { method, text } of operations) {
        const count = done.get(method);
        if (count !== undefined) {
          await write(io.stderr, `postsuper: ${text}: ${count} message${count === 1 ? '' : 's'}\n`);
        }
      }
    });
    return exitCodes.ok;
  });

interface Wanted {
  all: boolean;
  readonly ids: Set<string>;
}

async function addId(target: Wanted, id: string, io: CliIo): Promise<void> {
  if (isQueueId(id)) target.ids.add(id);
  else await write(io.stderr, `postsuper: warning: invalid mail queue id: ${id}\n`);
}

type ActionMethod = (typeof operations)[number]['method'];

/** How many messages changed; `tell` is given those that were named one by one. */
async function act(
  server: MailServerConnection,
  method: ActionMethod,
  { all, ids }: Wanted,
  names: readonly string[],
  tell: (ids: readonly string[]) => Promise<unknown>,
): Promise<number> {
  let done = 0;
  if (all) {
    for (const filter of wholeQueues(method, names)) {
      done += (await server.call(method, { selection: { filter } })).done;
    }
    return done;
  }
  const chosen = method === 'queue.remove' && names.length === 0 ? [...ids] : await fitting(server, method, ids, names);
  for (let start = 0; start < chosen.length; start += batch) {
    const some = chosen.slice(start, start + batch);
    const result = await server.call(method, { selection: { ids: some } });
    const unknown = new Set(result.unknown);
    await tell(some.filter((id) => !unknown.has(id)));
    done += result.done;
  }
  return done;
}

/** The queues that ALL means: those named, else all but corrupt, and only where the operation makes a difference. */
function wholeQueues(method: string, names: readonly string[]): Filter[] {
  const term = (value: string, not = false): Filter[number] => ({ field: 'queue', value, not });
  if (names.length > 0) return names.filter((name) => name !== 'maildrop').map((name) => [term(name)]);
  if (method === 'queue.release') return [[term('hold')]];
  if (method === 'queue.hold') return [[term('hold', true), term('corrupt', true)]];
  return [[term('corrupt', true)]];
}

/** Those of the ids that lie in the named queues and are not yet as the operation makes them. */
async function fitting(
  server: MailServerConnection,
  method: ActionMethod,
  ids: ReadonlySet<string>,
  names: readonly string[],
): Promise<string[]> {
  const fits = async (id: string): Promise<boolean> => {
    try {
      const message = await server.call('queue.get', { id });
      return (names.length === 0 || names.includes(message.queue)) && changes(method, message);
    } catch (error) {
      if (!(error instanceof PostriderError) || error.code !== 'not-found') throw error;
      return false;
    }
  };
  const all = [...ids];
  const found: string[] = [];
  for (let start = 0; start < all.length; start += parallel) {
    const some = all.slice(start, start + parallel);
    const answers = await Promise.all(some.map(fits));
    found.push(...some.filter((_, index) => answers[index]));
  }
  return found;
}

function changes(method: ActionMethod, { queue, forcedExpire }: QueueMessage): boolean {
  if (method === 'queue.remove') return true;
  if (method === 'queue.release') return queue === 'hold';
  if (queue === 'corrupt') return false;
  if (method === 'queue.hold') return queue !== 'hold';
  return method !== 'queue.expire' || !forcedExpire;
}
