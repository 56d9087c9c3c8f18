/**
 * What people do to messages (postsuper(1)), brought to those in memory too.
 * Promises: the store is changed first; what an agent has in hand is let finish. Fails as the store's `act` does.
 */
import type { ActionResult, QueueSelection } from '../contract/mail.ts';
import type { ActionOptions, QueueAction, QueueStore } from '../queue/store.ts';
import type { ActiveQueue } from './active-queue.ts';
import type { Settlements } from './settlement.ts';

export interface ActionsOptions {
  readonly store: Pick<QueueStore, 'act'>;
  readonly active: ActiveQueue;
  readonly settlements: Settlements;
  /** A message changed in the store: a read under way may bring its older state. */
  readonly left: (id: string) => void;
  /** The store holds messages that are to be tried. */
  readonly rescan: () => void;
  readonly onChanged: () => void;
}

/** Messages wanted now that are remembered; others wait for their destination like any. */
const flushLimit = 100_000;

export class Actions {
  readonly #options: ActionsOptions;
  /** Messages a person wants tried now, whatever their destination's state. */
  readonly #flush = new Set<string>();

  constructor(options: ActionsOptions) {
    this.#options = options;
  }

  act(action: QueueAction, selection: QueueSelection, options: ActionOptions): Promise<ActionResult> {
    return this.#options.store.act(action, selection, this.#options.active.ids, {
      ...options,
      onBatch: (ids) => {
        this.#acted(action, ids);
        options.onBatch?.(ids);
      },
    });
  }

  /** Whether the message is wanted now; asked once, when it becomes active. */
  takeFlush(id: string): boolean {
    return this.#flush.delete(id);
  }

  #acted(action: QueueAction, ids: readonly string[]): void {
    const { active: queue, left, onChanged, rescan, settlements } = this.#options;
    for (const id of ids) {
      const active = queue.get(id);
      if (action === 'retry' && this.#flush.size < flushLimit) this.#flush.add(id);
      if (action === 'hold' || action === 'remove' || action === 'requeue') left(id);
      if (active === undefined) continue;
      if (action === 'hold' || action === 'remove') {
        active.fate = action;
        settlements.drop(active);
      } else if (action === 'requeue') {
        active.fate = 'reload';
        settlements.drop(active);
      } else if (action === 'expire') {
        settlements.expire(active);
      } else {
        // Released or retried while an older hand still has it: the store's state wins once that is done.
        if (active.fate === 'hold') active.fate = 'reload';
        this.#flush.delete(id);
      }
    }
    if (action !== 'hold' && action !== 'remove') rescan();
    onChanged();
  }
}
