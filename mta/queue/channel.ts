/**
 * Asks one worker thread, batching all that is asked in one turn of the event loop into one message.
 *
 * Promises: every request is answered exactly once. When the thread ends by its own wish (`restart`), requests it had
 * not begun are given to the next thread; when it dies, requests in hand fail with StoreIoError (or, where asking twice
 * is harmless, are asked once more) and the next request starts a new thread. close() finishes what was asked before.
 */
import type { Worker } from 'node:worker_threads';
import type { Finding } from '../contract/server.ts';
import { errorMessage } from '../contract/errors.ts';
import { StoreIoError, type StoreCounts } from './store.ts';
import { reviveError, type Ack, type Batch, type FromThread } from './wire.ts';

export interface Packed {
  readonly requests: readonly unknown[];
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

export interface ChannelOptions<R> {
  start(first: boolean): Worker;
  /** Turns requests into what is posted; bodies go into one buffer, which is transferred. */
  pack(requests: readonly R[]): Packed;
  /** Body bytes of a request: one message carries about `batchBytes` of them at most. */
  weigh(request: R): number;
  readonly batchRequests: number;
  readonly batchBytes: number;
  /** Asking again after the thread died is harmless. */
  readonly repeatable: boolean;
  /** Ends the thread after this long without a question; it is started again by the next one. */
  readonly idleMs?: number | undefined;
  onReady?(findings: readonly Finding[], first: boolean): void;
  onCounts?(counts: StoreCounts): void;
}

interface Pending<R> {
  readonly request: R;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  repeated: boolean;
}

export class Channel<R> {
  readonly #options: ChannelOptions<R>;
  #thread: Worker | undefined;
  #ready = false;
  #first = true;
  #closing = false;
  #restarting = false;
  #failure: Error | undefined;
  #scheduled = false;
  #batch = 0;
  #queue: Pending<R>[] = [];
  readonly #inHand = new Map<number, Pending<R>[]>();
  #idle: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;

  constructor(options: ChannelOptions<R>) {
    this.#options = options;
  }

  request(request: R): Promise<unknown> {
    if (this.#closing) return Promise.reject(new StoreIoError('The queue store is closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject, repeated: false });
      this.#schedule();
    });
  }

  /** Starts the thread now. Fails with the reason it gave for not working. */
  async open(): Promise<void> {
    this.#start();
    const thread = this.#thread;
    if (thread === undefined) throw new StoreIoError('The storage thread did not start');
    await new Promise<void>((resolve, reject) => {
      thread.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve();
        if (message.kind === 'refused') reject(reviveError(message.error));
      });
      thread.once('exit', () => reject(new StoreIoError('The storage thread ended while it was starting')));
    });
  }

  /** Ends the thread so that the next question meets a new one; questions in hand are asked again there. */
  async recycle(): Promise<void> {
    await this.#thread?.terminate();
  }

  /** Finishes what was asked, then ends the thread. Never fails. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#idle);
    if (this.#queue.length > 0 || this.#inHand.size > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    await this.#end();
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    const exited = new Promise((resolve) => thread.once('exit', resolve));
    thread.postMessage('close');
    await exited;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#restarting) return;
    this.#start();
    if (!this.#ready || this.#thread === undefined) return;
    clearTimeout(this.#idle);
    const { batchRequests, batchBytes, weigh, pack } = this.#options;
    const waiting = this.#queue;
    this.#queue = [];
    for (let from = 0; from < waiting.length;) {
      let to = from;
      for (let bytes = 0; to < waiting.length && to - from < batchRequests && bytes < batchBytes; to++) {
        const pending = waiting[to];
        if (pending !== undefined) bytes += weigh(pending.request);
      }
      const batch = waiting.slice(from, to);
      from = to;
      const packed = pack(batch.map(({ request }) => request));
      const number = this.#batch++;
      this.#inHand.set(number, batch);
      this.#thread.postMessage(
        { batch: number, requests: packed.requests, bytes: packed.bytes } satisfies Batch<unknown>,
        packed.bytes === undefined ? [] : [packed.bytes.buffer],
      );
    }
  }

  #start(): void {
    if (this.#thread !== undefined) return;
    const first = this.#first;
    this.#failure = undefined;
    const thread = this.#options.start(first);
    this.#thread = thread;
    thread.on('message', (message: FromThread) => this.#onMessage(message, first));
    thread.on('error', (error) => {
      this.#failure = new StoreIoError(`The storage thread failed: ${errorMessage(error)}`);
    });
    thread.on('exit', () => this.#onExit());
  }

  #onMessage(message: FromThread, first: boolean): void {
    switch (message.kind) {
      case 'ready':
        this.#ready = true;
        this.#first = false;
        if (message.counts !== undefined) this.#options.onCounts?.(message.counts);
        this.#options.onReady?.(message.findings, first);
        this.#flush();
        return;
      case 'refused': {
        this.#failure = reviveError(message.error);
        this.#failAll(this.#failure);
        return;
      }
      case 'acks':
        if (message.restart === true) this.#restarting = true;
        if (message.counts !== undefined) this.#options.onCounts?.(message.counts);
        for (const ack of message.acks) this.#settle(ack);
        this.#rest();
    }
  }

  #settle(ack: Ack): void {
    const batch = this.#inHand.get(ack.batch);
    if (batch === undefined) return;
    this.#inHand.delete(ack.batch);
    const answers = new Map(ack.answers);
    const errors = new Map(ack.errors);
    for (const [index, pending] of batch.entries()) {
      const error = errors.get(index);
      if (error !== undefined) pending.reject(reviveError(error));
      else pending.resolve(answers.get(index));
    }
  }

  /** Nothing in hand: a closing channel is drained, an idle thread ends after a while. */
  #rest(): void {
    if (this.#inHand.size > 0 || this.#queue.length > 0) return;
    this.#drained?.();
    const { idleMs } = this.#options;
    if (idleMs === undefined || this.#closing) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#inHand.size > 0 || this.#queue.length > 0 || this.#closing) return;
      this.#ready = false;
      this.#thread?.postMessage('close');
    }, idleMs);
    this.#idle.unref();
  }

  #onExit(): void {
    this.#thread = undefined;
    this.#ready = false;
    const unbegun = this.#restarting;
    this.#restarting = false;
    const lost = [...this.#inHand.values()].flat();
    this.#inHand.clear();
    const again: Pending<R>[] = [];
    for (const pending of lost) {
      if (unbegun || (this.#options.repeatable && !pending.repeated)) {
        pending.repeated = true;
        again.push(pending);
      } else {
        pending.reject(this.#failure ?? new StoreIoError('The storage thread ended'));
      }
    }
    this.#queue = [...again, ...this.#queue];
    if (this.#queue.length > 0) this.#schedule();
    else this.#rest();
  }

  #failAll(error: Error): void {
    const all = [...[...this.#inHand.values()].flat(), ...this.#queue];
    this.#inHand.clear();
    this.#queue = [];
    for (const pending of all) pending.reject(error);
    this.#drained?.();
  }
}
