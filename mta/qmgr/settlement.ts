/**
 * Settlement: writes down what became of recipients, with the reports that follow from it, and lets go of messages.
 *
 * Promises: a `sent` recipient is settled as soon as its agent answers, a `bounced` one together with its report, in
 * one transaction, when the pass ends; of a message that is held, requeued or interrupted only what was sent is.
 * Fails: when the store cannot write, settlements are kept and tried again until it can, or until `abandon`.
 */
import { buildReports, type ReportContext } from '../bounce/reports.ts';
import type { Configuration } from '../config/configuration.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import type { NewMessage, QueueStore, RecipientOutcome } from '../queue/store.ts';
import type { ActiveMessage } from './active.ts';
import type { DeliveryOutcome } from './agent.ts';
import type { BodyCache } from './body-cache.ts';
import type { Clock } from './clock.ts';
import { backoff, lifetime, warningIsDue } from './lifetimes.ts';
import type { Work } from './work.ts';

export interface SettlementsOptions {
  readonly store: Pick<QueueStore, 'settle'>;
  readonly configuration: () => Configuration;
  readonly log: MailLog;
  readonly clock: Clock;
  readonly bodies: BodyCache;
  readonly work: Work;
  /** A new queue id, for reports. */
  readonly newId: () => string;
  readonly onTrouble: ((message: string) => void) | undefined;
  /** Deferred recipients of this number expired. */
  readonly onExpired: (recipients: number) => void;
  /** The message leaves memory. */
  readonly forget: (active: ActiveMessage) => void;
  /** The store holds more than this knows of: it is to be read again. */
  readonly rescan: () => void;
  /** A message will be due at this time. */
  readonly wakeAt: (time: number) => void;
  /** A report was stored. */
  readonly schedule: (report: NewMessage) => void;
}

export class Settlements {
  readonly #options: SettlementsOptions;
  #stopping = false;
  #abandoned = false;

  constructor(options: SettlementsOptions) {
    this.#options = options;
  }

  /** Messages are let go of as soon as none of their deliveries is in hand, tried or not. */
  stop(): void {
    this.#stopping = true;
  }

  /** What the store does not take now is given up. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** Brings a message as far as it can go: settles what was sent, finishes the pass, lets go of it. */
  advance(active: ActiveMessage): void {
    if (active.settling) return;
    if (active.dropped || this.#stopping ? active.inFlight === 0 : active.outstanding === 0) {
      void this.#finish(active);
    } else if (active.unsettled.length > 0) {
      void this.#settleSent(active);
    }
  }

  /** Nothing more is started for it; it leaves as soon as nothing is in flight. */
  drop(active: ActiveMessage): void {
    active.dropped = true;
    if (active.inFlight === 0 && !active.settling) void this.#finish(active);
  }

  /** Returned to its sender as soon as nothing is in flight. */
  expire(active: ActiveMessage): void {
    active.forcedExpire = active.forcedExpire || active.outstanding > 0;
    this.drop(active);
  }

