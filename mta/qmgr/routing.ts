/**
 * Routing: asks where each recipient goes, gathers those that go one way, and puts them in the scheduler's lines.
 * Promises: synchronous when the resolver is. A resolver that fails defers the recipient.
 */
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import type { QueuedMessage, QueuedRecipient } from '../queue/store.ts';
import type { ActiveMessage } from './active.ts';
import type { Route } from './agent.ts';
import type { Scheduler } from './scheduler.ts';
import type { Work } from './work.ts';

export type Resolve = (address: string, message: QueuedMessage) => Route | Promise<Route>;

export interface RoutingOptions {
  readonly resolve: Resolve;
  readonly log: MailLog;
  readonly scheduler: Scheduler;
  readonly work: Work;
}

export class Routing {
  readonly #options: RoutingOptions;

  constructor(options: RoutingOptions) {
    this.#options = options;
  }

  /** Once for a message; `flush` makes dead destinations be tried at once. */
  route(active: ActiveMessage, open: readonly QueuedRecipient[], flush: boolean): void {
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
    this.#options.work.begin();
    void Promise.all(routes).then((resolved) => {
      this.#enqueue(active, open, resolved, flush);
      this.#options.work.end();
    });
  }

  #resolve(address: string, message: QueuedMessage): Route | Promise<Route> {
    const failed = (error: unknown): Route => {
      this.#options.log.line('trivial-rewrite', `${message.id}: ${errorMessage(error)}`, 'warning');
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
      this.#options.scheduler.add({ active, route: first, recipients: [single], taken: 0 }, flush);
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
        this.#options.scheduler.add({ active, route, recipients, taken: 0 }, flush);
      }
    }
    this.#options.scheduler.pump();
  }
}
