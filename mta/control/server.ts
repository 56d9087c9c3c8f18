/**
 * The answering end of the control socket. Only this user can reach it: the socket lies in a folder of mode 0700.
 */
import 'vscode-jsonrpc/node';
import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { EventSource } from '../contract/contract.ts';
import { serve } from '../contract/rpc.ts';
import { mailServer, type MailServerContract, type MailServerHandlers } from '../contract/server.ts';
import { controlAddress, prepareControlFolder } from './address.ts';
import { socketWire } from './socket-wire.ts';

export interface ControlServer {
  readonly address: string;
  close(): Promise<void>;
}

/** Listens; the caller holds the data folder's lock, so a socket file found there is a leftover and is replaced. */
export async function listenControl(
  dataFolder: string,
  handlers: MailServerHandlers,
  events: EventSource<MailServerContract>,
): Promise<ControlServer> {
  const address = await controlAddress(dataFolder);
  await prepareControlFolder(address);
  if (process.platform !== 'win32') await rm(address, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(mailServer, handlers, events, socketWire(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: address }, resolve);
  });
  return {
    address,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.end();
      const deadline = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, 1000);
      await closed;
      clearTimeout(deadline);
    },
  };
}
