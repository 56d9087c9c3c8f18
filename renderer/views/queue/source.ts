/** A queued message's bytes, read in slices, and its header fields. */
import type { CallOptions } from '#mta/contract/contract.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { fromBase64 } from '../inbox/content.ts';

const slice = 262_144;

/** At most `limit` bytes of the message as stored; `total` is its whole size. Throws `not-found` when it is gone. */
export async function readQueued(
  client: MailServerClient,
  id: string,
  limit: number,
  options: CallOptions = {},
): Promise<{ bytes: Uint8Array<ArrayBuffer>; total: number }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  let total = Infinity;
  while (offset < Math.min(total, limit)) {
    const length = Math.min(slice, limit - offset);
    const answer = await client.call('queue.raw', { id, offset, length }, { signal: options.signal });
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

/** The fields before the first empty line, unfolded (RFC 5322 §2.2.3); a line that is no field ends them. */
export function headerFields(text: string): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (const line of text.split(/\r\n|\n/)) {
    if (line === '') break;
    const last = fields.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last[1] += `\n${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0 || /\s/.test(line.slice(0, colon).trimEnd())) break;
    fields.push([line.slice(0, colon).trimEnd(), line.slice(colon + 1).trim()]);
  }
  return fields;
}
