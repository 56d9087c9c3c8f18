/**
 * Which delivery is next: Postfix's per-destination concurrency (SCHEDULER_README, qmgr(8)).
 *
 * Destinations of a transport take turns, and so do the messages of a destination. A destination's window starts at
 * the initial concurrency, grows by one with a success (as long as it is used) up to the limit, shrinks by one with a
 * failure of the destination; when a cohort (as many failures as the window, without a success) fails, it is dead
 * until minimal_backoff_time has passed, and what waits for it is handed to `suspend`.
 * Promises: deterministic; synchronous; starts nothing after `stop`.
 */
import type { QueuedRecipient } from '../queue/store.ts';
import type { ActiveMessage, Job } from './active.ts';
import type { Route } from './agent.ts';
import type { Clock } from './clock.ts';
import type { TransportLimits } from './parameters.ts';

export interface Failure {
  readonly dsn: string;
  readonly reason: string;
}

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly limits: (transport: string) => TransportLimits;
  /** minimal_backoff_time in milliseconds. */
  readonly deadTime: () => number;
  /** Hands a delivery to its agent; `done` must be called once, with what the destination did. */
  readonly start: (
    active: ActiveMessage,
    route: Route,
    recipients: readonly QueuedRecipient[],
    done: (destinationFailure: Failure | undefined) => void,
  ) => void;
  /** The destination is dead: these recipients are deferred without a try. */
  readonly suspend: (
    active: ActiveMessage,
    route: Route,
    recipients: readonly QueuedRecipient[],
    failure: Failure,
  ) => void;
}

interface Destination {
  readonly key: string;
  readonly transport: Transport;
  window: number;
  busy: number;
  failedCohorts: number;
  dead: Failure | undefined;
  revive: (() => void) | undefined;
  readonly jobs: Job[];
  /** Stands in the transport's ring. */
  ready: boolean;
}

interface Transport {
  readonly name: string;
  limits: TransportLimits;
  busy: number;
  readonly destinations: Map<string, Destination>;
  readonly ring: Destination[];
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #transports = new Map<string, Transport>();
  #stopped = false;
  #pumping = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Queues jobs of one message; call `pump` after. `flush` makes dead destinations be tried at once. */
  add(job: Job, flush: boolean): void {
    const destination = this.#destination(job.route);
    if (flush) this.#unthrottle(destination);
    destination.jobs.push(job);
    this.#ready(destination);
  }

  /** The configuration changed: windows keep their state, limits are read again. */
  reload(): void {
    for (const transport of this.#transports.values()) {
      transport.limits = this.#options.limits(transport.name);
      for (const destination of transport.destinations.values()) {
        destination.window = Math.min(destination.window, transport.limits.concurrency);
      }
    }
    this.pump();
  }

  stop(): void {
    this.#stopped = true;
    for (const transport of this.#transports.values()) {
      for (const destination of transport.destinations.values()) destination.revive?.();
    }
  }

  /** Starts all that may start now. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      let started = true;
      while (started && !this.#stopped) {
        started = false;
        for (const transport of this.#transports.values()) {
          if (this.#startOne(transport)) started = true;
        }
      }
    } finally {
      this.#pumping = false;
    }
  }

  #startOne(transport: Transport): boolean {
    if (transport.busy >= transport.limits.processes) return false;
    const destination = transport.ring.shift();
    if (destination === undefined) return false;
    destination.ready = false;
    const job = destination.jobs.shift();
    if (job === undefined) {
      this.#forgetIdle(destination);
      return true;
    }
    if (job.active.dropped) {
      this.#ready(destination);
      this.#forgetIdle(destination);
      return true;
    }
    if (destination.dead !== undefined) {
      const rest = job.recipients.slice(job.taken);
      this.#ready(destination);
      this.#options.suspend(job.active, job.route, rest, destination.dead);
      return true;
    }
    const recipients = job.recipients.slice(job.taken, job.taken + transport.limits.recipients);
    job.taken += recipients.length;
    if (job.taken < job.recipients.length) destination.jobs.push(job);
    destination.busy++;
    transport.busy++;
    this.#ready(destination);
    let called = false;
    this.#options.start(job.active, job.route, recipients, (failure) => {
      if (called) return;
      called = true;
      destination.busy--;
      transport.busy--;
      if (failure === undefined) this.#succeeded(destination);
      else this.#failed(destination, failure);
      this.#ready(destination);
      this.#forgetIdle(destination);
      this.pump();
    });
    return true;
  }

  #ready(destination: Destination): void {
    if (destination.ready || destination.jobs.length === 0) return;
    if (destination.dead === undefined && destination.busy >= destination.window) return;
    destination.ready = true;
    destination.transport.ring.push(destination);
  }

  #succeeded(destination: Destination): void {
    if (destination.dead !== undefined) return;
    const { limits } = destination.transport;
    destination.failedCohorts = 0;
    // A window grows only while it is made use of (qmgr_queue_unthrottle).
    if (
      destination.window < limits.concurrency &&
      destination.window < destination.busy + 1 + limits.initialConcurrency
    ) {
      destination.window++;
    }
  }

  #failed(destination: Destination, failure: Failure): void {
    if (destination.dead !== undefined) return;
    destination.failedCohorts += 1 / destination.window;
    // The tolerance is for sums like 1/3 + 1/3 + 1/3.
    if (destination.failedCohorts >= 0.999) {
      destination.dead = failure;
      destination.revive = this.#options.clock.after(this.#options.deadTime(), () => {
        destination.revive = undefined;
        this.#unthrottle(destination);
        this.#ready(destination);
        this.#forgetIdle(destination);
        this.pump();
      });
      return;
    }
    destination.window = Math.max(1, destination.window - 1);
  }

  #unthrottle(destination: Destination): void {
    if (destination.dead === undefined) return;
    destination.revive?.();
    destination.revive = undefined;
    destination.dead = undefined;
    destination.failedCohorts = 0;
    destination.window = destination.transport.limits.initialConcurrency;
  }

  #forgetIdle(destination: Destination): void {
    if (destination.busy > 0 || destination.dead !== undefined || destination.jobs.length > 0 || destination.ready)
      return;
    destination.transport.destinations.delete(destination.key);
  }

  #destination(route: Route): Destination {
    let transport = this.#transports.get(route.transport);
    if (transport === undefined) {
      const limits = this.#options.limits(route.transport);
      transport = { name: route.transport, limits, busy: 0, destinations: new Map(), ring: [] };
      this.#transports.set(route.transport, transport);
    }
    const key = route.nexthop.toLowerCase();
    let destination = transport.destinations.get(key);
    if (destination === undefined) {
      destination = {
        key,
        transport,
        window: transport.limits.initialConcurrency,
        busy: 0,
        failedCohorts: 0,
        dead: undefined,
        revive: undefined,
        jobs: [],
        ready: false,
      };
      transport.destinations.set(key, destination);
    }
    return destination;
  }
}
