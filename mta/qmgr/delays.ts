/** `delay=` and `delays=` of a delivery's log line (postconf(5), delay_logging_resolution_limit). */

/**
 * Seconds with two significant digits and at most two decimals, trailing zeros left out; large numbers are rounded
 * to whole seconds. 0.004 → 0, 0.0149 → 0.01, 1.26 → 1.3, 12.6 → 13.
 */
export function formatDelay(seconds: number): string {
  if (!(seconds > 0)) return '0';
  if (seconds < 1) return String(Number(seconds.toFixed(2)));
  if (seconds < 10) return String(Number(seconds.toFixed(1)));
  return String(Math.round(seconds));
}

export interface Delays {
  /** Seconds: before the queue manager, in it, setting up the connection, transmitting. */
  readonly before: number;
  readonly queue: number;
  readonly connection: number;
  readonly transmission: number;
}

/** `delay=0.02, delays=0.01/0.01/0/0` */
export function formatDelays({ before, queue, connection, transmission }: Delays): string {
  const total = formatDelay(before + queue + connection + transmission);
  return `delay=${total}, delays=${[before, queue, connection, transmission].map(formatDelay).join('/')}`;
}
