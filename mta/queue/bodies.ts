/**
 * Bodies on the main thread: large ones as files, checked by streaming; small ones just accepted, kept for the delivery
 * that is about to ask for them. Promises: a file is never held in memory whole; the cache never exceeds its budget.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const chunk = 256 * 1024;

/** Size and CRC-32 of a file. Fails with the file system's error. */
export async function measureFile(file: string): Promise<{ size: number; checksum: number }> {
  const handle = await open(file, 'r');
  try {
    const buffer = new Uint8Array(chunk);
    let size = 0;
    let checksum = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, chunk, null);
      if (bytesRead === 0) return { size, checksum };
      size += bytesRead;
      checksum = crc32(buffer.subarray(0, bytesRead), checksum);
    }
  } finally {
    await handle.close();
  }
}

/** A plain name: it is joined to the bodies folder, so it must not lead out of it. */
export function isBodyFileName(name: string): boolean {
  return /^[0-9A-Za-z_][0-9A-Za-z._-]{0,199}$/.test(name);
}

/** Bodies of messages just stored, oldest out first. */
export class BodyCache {
  readonly #budget: number;
  readonly #bodies = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Keeps a copy: the caller's buffer may be used again. */
  set(id: string, body: Uint8Array): void {
    if (body.length * 8 > this.#budget) return;
    this.delete(id);
    // Not slice(): a Buffer's would share the memory.
    this.#bodies.set(id, new Uint8Array(body));
    this.#bytes += body.length;
    for (const oldest of this.#bodies.keys()) {
      if (this.#bytes <= this.#budget) break;
      this.delete(oldest);
    }
  }

  get(id: string): Uint8Array | undefined {
    return this.#bodies.get(id);
  }

  delete(id: string): void {
    this.#bytes -= this.#bodies.get(id)?.length ?? 0;
    this.#bodies.delete(id);
  }
}
