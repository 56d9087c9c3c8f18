/**
 * Where the bytes of one message gather: memory at first, a spool file once they are many.
 *
 * Promises: at most `memoryLimit` + `highWater` bytes and what the caller pushes against advice are held; `finish`
 * resolves only when a spool file and its folder are synced; `discard` leaves no file behind.
 * Fails: the first error of the disk is kept and thrown by `finish`; a sync that failed is never tried again.
 */
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../files/sync-folder.ts';
import type { NewBody } from '../queue/store.ts';

/** Bytes that may wait for the disk before the sender is asked to pause. */
const highWater = 262_144;
const smallPiece = 256;
const tailSize = 1024;

export class BodySink {
  readonly #folder: string;
  readonly #name: string;
  readonly #memoryLimit: number;
  #waiting: Uint8Array[] = [];
  #waitingSize = 0;
  /** The last of `#waiting`, while it has room for small pieces. */
  #tail: Buffer | undefined;
  #tailUsed = 0;
  #file: FileHandle | undefined;
  #spooling = false;
  #pump: Promise<void> | undefined;
  #error: unknown;
  size = 0;

  /** `name`: file name within `folder`, unique; the queue id. */
  constructor(folder: string, name: string, memoryLimit: number) {
    this.#folder = folder;
    this.#name = name;
    this.#memoryLimit = memoryLimit;
  }

  /** Takes bytes, which must not change afterwards. A promise means: wait for it before the next ones. */
  push(bytes: Uint8Array): Promise<void> | undefined {
    this.size += bytes.length;
    if (this.#error !== undefined) return undefined;
    this.#append(bytes);
    this.#waitingSize += bytes.length;
    if (!this.#spooling && this.size > this.#memoryLimit) this.#spooling = true;
    if (!this.#spooling) return undefined;
    this.#pump ??= this.#drain();
    return this.#waitingSize > highWater ? this.#pump : undefined;
  }

  /** Small pieces share a buffer: a client that sends byte by byte must not cost an object a byte. */
  #append(bytes: Uint8Array): void {
    if (bytes.length > smallPiece) {
      this.#waiting.push(bytes);
      this.#tail = undefined;
      return;
    }
    if (this.#tail === undefined || this.#tailUsed + bytes.length > tailSize) {
      this.#tail = Buffer.allocUnsafe(tailSize);
      this.#tailUsed = 0;
      this.#waiting.push(bytes);
    }
    this.#tail.set(bytes, this.#tailUsed);
    this.#tailUsed += bytes.length;
    this.#waiting[this.#waiting.length - 1] = this.#tail.subarray(0, this.#tailUsed);
  }

  async #drain(): Promise<void> {
    try {
      this.#file ??= await open(join(this.#folder, this.#name), 'wx', 0o600);
      while (this.#waiting.length > 0) {
        const batch = this.#waiting;
        this.#waiting = [];
        this.#waitingSize = 0;
        this.#tail = undefined;
        await writeAll(this.#file, batch);
      }
    } catch (error) {
      this.#error ??= error;
      this.#waiting = [];
      this.#waitingSize = 0;
    } finally {
      this.#pump = undefined;
    }
  }

  /** All bytes are in. Throws the disk's error; then only `discard` is left. */
  async finish(): Promise<NewBody> {
    if (!this.#spooling) {
      const only = this.#waiting.length === 1 ? this.#waiting[0] : undefined;
      return { kind: 'memory', data: only ?? Buffer.concat(this.#waiting, this.#waitingSize) };
    }
    await this.#settle();
    if (this.#error === undefined && this.#file !== undefined) {
      try {
        await this.#file.datasync();
        await this.#close();
        await syncFolder(this.#folder);
      } catch (error) {
        this.#error = error;
      }
    }
    if (this.#error !== undefined) throw this.#error;
    return { kind: 'spool', file: this.#name };
  }

  /** Takes everything back. Never throws. */
  async discard(): Promise<void> {
    this.#error ??= new Error('discarded');
    this.#waiting = [];
    this.#waitingSize = 0;
    if (!this.#spooling) return;
    await this.#settle();
    // Only a file that was made here is removed: an existing one of that name belongs to another message.
    const made = this.#file !== undefined;
    await this.#close().catch(() => undefined);
    if (made) await rm(join(this.#folder, this.#name), { force: true }).catch(() => undefined);
  }

  async #settle(): Promise<void> {
    while (this.#pump !== undefined) await this.#pump;
    if (this.#waiting.length > 0) {
      this.#pump = this.#drain();
      await this.#pump;
    }
  }

  #closed = false;
  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file?.close();
  }
}

async function writeAll(file: FileHandle, batch: Uint8Array[]): Promise<void> {
  const total = batch.reduce((sum, bytes) => sum + bytes.length, 0);
  const { bytesWritten } = await file.writev(batch);
  if (bytesWritten === total) return;
  // A short write: the rest as one piece, until it is out or the disk says why not.
  let rest = Buffer.concat(batch, total).subarray(bytesWritten);
  while (rest.length > 0) {
    const { bytesWritten: more } = await file.write(rest);
    rest = rest.subarray(more);
  }
}
