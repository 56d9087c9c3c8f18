/**
 * The agents that deliver nowhere: error(8) returns or defers with its next hop as the reason, retry is error with a
 * temporary status, discard(8) throws away and says so.
 */
import type { DeliveryAgent, DeliveryOutcome, DeliveryRequest } from './agent.ts';

const leadingStatus = /^([245]\.\d{1,3}\.\d{1,3}) +/;

/** `text` may open with an enhanced status code: `5.1.1 no such user`. */
export function createErrorAgent(temporary: boolean): DeliveryAgent {
  return fixed((text) => {
    const status = leadingStatus.exec(text);
    const dsn = status?.[1] ?? (temporary ? '4.0.0' : '5.0.0');
    const reason = text.slice(status?.[0].length ?? 0) || 'mail delivery is not possible';
    return { state: dsn.startsWith('5') && !temporary ? 'bounced' : 'deferred', dsn, reason };
  });
}

export function createDiscardAgent(): DeliveryAgent {
  return fixed((text) => {
    const status = leadingStatus.exec(text);
    return { state: 'sent', dsn: status?.[1] ?? '2.0.0', reason: text.slice(status?.[0].length ?? 0) || 'discarded' };
  });
}

function fixed(answer: (text: string) => Pick<DeliveryOutcome, 'state' | 'dsn' | 'reason'>): DeliveryAgent {
  return {
    deliver: ({ recipients, route }: DeliveryRequest) =>
      Promise.resolve(
        recipients.map(({ index }) => ({
          index,
          ...answer(route.nexthop),
          relay: 'none',
          at: Date.now(),
          connection: 0,
          transmission: 0,
        })),
      ),
    close: () => Promise.resolve(),
  };
}
