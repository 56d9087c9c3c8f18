/**
 * Puts one function into the page: ask main for a port. The port comes back as a window message to the page's own
 * origin; the api contract is spoken over it. Nothing else of Electron is reachable from the page.
 */
import { contextBridge, ipcRenderer } from 'electron';
import { portMessage, requestPort } from '../channels.ts';

contextBridge.exposeInMainWorld('postrider', {
  requestPort: () => ipcRenderer.send(requestPort),
});

ipcRenderer.on(portMessage, (event) => {
  window.postMessage(portMessage, window.location.origin, [...event.ports]);
});
