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
import type {
  ActionResult,
  QueueCounts,
  QueueEntry,
  QueueGroup,
  QueueMessage,
  QueueSelection,
} from '../contract/mail.ts';
import type { Filter } from '../contract/filter.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import { buildReports, type ReportContext } from '../bounce/reports.ts';
import {
  CorruptBodyError,
  type ActionOptions,
  type ListQuery,
  type NewMessage,
  type QueueAction,
  type QueuedMessage,
  type QueuedRecipient,
  type QueueStore,
  type RecipientOutcome,
  type StoredBody,
} from '../queue/store.ts';
import type { ActiveMessage } from './active.ts';
import type { DeliveryAgent, DeliveryOutcome, Route } from './agent.ts';
import { systemClock, type Clock } from './clock.ts';
import { logOutcome } from './delivery-log.ts';
import { isNetworkTransport, transportLimits } from './parameters.ts';
import { QueueScan } from './scan.ts';
import { Scheduler, type Failure } from './scheduler.ts';

export type Resolve = (address: string, message: QueuedMessage) => Route | Promise<Route>;

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

/** Recipients since the start. */
export interface DeliveryFlow {
  readonly delivered: number;
  readonly relayed: number;
  readonly deferred: number;
  readonly bounced: number;
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

const changedEvery = 100;
const smallBody = 64 * 1024;
const defaultBodyCache = 64 * 1024 * 1024;

export function createQueueManager(options: QueueManagerOptions): QueueManager {
  return new Manager(options);
}

class Manager implements QueueManager {
  readonly #options: QueueManagerOptions;
  readonly #store: QueueStore;
  readonly #log: MailLog;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #scan: QueueScan;
  readonly #messages = new Map<string, ActiveMessage>();
  readonly #ids = new Set<string>();
  readonly #origin = { incoming: 0, deferred: 0 };
  readonly #flow = { delivered: 0, relayed: 0, deferred: 0, bounced: 0 };
  readonly #listeners = new Set<(counts: QueueCounts) => void>();
  /** Messages a person wants tried now, whatever their destination's state. */
  readonly #flush = new Set<string>();
  #changeTold = -Infinity;
  #changePending = false;
  #cached = 0;
  #activeLimit = 20_000;
  #started = false;
  #stopping = false;
  #abandoned = false;
  #busy = 0;
  readonly #idle: (() => void)[] = [];

  constructor(options: QueueManagerOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#activeLimit = Math.max(1, options.configuration().int('qmgr_message_active_limit'));
    this.#scheduler = new Scheduler({
      clock: this.#clock,
      limits: (transport) => transportLimits(options.configuration(), transport),
      deadTime: () => options.configuration().time('minimal_backoff_time'),
      start: (active, route, recipients, done) => void this.#deliver(active, route, recipients).then(done),
      suspend: (active, route, recipients, failure) => this.#suspend(active, recipients, failure),
    });
    this.#scan = new QueueScan({
      store: this.#store,
      clock: this.#clock,
      room: () => this.#activeLimit - this.#messages.size,
      leastRoom: () => Math.max(1, Math.min(200, Math.floor(this.#activeLimit / 4))),
      isActive: (id) => this.#messages.has(id),
      activate: (message) => this.#activate(message, undefined),
      onError: (error) => {
        this.#log.line('qmgr', `the queue cannot be read: ${errorMessage(error)}`, 'warning');
        this.#options.onTrouble?.(`The queue cannot be read: ${errorMessage(error)}`);
      },
    });
  }

  get active(): ReadonlySet<string> {
    return this.#ids;
  }

  async accept(message: NewMessage): Promise<void> {
    await this.#store.add(message);
    this.schedule(message);
  }

