/**
 * Queue ids in Postfix's two forms (postconf(5), enable_long_queue_ids).
 *
 * Short: five hexadecimal digits of microseconds, then a number in hexadecimal (Postfix: the inode). Long: six base-52
 * digits of seconds, four of microseconds, `z`, then a number in base 51. Sorting long ids sorts by time.
 * Promises: unique within the process, because the number only grows. After a restart it starts from the clock, in
 * milliseconds, so that it is ahead of what an earlier process used up; should a short id repeat all the same (the
 * number comes round in 74 hours, and the microseconds would have to agree too), the queue store refuses the message
 * and the client tries again.
 */
import { performance } from 'node:perf_hooks';

/** safe_ultostr's alphabet without vowels: an id never spells a word. */
const digits = '0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz';

function encode(value: number, base: number, width: number): string {
  let text = '';
  let rest = value;
  do {
    text = digits.charAt(rest % base) + text;
    rest = Math.floor(rest / base);
  } while (rest > 0);
  return text.padStart(width, '0');
}

export interface QueueIds {
  /** `arrival`: milliseconds since 1970 with a fraction. */
  next(arrival: number, long: boolean): string;
}

/** Milliseconds since 1970 with a fraction: what `next` and NewMessage.arrival want. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

export function createQueueIds(start = Date.now()): QueueIds {
  let serial = Math.floor(start) % 2 ** 28;
  return {
    next(arrival, long) {
      serial += 1;
      const seconds = Math.floor(arrival / 1000);
      const micros = Math.floor((arrival - seconds * 1000) * 1000);
      return long
        ? `${encode(seconds, 52, 6)}${encode(micros, 52, 4)}z${encode(serial, 51, 1)}`
        : micros.toString(16).toUpperCase().padStart(5, '0') + serial.toString(16).toUpperCase();
    },
  };
}
