/** The worker thread that writes Maildirs: batches in, results out, in the order of completion. */
import { parentPort } from 'node:worker_threads';
import { deliverBatch, type MaildirItem, type MaildirResult } from './maildir-batch.ts';

export interface MaildirBatch {
  readonly host: string;
  readonly items: readonly MaildirItem[];
}

export type MaildirBatchDone = readonly MaildirResult[];

parentPort?.on('message', (batch: MaildirBatch) => {
  void deliverBatch(batch.items, batch.host).then((done: MaildirBatchDone) => parentPort?.postMessage(done));
});
