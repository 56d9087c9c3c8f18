/** The one window: sandboxed page, bounds remembered, shown when it has something to show. */
import path from 'node:path';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { log } from './logger.ts';
import { origin } from './scheme.ts';
import { defaultSize, fitting, readWindowState, writeWindowState } from './window-state.ts';

/** The page's own background in both themes, so that nothing flashes. */
const background = { light: '#ffffff', dark: '#1a1b1d' };

let writing: Promise<void> = Promise.resolve();

/** Resolves when what is to be remembered is on the disk. */
export function windowsSaved(): Promise<void> {
  return writing;
}

export function openWindow(stateFile: string): BrowserWindow {
  const state = readWindowState(stateFile);
  const displays = screen.getAllDisplays().map(({ workArea }) => workArea);
  const icon = path.join(import.meta.dirname, 'icon.png');
  const window = new BrowserWindow({
    ...defaultSize,
    ...(state === undefined ? {} : fitting(state, displays)),
    minWidth: 720,
    minHeight: 480,
    show: false,
    title: 'Postrider',
    ...(process.platform === 'linux' ? { icon } : {}),
    backgroundColor: nativeTheme.shouldUseDarkColors ? background.dark : background.light,
    webPreferences: {
      preload: path.join(import.meta.dirname, 'preload.cjs'),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
      navigateOnDragDrop: false,
    },
  });
  if (state?.maximized === true) window.maximize();
  window.once('ready-to-show', () => window.show());

  let saving: NodeJS.Timeout | undefined;
  const save = (): void => {
    clearTimeout(saving);
    if (window.isDestroyed() || window.isMinimized()) return;
    const bounds = { ...window.getNormalBounds(), maximized: window.isMaximized() };
    writing = writing.then(() => writeWindowState(stateFile, bounds));
  };
  const soon = (): void => {
    clearTimeout(saving);
    saving = setTimeout(save, 500);
  };
  window.on('resize', soon);
  window.on('move', soon);
  window.on('close', save);
  window.on('closed', () => clearTimeout(saving));

  window.webContents.on('render-process-gone', (_event, { reason }) => {
    log(`the page ended: ${reason}`);
    if (reason !== 'clean-exit' && !window.isDestroyed()) window.webContents.reload();
  });
  window.webContents.on('page-title-updated', (event) => event.preventDefault());
  void window.loadURL(`${origin}/`).catch((error: unknown) => log(`the page could not be loaded: ${String(error)}`));
  return window;
}
