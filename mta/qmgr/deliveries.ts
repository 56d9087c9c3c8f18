/**
 * Deliveries: hands recipients to their agents and takes down what the agents answer.
 *
 * Promises: never rejects; every recipient handed out gets one outcome and one log line, whatever the agent does.
 * A message whose body is damaged gets none: the store has moved it to corrupt, and it leaves memory.
 */
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import { CorruptBodyError, type QueuedRecipient } from '../queue/store.ts';
import type { ActiveMessage } from './active.ts';
import type { DeliveryAgent, DeliveryOutcome, Route } from './agent.ts';
import type { BodyCache } from './body-cache.ts';
import type { Clock } from './clock.ts';
import { logOutcome } from './delivery-log.ts';
import { isNetworkTransport } from './parameters.ts';
import type { Failure } from './scheduler.ts';
import type { Work } from './work.ts';

/** Recipients since the start. */
export interface DeliveryFlow {
  readonly delivered: number;
  readonly relayed: number;
  readonly deferred: number;
  readonly bounced: number;
}

export interface DeliveriesOptions {
  readonly agents: ReadonlyMap<string, DeliveryAgent>;
  readonly log: MailLog;
  readonly clock: Clock;
  readonly bodies: BodyCache;
  readonly work: Work;
  /** Outcomes of the message are in its `outcomes` and `unsettled`. */
  readonly onAnswered: (active: ActiveMessage) => void;
}

const suspended = 'delivery temporarily suspended: ';

export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #flow = { delivered: 0, relayed: 0, deferred: 0, bounced: 0 };

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  flow(): DeliveryFlow {
    return { ...this.#flow };
  }

  /** Recipients that were deferred are returned to the sender after all. */
  expired(recipients: number): void {
    this.#flow.bounced += recipients;
  }

  /** Never rejects; resolves with the destination's failure, if it failed. */
  async deliver(
    active: ActiveMessage,
    route: Route,
    recipients: readonly QueuedRecipient[],
  ): Promise<Failure | undefined> {
    const { agents, bodies, clock, log, onAnswered, work } = this.#options;
    active.inFlight++;
    work.begin();
    const handedAt = clock.now();
    let outcomes: DeliveryOutcome[] = [];
    try {
      const agent = agents.get(route.transport);
      if (agent === undefined) {
        log.line('qmgr', `no delivery agent for transport ${route.transport}`, 'warning');
        outcomes = this.#all(recipients, { dsn: '4.3.0', reason: 'mail transport unavailable' });
      } else {
        const found = bodies.read(active);
        const body = found instanceof Promise ? await found : found;
        outcomes = await agent.deliver({ message: active.message, route, recipients, body });
      }
    } catch (error) {
      if (error instanceof CorruptBodyError) {
        log.line('qmgr', `${active.message.id}: the stored message is damaged: moved to corrupt`, 'warning');
        active.fate = 'remove';
        active.dropped = true;
      } else {
        log.line('qmgr', `${active.message.id}: ${route.transport}: ${errorMessage(error)}`, 'warning');
        outcomes = this.#all(recipients, { dsn: '4.3.0', reason: `unknown mail system error: ${errorMessage(error)}` });
      }
    }
    active.inFlight--;
    if (active.fate !== 'remove' || outcomes.length > 0) this.#answered(active, route, recipients, outcomes, handedAt);
    onAnswered(active);
    work.end();
    const failed = outcomes.find((outcome) => outcome.destinationFailed === true);
    return failed === undefined || !isNetworkTransport(route.transport)
      ? undefined
      : { dsn: failed.dsn, reason: failed.reason };
  }

  /** The destination is dead: defers without a try. */
  suspend(active: ActiveMessage, recipients: readonly QueuedRecipient[], failure: Failure): void {
    const reason = failure.reason.startsWith(suspended) ? failure.reason : suspended + failure.reason;
    const outcomes = this.#all(recipients, { dsn: failure.dsn, reason });
    this.#answered(active, { transport: 'error', nexthop: '' }, recipients, outcomes, this.#options.clock.now());
    this.#options.onAnswered(active);
  }

  #all(recipients: readonly QueuedRecipient[], failure: Failure): DeliveryOutcome[] {
    const at = this.#options.clock.now();
    return recipients.map(({ index }) => ({
      index,
      state: 'deferred',
      dsn: failure.dsn,
      reason: failure.reason,
      relay: 'none',
      at,
      connection: 0,
      transmission: 0,
    }));
  }

  #answered(
    active: ActiveMessage,
    route: Route,
    recipients: readonly QueuedRecipient[],
    outcomes: readonly DeliveryOutcome[],
    handedAt: number,
  ): void {
    const byIndex = new Map(outcomes.map((outcome) => [outcome.index, outcome]));
    const about = {
      service: route.transport,
      id: active.message.id,
      arrival: active.message.arrival,
      activeAt: active.activeAt,
      handedAt,
    };
    for (const recipient of recipients) {
      const outcome =
        byIndex.get(recipient.index) ??
        this.#all([recipient], { dsn: '4.3.0', reason: 'unknown mail system error' })[0];
      if (outcome === undefined) continue;
      active.outcomes.set(outcome.index, outcome);
      active.outstanding--;
      logOutcome(this.#options.log, about, recipient, outcome);
      if (outcome.state === 'sent') {
        active.unsettled.push(outcome);
        if (isNetworkTransport(route.transport)) this.#flow.relayed++;
        else this.#flow.delivered++;
      } else {
        this.#flow[outcome.state]++;
      }
    }
  }
}
