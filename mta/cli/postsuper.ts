/**
 * postsuper(1): -d delete, -h hold, -H release, -r requeue, -e expire, -f expire and release; each with a queue id,
 * `-` (ids on stdin, one a line) or ALL; operands limit it to those queues. Counts and exit codes are Postfix's: an
 * unknown id is not an error, it is just not counted.
 */
import { createInterface } from 'node:readline';
import { PostriderError } from '../contract/errors.ts';
import type { Filter } from '../contract/filter.ts';
import { getopt } from './getopt.ts';
import {
  exitCodes,
  Fatal,
  guarded,
  takeData,
  withServer,
  write,
  type CliIo,
  type MailServerConnection,
  type Run,
} from './io.ts';

const usage =
  'usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]';

/** In the order in which Postfix reports them. */
const operations = [
  { letters: 'd', method: 'queue.remove', text: 'Deleted' },
  { letters: 'r', method: 'queue.requeue', text: 'Requeued' },
  { letters: 'h', method: 'queue.hold', text: 'Placed on hold' },
  { letters: 'ef', method: 'queue.expire', text: 'Force-expired' },
  { letters: 'Hf', method: 'queue.release', text: 'Released from hold' },
] as const;

const queues: readonly string[] = ['maildrop', 'incoming', 'active', 'deferred', 'hold'];
/** Ids that go in one call. */
const batch = 10_000;

export const run: Run = (argv, io) =>
  guarded('postsuper', io, async () => {
    const { data, rest } = takeData(argv, io.env);
    const { options, operands, problem } = getopt(rest, 'c:d:e:f:h:H:pr:sSv');
    if (problem !== undefined) {
      await write(io.stderr, `postsuper: ${problem}\n`);
      throw new Fatal(exitCodes.failure, usage);
    }
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
      for (const { letters, method, text } of operations) {
        const targets = [...letters].flatMap((letter) => wanted.get(letter) ?? []);
        if (targets.length === 0) continue;
        let done = 0;
        for (const target of targets) done += await act(server, method, target, operands);
        await write(io.stderr, `postsuper: ${text}: ${done} message${done === 1 ? '' : 's'}\n`);
      }
    });
    return exitCodes.ok;
  });

interface Wanted {
  all: boolean;
  readonly ids: Set<string>;
}

async function addId(target: Wanted, id: string, io: CliIo): Promise<void> {
  if (/^[0-9A-Za-z]{1,64}$/.test(id)) target.ids.add(id);
  else await write(io.stderr, `postsuper: warning: invalid mail queue id: ${id}\n`);
}

async function act(
  server: MailServerConnection,
  method: (typeof operations)[number]['method'],
  { all, ids }: Wanted,
  names: readonly string[],
): Promise<number> {
  let done = 0;
  if (all) {
    for (const filter of wholeQueues(method, names)) {
      done += (await server.call(method, { selection: { filter } })).done;
    }
    return done;
  }
  const chosen = names.length === 0 ? [...ids] : await inQueues(server, ids, names);
  for (let start = 0; start < chosen.length; start += batch) {
    done += (await server.call(method, { selection: { ids: chosen.slice(start, start + batch) } })).done;
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

async function inQueues(
  server: MailServerConnection,
  ids: ReadonlySet<string>,
  names: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const id of ids) {
    try {
      if (names.includes((await server.call('queue.get', { id })).queue)) found.push(id);
    } catch (error) {
      if (!(error instanceof PostriderError) || error.code !== 'not-found') throw error;
    }
  }
  return found;
}
