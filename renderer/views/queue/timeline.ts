/**
 * What happened to a message, from its envelope and the log's lines about it: received, queued, tries. Pure and linear.
 */
import type { LogLine, QueueMessage } from '#mta/contract/mail.ts';
import { answerOf } from './explain.ts';

export interface Delivery {
  readonly at: number;
  readonly to: string;
  readonly relay: string | undefined;
  readonly dsn: string | undefined;
  readonly status: string;
  readonly reason: string;
}

/** A delivery agent's line: `ID: to=<…>, relay=…, dsn=…, status=deferred (…)`; undefined for any other line. */
export function deliveryOf(line: Pick<LogLine, 'time' | 'text'>): Delivery | undefined {
  const { text } = line;
  const head = /^[0-9A-Za-z]{1,64}: to=<([^>]{0,512})>, /.exec(text);
  const end = / status=([a-z-]{1,32}) \(/.exec(text);
  if (head === null || end === null) return undefined;
  const relay = / relay=([^\s,]{1,512}),/.exec(text)?.[1];
  return {
    at: line.time,
    to: head[1] ?? '',
    relay: relay === 'none' ? undefined : relay,
    dsn: / dsn=([245]\.\d{1,3}\.\d{1,3}),/.exec(text)?.[1],
    status: end[1] ?? '',
    reason: text.slice(end.index + end[0].length).replace(/\)$/, ''),
  };
}

export interface Attempt {
  readonly at: number;
  readonly status: string;
  readonly host: string | undefined;
  readonly code: string | undefined;
  readonly words: string;
  /** How many recipients had this answer in this try. */
  readonly recipients: number;
  readonly to: string;
}

/** Lines within this many milliseconds with the same answer are one try. */
const oneTry = 2000;

/** The tries, oldest first. Without log lines, what the recipients remember of their last one. */
export function attemptsOf(lines: readonly LogLine[], message: Pick<QueueMessage, 'recipientList'>): Attempt[] {
  const deliveries = lines
    .map(deliveryOf)
    .filter((delivery) => delivery !== undefined)
    .sort((a, b) => a.at - b.at);
  const remembered: Delivery[] = message.recipientList.flatMap(({ address, state, reason, dsn, relay, at }) =>
    at === undefined || state === 'waiting'
      ? []
      : [{ at, to: address, status: state, reason: reason ?? '', dsn, relay }],
  );
  const attempts: (Attempt & { readonly reason: string })[] = [];
  for (const delivery of deliveries.length > 0 ? deliveries : remembered.sort((a, b) => a.at - b.at)) {
    const { reason, status, at, to } = delivery;
    const same = attempts.findLastIndex(
      (attempt) => at - attempt.at <= oneTry && attempt.status === status && attempt.reason === reason,
    );
    const known = attempts[same];
    if (known !== undefined) attempts[same] = { ...known, recipients: known.recipients + 1 };
    else {
      const { host, code, words } = answerOf(reason);
      attempts.push({ at, status, reason, to, host, code, words, recipients: 1 });
    }
  }
  return attempts;
}

/** The first try and the newest, when there are more than `most`; `hidden` stood between them. */
export function shortened<T>(
  items: readonly T[],
  most: number,
): { first: readonly T[]; hidden: number; last: readonly T[] } {
  if (items.length <= most) return { first: items, hidden: 0, last: [] };
  const last = items.slice(1 - most);
  return { first: items.slice(0, 1), hidden: items.length - 1 - last.length, last };
}

/** The last word on every recipient. */
export function lastWords(deliveries: readonly Delivery[]): Delivery[] {
  const last = new Map<string, Delivery>();
  for (const delivery of deliveries)
    if (delivery.at >= (last.get(delivery.to)?.at ?? 0)) last.set(delivery.to, delivery);
  return [...last.values()];
}
