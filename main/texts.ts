/** What menus and system dialogs say. A language that lacks a text does not compile. */
const en = {
  file: 'File',
  edit: 'Edit',
  view: 'View',
  go: 'Go',
  window: 'Window',
  help: 'Help',
  theme: 'Theme',
  themes: { system: 'System', light: 'Light', dark: 'Dark' },
  language: 'Language',
  languages: { system: 'System', en: 'English', zh: '简体中文' },
  pages: { overview: 'Overview', inbox: 'Inbox', queue: 'Queue', log: 'Log', send: 'Send' },
  openDataFolder: 'Open Data Folder',
  cannotStart: 'Postrider cannot start',
};

export type Texts = typeof en;

const zh: Texts = {
  file: '文件',
  edit: '编辑',
  view: '视图',
  go: '前往',
  window: '窗口',
  help: '帮助',
  theme: '主题',
  themes: { system: '跟随系统', light: '浅色', dark: '深色' },
  language: '语言',
  languages: { system: '跟随系统', en: 'English', zh: '简体中文' },
  pages: { overview: '概览', inbox: '收件箱', queue: '队列', log: '日志', send: '发送' },
  openDataFolder: '打开数据文件夹',
  cannotStart: 'Postrider 无法启动',
};

/** `preference` as a person set it, `locale` as the system says it. */
export function textsFor(preference: 'system' | 'en' | 'zh', locale: string): Texts {
  const language = preference === 'system' ? locale.toLowerCase().split(/[-_]/)[0] : preference;
  return language === 'zh' ? zh : en;
}
