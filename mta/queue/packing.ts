/**
 * Puts writes into the form the writer thread takes: bodies copied into one buffer per message between the threads.
 * A body handed to the store must stay unchanged until its promise settles; then it is the caller's again.
 */
import type { Packed } from './channel.ts';
import type { NewMessage, QueueAction, Settlement } from './store.ts';
import type { PackedBody, PackedMessage, WriteRequest } from './wire.ts';

/** A new message whose body, when it is a file, has been measured. */
export type ReadyMessage = Omit<NewMessage, 'body'> & {
  readonly body:
    | { readonly kind: 'memory'; readonly data: Uint8Array }
    | { readonly kind: 'spool'; readonly file: string; readonly size: number; readonly checksum: number };
};
export type ReadySettlement = Omit<Settlement, 'spawned'> & { readonly spawned: readonly ReadyMessage[] };

export type Write =
  | { readonly kind: 'add'; readonly message: ReadyMessage }
  | { readonly kind: 'settle'; readonly settlement: ReadySettlement }
  | { readonly kind: 'act'; readonly action: QueueAction; readonly ids: readonly string[] }
  | { readonly kind: 'corrupt'; readonly id: string; readonly reason: string };

export function bodyBytes(write: Write): number {
  if (write.kind === 'add') return messageBytes(write.message);
  if (write.kind !== 'settle') return 0;
  return write.settlement.spawned.reduce((sum, message) => sum + messageBytes(message), 0);
}

function messageBytes({ body }: ReadyMessage): number {
  return body.kind === 'memory' ? body.data.length : 0;
}

export function packWrites(writes: readonly Write[]): Packed {
  const total = writes.reduce((sum, write) => sum + bodyBytes(write), 0);
  const bytes = total === 0 ? undefined : new Uint8Array(total);
  let offset = 0;
  const packBody = (body: ReadyMessage['body']): PackedBody => {
    if (body.kind === 'spool') return { file: body.file, size: body.size, checksum: body.checksum };
    bytes?.set(body.data, offset);
    const packed = { offset, length: body.data.length };
    offset += body.data.length;
    return packed;
  };
  const packMessage = (message: ReadyMessage): PackedMessage => ({ ...message, body: packBody(message.body) });
  const requests = writes.map((write): WriteRequest => {
    if (write.kind === 'add') return { kind: 'add', message: packMessage(write.message) };
    if (write.kind !== 'settle') return write;
    const { spawned, ...settlement } = write.settlement;
    if (spawned.length === 0) return { kind: 'settle', settlement };
    return { kind: 'settle', settlement: { ...settlement, spawned: spawned.map(packMessage) } };
  });
  return { requests, bytes };
}
