/**
 * The queue store on SQLite, as the rest of the MTA sees it: `<spool>/queue.db` and `<spool>/bodies/`.
 *
 * Promises: what queue/store.ts promises. Nothing here touches the database: one thread writes, one answers the queue
 * manager, and a third is for those who browse; the readers end when idle, for a thread costs some 15 MB. Fails at opening with DurabilityError (commits would not be
 * synced) or PostriderError `conflict` (another process has the spool). Damage found at opening does not fail it: see
 * `findings`.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { badInput, errorMessage, PostriderError } from '../contract/errors.ts';
import { QueueId, type ActionResult, type QueueEntry, type QueueGroup, type QueueMessage } from '../contract/mail.ts';
import type { QueueSelection } from '../contract/mail.ts';
import type { Filter } from '../contract/filter.ts';
import type { Finding } from '../contract/server.ts';
import { BodyCache, isBodyFileName, measureFile } from './bodies.ts';
import { Channel } from './channel.ts';
import { bodyBytes, packWrites, type ReadyMessage, type Write } from './packing.ts';
import type { IncomingPage } from './reader.ts';
import type { ReaderData } from './reader-thread.ts';
import {
  CorruptBodyError,
  type ActionOptions,
  type ListQuery,
  type NewMessage,
  type QueueAction,
  type QueuedMessage,
  type QueueStore,
  type Settlement,
  type StoreCounts,
  type StoredBody,
} from './store.ts';
import { checkFilter, speaksOfQueues, type Term } from './terms.ts';
import type { WriterData } from './writer-thread.ts';
import type { ActAnswer, BodyAnswer, ReadRequest } from './wire.ts';

export interface QueueStoreOptions {
  /** Told of each finding (damage, stray files) as it is made. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  /** Messages changed by one commit of an action. Default 500. */
  readonly actionChunk?: number | undefined;
  /** Bodies of mail just accepted, kept in memory for its first delivery. Default 8 MiB. */
  readonly bodyCacheBytes?: number | undefined;
  /** One transaction takes about this many requests and body bytes at most. Defaults 2000 and 32 MiB. */
  readonly batchRequests?: number | undefined;
  readonly batchBytes?: number | undefined;
  /** Page caches of the writing and each reading thread, in KiB. Defaults 16384 and 4096. */
  readonly writerCacheKib?: number | undefined;
  readonly readerCacheKib?: number | undefined;
  /** The WAL is copied into the database when it holds this many pages. Default 4000. */
  readonly walPages?: number | undefined;
  /** Of a new database. Default 4096. */
  readonly pageSize?: number | undefined;
  /** A drained queue gives free pages back to the disk, a little at a time, while it has more than this many. Default 8192. */
  readonly freePages?: number | undefined;
  /** A reading thread ends after this long without a question; the next one starts it again. Default 60 s. */
  readonly readerIdleMs?: number | undefined;
  /** For tests: opening with anything that does not read back as FULL is refused. */
  readonly synchronous?: string | undefined;
}

const incomingPositions = 1000;

