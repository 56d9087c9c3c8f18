/**
 * The mail store's thread: serves the calls of store.ts from a MailReader.
 *
 * Promises: every call is answered once. When the index is damaged it is deleted and made again; when it cannot be
 * written (a full disk) the work goes on with one in memory: the mail itself is not touched by either.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { CallContext } from '../contract/contract.ts';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import { isDamage, removeIndex } from './index-database.ts';
import { MailReader, type MailMethod, type MailReaderOptions } from './mail-reader.ts';
import type { FromMailThread, MailThreadData, ToMailThread } from './mail-store-messages.ts';
import { MailWatch } from './mail-watch.ts';
import { MailboxFolders } from './mailbox-folders.ts';

if (parentPort === null) throw new Error('maildir-reader-thread runs as a worker thread');
const port = parentPort;
const data = workerData as MailThreadData;
const cancels = new Map<number, AbortController>();

let options: MailReaderOptions = data.reader;
let reader = openReader();
const watch = new MailWatch(
  new MailboxFolders(data.root),
  { mailboxes: data.watchedMailboxes, delay: data.watchDelay },
  (directory) => {
    try {
      return reader.check(directory);
    } catch (error) {
      // A watch is a hint only: the next call meets the same fault, and answers for it.
      recover(error);
      return 0;
    }
  },
);

port.on('message', (message: ToMailThread) => {
  switch (message.type) {
    case 'call':
      void answer(message.call, message.method, message.input);
      break;
    case 'cancel':
      cancels.get(message.call)?.abort();
      break;
    case 'delivered':
      for (const { directory, files, count } of message.deliveries) {
        try {
          reader.delivered(directory, files, count);
        } catch (error) {
          // The next call reads the folder, and finds them.
          recover(error);
        }
      }
      break;
    case 'close':
      watch.close();
      reader.close();
      port.close();
      break;
  }
});

async function answer(call: number, method: MailMethod, input: unknown): Promise<void> {
  const controller = new AbortController();
  cancels.set(call, controller);
  const context: CallContext = {
    signal: controller.signal,
    progress: (progress) => send({ type: 'progress', call, progress }),
  };
  try {
    let output: unknown;
    try {
      output = await run(method, input, context);
    } catch (error) {
      if (!recover(error)) throw error;
      output = await run(method, input, context);
    }
    send({ type: 'result', call, output });
  } catch (error) {
    const known = error instanceof PostriderError ? error : undefined;
    send({
      type: 'failure',
      call,
      code: known?.code ?? 'internal',
      message: errorMessage(error),
      field: known?.field,
    });
  } finally {
    cancels.delete(call);
  }
}

async function run(method: MailMethod, input: unknown, context: CallContext): Promise<unknown> {
  // The contract's server has checked the input against the method's schema.
  const handler = reader.handlers[method] as (input: unknown, context: CallContext) => unknown;
  return await handler(input, context);
}

/** Opens another index when this one is the trouble; false when it is not. */
function recover(error: unknown): boolean {
  const damaged = isDamage(error);
  if (!damaged && !isUnwritable(error)) return false;
  try {
    reader.close();
  } catch {
    // It is given up anyway.
  }
  if (damaged && options.cacheFile !== undefined) removeIndex(options.cacheFile);
  else options = { ...options, cacheFile: undefined };
  reader = openReader();
  return true;
}

function openReader(): MailReader {
  const events = {
    arrived: (mailbox: string, count: number) => send({ type: 'arrived', mailbox, count }),
    changed: (mailbox: string) => send({ type: 'changed', mailbox }),
    opened: (directory: string) => watch.opened(directory),
  };
  try {
    return new MailReader(data.root, options, events);
  } catch {
    options = { ...options, cacheFile: undefined };
    return new MailReader(data.root, options, events);
  }
}

function isUnwritable(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError && /^SQLITE_(?:FULL|IOERR|READONLY|CANTOPEN|BUSY|NOMEM)/.test(error.code)
  );
}

function send(message: FromMailThread): void {
  port.postMessage(message);
}
