/** The delivery agents' log line, one a recipient, in Postfix's words. */
import type { MailLog } from '../maillog/log.ts';
import type { QueuedRecipient } from '../queue/store.ts';
import type { DeliveryOutcome } from './agent.ts';
import { formatDelays } from './delays.ts';

export interface OutcomeLog {
  /** The agent: `local`, `smtp`, `error`. */
  readonly service: string;
  readonly id: string;
  /** Milliseconds: when the message came in, became active, and was handed to the agent. */
  readonly arrival: number;
  readonly activeAt: number;
  readonly handedAt: number;
}

/** `ID: to=<…>, [orig_to=<…>, ]relay=…, [conn_use=n, ]delay=…, delays=…, dsn=…, status=sent (…)` */
export function outcomeText(about: OutcomeLog, recipient: QueuedRecipient, outcome: DeliveryOutcome): string {
  const { originalAddress } = recipient;
  const original =
    originalAddress === undefined || originalAddress === recipient.address ? '' : `orig_to=<${originalAddress}>, `;
  const use =
    outcome.connectionUse === undefined || outcome.connectionUse < 2 ? '' : `conn_use=${outcome.connectionUse}, `;
  const delays = formatDelays({
    before: (about.activeAt - about.arrival) / 1000,
    queue: (about.handedAt - about.activeAt) / 1000,
    connection: outcome.connection,
    transmission: outcome.transmission,
  });
  return `${about.id}: to=<${outcome.mailbox ?? recipient.address}>, ${original}relay=${outcome.relay ?? 'none'}, ${use}${delays}, dsn=${outcome.dsn}, status=${outcome.state} (${outcome.reason})`;
}

export function logOutcome(
  log: MailLog,
  about: OutcomeLog,
  recipient: QueuedRecipient,
  outcome: DeliveryOutcome,
): void {
  log.line(about.service, outcomeText(about, recipient, outcome));
}
