/**
 * Turns many requests to refresh into few calls: one runs at a time, one more follows when asked meanwhile, and starts
 * keep `gap` milliseconds between them. Promises: after the last `request()` a call always starts and sees that state.
 */
export interface Coalesced {
  request(): void;
  /** As request, and resolves when the call that covers it has ended. */
  settled(): Promise<void>;
  stop(): void;
}

export function coalesce(call: () => Promise<void>, gap = 200): Coalesced {
  let running = false;
  let asked = false;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: (() => void)[] = [];

  const run = async (): Promise<void> => {
    timer = undefined;
    running = true;
    asked = false;
    const covered = waiting;
    waiting = [];
    try {
      await call();
    } finally {
      for (const resolve of covered) resolve();
      if (!stopped) timer = setTimeout(next, gap);
      else running = false;
    }
  };
  const next = (): void => {
    timer = undefined;
    running = false;
    if (asked) void run();
  };
  const request = (): void => {
    if (stopped) return;
    asked = true;
    if (!running) void run();
  };
  return {
    request,
    settled: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        request();
        if (stopped) resolve();
      }),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      for (const resolve of waiting) resolve();
    },
  };
}
