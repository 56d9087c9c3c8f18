/** Keyboard shortcuts of the offered actions, and how they are written for a person. */
import { matchKeyBindingPress, parseKeybinding } from 'tinykeys';
import { isAvailable, type Action } from './action.ts';

/** True while an input method composes: Enter and Escape then belong to it (keyCode 229 in older engines). */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches('input:not([type=checkbox]):not([type=radio]), textarea, select');
}

/** The action whose shortcut this key press is, if any. */
export function actionForKey(event: KeyboardEvent, offered: readonly Action[]): Action | undefined {
  if (event.defaultPrevented || isComposing(event)) return undefined;
  const typing = isTyping(event);
  const modal =
    document.querySelector(
      '[role=dialog][data-state=open], [role=alertdialog][data-state=open], [role=menu][data-state=open]',
    ) !== null;
  return offered.find((action) => {
    if (action.shortcut === undefined || !isAvailable(action)) return false;
    if (modal && action.id !== 'app.palette') return false;
    if (typing && !action.shortcut.includes('$mod')) return false;
    const [press, ...more] = parseKeybinding(action.shortcut);
    return press !== undefined && more.length === 0 && matchKeyBindingPress(event, press);
  });
}

export const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '');

const names: Record<string, string> = {
  delete: 'Del',
  backspace: '⌫',
  enter: '↵',
  escape: 'Esc',
  arrowup: '↑',
  arrowdown: '↓',
  arrowleft: '←',
  arrowright: '→',
  space: 'Space',
};
const macMods: Record<string, string> = { $mod: '⌘', shift: '⇧', alt: '⌥', control: '⌃', meta: '⌘' };
const otherMods: Record<string, string> = { $mod: 'Ctrl', shift: 'Shift', alt: 'Alt', control: 'Ctrl', meta: 'Meta' };

/** `⌘K` on a Mac, `Ctrl+K` elsewhere. */
export function formatShortcut(shortcut: string, mac = isMac): string {
  const parts = shortcut.split('+').map((part, index, all) => {
    const key = part.toLowerCase();
    if (index < all.length - 1) return (mac ? macMods : otherMods)[key] ?? part;
    return names[key] ?? (part.length === 1 ? part.toUpperCase() : part);
  });
  return parts.join(mac ? '' : '+');
}
