/**
 * Electron's main process: one window over one data folder, and the MTA as a child.
 *
 * Promises: one instance a data folder, a second one shows the first one's window; an MTA that already runs there is
 * attached to and left running; one of ours is started again when it dies and finishes what it has in hand before we
 * end. No mail passes through here and no disk work is done here beyond settings and window state.
 * A start that fails says why in a dialog and on stderr, exit code 1.
 */
import path from 'node:path';
import { app, BrowserWindow, dialog, nativeTheme, session } from 'electron';
import { openApplication } from '#app/application.ts';
import { dataFolder } from '#app/settings/data-folder.ts';
import { errorMessage } from '#mta/contract/errors.ts';
import { guardContents, guardSession } from './guard.ts';
import { log } from './logger.ts';
import { showMenu } from './menu.ts';
import { spawnDesktopMta } from './mta.ts';
import { desktopOptions, type DesktopOptions } from './options.ts';
import { servePorts } from './port.ts';
import { origin, registerScheme, serveScheme } from './scheme.ts';
import { textsFor } from './texts.ts';
import { openWindow, windowsSaved } from './window.ts';

const mac = process.platform === 'darwin';

registerScheme();
// Chromium refuses its sandbox to root; whoever runs us so has said --no-sandbox.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
app.setName('Postrider');

function fail(error: unknown): void {
  log(errorMessage(error));
  // Before the app is ready this goes to stderr on Linux and to a dialog elsewhere.
  if (app.isReady() || process.platform !== 'linux') {
    dialog.showErrorBox(textsFor('system', app.getLocale()).cannotStart, errorMessage(error));
  }
  app.exit(1);
}

async function start(data: string, { mtaArguments }: DesktopOptions): Promise<void> {
  await app.whenReady();
  const { api, previews, servers, settings, local } = await openApplication({
    dataFolder: data,
    info: { version: app.getVersion(), platform: process.platform, mode: 'desktop', locale: app.getLocale() },
    spawnMta: spawnDesktopMta((text) => process.stderr.write(text)),
    mtaArguments,
  });
  for (const problem of settings.problems) log(problem);
  const { id: localServer } = local.entry();
  const texts = (): ReturnType<typeof textsFor> => textsFor(settings.get().language, app.getLocale());

  guardSession(session.defaultSession);
  guardContents();
  serveScheme(session.defaultSession, {
    rendererFolder: path.join(import.meta.dirname, '..', 'renderer'),
    previews,
  });
  servePorts(api);

  const stateFile = path.join(data, 'window', 'state.json');
  let window: BrowserWindow | undefined;
  const show = (): BrowserWindow => {
    if (window === undefined || window.isDestroyed()) {
      window = openWindow(stateFile);
    } else {
      if (window.isMinimized()) window.restore();
      window.focus();
    }
    return window;
  };
  const appearance = (): void => {
    const preferences = settings.get();
    nativeTheme.themeSource = preferences.theme;
    showMenu({
      texts: texts(),
      preferences,
      dataFolder: data,
      set: (patch) => void settings.set(patch).catch((error: unknown) => log(errorMessage(error))),
      go: (page) => void show().loadURL(`${origin}/#/${localServer}/${page}`),
    });
  };
  settings.onChange(appearance);
  appearance();

  let ending: Promise<void> | undefined;
  app.on('before-quit', (event) => {
    if (ending === undefined) {
      ending = servers.close().catch((error: unknown) => log(errorMessage(error)));
      void ending.then(windowsSaved).then(() => app.exit(0));
      for (const open of BrowserWindow.getAllWindows()) open.close();
    }
    event.preventDefault();
  });
  app.on('window-all-closed', () => {
    if (!mac) app.quit();
  });
  app.on('activate', show);
  app.on('second-instance', show);
  app.on('render-process-gone', (_event, _contents, { reason }) => log(`a page's process is gone: ${reason}`));

  show();
  // What hinders it is shown in the window, and attempts go on.
  await local.start().catch((error: unknown) => log(errorMessage(error)));
}

try {
  const options = desktopOptions(process.argv.slice(1));
  const data = path.resolve(options.data ?? dataFolder(process.env));
  // Chromium's own files, and its lock: one instance a data folder.
  app.setPath('userData', path.join(data, 'window'));
  if (app.requestSingleInstanceLock()) {
    start(data, options).catch(fail);
  } else {
    log(`Postrider already runs on ${data}; its window is shown.`);
    app.quit();
  }
} catch (error) {
  fail(error);
}
