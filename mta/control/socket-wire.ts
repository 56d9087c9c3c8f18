/**
 * A Wire over a stream socket: one JSON value a line (JSON never holds a raw newline).
 * A peer that sends a longer line than `maxLine`, or no JSON, is cut off: the wire closes.
 */
import type { Socket } from 'node:net';
import type { Wire } from '../contract/rpc.ts';

/** Room for a 64 MB message in base64, and some. */
const defaultMaxLine = 128 * 1024 * 1024;

export function socketWire(socket: Socket, maxLine: number = defaultMaxLine): Wire {
  let pieces: Buffer[] = [];
  let pending = 0;
  let listener: ((message: object) => void) | undefined;
  let early: object[] = [];
  const closeListeners: (() => void)[] = [];

  function take(line: Buffer): void {
    let message: unknown;
    try {
      message = JSON.parse(line.toString('utf8'));
    } catch {
      message = undefined;
    }
    if (typeof message !== 'object' || message === null) socket.destroy();
    else if (listener === undefined) early.push(message);
    else listener(message);
  }

  socket.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      const line = pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
      pieces = [];
      pending = 0;
      start = end + 1;
      if (line.length > 0) take(line);
    }
    if (start < chunk.length) {
      pieces.push(chunk.subarray(start));
      pending += chunk.length - start;
      if (pending > maxLine) socket.destroy();
    }
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    for (const closed of closeListeners) closed();
  });

  return {
    send(message) {
      if (!socket.writable) throw new Error('The socket is closed');
      socket.write(JSON.stringify(message) + '\n');
    },
    onMessage(next) {
      listener = next;
      const waiting = early;
      early = [];
      for (const message of waiting) next(message);
    },
    onClose(next) {
      if (socket.destroyed) next();
      else closeListeners.push(next);
    },
    close() {
      socket.end();
    },
  };
}
