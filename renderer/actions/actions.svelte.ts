/**
 * All actions that can be done right now. A component offers its own while it is mounted:
 * `offerActions(() => [{ id: 'inbox.delete', … }])`; the function is reactive.
 */
import { onDestroy } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import { report } from '../state/notify.ts';
import type { Action } from './action.ts';

class Actions {
  readonly #sources = new SvelteMap<symbol, () => readonly Action[]>();

  /** The most recently mounted component's actions first: its shortcuts win. */
  readonly all = $derived([...this.#sources.values()].reverse().flatMap((source) => source()));

  add(source: () => readonly Action[]): () => void {
    const key = Symbol('actions');
    this.#sources.set(key, source);
    return () => this.#sources.delete(key);
  }
}
export const actions = new Actions();

/** Call in a component's script. */
export function offerActions(source: () => readonly Action[]): void {
  onDestroy(actions.add(source));
}

/** Runs an action; what it throws is told to the person. */
export function perform(action: Action): void {
  if (action.available === false) return;
  void (async () => {
    try {
      await action.run();
    } catch (error) {
      report(error);
    }
  })();
}
