/**
 * The queue manager: decides which message is tried when, hands recipients to the delivery agents, and writes down
 * what became of them (qmgr(8)).
 *
 * Life of a message: accepted (stored, then active from memory) or read from the store → routed → scheduled by
 * destination → delivered by an agent → settled: removed, or deferred with the next attempt's time, or returned.
 * Promises: a `sent` recipient is settled as soon as its agent answers, a `bounced` one together with its report, in
 * one transaction; a crash repeats deliveries in flight and nothing else. Memory holds at most
 * qmgr_message_active_limit messages. Where Postfix scans every queue_run_delay, timers here are exact.
 * Fails: when the store cannot write, settlements are kept and tried again until it can.
 */
import type { Configuration } from '../config/configuration.ts';
import { errorMessage } from '../contract/errors.ts';
import type { Filter } from '../contract/filter.ts';
import type {
  ActionResult,
  QueueCounts,
  QueueEntry,
  QueueGroup,
  QueueMessage,
  QueueSelection,
} from '../contract/mail.ts';
import type { MailLog } from '../maillog/log.ts';
import type { ActionOptions, ListQuery, NewMessage, QueueAction, QueuedMessage, QueueStore } from '../queue/store.ts';
import { Actions } from './actions.ts';
import type { ActiveMessage } from './active.ts';
import { ActiveQueue } from './active-queue.ts';
import type { DeliveryAgent } from './agent.ts';
import { BodyCache } from './body-cache.ts';
import { systemClock, type Clock } from './clock.ts';
import { Deliveries, type DeliveryFlow } from './deliveries.ts';
import { transportLimits } from './parameters.ts';
import { QueueView } from './queue-view.ts';
import { Routing, type Resolve } from './routing.ts';
import { QueueScan } from './scan.ts';
import { Scheduler } from './scheduler.ts';
import { Settlements } from './settlement.ts';
import { Work } from './work.ts';

export type { DeliveryFlow } from './deliveries.ts';
export type { Resolve } from './routing.ts';

export interface QueueManagerOptions {
  readonly store: QueueStore;
  readonly configuration: () => Configuration;
  readonly log: MailLog;
  /** By transport name; a transport without one defers with `mail transport unavailable`. */
  readonly agents: ReadonlyMap<string, DeliveryAgent>;
  readonly resolve: Resolve;
  /** A new queue id, for reports. */
  readonly newId: () => string;
  readonly clock?: Clock | undefined;
  /** Bytes of fresh messages kept in memory so that they need not be read back. */
  readonly bodyCacheLimit?: number | undefined;
  /** Told when something that a person should know of fails (the store cannot be written). */
  readonly onTrouble?: ((message: string) => void) | undefined;
}

export interface QueueManager {
  /** Stores the message durably, then schedules it. Throws StoreFullError when the disk is full. */
  accept(message: NewMessage): Promise<void>;
  /** Schedules a message that was stored by another (a spawned one). */
  schedule(message: NewMessage): void;
  /** Takes up what a former run left. */
  start(): void;
  /** Starts nothing more; resolves when deliveries in hand are settled, or after `deadline` milliseconds. Closes the agents. */
  stop(deadline?: number): Promise<void>;
  /** The configuration changed. */
  reload(): void;
  act(action: QueueAction, selection: QueueSelection, options?: ActionOptions): Promise<ActionResult>;
  counts(): QueueCounts;
  list(
    query: Omit<ListQuery, 'active'>,
  ): Promise<{ entries: QueueEntry[]; cursor?: string | undefined; total: number }>;
  groups(by: 'reason' | 'destination', filter: Filter, limit: number): Promise<QueueGroup[]>;
  get(id: string): Promise<QueueMessage | undefined>;
  flow(): DeliveryFlow;
  readonly active: ReadonlySet<string>;
  /** Told at most every 100 ms, after something changed. */
  onChanged(listener: (counts: QueueCounts) => void): () => void;
}

export function createQueueManager(options: QueueManagerOptions): QueueManager {
  return new Manager(options);
}

class Manager implements QueueManager {
  readonly #options: QueueManagerOptions;
  readonly #log: MailLog;
  readonly #clock: Clock;
  readonly #active: ActiveQueue;
  readonly #bodies: BodyCache;
  readonly #work = new Work();
  readonly #scheduler: Scheduler;
  readonly #routing: Routing;
  readonly #scan: QueueScan;
  readonly #view: QueueView;
  readonly #deliveries: Deliveries;
  readonly #settlements: Settlements;
  readonly #actions: Actions;
  #started = false;
  #stopping = false;

