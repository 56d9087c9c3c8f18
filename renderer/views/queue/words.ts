/** Figures of the queue in words that are right at this moment: how old, how long still. Reactive through `clock`. */
import type { QueueEntry } from '#mta/contract/mail.ts';
import { format, t } from '../../i18n/index.svelte.ts';
import { clock } from '../../state/clock.svelte.ts';
import { shortReason } from './explain.ts';

export function age(since: number): string {
  return format.duration(clock.now - since);
}

/** `in 3:12`, `due now`. */
export function nextTry(at: number): string {
  return at <= clock.now ? t.queue.due : t.queue.inTime(format.countdown(at - clock.now));
}

export function sender(address: string): string {
  return address === '' ? t.queue.nullSender : address;
}

/** `a@b → c@d +3` */
export function recipientsOf(entry: Pick<QueueEntry, 'recipients' | 'recipientCount'>, shown = 1): string {
  const names = entry.recipients.slice(0, shown).join(', ');
  const more = entry.recipientCount - Math.min(shown, entry.recipients.length);
  return more > 0 ? `${names} ${t.queue.andMore(more)}` : names;
}

export function reasonOf(entry: Pick<QueueEntry, 'reason' | 'queue'>): string {
  return entry.reason === undefined ? t.queue.noReasonYet[entry.queue] : shortReason(entry.reason);
}
