/** A list's selection as state. */
import {
  emptySelection,
  extendTo,
  move,
  selectAll,
  selectOne,
  toggle,
  withoutGone,
  type Selection,
  type Step,
} from './selection.ts';

export class ListSelection {
  value = $state.raw<Selection>(emptySelection);
  readonly focus = $derived(this.value.focus);
  readonly keys = $derived(this.value.keys);
  readonly count = $derived(this.value.keys.size);

  has(key: string): boolean {
    return this.value.keys.has(key);
  }
  set(key: string | undefined): void {
    this.value = selectOne(key);
  }
  clear(): void {
    this.value = emptySelection;
  }
  move(order: readonly string[], step: Step, extend = false): void {
    this.value = move(this.value, order, step, extend);
  }
  extendTo(order: readonly string[], key: string): void {
    this.value = extendTo(this.value, order, key);
  }
  toggle(key: string): void {
    this.value = toggle(this.value, key);
  }
  all(order: readonly string[], total = order.length): void {
    this.value = selectAll(this.value, order, total);
  }
  /** Call when rows were removed, with the keys before and after. */
  rowsGone(before: readonly string[], after: readonly string[]): void {
    this.value = withoutGone(this.value, before, after);
  }
}
