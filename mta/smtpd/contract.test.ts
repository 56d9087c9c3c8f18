/**
 * What this server leans on in smtp-server, which is not its public interface. An upgrade that changes one of these
 * fails here, by name, before anything else does.
 */
import { createRequire } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { expect, test } from 'vitest';

test('the version that was read', () => {
  const { version } = createRequire(import.meta.url)('smtp-server/package.json') as { version: string };
  expect(version).toBe('3.21.6');
});

test.each([
  [SMTPServer, ['connect', 'updateSecureContext', '_acceptSocket', '_handleProxy', '_upgrade', '_onError', 'onSecure']],
  [
    SMTPConnection,
    [
      'init',
      'send',
      'close',
      'upgrade',
      '_createParser',
      '_setListeners',
      '_armTimeout',
      '_onClose',
      '_onCloseEvent',
      '_onError',
      '_resetSession',
    ],
  ],
  [SMTPStream, ['_write', '_flushData']],
])('%o has the methods that are replaced or called', (type, methods) => {
  for (const method of methods) {
    expect(typeof (type.prototype as unknown as Record<string, unknown>)[method], method).toBe('function');
  }
});

async function connection(): Promise<{
  made: SMTPConnection;
  socket: Socket;
  server: SMTPServer;
  end: () => Promise<void>;
}> {
  const net = createServer({ allowHalfOpen: true });
  net.listen(0, '127.0.0.1');
  await once(net, 'listening');
  const address = net.address();
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [socket] = (await once(net, 'connection')) as [Socket];
  const server = new SMTPServer({ logger: false, disableReverseLookup: true });
  const made = new SMTPConnection(server, socket);
  return {
    made,
    socket,
    server,
    async end() {
      client.destroy();
      socket.destroy();
      net.close();
      await once(net, 'close');
    },
  };
}

test('the fields of a connection', async () => {
  const { made, end } = await connection();
  expect(made._parser).toBeInstanceOf(SMTPStream);
  expect(made._upgrading).toBe(false);
  expect(made.secure).toBe(false);
  expect(made.remoteAddress).toBe('127.0.0.1');
  expect(made._socket).toBeDefined();
  await end();
});

test('the parser is made in the constructor, by the method that is replaced', async () => {
  const { socket, server, end } = await connection();
  let made = 0;
  class Counting extends SMTPConnection {
    override _createParser(): SMTPStream {
      made += 1;
      return super._createParser();
    }
  }
  const counting = new Counting(server, socket);
  expect(made).toBe(1);
  expect(counting._parser).toBeInstanceOf(SMTPStream);
  await end();
});

test('turning to TLS retires the parser, makes another, and marks the connection', async () => {
  const { made, end } = await connection();
  made._setListeners(() => undefined);
  const before = made._parser;
  made.upgrade(() => undefined);
  expect(before === false ? undefined : before.isClosed).toBe(true);
  expect(made._parser).not.toBe(before);
  expect(made._upgrading).toBe(true);
  made.on('error', () => undefined);
  await end();
});

test('closing retires the parser, ends our side and forgets the connection', async () => {
  const { made, socket, server, end } = await connection();
  server.connections.add(made);
  made._setListeners(() => undefined);
  const parser = made._parser;
  made.close();
  expect(parser === false ? undefined : parser.isClosed).toBe(true);
  expect(socket.writableEnded).toBe(true);
  expect(server.connections.has(made)).toBe(false);
  await end();
});

test('the end of the input calls the method that is replaced', async () => {
  let flushed = 0;
  class Counting extends SMTPStream {
    override _flushData(): void {
      flushed += 1;
    }
  }
  const stream = new Counting();
  stream.end();
  await once(stream, 'finish');
  expect(flushed).toBe(1);
});