  constructor(options: QueueManagerOptions) {
    const { agents, configuration, log, newId, onTrouble, store } = options;
    const clock = options.clock ?? systemClock;
    const active = new ActiveQueue(configuration);
    const bodies = new BodyCache(store, options.bodyCacheLimit);
    const work = this.#work;
    const rescan = (): void => this.#rescan();
    this.#options = options;
    this.#log = log;
    this.#clock = clock;
    this.#active = active;
    this.#bodies = bodies;
    this.#view = new QueueView({ store, configuration, clock, active });
    this.#scheduler = new Scheduler({
      clock,
      limits: (transport) => transportLimits(configuration(), transport),
      deadTime: () => configuration().time('minimal_backoff_time'),
      start: (message, route, recipients, done) => void this.#deliveries.deliver(message, route, recipients).then(done),
      suspend: (message, _route, recipients, failure) => this.#deliveries.suspend(message, recipients, failure),
    });
    this.#routing = new Routing({ resolve: options.resolve, log, scheduler: this.#scheduler, work });
    this.#scan = new QueueScan({
      store,
      clock,
      room: () => active.room,
      leastRoom: () => active.leastRoom,
      isActive: (id) => active.has(id),
      activate: (message) => this.#activate(message, undefined),
      onError: (error) => {
        log.line('qmgr', `the queue cannot be read: ${errorMessage(error)}`, 'warning');
        onTrouble?.(`The queue cannot be read: ${errorMessage(error)}`);
      },
    });
    this.#deliveries = new Deliveries({
      agents,
      log,
      clock,
      bodies,
      work,
      onAnswered: (message) => {
        this.#view.changed();
        this.#settlements.advance(message);
      },
    });
    this.#settlements = new Settlements({
      store,
      configuration,
      log,
      clock,
      bodies,
      work,
      newId,
      onTrouble,
      onExpired: (recipients) => this.#deliveries.expired(recipients),
      forget: (message) => this.#forget(message),
      rescan,
      wakeAt: (time) => this.#scan.wakeAt(time),
      schedule: (report) => this.schedule(report),
    });
    this.#actions = new Actions({
      store,
      active,
      settlements: this.#settlements,
      left: (id) => this.#scan.left(id),
      rescan,
      onChanged: () => this.#view.changed(),
    });
  }

  get active(): ReadonlySet<string> {
    return this.#active.ids;
  }

  async accept(message: NewMessage): Promise<void> {
    await this.#options.store.add(message);
    this.schedule(message);
  }

  schedule(message: NewMessage): void {
    this.#view.changed();
    if (message.hold === true || this.#stopping) return;
    // Before `start` the first scan will find it, in its place.
    if (!this.#started || this.#active.room <= 0 || this.#scan.behind) {
      this.#scan.wantIncoming(false);
      if (this.#started) this.#scan.run();
      return;
    }
    this.#activate(queuedFrom(message), message.body.kind === 'memory' ? message.body.data : undefined);
  }

  start(): void {
    this.#started = true;
    this.#rescan();
  }

  reload(): void {
    this.#active.reload();
    this.#scheduler.reload();
    this.#scan.run();
  }

  async stop(deadline = 10_000): Promise<void> {
    this.#stopping = true;
    this.#settlements.stop();
    this.#scheduler.stop();
    let cancel: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(deadline, resolve);
    });
    const finished = (async () => {
      await this.#scan.stop();
      await this.#work.idle();
      await Promise.all([...new Set(this.#options.agents.values())].map((agent) => agent.close()));
    })();
    await Promise.race([finished, late]);
    cancel?.();
    this.#settlements.abandon();
    this.#view.close();
  }

  act(action: QueueAction, selection: QueueSelection, options: ActionOptions = {}): Promise<ActionResult> {
    return this.#actions.act(action, selection, options);
  }

  counts(): QueueCounts {
    return this.#view.counts();
  }

  list(
    query: Omit<ListQuery, 'active'>,
  ): Promise<{ entries: QueueEntry[]; cursor?: string | undefined; total: number }> {
    return this.#view.list(query);
  }

  groups(by: 'reason' | 'destination', filter: Filter, limit: number): Promise<QueueGroup[]> {
    return this.#view.groups(by, filter, limit);
  }

  get(id: string): Promise<QueueMessage | undefined> {
    return this.#view.get(id);
  }

  flow(): DeliveryFlow {
    return this.#deliveries.flow();
  }

  onChanged(listener: (counts: QueueCounts) => void): () => void {
    return this.#view.onChanged(listener);
  }

  // ---- a message becomes active, and leaves ----

  #activate(message: QueuedMessage, body: Uint8Array | undefined): void {
    if (this.#stopping) return;
    if (message.queue !== 'incoming' && message.queue !== 'deferred') return;
    const open = message.recipients.filter(({ state }) => state === 'waiting' || state === 'deferred');
    const active: ActiveMessage = {
      message,
      origin: message.queue,
      activeAt: this.#clock.now(),
      body: undefined,
      loading: undefined,
      outstanding: open.length,
      inFlight: 0,
      outcomes: new Map(),
      unsettled: [],
      settling: false,
      forcedExpire: message.forcedExpire,
      dropped: false,
      fate: undefined,
    };
    if (body !== undefined) this.#bodies.keep(active, body);
    this.#active.add(active);
    this.#log.line(
      'qmgr',
      `${message.id}: from=<${message.envelope.sender}>, size=${message.size}, nrcpt=${open.length} (queue active)`,
    );
    this.#view.changed();
    if (active.forcedExpire || open.length === 0) {
      this.#settlements.expire(active);
      return;
    }
    this.#routing.route(active, open, this.#actions.takeFlush(message.id));
  }

  #forget(active: ActiveMessage): void {
    if (!this.#active.remove(active)) return;
    active.dropped = true;
    this.#bodies.release(active);
    this.#scan.left(active.message.id);
    this.#view.changed();
    this.#scan.run();
  }

  #rescan(): void {
    this.#scan.wantIncoming(true);
    this.#scan.wantDue(true);
    if (this.#started) this.#scan.run();
  }
}

function queuedFrom(message: NewMessage): QueuedMessage {
  return {
    id: message.id,
    queue: 'incoming',
    arrival: message.arrival,
    envelope: message.envelope,
    size: message.size,
    recipients: message.recipients.map((recipient, index) => ({ ...recipient, index, state: 'waiting' })),
    attempts: 0,
    warned: false,
    forcedExpire: false,
  };
}
