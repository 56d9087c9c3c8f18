/** The application's menu: the platform's standard roles, and what is ours: sections, theme, language, data folder. */
import { app, Menu, shell, type MenuItemConstructorOptions } from 'electron';
import type { Preferences } from '#app/contract/api.ts';
import type { Texts } from './texts.ts';

export interface MenuOptions {
  texts: Texts;
  preferences: Preferences;
  dataFolder: string;
  set(patch: Partial<Preferences>): void;
  /** Shows a section by its id. */
  go(page: string): void;
}

export function showMenu(options: MenuOptions): void {
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(options, process.platform)));
}

export function menuTemplate(
  { texts, preferences, dataFolder, set, go }: MenuOptions,
  platform: NodeJS.Platform,
): MenuItemConstructorOptions[] {
  const mac = platform === 'darwin';
  const choices = <K extends string>(
    labels: Record<K, string>,
    chosen: K,
    choose: (key: K) => void,
  ): MenuItemConstructorOptions[] =>
    (Object.entries(labels) as [K, string][]).map(([key, label]) => ({
      label,
      type: 'radio',
      checked: key === chosen,
      click: () => choose(key),
    }));
  return [
    ...(mac ? [{ role: 'appMenu' } as const] : []),
    {
      label: texts.file,
      submenu: [
        { label: texts.openDataFolder, click: () => void shell.openPath(dataFolder) },
        { type: 'separator' },
        mac ? { role: 'close' } : { role: 'quit' },
      ],
    },
    { label: texts.edit, role: 'editMenu' },
    {
      label: texts.view,
      submenu: [
        {
          label: texts.theme,
          submenu: choices(texts.themes, preferences.theme, (theme) => set({ theme })),
        },
        {
          label: texts.language,
          submenu: choices(texts.languages, preferences.language, (language) => set({ language })),
        },
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
        ...(app.isPackaged ? [] : [{ role: 'reload' } as const, { role: 'toggleDevTools' } as const]),
      ],
    },
    {
      label: texts.go,
      // The page itself listens to these keys; here they are only shown.
      submenu: Object.entries(texts.pages).map(([page, label], index) => ({
        label,
        accelerator: `CmdOrCtrl+${index + 1}`,
        registerAccelerator: false,
        click: () => go(page),
      })),
    },
    { label: texts.window, role: 'windowMenu' },
  ];
}
