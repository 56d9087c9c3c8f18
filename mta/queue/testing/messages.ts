/** Messages and folders for the queue's tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Filter } from '../../contract/filter.ts';
import type { ListQuery, NewMessage, QueuedMessage, RecipientOutcome } from '../store.ts';

export function temporaryFolder(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'queue-test-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export function newMessage(
  id: string,
  changes: Partial<NewMessage> & { to?: string[]; text?: string } = {},
): NewMessage {
  const { to = ['bob@example.org'], text = `Subject: ${id}\r\n\r\nHello\r\n`, ...rest } = changes;
  const data = new TextEncoder().encode(text);
  return {
    id,
    arrival: 1_700_000_000_000.25,
    envelope: { sender: 'ada@example.com' },
    recipients: to.map((address) => ({ address })),
    size: data.length,
    body: { kind: 'memory', data },
    ...rest,
  };
}

/** As the store gives it to a delivery agent: fresh, for `x@y.test` unless `changes` says for whom. */
export function queuedMessage(changes: Partial<QueuedMessage> = {}): QueuedMessage {
  return {
    id: 'A1',
    queue: 'incoming',
    arrival: Date.now(),
    envelope: { sender: 'ada@example.org' },
    size: 20,
    recipients: [{ index: 0, address: 'x@y.test', state: 'waiting' }],
    attempts: 0,
    warned: false,
    forcedExpire: false,
    ...changes,
  };
}

export function outcome(state: RecipientOutcome['state'], index = 0, reason = ''): RecipientOutcome {
  const dsn = { sent: '2.0.0', deferred: '4.4.1', bounced: '5.1.1' }[state];
  return { index, state, dsn, reason: reason === '' ? `answer ${state}` : reason, relay: 'mx.example.org', at: 5 };
}

export function query(filter: Filter = [], changes: Partial<ListQuery> = {}): ListQuery {
  return { filter, sort: 'arrival', descending: false, limit: 100, active: new Set(), ...changes };
}
