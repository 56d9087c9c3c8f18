/**
 * The thread that is the only writer of the queue: takes batches from its port, commits them, acknowledges them.
 *
 * Group commit is natural: while one commit syncs, the next requests gather in the port; all that is there when the
 * thread looks again goes into one transaction. No timers. Ends itself when the disk failed (see writer.ts).
 */
import path from 'node:path';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { lockSpool } from './database.ts';
import { openSpool } from './opening.ts';
import { flattenError, type Batch, type FromThread, type WriteRequest } from './wire.ts';
import { Writer } from './writer.ts';
import type { WriterPragmas } from './database.ts';

export interface WriterData {
  readonly spool: string;
  readonly pragmas: WriterPragmas;
  /** False when the thread is started anew in a running store. */
  readonly sweep: boolean;
  readonly walPages: number;
  readonly freePages: number;
  /** One transaction takes no more than about this many requests and body bytes. */
  readonly batchRequests: number;
  readonly batchBytes: number;
}

const port = parentPort;
if (port === null) throw new Error('writer-thread runs as a worker thread');
const data = workerData as WriterData;
const send = (message: FromThread): void => port.postMessage(message);

try {
  const lock = lockSpool(data.spool);
  const { db, findings } = openSpool(data.spool, data.pragmas, data.sweep);
  const writer = new Writer(db, { ...data, bodiesFolder: path.join(data.spool, 'bodies') });

  const end = (): void => {
    try {
      writer.afterwards(Infinity);
      db.close();
      lock.close();
    } finally {
      port.close();
    }
  };

  port.on('message', (first: Batch<WriteRequest> | 'close') => {
    if (first === 'close') return end();
    const batches = [first];
    let requests = first.requests.length;
    let bytes = first.bytes?.length ?? 0;
    let closing = false;
    while (requests < data.batchRequests && bytes < data.batchBytes) {
      const next = receiveMessageOnPort(port) as { message: Batch<WriteRequest> | 'close' } | undefined;
      if (next === undefined) break;
      if (next.message === 'close') {
        closing = true;
        break;
      }
      batches.push(next.message);
      requests += next.message.requests.length;
      bytes += next.message.bytes?.length ?? 0;
    }
    const result = writer.run(batches);
    send({ kind: 'acks', acks: result.acks, counts: writer.counts(), restart: result.restart });
    if (result.restart || closing) return end();
    if (writer.afterwards(requests)) {
      send({ kind: 'acks', acks: [], counts: writer.counts(), restart: true });
      end();
    }
  });
  send({ kind: 'ready', counts: writer.counts(), findings });
} catch (error) {
  send({ kind: 'refused', error: flattenError(error) });
  port.close();
}
