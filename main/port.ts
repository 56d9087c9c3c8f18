/**
 * Serves the api contract to the window's page over a MessagePort.
 *
 * Promises: only the main frame of a window of ours, at exactly our origin, gets a port; a page has one at a time.
 */
import 'vscode-jsonrpc/node';
import { ipcMain, MessageChannelMain, type IpcMainEvent, type MessagePortMain } from 'electron';
import type { Api } from '#app/api.ts';
import { api as apiContract } from '#app/contract/api.ts';
import { serve, type Wire } from '#mta/contract/rpc.ts';
import { portMessage, requestPort } from './channels.ts';
import { log } from './logger.ts';
import { origin } from './scheme.ts';

export function servePorts(api: Api): void {
  const open = new WeakMap<object, { close(): void }>();
  ipcMain.on(requestPort, (event) => {
    if (!isOurPage(event)) {
      log(`a port was refused to ${event.senderFrame?.url ?? 'a frame that is gone'}`);
      return;
    }
    const { port1, port2 } = new MessageChannelMain();
    open.get(event.sender)?.close();
    open.set(event.sender, serve(apiContract, api.handlers, api.events, portWire(port1)));
    event.senderFrame?.postMessage(portMessage, null, [port2]);
  });
}

function isOurPage({ sender, senderFrame }: IpcMainEvent): boolean {
  return senderFrame !== null && senderFrame === sender.mainFrame && senderFrame.origin === origin;
}

function portWire(port: MessagePortMain): Wire {
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on('message', ({ data }: { data: unknown }) => {
        if (typeof data === 'object' && data !== null) listener(data);
      });
      port.start();
    },
    onClose: (listener) => port.on('close', listener),
    close: () => port.close(),
  };
}
