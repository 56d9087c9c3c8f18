/**
 * The scheduler's numbers for a transport, from main.cf.
 *
 * `<transport>_destination_concurrency_limit`, `…_recipient_limit` and `…_initial_destination_concurrency` where
 * main.cf sets them, else the default_… ones. The Maildir agents differ on purpose: Postfix's local(8) takes one
 * recipient a process and two at a time, while ours gathers deliveries into batches that share their syncs, so it is
 * handed up to `maildirConcurrency` at once, and a message's recipients of one mailbox in one delivery.
 */
import type { Configuration } from '../config/configuration.ts';

export interface TransportLimits {
  /** Deliveries at once to one destination, at first and at most. */
  readonly initialConcurrency: number;
  readonly concurrency: number;
  readonly recipients: number;
  /** Deliveries at once over all destinations (default_process_limit). */
  readonly processes: number;
}

/** Files that the Maildir agents may have in hand. */
const maildirConcurrency = 1000;
const maildirRecipients = 1000;

export function transportLimits(configuration: Configuration, transport: string): TransportLimits {
  const own = (suffix: string, fallback: () => number): number =>
    configuration.isSet(`${transport}_${suffix}`)
      ? ownInt(configuration, `${transport}_${suffix}`, fallback)
      : fallback();
  if (!isNetworkTransport(transport)) {
    const concurrency = atLeastOne(own('destination_concurrency_limit', () => maildirConcurrency));
    return {
      initialConcurrency: concurrency,
      concurrency,
      recipients: atLeastOne(own('destination_recipient_limit', () => maildirRecipients)),
      processes: maildirConcurrency,
    };
  }
  const concurrency = own('destination_concurrency_limit', () =>
    configuration.int('default_destination_concurrency_limit'),
  );
  const limit = concurrency === 0 ? Number.MAX_SAFE_INTEGER : concurrency;
  const recipients = own('destination_recipient_limit', () => configuration.int('default_destination_recipient_limit'));
  return {
    initialConcurrency: Math.min(
      limit,
      atLeastOne(own('initial_destination_concurrency', () => configuration.int('initial_destination_concurrency'))),
    ),
    concurrency: limit,
    recipients: recipients === 0 ? Number.MAX_SAFE_INTEGER : recipients,
    processes: atLeastOne(configuration.int('default_process_limit')),
  };
}

/** Transports whose destinations are hosts; the others are ours and need no feedback. */
export function isNetworkTransport(transport: string): boolean {
  return !['local', 'virtual', 'error', 'retry', 'discard'].includes(transport);
}

/** A parameter made from a transport's name need not be in the parameter table, whose getters then throw. */
function ownInt(configuration: Configuration, name: string, fallback: () => number): number {
  try {
    return configuration.int(name);
  } catch {
    return fallback();
  }
}

function atLeastOne(value: number): number {
  return Math.max(1, value);
}
