/**
 * A Wire over a WebSocket: one JSON value a text message.
 *
 * Promises: a peer that sends no JSON object is cut off; one that does not answer a ping before the next is taken for
 * gone; one that reads too slowly is cut off before its backlog fills the memory (a view that reconnects refetches).
 */
import type { WebSocket } from 'ws';
import type { Wire } from '#mta/contract/rpc.ts';

export interface WebSocketWireOptions {
  /** Milliseconds between pings. */
  pingEvery?: number;
  /** Bytes that may wait to be read. */
  backlog?: number;
}

export function webSocketWire(socket: WebSocket, options: WebSocketWireOptions = {}): Wire {
  const pingEvery = options.pingEvery ?? 30_000;
  const backlog = options.backlog ?? 64 * 1024 * 1024;
  let listener: ((message: object) => void) | undefined;
  const early: object[] = [];
  let answered = true;

  const pings = setInterval(() => {
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, pingEvery);
  pings.unref();
  socket.on('pong', () => {
    answered = true;
  });
  socket.on('close', () => clearInterval(pings));
  socket.on('error', () => undefined);
  socket.on('message', (data, isBinary) => {
    let message: unknown;
    try {
      message = isBinary ? undefined : JSON.parse((data as Buffer).toString('utf8'));
    } catch {
      message = undefined;
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      // 1007: the data is not what was agreed on (RFC 6455 §7.4.1)
      socket.close(1007, 'JSON objects only');
    } else if (listener === undefined) early.push(message);
    else listener(message);
  });

  return {
    send(message) {
      if (socket.readyState !== socket.OPEN) throw new Error('The WebSocket is closed');
      if (socket.bufferedAmount > backlog) {
        socket.terminate();
        throw new Error('The other side reads too slowly');
      }
      socket.send(JSON.stringify(message));
    },
    onMessage(next) {
      listener = next;
      for (const message of early.splice(0)) next(message);
    },
    onClose(next) {
      if (socket.readyState === socket.CLOSED) next();
      else socket.on('close', () => next());
    },
    close() {
      socket.close(1000);
    },
  };
}
