import { expect, test } from 'vitest';
import { testConfiguration } from '../qmgr/testing/test-configuration.ts';
import { findHosts, parseNexthop, type Dns } from './hosts.ts';

const fail = (code: string): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));

function dns(mx: Record<string, [number, string][] | string>, a: Record<string, string[] | string>): Dns {
  return {
    mx: (domain) => {
      const found = mx[domain] ?? 'ENODATA';
      return typeof found === 'string'
        ? fail(found)
        : Promise.resolve(found.map(([priority, exchange]) => ({ priority, exchange })));
    },
    addresses: (host, family) => {
      const found = a[host] ?? 'ENOTFOUND';
      if (typeof found === 'string') return fail(found);
      const fitting = found.filter((address) => address.includes(':') === (family === 6));
      return fitting.length === 0 ? fail('ENODATA') : Promise.resolve(fitting);
    },
  };
}

async function hosts(nexthop: string, names: Dns, set: Record<string, string> = {}): Promise<string[]> {
  const found = await findHosts(parseNexthop(nexthop, 'smtp'), {
    configuration: testConfiguration({ inet_interfaces: 'all', ...set }),
    dns: names,
    random: () => 0,
    ownAddresses: () => ['192.0.2.99'],
  });
  return found.map(({ name, address, port }) => `${name}[${address}]:${port}`);
}

test('by preference, with every address', async () => {
  const names = dns(
    {
      'x.test': [
        [20, 'b.test'],
        [10, 'a.test'],
      ],
    },
    { 'a.test': ['192.0.2.1', '2001:db8::1'], 'b.test': ['192.0.2.2'] },
  );
  expect(await hosts('x.test', names)).toEqual([
    'a.test[192.0.2.1]:25',
    'a.test[2001:db8::1]:25',
    'b.test[192.0.2.2]:25',
  ]);
  expect(await hosts('x.test:submission', names, { inet_protocols: 'ipv4' })).toEqual([
    'a.test[192.0.2.1]:587',
    'b.test[192.0.2.2]:587',
  ]);
  expect(await hosts('x.test', names, { smtp_mx_address_limit: '1' })).toHaveLength(1);
});

test('brackets and addresses skip MX', async () => {
  const names = dns({ 'x.test': 'ESERVFAIL' }, { 'x.test': ['192.0.2.5'] });
  expect(await hosts('[x.test]:2525', names)).toEqual(['x.test[192.0.2.5]:2525']);
  expect(await hosts('[192.0.2.7]', names)).toEqual(['192.0.2.7[192.0.2.7]:25']);
  expect(await hosts('[IPv6:2001:db8::7]:26', names)).toEqual(['2001:db8::7[2001:db8::7]:26']);
});

test('without MX the domain itself', async () => {
  expect(await hosts('x.test', dns({}, { 'x.test': ['192.0.2.5'] }))).toEqual(['x.test[192.0.2.5]:25']);
});

test('this host and what is no better is dropped; nothing better is a loop', async () => {
  const a = {
    'good.test': ['192.0.2.1'],
    'equal.test': ['192.0.2.2'],
    'me.test': ['192.0.2.99'],
    'worse.test': ['192.0.2.3'],
  };
  expect(
    await hosts(
      'x.test',
      dns(
        {
          'x.test': [
            [5, 'good.test'],
            [10, 'equal.test'],
            [10, 'me.test'],
            [20, 'worse.test'],
          ],
        },
        a,
      ),
    ),
  ).toEqual(['good.test[192.0.2.1]:25']);
  await expect(
    hosts(
      'x.test',
      dns(
        {
          'x.test': [
            [10, 'mail.example.test'],
            [20, 'worse.test'],
          ],
        },
        { ...a, 'mail.example.test': ['192.0.2.50'] },
      ),
    ),
  ).rejects.toMatchObject({ dsn: '5.4.6', message: 'mail for x.test loops back to myself' });
});

test.each([
  ['ENOTFOUND', '5.4.4', 'Host or domain name not found. Name service error for name=x.test type=MX: Host not found'],
  [
    'ESERVFAIL',
    '4.4.3',
    'Host or domain name not found. Name service error for name=x.test type=MX: Host not found, try again',
  ],
  [
    'ETIMEOUT',
    '4.4.3',
    'Host or domain name not found. Name service error for name=x.test type=MX: Host not found, try again',
  ],
])('MX lookup %s → %s', async (code, dsn, message) => {
  await expect(hosts('x.test', dns({ 'x.test': code }, {}))).rejects.toMatchObject({ dsn, message });
});

test('null MX, missing addresses, a bad next hop', async () => {
  await expect(hosts('x.test', dns({ 'x.test': [[0, '']] }, {}))).rejects.toMatchObject({ dsn: '5.1.10' });
  await expect(
    hosts(
      'x.test',
      dns(
        {
          'x.test': [
            [5, 'a.test'],
            [6, 'b.test'],
          ],
        },
        { 'a.test': 'ESERVFAIL' },
      ),
    ),
  ).rejects.toMatchObject({ dsn: '4.4.3' });
  await expect(hosts('x.test', dns({ 'x.test': [[5, 'a.test']] }, {}))).rejects.toMatchObject({ dsn: '5.4.4' });
  for (const bad of ['', '[a', 'a b', '[x]:99999', 'x:nosuch'])
    expect(() => parseNexthop(bad, 'smtp')).toThrow(/next hop/);
});