/** Opens (or creates) the queue of a spool folder. */
export async function openQueueStore(spoolFolder: string, options: QueueStoreOptions = {}): Promise<SqliteQueueStore> {
  const store = new SqliteQueueStore(spoolFolder, options);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

export class SqliteQueueStore implements QueueStore {
  readonly bodiesFolder: string;
  /** What was found wrong at opening, and since. */
  readonly findings: Finding[] = [];
  readonly #writer: Channel<Write>;
  readonly #delivery: Channel<ReadRequest>;
  readonly #browse: Channel<ReadRequest>;
  readonly #cache: BodyCache;
  readonly #chunk: number;
  #counts: StoreCounts = { incoming: 0, deferred: 0, hold: 0, corrupt: 0 };
  #commits = 0;
  /** Where pages of incoming ended, by the id of their last message. */
  readonly #positions = new Map<string, { arrival: number; seq: number }>();

  constructor(spoolFolder: string, options: QueueStoreOptions) {
    const spool = path.resolve(spoolFolder);
    this.bodiesFolder = path.join(spool, 'bodies');
    this.#cache = new BodyCache(options.bodyCacheBytes ?? 8 * 1024 * 1024);
    this.#chunk = options.actionChunk ?? 500;
    const limits = { batchRequests: options.batchRequests ?? 2000, batchBytes: options.batchBytes ?? 32 * 1024 * 1024 };
    this.#writer = new Channel<Write>({
      ...limits,
      start: (first) =>
        startThread('writer-thread', {
          spool,
          sweep: first,
          walPages: options.walPages ?? 4000,
          freePages: options.freePages ?? 8192,
          pragmas: {
            cacheKib: options.writerCacheKib ?? 16_384,
            pageSize: options.pageSize ?? 4096,
            walLimit: 64 * 1024 * 1024,
            synchronous: options.synchronous ?? 'FULL',
          },
          ...limits,
        } satisfies WriterData),
      pack: packWrites,
      weigh: bodyBytes,
      repeatable: false,
      onReady: (findings, first) => {
        for (const finding of findings) {
          this.findings.push(finding);
          options.onFinding?.(finding);
        }
        // The writer may have put a new database in the place of a damaged one.
        if (!first && findings.length > 0) void Promise.all([this.#delivery.recycle(), this.#browse.recycle()]);
      },
      onCounts: (counts) => {
        this.#counts = counts;
        this.#commits++;
      },
    });
    const reading = {
      ...limits,
      start: () =>
        startThread('reader-thread', { spool, cacheKib: options.readerCacheKib ?? 4096 } satisfies ReaderData),
      pack: (requests: readonly ReadRequest[]) => ({ requests, bytes: undefined }),
      weigh: () => 0,
      repeatable: true,
      idleMs: options.readerIdleMs ?? 60_000,
    };
    this.#delivery = new Channel<ReadRequest>(reading);
    this.#browse = new Channel<ReadRequest>(reading);
  }

  async open(): Promise<void> {
    await this.#writer.open();
    await this.#delivery.open();
  }

  /** Commits so far: less than the requests when callers share them. */
  get commits(): number {
    return this.#commits;
  }

  async add(message: NewMessage): Promise<void> {
    const ready = await this.#ready(message);
    await this.#writer.request({ kind: 'add', message: ready });
    if (ready.body.kind === 'memory') this.#cache.set(ready.id, ready.body.data);
  }

  async settle(settlement: Settlement): Promise<void> {
    const spawned = await Promise.all((settlement.spawned ?? []).map((message) => this.#ready(message)));
    await this.#writer.request({ kind: 'settle', settlement: { ...settlement, spawned } });
    this.#cache.delete(settlement.id);
  }

  async incoming(after: string | undefined, limit: number): Promise<QueuedMessage[]> {
    const position = after === undefined ? undefined : { id: after, ...this.#positions.get(after) };
    const page = (await this.#delivery.request({ kind: 'incoming', after: position, limit })) as IncomingPage;
    const last = page.messages.at(-1);
    if (last !== undefined && page.end !== undefined) {
      this.#positions.delete(last.id);
      this.#positions.set(last.id, page.end);
      for (const oldest of this.#positions.keys()) {
        if (this.#positions.size <= incomingPositions) break;
        this.#positions.delete(oldest);
      }
    }
    return page.messages;
  }

  due(now: number, after: { nextAttempt: number; id: string } | undefined, limit: number): Promise<QueuedMessage[]> {
    return this.#delivery.request({ kind: 'due', now, after, limit }) as Promise<QueuedMessage[]>;
  }

  nextDue(): Promise<number | undefined> {
    return this.#delivery.request({ kind: 'nextDue' }) as Promise<number | undefined>;
  }

  message(id: string): Promise<QueuedMessage | undefined> {
    return this.#delivery.request({ kind: 'message', id }) as Promise<QueuedMessage | undefined>;
  }

  async body(id: string): Promise<StoredBody> {
    const cached = this.#cache.get(id);
    if (cached !== undefined) return { kind: 'memory', data: cached };
    const answer = (await this.#delivery.request({ kind: 'body', id })) as BodyAnswer;
    if (answer.kind === 'memory') return answer;
    if (answer.kind === 'corrupt') return this.#corrupt(id, answer.reason);
    const file = path.join(this.bodiesFolder, answer.file);
    try {
      const { size, checksum } = await measureFile(file);
      if (size === answer.size && checksum === answer.checksum) return { kind: 'file', path: file, size };
    } catch (error) {
      if (!isMissing(error)) throw error;
      return this.#corrupt(id, 'body file is missing');
    }
    return this.#corrupt(id, 'body does not fit its checksum');
  }

  async act(
    action: QueueAction,
    selection: QueueSelection,
    active: ReadonlySet<string>,
    options: ActionOptions = {},
  ): Promise<ActionResult> {
    const run = { done: 0, handled: 0, unknown: [] as string[] };
    const chunk = async (ids: readonly string[], total: number): Promise<ActAnswer> => {
      const answer = (await this.#writer.request({ kind: 'act', action, ids })) as ActAnswer;
      if (action === 'remove') for (const id of answer.changed) this.#cache.delete(id);
      run.done += answer.done;
      run.handled += ids.length;
      if (answer.changed.length > 0) options.onBatch?.(answer.changed);
      options.onProgress?.({ done: run.handled, total: Math.max(total, run.handled) });
      return answer;
    };
    const result = (cancelled: boolean): ActionResult => ({ done: run.done, unknown: run.unknown, cancelled });
    // Read anew each time: it changes while a chunk is awaited.
    const aborted = (): boolean => options.signal?.aborted === true;
    if ('ids' in selection) {
      const ids = [...new Set(selection.ids)];
      for (let i = 0; i < ids.length; i += this.#chunk) {
        if (aborted()) return result(true);
        run.unknown.push(...(await chunk(ids.slice(i, i + this.#chunk), ids.length)).unknown);
      }
      return result(false);
    }
    const filter = checkFilter(selection.filter, Date.now());
    const flat = flatActive(filter, active);
    const { total, upTo } = (await this.#browse.request({ kind: 'count', filter, active: flat })) as {
      total: number;
      upTo: number;
    };
    refuseSurprise(selection.expected, total);
    for (let after = 0; ;) {
      if (aborted()) return result(true);
      const page = (await this.#browse.request({
        kind: 'select',
        filter,
        active: flat,
        after,
        upTo,
        limit: this.#chunk,
      })) as { seq: number; id: string }[];
      const last = page.at(-1);
      if (last === undefined) return result(false);
      after = last.seq;
      // Those gone since they were selected were delivered or removed: nothing to report.
      await chunk(
        page.map(({ id }) => id),
        total,
      );
    }
  }

  counts(): StoreCounts {
    return this.#counts;
  }

  async list(query: ListQuery): Promise<{ entries: QueueEntry[]; cursor?: string | undefined; total: number }> {
    const filter = checkFilter(query.filter, Date.now());
    const answer = (await this.#browse.request({
      kind: 'list',
      query: { ...query, filter, active: flatActive(filter, query.active) },
    })) as { entries: QueueEntry[]; cursor?: string | undefined; total: number };
    for (const entry of answer.entries) {
      const running = entry.queue === 'incoming' || entry.queue === 'deferred';
      if (running && query.active.has(entry.id)) entry.queue = 'active';
    }
    return answer;
  }

  async groups(
    by: 'reason' | 'destination',
    filter: Filter,
    limit: number,
    active: ReadonlySet<string>,
  ): Promise<QueueGroup[]> {
    const terms = checkFilter(filter, Date.now());
    const request = { kind: 'groups', by, filter: terms, limit, active: flatActive(terms, active) } as const;
    return (await this.#browse.request(request)) as QueueGroup[];
  }

  get(id: string): Promise<QueueMessage | undefined> {
    return this.#browse.request({ kind: 'get', id }) as Promise<QueueMessage | undefined>;
  }

  raw(id: string, offset: number, length: number): Promise<{ data: Uint8Array; total: number } | undefined> {
    const request = { kind: 'raw', id, offset, length } as const;
    return this.#browse.request(request) as Promise<{ data: Uint8Array; total: number } | undefined>;
  }

  async close(): Promise<void> {
    await Promise.all([this.#delivery.close(), this.#browse.close()]);
    // Last: closing the last connection folds the WAL into the database.
    await this.#writer.close();
  }

  async #corrupt(id: string, reason: string): Promise<never> {
    await this.#writer.request({ kind: 'corrupt', id, reason });
    throw new CorruptBodyError(`${id}: ${reason}; moved to corrupt`);
  }

  /** Checks what the database could not refuse by itself, and measures a body file. */
  async #ready(message: NewMessage): Promise<ReadyMessage> {
    if (!QueueId.safeParse(message.id).success) {
      throw badInput('id', `id: ${JSON.stringify(message.id)} is no queue id (letters and digits, at most 64)`);
    }
    if (message.recipients.length === 0) throw badInput('recipients', `recipients: ${message.id} has none`);
    if (!Number.isFinite(message.arrival) || message.arrival < 0) {
      throw badInput('arrival', `arrival: ${String(message.arrival)} is no time in milliseconds`);
    }
    if (!Number.isSafeInteger(message.size) || message.size < 0) {
      throw badInput('size', `size: ${String(message.size)} is no number of bytes`);
    }
    const { body } = message;
    if (body.kind === 'memory') return { ...message, body };
    if (!isBodyFileName(body.file)) {
      throw badInput(
        'body.file',
        `body.file: ${JSON.stringify(body.file)} is no plain file name in ${this.bodiesFolder}`,
      );
    }
    try {
      const file = path.join(this.bodiesFolder, body.file);
      const { checksum } = body;
      const measured = checksum === undefined ? await measureFile(file) : { size: (await stat(file)).size, checksum };
      return { ...message, body: { ...body, ...measured } };
    } catch (error) {
      throw badInput('body.file', `body.file: ${body.file} cannot be read: ${errorMessage(error)}`);
    }
  }
}

function startThread(name: string, workerData: object): Worker {
  const url = new URL(import.meta.url.endsWith('.ts') ? `./${name}.ts` : `./${name}.js`, import.meta.url);
  return new Worker(url, { workerData, name });
}

function flatActive(filter: readonly Term[], active: ReadonlySet<string>): string[] {
  return speaksOfQueues(filter) ? [...active] : [];
}

/** `expected` is the count the person saw: far more now means the filter selects what they did not mean. */
function refuseSurprise(expected: number | undefined, total: number): void {
  if (expected === undefined || total <= expected + Math.max(10, expected * 0.1)) return;
  throw new PostriderError(
    'conflict',
    `${String(total)} messages match now, ${String(expected)} when you looked. Look again and repeat.`,
    { field: 'expected' },
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
