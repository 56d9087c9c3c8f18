/** Whole messages and parts: read in slices, and handed to the person as files. */
import type { CallOptions } from '#mta/contract/contract.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { fromBase64 } from './content.ts';

const slice = 262_144;

/**
 * The bytes of a message in a mailbox (`mail.raw`) or in the queue (`queue.raw`) as stored, at most `limit`, slice by
 * slice. `total` is its whole size. Throws `not-found` when it is gone.
 */
export async function readSource(
  client: MailServerClient,
  method: 'mail.raw' | 'queue.raw',
  id: string,
  limit: number,
  options: CallOptions = {},
): Promise<{ bytes: Uint8Array<ArrayBuffer>; total: number }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  let total = Infinity;
  while (offset < Math.min(total, limit)) {
    const length = Math.min(slice, limit - offset);
    const answer = await client.call(method, { id, offset, length }, { signal: options.signal });
    const bytes = fromBase64(answer.data);
    total = answer.total;
    if (bytes.length === 0) break;
    parts.push(bytes);
    offset += bytes.length;
    options.onProgress?.({ done: offset, total: Math.min(total, limit) });
  }
  const joined = new Uint8Array(offset);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return { bytes: joined, total: Number.isFinite(total) ? total : offset };
}

/** Offers bytes as a file. The type is never one that a browser would show or run. */
export function saveBytes(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}
