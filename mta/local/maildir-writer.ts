/**
 * The main thread's side of Maildir delivery: gathers deliveries into batches for the worker thread.
 *
 * Natural group commit: while batches are being synced, the next one gathers; there are no timers. Promises: `deliver`
 * resolves after the message is on disk, with its file name, or rejects with MaildirError. When the thread dies,
 * what was in its hands fails (and is tried again by the queue manager), and a new thread is started.
 */
import { Worker } from 'node:worker_threads';
import { maildirHost, type MaildirItem } from './maildir-batch.ts';
import type { MaildirBatch, MaildirBatchDone } from './maildir-thread.ts';

export type MaildirDelivery = Omit<MaildirItem, 'id'>;

export class MaildirError extends Error {
  override name = 'MaildirError';
  /** The system's code, `ENOSPC`; '' when there is none. */
  readonly code: string;
  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}

interface Pending {
  readonly item: MaildirItem;
  resolve(delivered: { file: string; size: number }): void;
  reject(error: MaildirError): void;
}

const batchItems = 256;
const batchBytes = 16 * 1024 * 1024;
/** One batch syncs while the next is written. */
const batchesInFlight = 2;

export class MaildirWriter {
  readonly #host: string;
  #worker: Worker | undefined;
  #next = 0;
  #inFlight = 0;
  #scheduled = false;
  #closing = false;
  readonly #waiting: Pending[] = [];
  #taken = 0;
  readonly #pending = new Map<number, Pending>();

  constructor(hostname: string) {
    this.#host = maildirHost(hostname);
  }

  deliver(delivery: MaildirDelivery): Promise<{ file: string; size: number }> {
    if (this.#closing) return Promise.reject(new MaildirError('', 'the server is stopping'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item: { ...delivery, id: this.#next++ }, resolve, reject });
      this.#schedule();
    });
  }

  /** Finishes what was handed in, then ends the thread. */
  async close(): Promise<void> {
    this.#closing = true;
    while (this.#pending.size > 0 || this.#taken < this.#waiting.length) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
  readonly #idle: (() => void)[] = [];

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= batchesInFlight) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#inFlight < batchesInFlight && this.#taken < this.#waiting.length) {
      const items: MaildirItem[] = [];
      for (let bytes = 0; items.length < batchItems && bytes < batchBytes;) {
        const pending = this.#waiting[this.#taken];
        if (pending === undefined) break;
        this.#taken++;
        this.#pending.set(pending.item.id, pending);
        items.push(pending.item);
        if ('data' in pending.item.body) bytes += pending.item.body.data.byteLength;
      }
      if (this.#taken === this.#waiting.length || this.#taken > 4096) {
        this.#waiting.splice(0, this.#taken);
        this.#taken = 0;
      }
      this.#inFlight++;
      this.#thread().postMessage({ host: this.#host, items } satisfies MaildirBatch);
    }
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const file = import.meta.url.endsWith('.ts') ? './maildir-thread.ts' : './maildir-thread.js';
    const worker = new Worker(new URL(file, import.meta.url), { name: 'maildir' });
    worker.on('message', (done: MaildirBatchDone) => this.#finished(done));
    const lost = (error: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#inFlight = 0;
      const text = error instanceof Error ? error.message : 'the delivery thread ended';
      for (const pending of this.#pending.values()) pending.reject(new MaildirError('', text));
      this.#pending.clear();
      this.#schedule();
      this.#wakeIdle();
    };
    worker.on('error', lost);
    worker.on('exit', lost);
    this.#worker = worker;
    return worker;
  }

  #finished(done: MaildirBatchDone): void {
    this.#inFlight--;
    for (const { id, file, size, error } of done) {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error !== undefined) pending?.reject(new MaildirError(error.code, error.text));
      else pending?.resolve({ file: file ?? '', size: size ?? 0 });
    }
    this.#schedule();
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
