/** A queue manager on a fake clock, a store in memory and scripted agents, for tests. */
import type { NewMessage } from '../../queue/store.ts';
import type { DeliveryAgent, DeliveryOutcome, DeliveryRequest, Route } from '../agent.ts';
import { createQueueManager, type QueueManager } from '../queue-manager.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryStore } from './memory-store.ts';
import { testConfiguration } from './test-configuration.ts';

export type Answer = Partial<DeliveryOutcome> & Pick<DeliveryOutcome, 'state'>;
export type Script = (request: DeliveryRequest, address: string) => Answer | Promise<Answer>;

export interface Rig {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly log: string[];
  readonly deliveries: DeliveryRequest[];
  /** Most deliveries at once so far. */
  readonly peak: () => number;
  readonly manager: QueueManager;
  message(id: string, recipients: readonly string[], more?: Partial<NewMessage>): NewMessage;
}

export const sent: Answer = { state: 'sent', dsn: '2.0.0', reason: 'delivered to maildir', relay: 'virtual' };
export const deferred: Answer = { state: 'deferred', dsn: '4.2.0', reason: 'try later', relay: 'virtual' };
export const bounced: Answer = { state: 'bounced', dsn: '5.1.1', reason: 'no such user', relay: 'virtual' };

export function rig(
  script: Script,
  set: Readonly<Record<string, string>> = {},
  resolve: (address: string) => Route = (address) => ({ transport: 'virtual', nexthop: 'here', mailbox: address }),
  earlier?: { clock: FakeClock; store: MemoryStore },
): Rig {
  const clock = earlier?.clock ?? new FakeClock();
  const store = earlier?.store ?? new MemoryStore(() => clock.now());
  const log: string[] = [];
  const deliveries: DeliveryRequest[] = [];
  let inFlight = 0;
  let peak = 0;
  let reports = 0;
  const agent: DeliveryAgent = {
    deliver: async (request) => {
      deliveries.push(request);
      peak = Math.max(peak, ++inFlight);
      try {
        return await Promise.all(
          request.recipients.map(async ({ index, address }) => ({
            index,
            dsn: '2.0.0',
            reason: 'ok',
            at: clock.now(),
            connection: 0,
            transmission: 0,
            ...(await script(request, address)),
          })),
        );
      } finally {
        inFlight--;
      }
    },
    close: () => Promise.resolve(),
  };
  const configuration = testConfiguration(set);
  const manager = createQueueManager({
    store,
    configuration: () => configuration,
    log: {
      line: (service, text, level) =>
        void log.push(`${service}: ${level === undefined || level === 'info' ? '' : `${level}: `}${text}`),
    },
    agents: new Map([
      ['virtual', agent],
      ['smtp', agent],
    ]),
    resolve,
    newId: () => `D${String(++reports).padStart(7, '0')}`,
    clock,
  });
  return {
    clock,
    store,
    log,
    deliveries,
    peak: () => peak,
    manager,
    message: (id, recipients, more = {}) => ({
      id,
      arrival: clock.now(),
      envelope: { sender: 'ada@example.org' },
      recipients: recipients.map((address) => ({ address })),
      size: 6,
      messageId: '<m@example.org>',
      body: { kind: 'memory', data: Buffer.from('S: t\n\nx\n') },
      ...more,
    }),
  };
}

/** A gate that deliveries wait at until it is opened. */
export function gate(): { readonly wait: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { wait, open: () => open() };
}
