/** Rows of the database as the nouns of the interface. Pure. */
import type { QueueEntry, QueueMessage, QueueRecipient } from '../contract/mail.ts';
import { recipientStates, storedQueues } from './schema.ts';
import type { Notify, QueuedMessage, QueuedRecipient, StoredEnvelope } from './store.ts';

export interface MessageRow {
  readonly seq: number;
  readonly id: string;
  readonly queue: number;
  readonly arrival: number;
  readonly size: number;
  readonly sender: string;
  readonly recipients: number;
  readonly attempts: number;
  readonly next_attempt: number;
  readonly warned: number;
  readonly forced_expire: number;
  readonly domain: string;
  readonly reason: string | null;
  readonly dsn: string | null;
  readonly subject: string | null;
  readonly message_id: string | null;
  readonly envelope: string;
}

export const messageColumns = `m.seq, m.id, m.queue, m.arrival, m.size, m.sender, m.recipients, m.attempts, m.next_attempt,
  m.warned, m.forced_expire, m.domain, m.reason, m.dsn, m.subject, m.message_id, m.envelope`;

export interface RecipientRow {
  readonly idx: number;
  readonly address: string;
  readonly original: string | null;
  readonly notify: string | null;
  readonly orcpt: string | null;
  readonly state: number;
  readonly reason: string | null;
  readonly dsn: string | null;
  readonly relay: string | null;
  readonly at: number | null;
}

export function toQueuedMessage(row: MessageRow, recipients: readonly RecipientRow[]): QueuedMessage {
  return {
    id: row.id,
    queue: storedQueues[row.queue] ?? 'corrupt',
    arrival: row.arrival,
    envelope: toEnvelope(row),
    size: row.size,
    recipients: recipients.map(toQueuedRecipient),
    attempts: row.attempts,
    nextAttempt: row.next_attempt === 0 ? undefined : row.next_attempt,
    warned: row.warned !== 0,
    forcedExpire: row.forced_expire !== 0,
  };
}

function toEnvelope(row: MessageRow): StoredEnvelope {
  return { ...(JSON.parse(row.envelope) as Omit<StoredEnvelope, 'sender'>), sender: row.sender };
}

function toQueuedRecipient(row: RecipientRow): QueuedRecipient {
  return {
    ...toRecipient(row),
    index: row.idx,
    notify: row.notify === null ? undefined : (row.notify.split(',') as Notify[]),
    originalRecipient: row.orcpt ?? undefined,
  };
}

function toRecipient(row: RecipientRow): QueueRecipient {
  return {
    address: row.address,
    originalAddress: row.original ?? undefined,
    state: recipientStates[row.state] ?? 'waiting',
    reason: row.reason ?? undefined,
    dsn: row.dsn ?? undefined,
    relay: row.relay ?? undefined,
    at: row.at ?? undefined,
  };
}

export function toEntry(row: MessageRow, firstRecipients: readonly string[]): QueueEntry {
  return {
    id: row.id,
    queue: storedQueues[row.queue] ?? 'corrupt',
    arrival: row.arrival,
    size: row.size,
    sender: row.sender,
    recipients: [...firstRecipients],
    recipientCount: row.recipients,
    reason: row.reason ?? undefined,
    dsn: row.dsn ?? undefined,
    domain: row.domain === '' ? undefined : row.domain,
    attempts: row.attempts,
    nextAttempt: row.next_attempt === 0 ? undefined : row.next_attempt,
    forcedExpire: row.forced_expire !== 0,
  };
}

export function toQueueMessage(row: MessageRow, recipients: readonly RecipientRow[]): QueueMessage {
  const { ret: _ret, smtputf8: _smtputf8, body: _body, ...envelope } = toEnvelope(row);
  return {
    ...toEntry(
      row,
      recipients.slice(0, 3).map(({ address }) => address),
    ),
    recipientList: recipients.map(toRecipient),
    envelope,
    subject: row.subject ?? undefined,
    messageId: row.message_id ?? undefined,
  };
}
