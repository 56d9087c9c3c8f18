import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { reasonKey } from './reason.ts';

test.each([
  [
    'delivery temporarily suspended: connect to mx.example.org[192.0.2.1]:25: Connection timed out',
    'connect to mx.example.org[…]: Connection timed out',
  ],
  [
    'host mx.example.org[192.0.2.1] said: 450 4.2.0 <ann@example.org>: Recipient address rejected: Greylisted for 287 seconds (in reply to RCPT TO command)',
    'host mx.example.org[…] said: 450 4.2.0 <…>: Recipient address rejected: Greylisted for … seconds (in reply to RCPT TO command)',
  ],
  [
    'connect to mx1.example.org[2001:db8::1]:25: Connection timed out',
    'connect to mx….example.org[…]: Connection timed out',
  ],
  ['lost connection with 198.51.100.7 while sending', 'lost connection with … while sending'],
  ['mailbox of bob+x@example.org is full', 'mailbox of … is full'],
  ['451 4.3.0 4jXQPS5Fs2zJnB7 queue file write error', '451 4.3.0 … queue file write error'],
  ['450-4.7.1 B76B92205CE: try again', '450-4.7.1 …: try again'],
  ['', ''],
])('%s', (reason, key) => {
  expect(reasonKey(reason)).toBe(key);
});

test('any reason has a bounded key, and a key is its own', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 3000, unit: 'binary' }), (reason) => {
      const key = reasonKey(reason);
      expect(key.length).toBeLessThanOrEqual(200);
      expect(reasonKey(reason)).toBe(key);
    }),
  );
});

test('a hostile reason costs no time', () => {
  const start = performance.now();
  for (const piece of ['<', '[', 'a@', '1.', 'a1:', '<a']) reasonKey(piece.repeat(100_000));
  expect(performance.now() - start).toBeLessThan(1000);
});
