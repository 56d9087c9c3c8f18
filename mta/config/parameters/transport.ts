/**
 * Parameters that exist once per transport: `smtp_destination_concurrency_limit` for a `smtp` service in master.cf,
 * `<any service>_destination_concurrency_limit` for the others (postconf(5), "transport_destination_…").
 */
import type { ParameterRow } from './row.ts';

/** The part after `<transport>_`. */
export const transportSuffixes: readonly ParameterRow[] = [
  ['delivery_slot_cost', 'int', '$default_delivery_slot_cost'],
  ['delivery_slot_discount', 'int', '$default_delivery_slot_discount'],
  ['delivery_slot_loan', 'int', '$default_delivery_slot_loan'],
  ['destination_concurrency_failed_cohort_limit', 'int', '$default_destination_concurrency_failed_cohort_limit'],
  ['destination_concurrency_limit', 'int', '$default_destination_concurrency_limit'],
  ['destination_concurrency_negative_feedback', 'text', '$default_destination_concurrency_negative_feedback'],
  ['destination_concurrency_positive_feedback', 'text', '$default_destination_concurrency_positive_feedback'],
  ['destination_rate_delay', 'time', '$default_destination_rate_delay'],
  ['destination_recipient_limit', 'int', '$default_destination_recipient_limit'],
  ['extra_recipient_limit', 'int', '$default_extra_recipient_limit'],
  ['initial_destination_concurrency', 'int', '$initial_destination_concurrency'],
  ['minimum_delivery_slots', 'int', '$default_minimum_delivery_slots'],
  ['recipient_limit', 'int', '$default_recipient_limit'],
  ['recipient_refill_delay', 'time', '$default_recipient_refill_delay'],
  ['recipient_refill_limit', 'int', '$default_recipient_refill_limit'],
  ['transport_rate_delay', 'time', '$default_transport_rate_delay'],
  ['time_limit', 'time', '$command_time_limit'],
];

/** Where a transport's default is not the general one. */
export const transportExceptions: ReadonlyMap<string, string> = new Map([
  ['local_destination_concurrency_limit', '2'],
  ['local_destination_recipient_limit', '1'],
]);

/** Transports that have these parameters whatever master.cf says. */
export const standardTransports: readonly string[] = ['error', 'lmtp', 'local', 'relay', 'retry', 'smtp', 'virtual'];