  schedule(message: NewMessage): void {
    this.#changed();
    if (message.hold === true || this.#stopping) return;
    // Before `start` the first scan will find it, in its place.
    if (!this.#started || this.#messages.size >= this.#activeLimit || this.#scan.behind) {
      this.#scan.wantIncoming(false);
      if (this.#started) this.#scan.run();
      return;
    }
    this.#activate(queuedFrom(message), message.body.kind === 'memory' ? message.body.data : undefined);
  }

  start(): void {
    this.#started = true;
    this.#scan.wantIncoming(true);
    this.#scan.wantDue(true);
    this.#scan.run();
  }

  reload(): void {
    this.#activeLimit = Math.max(1, this.#options.configuration().int('qmgr_message_active_limit'));
    this.#scheduler.reload();
    this.#scan.run();
  }

  async stop(deadline = 10_000): Promise<void> {
    this.#stopping = true;
    this.#scheduler.stop();
    let cancel: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(deadline, resolve);
    });
    const finished = (async () => {
      await this.#scan.stop();
      while (this.#busy > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
      await Promise.all([...new Set(this.#options.agents.values())].map((agent) => agent.close()));
    })();
    await Promise.race([finished, late]);
    cancel?.();
    this.#abandoned = true;
    this.#listeners.clear();
  }

  // ---- a message becomes active ----

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
    // A store that takes the buffer over leaves an empty one.
    if (body !== undefined && body.byteLength > 0 && body.byteLength <= smallBody) {
      if (this.#cached + body.byteLength <= (this.#options.bodyCacheLimit ?? defaultBodyCache)) {
        active.body = body;
        this.#cached += body.byteLength;
      }
    }
    this.#messages.set(message.id, active);
    this.#ids.add(message.id);
    this.#origin[active.origin]++;
    this.#log.line(
      'qmgr',
      `${message.id}: from=<${message.envelope.sender}>, size=${message.size}, nrcpt=${open.length} (queue active)`,
    );
    this.#changed();
    if (active.forcedExpire || open.length === 0) {
      this.#expire(active);
      return;
    }
    const flush = this.#flush.delete(message.id);
    this.#route(active, open, flush);
  }

  #route(active: ActiveMessage, open: readonly QueuedRecipient[], flush: boolean): void {
    const routes: (Route | Promise<Route>)[] = [];
    let waits = false;
    for (const recipient of open) {
      const route = this.#resolve(recipient.address, active.message);
      if (route instanceof Promise) waits = true;
      routes.push(route);
    }
    if (!waits) {
      this.#enqueue(active, open, routes as Route[], flush);
      return;
    }
    this.#busy++;
    void Promise.all(routes).then((resolved) => {
      this.#enqueue(active, open, resolved, flush);
      this.#unbusy();
    });
  }

  #resolve(address: string, message: QueuedMessage): Route | Promise<Route> {
    const failed = (error: unknown): Route => {
      this.#log.line('trivial-rewrite', `${message.id}: ${errorMessage(error)}`, 'warning');
      return { transport: 'retry', nexthop: '4.3.0 address resolver failure' };
    };
    try {
      const route = this.#options.resolve(address, message);
      return route instanceof Promise ? route.catch(failed) : route;
    } catch (error) {
      return failed(error);
    }
  }

