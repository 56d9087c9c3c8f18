import { expect, test } from 'vitest';
import { clientList } from './networks.ts';
import { createPeerNames } from './peer-name.ts';

test.each([
  ['127.0.0.0/8 [::1]/128', '127.1.2.3', '', true],
  ['127.0.0.0/8 [::1]/128', '::1', '', true],
  ['127.0.0.0/8', '128.0.0.1', '', false],
  ['192.0.2.7', '192.0.2.7', '', true],
  ['192.0.2.7', '192.0.2.8', '', false],
  ['!192.0.2.7 192.0.2.0/24', '192.0.2.7', '', false],
  ['!192.0.2.7 192.0.2.0/24', '192.0.2.8', '', true],
  ['[2001:db8::]/32', '2001:db8:1::9', '', true],
  ['[2001:db8::]/32', '2001:db9::9', '', false],
  ['example.org', '192.0.2.7', 'mx.example.org', true],
  ['example.org', '192.0.2.7', 'badexample.org', false],
  ['hash:/etc/x', '192.0.2.7', 'hash:/etc/x', false],
  ['', '127.0.0.1', 'localhost', false],
])('%s has %s %s: %s', (tokens, address, name, expected) => {
  expect(clientList(tokens.split(' ')).has({ name, address })).toBe(expected);
});

test('a name must lead back to the address', async () => {
  const answers = (names: string[], addresses: string[]): Parameters<typeof createPeerNames>[1] =>
    ({
      reverse: () => Promise.resolve(names),
      lookup: () => Promise.resolve(addresses.map((address) => ({ address, family: 4 }))),
    }) as unknown as Parameters<typeof createPeerNames>[1];
  const find = async (names: string[], addresses: string[]): Promise<string> =>
    createPeerNames(1000, answers(names, addresses)).find('192.0.2.7');
  expect(await find(['MX.example.org.'], ['192.0.2.7'])).toBe('mx.example.org');
  expect(await find(['mx.example.org'], ['192.0.2.8'])).toBe('unknown');
  expect(await find([], [])).toBe('unknown');
  expect(await find(['a b\r\nx'], ['192.0.2.7'])).toBe('unknown');
  expect(await find(['192.0.2.7'], ['192.0.2.7'])).toBe('unknown');
  expect(createPeerNames().find('127.0.0.1')).toBe('localhost');
  const hangs = { reverse: () => new Promise(() => undefined), lookup: () => new Promise(() => undefined) };
  expect(await createPeerNames(20, hangs as unknown as Parameters<typeof createPeerNames>[1]).find('192.0.2.7')).toBe(
    'unknown',
  );
});
