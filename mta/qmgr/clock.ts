/** Time and timers, so that tests can own both. */
export interface Clock {
  /** Milliseconds since 1970, with a fraction. */
  now(): number;
  /** Calls once after `ms`; gives what cancels it. */
  after(ms: number, call: () => void): () => void;
}

/** setTimeout takes at most 2^31-1 ms and calls at once beyond it. */
const longest = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(Math.max(ms, 0), longest));
    return () => clearTimeout(timer);
  },
};
