/**
 * An action as data: toolbar, context menu, command palette and shortcuts all read the same definition.
 * Titles are already in the person's language; a label says exactly what happens and to how many.
 */
import type { Component } from 'svelte';

export type Icon = Component<{ size?: number | string; strokeWidth?: number | string; class?: string }>;

export interface Action {
  /** `queue.hold`: stable, unique among the actions offered at one time. */
  readonly id: string;
  readonly title: string;
  readonly icon?: Icon | undefined;
  /** In tinykeys' grammar: `$mod+k`, `Delete`, `Shift+H`. A key without $mod is ignored while typing. */
  readonly shortcut?: string | undefined;
  /** False: absent from palette, disabled in toolbars. Missing means available. */
  readonly available?: boolean | undefined;
  /** Why it is not available, when that is not plain to see. */
  readonly reason?: string | undefined;
  readonly destructive?: boolean | undefined;
  /** The likely one; a page has one at most. */
  readonly primary?: boolean | undefined;
  /** In the palette: which heading. `page` when missing. */
  readonly group?: 'go' | 'page' | 'app' | undefined;
  /** More words the palette finds it by. */
  readonly keywords?: string | undefined;
  /** Left out of the palette: it makes sense only where it stands. */
  readonly hidden?: boolean | undefined;
  run(): unknown;
}

export function isAvailable(action: Action): boolean {
  return action.available !== false;
}
