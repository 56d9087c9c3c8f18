import { expect, it } from 'vitest';
import { formatShortcut } from './shortcuts.ts';

it('writes shortcuts as the system does', () => {
  expect(formatShortcut('$mod+k', true)).toBe('⌘K');
  expect(formatShortcut('$mod+k', false)).toBe('Ctrl+K');
  expect(formatShortcut('Shift+ArrowDown', true)).toBe('⇧↓');
  expect(formatShortcut('Delete', false)).toBe('Del');
  expect(formatShortcut('?', false)).toBe('?');
});