  /** Part of the recipients have it: written down at once, so that a crash does not send it to them again. */
  async #settleSent(active: ActiveMessage): Promise<void> {
    active.settling = true;
    this.#options.work.begin();
    await this.#writeSent(active);
    active.settling = false;
    this.#options.work.end();
    this.advance(active);
  }

  async #finish(active: ActiveMessage): Promise<void> {
    active.settling = true;
    this.#options.work.begin();
    try {
      if (active.fate === 'remove') {
        this.#options.forget(active);
      } else if (active.outstanding > 0 && !active.forcedExpire) {
        await this.#interrupted(active);
      } else {
        await this.#settlePass(active);
      }
    } finally {
      this.#options.work.end();
    }
  }

  /** Held, requeued, or the server stops, with recipients untried: only what was sent is settled. */
  async #interrupted(active: ActiveMessage): Promise<void> {
    if (active.unsettled.length > 0) await this.#writeSent(active);
    this.#options.forget(active);
    if (active.fate === 'reload') this.#options.rescan();
  }

  async #writeSent(active: ActiveMessage): Promise<void> {
    const sent = active.unsettled.splice(0);
    const spawned = await buildReports(this.#reportContext(active), { sent });
    await this.#write(active, sent, undefined, spawned, false);
  }

  async #settlePass(active: ActiveMessage): Promise<void> {
    const { message } = active;
    const { clock, log, forget, onExpired, rescan, wakeAt } = this.#options;
    const configuration = this.#options.configuration();
    const now = clock.now();
    const age = now - message.arrival;
    const sent = active.unsettled.splice(0);
    let deferred = deferredNow(active, now);
    let bounced = [...active.outcomes.values()].filter(({ state }) => state === 'bounced');
    let warned: DeliveryOutcome[] = [];
    if (deferred.length > 0) {
      const forced = active.forcedExpire;
      const { sender } = message.envelope;
      if (forced || age >= lifetime(configuration, sender)) {
        const status = forced ? 'force-expired' : 'expired';
        log.line('qmgr', `${message.id}: from=<${sender}>, status=${status}, returned to sender`);
        bounced = bounced.concat(deferred.map((outcome) => ({ ...outcome, state: 'bounced' as const })));
        onExpired(deferred.length);
        deferred = [];
      } else if (warningIsDue(configuration, message, now)) {
        warned = deferred;
      }
    }
    const spawned = await buildReports(this.#reportContext(active), { sent, bounced, delayed: warned });
    const nextAttempt = deferred.length > 0 ? now + backoff(this.#options.configuration(), age) : undefined;
    await this.#write(active, [...sent, ...bounced, ...deferred], nextAttempt, spawned, warned.length > 0);
    forget(active);
    if (nextAttempt === undefined) log.line('qmgr', `${message.id}: removed`);
    else if (active.fate === 'reload') rescan();
    else if (active.fate === undefined) wakeAt(nextAttempt);
  }

  /**
   * Writes outcomes down, for as long as it takes. Without `nextAttempt` the message is removed if nobody waits for it
   * any more, and stays where it is otherwise. Reports it gave rise to become active.
   */
  async #write(
    active: ActiveMessage,
    outcomes: readonly DeliveryOutcome[],
    nextAttempt: number | undefined,
    spawned: readonly NewMessage[],
    warned: boolean,
  ): Promise<void> {
    const { clock, log, onTrouble, rescan, schedule, store } = this.#options;
    const { id } = active.message;
    const settlement = {
      id,
      outcomes: outcomes.map(stored),
      nextAttempt,
      ...(warned ? { warned } : {}),
      ...(spawned.length > 0 ? { spawned } : {}),
    };
    for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
      try {
        await store.settle(settlement);
        break;
      } catch (error) {
        log.line('qmgr', `${id}: the queue cannot be written: ${errorMessage(error)}`, 'warning');
        onTrouble?.(`The queue cannot be written: ${errorMessage(error)}`);
        if (this.#abandoned) return;
        await new Promise<void>((resolve) => clock.after(wait, resolve));
        if (this.#abandoned) return;
      }
    }
    if (active.fate === 'remove' && spawned.length > 0) {
      // Whether the reports were stored depends on which came first: the store knows.
      rescan();
      return;
    }
    for (const report of spawned) {
      log.line('cleanup', `${report.id}: message-id=${report.messageId ?? '<>'}`);
      schedule(report);
    }
  }

  #reportContext(active: ActiveMessage): ReportContext {
    const { bodies, clock, configuration, log, newId } = this.#options;
    return {
      configuration: configuration(),
      log,
      newId,
      now: clock.now(),
      message: active.message,
      body: () => Promise.resolve(bodies.read(active)),
    };
  }
}

/** The pass's deferred outcomes; with a forced expiry, every recipient without an outcome too. */
function deferredNow(active: ActiveMessage, now: number): DeliveryOutcome[] {
  const deferred = [...active.outcomes.values()].filter(({ state }) => state === 'deferred');
  if (!active.forcedExpire) return deferred;
  for (const recipient of active.message.recipients) {
    if (active.outcomes.has(recipient.index)) continue;
    if (recipient.state !== 'waiting' && recipient.state !== 'deferred') continue;
    deferred.push({
      index: recipient.index,
      state: 'deferred',
      dsn: recipient.dsn ?? '4.7.0',
      reason: recipient.reason ?? 'message has expired on request',
      relay: recipient.relay ?? 'none',
      at: now,
      connection: 0,
      transmission: 0,
    });
  }
  return deferred;
}

function stored(outcome: DeliveryOutcome): RecipientOutcome {
  const { index, state, dsn, reason, relay, at } = outcome;
  return { index, state, dsn, reason, relay, at };
}
