/**
 * The Maildirs of a data folder, for the mail server's contract: the main thread's side.
 *
 * Reading, searching and changing them happens in a thread of its own, so that opening a mailbox of 100,000 messages
 * never slows mail. Promises: the thread starts with the first request; when it dies, what was asked of it fails with
 * `unavailable` and the next request starts another; `notify` costs next to nothing.
 */
import { Worker } from 'node:worker_threads';
import type { CallContext, Unsubscribe } from '../contract/contract.ts';
import { PostriderError } from '../contract/errors.ts';
import type { Mailbox } from '../contract/mail.ts';
import { mailboxOfFolder } from '../local/mailbox-name.ts';
import { mailMethods, type MailHandlers, type MailMethod, type MailReaderOptions } from './mail-reader.ts';
import type { Delivered, FromMailThread, MailThreadData, ToMailThread } from './mail-store-messages.ts';

export interface MailStoreOptions extends MailReaderOptions {
  /** Milliseconds that deliveries and changes are gathered for before listeners hear of them. */
  readonly eventDelay?: number | undefined;
  /** How many mailboxes are watched for changes by other programs. */
  readonly watchedMailboxes?: number | undefined;
  /** What the thread may use of JavaScript memory; beyond it the thread, not the server, ends. */
  readonly heapMegabytes?: number | undefined;
}

export interface MailStore {
  /** The `mail.*` methods, to be spread into the server's handlers. */
  readonly handlers: MailHandlers;
  /** As `mail.mailboxes`. */
  mailboxes(): Promise<{ mailboxes: Mailbox[] }>;
  /** A message was delivered into the mailbox of this directory; `file`, its name in `new`, saves reading that. */
  notify(directory: string, file?: string): void;
  /** New mail, delivered by us or by others; gathered, by mailbox. */
  onArrived(listener: (event: { mailbox: string; count: number }) => void): Unsubscribe;
  /** Flags changed, or messages were removed, by us or by others. */
  onChanged(listener: (event: { mailbox: string }) => void): Unsubscribe;
  /** Ends the thread; calls in hand fail with `unavailable`. */
  close(): Promise<void>;
}

/** Opens the Maildirs below `root` (`<data>/mail`), which need not be there yet. */
export function openMailStore(root: string, options: MailStoreOptions = {}): MailStore {
  return new ThreadedMailStore(root, options);
}

interface Pending {
  resolve(output: unknown): void;
  reject(error: Error): void;
  progress: CallContext['progress'];
}

class ThreadedMailStore implements MailStore {
  readonly handlers: MailHandlers;
  readonly #data: MailThreadData;
  readonly #delay: number;
  readonly #heapMegabytes: number;
  readonly #pending = new Map<number, Pending>();
  readonly #arrived = new Set<(event: { mailbox: string; count: number }) => void>();
  readonly #changed = new Set<(event: { mailbox: string }) => void>();
  /** Gathered for the next event and for the thread. */
  #deliveries = new Map<string, Delivered>();
  #arrivals = new Map<string, number>();
  #changes = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;
  #nextCall = 0;
  #closed = false;

  constructor(root: string, options: MailStoreOptions) {
    const { eventDelay, watchedMailboxes, heapMegabytes, ...reader } = options;
    this.#delay = eventDelay ?? 100;
    this.#heapMegabytes = heapMegabytes ?? 512;
    this.#data = { root, reader, watchedMailboxes: watchedMailboxes ?? 32, watchDelay: this.#delay };
    const handlers = mailMethods.map((method) => [
      method,
      (input: unknown, context: CallContext) => this.#call(method, input, context),
    ]);
    this.handlers = Object.fromEntries(handlers) as MailHandlers;
  }

  async mailboxes(): Promise<{ mailboxes: Mailbox[] }> {
    return await this.handlers['mail.mailboxes'](
      {},
      { signal: new AbortController().signal, progress: () => undefined },
    );
  }

  notify(directory: string, file?: string): void {
    let delivered = this.#deliveries.get(directory);
    if (delivered === undefined) this.#deliveries.set(directory, (delivered = { directory, files: [], count: 0 }));
    delivered.count++;
    if (file !== undefined) delivered.files.push(file);
    this.#gather();
  }

  onArrived(listener: (event: { mailbox: string; count: number }) => void): Unsubscribe {
    this.#arrived.add(listener);
    return () => this.#arrived.delete(listener);
  }

  onChanged(listener: (event: { mailbox: string }) => void): Unsubscribe {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#send({ type: 'close' });
    await ended;
  }

  async #call(method: MailMethod, input: unknown, context: CallContext): Promise<unknown> {
    if (this.#closed) throw new PostriderError('unavailable', 'The server is stopping');
    this.#tellDeliveries();
    const call = this.#nextCall++;
    const abort = (): void => this.#send({ type: 'cancel', call });
    context.signal.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(call, { resolve, reject, progress: context.progress });
        this.#thread().postMessage({ type: 'call', call, method, input } satisfies ToMailThread);
        if (context.signal.aborted) abort();
      });
    } finally {
      context.signal.removeEventListener('abort', abort);
    }
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const file = import.meta.url.endsWith('.ts') ? './maildir-reader-thread.ts' : './maildir-reader-thread.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      name: 'maildir-reader',
      workerData: this.#data,
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMegabytes },
    });
    worker.on('message', (message: FromMailThread) => this.#received(message));
    const lost = (error: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const reason = error instanceof Error ? `The mail reader failed: ${error.message}` : 'The mail reader ended';
      for (const pending of this.#pending.values()) pending.reject(new PostriderError('unavailable', reason));
      this.#pending.clear();
    };
    worker.on('error', lost);
    worker.on('exit', lost);
    this.#worker = worker;
    return worker;
  }

  #send(message: ToMailThread): void {
    this.#worker?.postMessage(message);
  }

  #received(message: FromMailThread): void {
    switch (message.type) {
      case 'arrived':
        this.#arrivals.set(message.mailbox, (this.#arrivals.get(message.mailbox) ?? 0) + message.count);
        this.#gather();
        return;
      case 'changed':
        this.#changes.add(message.mailbox);
        this.#gather();
        return;
      case 'progress':
        this.#pending.get(message.call)?.progress(message.progress);
        return;
      default: {
        const pending = this.#pending.get(message.call);
        this.#pending.delete(message.call);
        if (message.type === 'result') pending?.resolve(message.output);
        else pending?.reject(new PostriderError(message.code, message.message, { field: message.field }));
      }
    }
  }

  #gather(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => this.#publish(), this.#delay).unref();
  }

  #publish(): void {
    this.#timer = undefined;
    this.#tellDeliveries();
    const arrivals = this.#arrivals;
    const changes = this.#changes;
    this.#arrivals = new Map();
    this.#changes = new Set();
    for (const [mailbox, count] of arrivals) for (const listener of this.#arrived) listener({ mailbox, count });
    for (const mailbox of changes) for (const listener of this.#changed) listener({ mailbox });
  }

  /** Before every request, so that whoever was told of a delivery finds it. */
  #tellDeliveries(): void {
    if (this.#deliveries.size === 0) return;
    const deliveries = [...this.#deliveries.values()];
    this.#deliveries = new Map();
    for (const { directory, count } of deliveries) {
      const mailbox = mailboxOfFolder(directory) ?? directory;
      this.#arrivals.set(mailbox, (this.#arrivals.get(mailbox) ?? 0) + count);
    }
    if (this.#arrivals.size > 0) this.#gather();
    this.#send({ type: 'delivered', deliveries });
  }
}
