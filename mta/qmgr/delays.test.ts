import { expect, test } from 'vitest';
import { formatDelay, formatDelays } from './delays.ts';
import { outcomeText } from './delivery-log.ts';

test.each([
  [0, '0'],
  [-1, '0'],
  [0.004, '0'],
  [0.0051, '0.01'],
  [0.02, '0.02'],
  [0.1, '0.1'],
  [0.996, '1'],
  [1.26, '1.3'],
  [9.96, '10'],
  [12.6, '13'],
  [432_000.4, '432000'],
])('%d s is %s', (seconds, text) => {
  expect(formatDelay(seconds)).toBe(text);
});

test('delays', () => {
  expect(formatDelays({ before: 0.011, queue: 0.009, connection: 0, transmission: 0 })).toBe(
    'delay=0.02, delays=0.01/0.01/0/0',
  );
});

test("an agent's line, all parts", () => {
  const about = { service: 'smtp', id: 'B76B92205CE', arrival: 1000, activeAt: 1011, handedAt: 1020 };
  const recipient = { index: 0, address: 'x@example.net', originalAddress: 'y@example.net', state: 'waiting' as const };
  const outcome = {
    index: 0,
    state: 'sent' as const,
    dsn: '2.0.0',
    reason: '250 2.0.0 Ok: queued as C0FFEE0001',
    relay: 'mx.example.net[192.0.2.1]:25',
    at: 0,
    connection: 0,
    transmission: 1.26,
    connectionUse: 3,
  };
  expect(outcomeText(about, recipient, outcome)).toBe(
    'B76B92205CE: to=<x@example.net>, orig_to=<y@example.net>, relay=mx.example.net[192.0.2.1]:25, conn_use=3, delay=1.3, delays=0.01/0.01/0/1.3, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as C0FFEE0001)',
  );
});
