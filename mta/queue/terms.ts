/**
 * A filter checked and made plain, on the main thread: the rules of contract/filter.ts for queueFields.
 *
 * `queue:` one of the five · `from:` sender contains (`<>`: the null sender) · `to:` any recipient contains · `reason:`
 * contains, or is a group's key · `domain:` is the destination · `older:`/`newer:` time since arrival ·
 * `larger:`/`smaller:` bytes · `id:` prefix · words: sender, recipients, reason or id contain it. Letters of ASCII match
 * in either case (`id:` and a group's key: exactly). Fails: PostriderError `bad-input` naming the field.
 */
import { badInput } from '../contract/errors.ts';
import { parseDuration, parseSize, type Filter, type FilterTerm } from '../contract/filter.ts';
import { queueNames, type QueueName } from '../contract/mail.ts';

export type Term =
  | { readonly field: 'queue'; readonly queue: QueueName; readonly not: boolean }
  | {
      readonly field: 'older' | 'newer';
      /** Arrival, in ms since 1970. */ readonly number: number;
      readonly not: boolean;
    }
  | { readonly field: 'larger' | 'smaller'; /** Bytes. */ readonly number: number; readonly not: boolean }
  | {
      readonly field: 'from' | 'to' | 'reason' | 'domain' | 'id' | 'text';
      readonly value: string;
      readonly not: boolean;
    };

export function checkFilter(filter: Filter, now: number): Term[] {
  return filter.map((term) => checkTerm(term, now));
}

function checkTerm({ field, value, not }: FilterTerm, now: number): Term {
  switch (field) {
    case 'queue': {
      const queue = queueNames.find((name) => name === value.toLowerCase());
      if (queue === undefined) throw badInput('queue', `queue:${value} is none of ${queueNames.join(', ')}`);
      return { field, queue, not };
    }
    case 'older':
    case 'newer': {
      const age = parseDuration(value);
      if (age === undefined) throw badInput(field, `${field}:${value} is not a time: write 90s, 5m, 2h, 3d or 1w`);
      return { field, number: now - age, not };
    }
    case 'larger':
    case 'smaller': {
      const size = parseSize(value);
      if (size === undefined) throw badInput(field, `${field}:${value} is not a size: write 500, 20k, 5m or 1g`);
      return { field, number: size, not };
    }
    case 'from':
    case 'to':
    case 'reason':
    case 'domain':
    case 'id':
    case 'text':
      return { field, value, not };
    default:
      throw badInput(field, `${field}: is not a field of the queue`);
  }
}

/** Whether the filter needs to know which messages are active. */
export function speaksOfQueues(terms: readonly Term[]): boolean {
  return terms.some(({ field }) => field === 'queue');
}
