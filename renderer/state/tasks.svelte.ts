/**
 * Long calls, shown in the status bar with progress and Cancel. Nothing modal: the page stays usable.
 * Promises: a task ends in the list once its call has ended; `run` settles as the call does.
 */
import type { CallOptions, Progress } from '#mta/contract/contract.ts';
import { fraction } from './progress.ts';

export class Task {
  readonly id: number;
  readonly title: string;
  progress = $state.raw<Progress | undefined>(undefined);
  cancelling = $state(false);
  /** Between 0 and 1; undefined while the total is not known. */
  readonly fraction = $derived(fraction(this.progress));
  readonly #controller = new AbortController();

  constructor(id: number, title: string) {
    this.id = id;
    this.title = title;
  }

  get options(): CallOptions {
    return {
      signal: this.#controller.signal,
      onProgress: (progress) => {
        this.progress = progress;
      },
    };
  }

  cancel(): void {
    this.cancelling = true;
    this.#controller.abort();
  }
}

class Tasks {
  list = $state.raw<readonly Task[]>([]);
  #next = 1;
  /** Milliseconds before a task is shown: quick ones do not flicker by. */
  readonly delay = 250;

  /** Runs `call` with options that report progress and cancel. `title` says what is being done: `Holding 1,258`. */
  async run<T>(title: string, call: (options: CallOptions) => Promise<T>): Promise<T> {
    const task = new Task(this.#next++, title);
    const show = setTimeout(() => {
      this.list = [...this.list, task];
    }, this.delay);
    try {
      return await call(task.options);
    } finally {
      clearTimeout(show);
      this.list = this.list.filter((other) => other !== task);
    }
  }
}
export const tasks = new Tasks();