  #enqueue(active: ActiveMessage, open: readonly QueuedRecipient[], routes: readonly Route[], flush: boolean): void {
    if (active.dropped) return;
    const first = routes[0];
    const single = open[0];
    if (open.length === 1 && first !== undefined && single !== undefined) {
      this.#scheduler.add({ active, route: first, recipients: [single], taken: 0 }, flush);
    } else {
      const ways = new Map<string, { route: Route; recipients: QueuedRecipient[] }>();
      for (const [i, recipient] of open.entries()) {
        const route = routes[i];
        if (route === undefined) continue;
        const key = `${route.transport}\0${route.nexthop.toLowerCase()}\0${route.mailbox ?? ''}`;
        const way = ways.get(key);
        if (way === undefined) ways.set(key, { route, recipients: [recipient] });
        else way.recipients.push(recipient);
      }
      for (const { route, recipients } of ways.values()) {
        this.#scheduler.add({ active, route, recipients, taken: 0 }, flush);
      }
    }
    this.#scheduler.pump();
  }

  // ---- deliveries ----

  /** Never rejects; resolves with the destination's failure, if it failed. */
  async #deliver(
    active: ActiveMessage,
    route: Route,
    recipients: readonly QueuedRecipient[],
  ): Promise<Failure | undefined> {
    active.inFlight++;
    this.#busy++;
    const handedAt = this.#clock.now();
    let outcomes: DeliveryOutcome[] = [];
    try {
      const agent = this.#options.agents.get(route.transport);
      if (agent === undefined) {
        this.#log.line('qmgr', `no delivery agent for transport ${route.transport}`, 'warning');
        outcomes = this.#all(recipients, { dsn: '4.3.0', reason: 'mail transport unavailable' });
      } else {
        const body: StoredBody =
          active.body === undefined ? await this.#body(active) : { kind: 'memory', data: active.body };
        outcomes = await agent.deliver({ message: active.message, route, recipients, body });
      }
    } catch (error) {
      if (error instanceof CorruptBodyError) {
        this.#log.line('qmgr', `${active.message.id}: the stored message is damaged: moved to corrupt`, 'warning');
        active.fate = 'remove';
        active.dropped = true;
      } else {
        this.#log.line('qmgr', `${active.message.id}: ${route.transport}: ${errorMessage(error)}`, 'warning');
        outcomes = this.#all(recipients, { dsn: '4.3.0', reason: `unknown mail system error: ${errorMessage(error)}` });
      }
    }
    active.inFlight--;
    if (active.fate !== 'remove' || outcomes.length > 0) this.#answered(active, route, recipients, outcomes, handedAt);
    this.#advance(active);
    this.#unbusy();
    const failed = outcomes.find((outcome) => outcome.destinationFailed === true);
    return failed === undefined || !isNetworkTransport(route.transport)
      ? undefined
      : { dsn: failed.dsn, reason: failed.reason };
  }

  #body(active: ActiveMessage): Promise<StoredBody> {
    active.loading ??= this.#store.body(active.message.id);
    return active.loading;
  }

  #all(recipients: readonly QueuedRecipient[], failure: Failure): DeliveryOutcome[] {
    const at = this.#clock.now();
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

  #suspend(active: ActiveMessage, recipients: readonly QueuedRecipient[], failure: Failure): void {
    const reason = failure.reason.startsWith(suspended) ? failure.reason : suspended + failure.reason;
    const outcomes = this.#all(recipients, { dsn: failure.dsn, reason });
    this.#answered(active, { transport: 'error', nexthop: '' }, recipients, outcomes, this.#clock.now());
    this.#advance(active);
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
      logOutcome(this.#log, about, recipient, outcome);
      if (outcome.state === 'sent') {
        active.unsettled.push(outcome);
        if (isNetworkTransport(route.transport)) this.#flow.relayed++;
        else this.#flow.delivered++;
      } else {
        this.#flow[outcome.state]++;
      }
    }
    this.#changed();
  }

  /** Brings a message as far as it can go: settles what was sent, finishes the pass, lets go of it. */
  #advance(active: ActiveMessage): void {
    if (active.settling) return;
    if (active.dropped || this.#stopping ? active.inFlight === 0 : active.outstanding === 0) {
      void this.#finish(active);
    } else if (active.unsettled.length > 0) {
      void this.#settleSent(active);
    }
  }

  /** Part of the recipients have it: written down at once, so that a crash does not send it to them again. */
  async #settleSent(active: ActiveMessage): Promise<void> {
    active.settling = true;
    this.#busy++;
    const sent = active.unsettled.splice(0);
    const spawned = await buildReports(this.#reportContext(active), { sent });
    await this.#settle(active, sent, undefined, spawned, false);
    active.settling = false;
    this.#unbusy();
    this.#advance(active);
  }

  async #finish(active: ActiveMessage): Promise<void> {
    active.settling = true;
    this.#busy++;
    try {
      if (active.fate === 'remove') {
        this.#forget(active);
      } else if (active.outstanding > 0 && !active.forcedExpire) {
        await this.#interrupted(active);
      } else {
        await this.#settlePass(active);
      }
    } finally {
      this.#unbusy();
    }
  }

  /** Held, requeued, or the server stops, with recipients untried: only what was sent is settled. */
  async #interrupted(active: ActiveMessage): Promise<void> {
    const sent = active.unsettled.splice(0);
    if (sent.length > 0) {
      const spawned = await buildReports(this.#reportContext(active), { sent });
      await this.#settle(active, sent, undefined, spawned, false);
    }
    this.#forget(active);
    if (active.fate === 'reload') this.#rescan();
  }

  async #settlePass(active: ActiveMessage): Promise<void> {
    const { message } = active;
    const now = this.#clock.now();
    const sent = active.unsettled.splice(0);
    let deferred = this.#deferredNow(active, now);
    let bounced = [...active.outcomes.values()].filter(({ state }) => state === 'bounced');
    let warned: DeliveryOutcome[] = [];
    if (deferred.length > 0) {
      const forced = active.forcedExpire;
      if (forced || now - message.arrival >= this.#lifetime(message.envelope.sender)) {
        const status = forced ? 'force-expired' : 'expired';
        this.#log.line(
          'qmgr',
          `${message.id}: from=<${message.envelope.sender}>, status=${status}, returned to sender`,
        );
        bounced = bounced.concat(deferred.map((outcome) => ({ ...outcome, state: 'bounced' as const })));
        this.#flow.bounced += deferred.length;
        deferred = [];
      } else if (!message.warned && this.#warningIsDue(message, now)) {
        warned = deferred;
      }
    }
    const spawned = await buildReports(this.#reportContext(active), { sent, bounced, delayed: warned });
    const nextAttempt = deferred.length > 0 ? now + this.#backoff(now - message.arrival) : undefined;
    await this.#settle(active, [...sent, ...bounced, ...deferred], nextAttempt, spawned, warned.length > 0);
    this.#forget(active);
    if (nextAttempt === undefined) this.#log.line('qmgr', `${message.id}: removed`);
    else if (active.fate === 'reload') this.#rescan();
    else if (active.fate === undefined) this.#scan.wakeAt(nextAttempt);
  }

  /** The pass's deferred outcomes; with a forced expiry, every recipient without an outcome too. */
  #deferredNow(active: ActiveMessage, now: number): DeliveryOutcome[] {
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

  /**
   * Writes outcomes down, for as long as it takes. Without `nextAttempt` the message is removed if nobody waits for it
   * any more, and stays where it is otherwise. Reports it gave rise to become active.
   */
  async #settle(
    active: ActiveMessage,
    outcomes: readonly DeliveryOutcome[],
    nextAttempt: number | undefined,
    spawned: readonly NewMessage[],
    warned: boolean,
  ): Promise<void> {
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
        await this.#store.settle(settlement);
        break;
      } catch (error) {
        this.#log.line('qmgr', `${id}: the queue cannot be written: ${errorMessage(error)}`, 'warning');
        this.#options.onTrouble?.(`The queue cannot be written: ${errorMessage(error)}`);
        if (this.#abandoned) return;
        await new Promise<void>((resolve) => this.#clock.after(wait, resolve));
        if (this.#abandoned) return;
      }
    }
    if (active.fate === 'remove' && spawned.length > 0) {
      // Whether the reports were stored depends on which came first: the store knows.
      this.#rescan();
      return;
    }
    for (const report of spawned) {
      this.#log.line('cleanup', `${report.id}: message-id=${report.messageId ?? '<>'}`);
      this.schedule(report);
    }
  }

  #reportContext(active: ActiveMessage): ReportContext {
    return {
      configuration: this.#options.configuration(),
      log: this.#log,
      newId: this.#options.newId,
      now: this.#clock.now(),
      message: active.message,
      body: () =>
        active.body === undefined
          ? this.#body(active)
          : Promise.resolve({ kind: 'memory', data: active.body } satisfies StoredBody),
    };
  }

  #forget(active: ActiveMessage): void {
    const { id } = active.message;
    if (this.#messages.get(id) !== active) return;
    active.dropped = true;
    this.#messages.delete(id);
    this.#ids.delete(id);
    this.#origin[active.origin]--;
    if (active.body !== undefined) this.#cached -= active.body.byteLength;
    active.body = undefined;
    this.#scan.left(id);
    this.#changed();
    this.#scan.run();
  }

  #rescan(): void {
    this.#scan.wantIncoming(true);
    this.#scan.wantDue(true);
    if (this.#started) this.#scan.run();
  }

  #unbusy(): void {
    this.#busy--;
    if (this.#busy === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  // ---- lifetimes ----

  #lifetime(sender: string): number {
    return this.#options.configuration().time(sender === '' ? 'bounce_queue_lifetime' : 'maximal_queue_lifetime');
  }

  #backoff(age: number): number {
    const configuration = this.#options.configuration();
    const least = configuration.time('minimal_backoff_time');
    return Math.max(least, Math.min(age, configuration.time('maximal_backoff_time')));
  }

  #warningIsDue(message: QueuedMessage, now: number): boolean {
    const after = this.#options.configuration().time('delay_warning_time');
    return after > 0 && now - message.arrival >= after;
  }

  // ---- what people ask and do ----

  act(action: QueueAction, selection: QueueSelection, options: ActionOptions = {}): Promise<ActionResult> {
    return this.#store.act(action, selection, this.#ids, {
      ...options,
      onBatch: (ids) => {
        this.#acted(action, ids);
        options.onBatch?.(ids);
      },
    });
  }

  #acted(action: QueueAction, ids: readonly string[]): void {
    for (const id of ids) {
      const active = this.#messages.get(id);
      if (action === 'retry' && this.#flush.size < 100_000) this.#flush.add(id);
      if (action === 'hold' || action === 'remove' || action === 'requeue') this.#scan.left(id);
      if (active === undefined) continue;
      if (action === 'hold' || action === 'remove') {
        active.fate = action;
        this.#drop(active);
      } else if (action === 'requeue') {
        active.fate = 'reload';
        this.#drop(active);
      } else if (action === 'expire') {
        this.#expire(active);
      } else {
        // Released or retried while an older hand still has it: the store's state wins once that is done.
        if (active.fate === 'hold') active.fate = 'reload';
        this.#flush.delete(id);
      }
    }
    if (action !== 'hold' && action !== 'remove') this.#rescan();
    this.#changed();
  }

  #drop(active: ActiveMessage): void {
    active.dropped = true;
    if (active.inFlight === 0 && !active.settling) void this.#finish(active);
  }

  /** Returned to its sender as soon as nothing is in flight. */
  #expire(active: ActiveMessage): void {
    active.forcedExpire = active.forcedExpire || active.outstanding > 0;
    this.#drop(active);
  }

  counts(): QueueCounts {
    const stored = this.#store.counts();
    return {
      incoming: Math.max(0, stored.incoming - this.#origin.incoming),
      active: this.#messages.size,
      deferred: Math.max(0, stored.deferred - this.#origin.deferred),
      hold: stored.hold,
      corrupt: stored.corrupt,
    };
  }

  async list(
    query: Omit<ListQuery, 'active'>,
  ): Promise<{ entries: QueueEntry[]; cursor?: string | undefined; total: number }> {
    const page = await this.#store.list({ ...query, active: this.#ids });
    return { ...page, entries: page.entries.map((entry) => this.#complete(entry)) };
  }

  groups(by: 'reason' | 'destination', filter: Filter, limit: number): Promise<QueueGroup[]> {
    return this.#store.groups(by, filter, limit, this.#ids);
  }

  async get(id: string): Promise<QueueMessage | undefined> {
    const message = await this.#store.get(id);
    return message === undefined ? undefined : this.#complete(message);
  }

  #complete<T extends QueueEntry>(entry: T): T {
    const isActive = this.#ids.has(entry.id) && (entry.queue === 'incoming' || entry.queue === 'deferred');
    // Held messages do not expire (postsuper(1)).
    const expires =
      entry.queue === 'hold' || entry.queue === 'corrupt' ? undefined : entry.arrival + this.#lifetime(entry.sender);
    return {
      ...entry,
      queue: isActive ? 'active' : entry.queue,
      ...(expires === undefined ? {} : { expires }),
    };
  }

  flow(): DeliveryFlow {
    return { ...this.#flow };
  }

  onChanged(listener: (counts: QueueCounts) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    if (this.#changePending || this.#listeners.size === 0) return;
    this.#changePending = true;
    const wait = Math.max(0, this.#changeTold + changedEvery - this.#clock.now());
    this.#clock.after(wait, () => {
      this.#changePending = false;
      this.#changeTold = this.#clock.now();
      const counts = this.counts();
      for (const listener of this.#listeners) listener(counts);
    });
  }
}

const suspended = 'delivery temporarily suspended: ';

function stored(outcome: DeliveryOutcome): RecipientOutcome {
  const { index, state, dsn, reason, relay, at } = outcome;
  return { index, state, dsn, reason, relay, at };
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
