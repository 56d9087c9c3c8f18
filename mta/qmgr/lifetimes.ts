/**
 * How long a message is tried, how soon again, and when its sender is told of a delay (qmgr(8), bounce(8)).
 * Times are milliseconds, `now` and `arrival` since 1970. Pure.
 */
import type { Configuration } from '../config/configuration.ts';
import type { QueuedMessage } from '../queue/store.ts';

/** maximal_queue_lifetime, or bounce_queue_lifetime for the null sender. */
export function lifetime(configuration: Configuration, sender: string): number {
  return configuration.time(sender === '' ? 'bounce_queue_lifetime' : 'maximal_queue_lifetime');
}

/** Until the next attempt: the message's age, within minimal_backoff_time and maximal_backoff_time. */
export function backoff(configuration: Configuration, age: number): number {
  const least = configuration.time('minimal_backoff_time');
  return Math.max(least, Math.min(age, configuration.time('maximal_backoff_time')));
}

/** delay_warning_time has passed and no warning was sent; 0 turns warnings off. */
export function warningIsDue(configuration: Configuration, message: QueuedMessage, now: number): boolean {
  if (message.warned) return false;
  const after = configuration.time('delay_warning_time');
  return after > 0 && now - message.arrival >= after;
}
