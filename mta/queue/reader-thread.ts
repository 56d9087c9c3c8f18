/**
 * A thread that answers questions from a read-only connection, so that browsing never slows mail.
 * The store runs one for the queue manager's questions and, while somebody browses, a second one for lists and groups.
 */
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { databaseName, openForReading } from './database.ts';
import { Reader } from './reader.ts';
import { flattenError, type Ack, type Batch, type FlatError, type FromThread, type ReadRequest } from './wire.ts';

export interface ReaderData {
  readonly spool: string;
  readonly cacheKib: number;
}

const port = parentPort;
if (port === null) throw new Error('reader-thread runs as a worker thread');
const data = workerData as ReaderData;

try {
  const db = openForReading(path.join(data.spool, databaseName), data.cacheKib);
  const reader = new Reader(db, path.join(data.spool, 'bodies'));
  port.on('message', (message: Batch<ReadRequest> | 'close') => {
    if (message === 'close') {
      db.close();
      port.close();
      return;
    }
    const answers: [number, unknown][] = [];
    const errors: [number, FlatError][] = [];
    const transfer: ArrayBuffer[] = [];
    for (const [index, request] of message.requests.entries()) {
      try {
        const answer = reader.answer(request);
        const bytes = bytesOf(answer);
        if (bytes !== undefined) transfer.push(bytes);
        answers.push([index, answer]);
      } catch (error) {
        errors.push([index, flattenError(error)]);
      }
    }
    const ack: Ack = { batch: message.batch, answers, errors };
    port.postMessage({ kind: 'acks', acks: [ack] } satisfies FromThread, transfer);
  });
  port.postMessage({ kind: 'ready', findings: [] } satisfies FromThread);
} catch (error) {
  port.postMessage({ kind: 'refused', error: flattenError(error) } satisfies FromThread);
  port.close();
}

/** The buffer behind a body, when it is the body's alone and can be handed over instead of copied. */
function bytesOf(answer: unknown): ArrayBuffer | undefined {
  if (typeof answer !== 'object' || answer === null || !('data' in answer)) return undefined;
  const bytes = answer.data;
  if (!(bytes instanceof Uint8Array) || !(bytes.buffer instanceof ArrayBuffer)) return undefined;
  return bytes.byteLength === bytes.buffer.byteLength && bytes.byteLength > 0 ? bytes.buffer : undefined;
}
