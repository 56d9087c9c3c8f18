import { expect, test } from 'vitest';
import type { Route } from './agent.ts';
import { createResolver } from './resolve.ts';
import { testConfiguration } from './testing/test-configuration.ts';

const users = new Set(['ada', 'bob', 'odd+name']);

function resolver(set: Record<string, string> = {}, tables: Record<string, Record<string, string>> = {}) {
  const configuration = testConfiguration({ local_recipient_maps: 'proxy:unix:passwd.byname', ...set });
  return createResolver({
    configuration: () => configuration,
    lookup: (map, key) => Promise.resolve(tables[map]?.[key]),
    knownUser: (name) => users.has(name.toLowerCase()),
    interfaces: () => ['192.0.2.9'],
  });
}

const route = async (
  address: string,
  set: Record<string, string> = {},
  tables: Record<string, Record<string, string>> = {},
): Promise<Route> => resolver(set, tables).resolve(address);

test('the sink keeps everything: by recipient, or by SMTP user', () => {
  const sink = resolver({ postrider_profile: 'sink' });
  expect(sink.resolve('Any@Where.test')).toEqual({ transport: 'virtual', nexthop: 'sink', mailbox: 'Any@Where.test' });
  const message = { envelope: { sender: 'x', saslUser: 'app' } };
  expect(sink.resolve('any@where.test', message)).toMatchObject({ mailbox: 'app' });
  expect(
    resolver({ postrider_profile: 'sink', postrider_sink_mailbox: 'recipient' }).resolve('a@b.test', message),
  ).toMatchObject({ mailbox: 'a@b.test' });
  expect(sink.recipientKnown('whoever@x.test')).toBe(true);
});

test.each<[string, Partial<Route>, Record<string, string>?]>([
  ['ada@localhost', { transport: 'local', mailbox: 'ada' }],
  ['Ada@MAIL.example.test', { transport: 'local', mailbox: 'Ada' }],
  ['ada', { transport: 'local', mailbox: 'ada' }],
  ['ada+list@localhost', { transport: 'error', nexthop: '5.1.1 User unknown in local recipient table' }],
  ['ada+list@localhost', { transport: 'local', mailbox: 'ada' }, { recipient_delimiter: '+' }],
  ['odd+name@localhost', { transport: 'local', mailbox: 'odd+name' }, { recipient_delimiter: '+' }],
  ['"ada"@localhost', { transport: 'local', mailbox: 'ada' }],
  ['"ada@evil.test"@localhost', { transport: 'error' }],
  ['nobody@localhost', { transport: 'error', nexthop: '5.1.1 User unknown in local recipient table' }],
  ['nobody@localhost', { transport: 'local', mailbox: 'nobody' }, { local_recipient_maps: '' }],
  ['ada@[127.0.0.1]', { transport: 'local' }],
  ['ada@[192.0.2.9]', { transport: 'smtp', nexthop: '[192.0.2.9]' }],
  ['ada@[192.0.2.9]', { transport: 'local' }, { inet_interfaces: 'all' }],
  ['x@virtual.test', { transport: 'virtual', mailbox: 'x@virtual.test' }, { virtual_mailbox_domains: 'virtual.test' }],
  [
    'x@alias.test',
    { transport: 'error', nexthop: '5.1.1 User unknown in virtual alias table' },
    { virtual_alias_domains: 'alias.test' },
  ],
  ['x@sub.relay.test', { transport: 'relay', nexthop: 'sub.relay.test' }, { relay_domains: 'relay.test' }],
  ['x@sub.relay.test', { transport: 'smtp' }, { relay_domains: '!sub.relay.test relay.test' }],
  ['x@sub.relay.test', { transport: 'smtp' }, { relay_domains: 'relay.test', parent_domain_matches_subdomains: '' }],
  ['x@Else.test', { transport: 'smtp', nexthop: 'else.test' }],
  ['x@else.test', { transport: 'smtp', nexthop: '[smart.test]:587' }, { relayhost: '[smart.test]:587' }],
  ['x@else.test', { transport: 'error', nexthop: 'no mail out' }, { default_transport: 'error:no mail out' }],
])('%s goes to %j', async (address, expected, set = {}) => {
  expect(await route(address, set)).toMatchObject(expected);
});

test('transport_maps: address, then domain, then parents, then *', async () => {
  const set = { transport_maps: 'hash:t', relayhost: '[smart.test]', recipient_delimiter: '+' };
  const tables = {
    'hash:t': {
      'ada@else.test': 'smtp:[one.test]:26',
      'else.test': ':[two.test]',
      '.parent.test': 'relay:',
      'gone.test': 'error:5.1.2 moved away',
      'drop.test': 'discard:',
      'box.test': 'local:',
      localhost: 'smtp:[elsewhere.test]',
    },
  };
  expect(await route('ada+x@else.test', set, tables)).toEqual({ transport: 'smtp', nexthop: '[one.test]:26' });
  expect(await route('bob@else.test', set, tables)).toEqual({ transport: 'smtp', nexthop: '[two.test]' });
  expect(await route('x@deep.parent.test', set, tables)).toEqual({ transport: 'relay', nexthop: 'deep.parent.test' });
  expect(await route('x@parent.test', set, tables)).toEqual({ transport: 'smtp', nexthop: '[smart.test]' });
  expect(await route('x@gone.test', set, tables)).toEqual({ transport: 'error', nexthop: '5.1.2 moved away' });
  expect(await route('x@drop.test', set, tables)).toEqual({ transport: 'discard', nexthop: '' });
  expect(await route('ada+y@box.test', set, tables)).toMatchObject({ transport: 'local', mailbox: 'ada' });
  expect(await route('nobody@localhost', set, tables)).toMatchObject({
    transport: 'smtp',
    nexthop: '[elsewhere.test]',
  });
  expect(await route('x@other.test', set, { 'hash:t': { '*': 'retry:4.3.2 closed' } })).toEqual({
    transport: 'retry',
    nexthop: '4.3.2 closed',
  });
});

test('recipientKnown says no only where we hold the list', async () => {
  const set = {
    virtual_mailbox_domains: 'v.test',
    virtual_mailbox_maps: 'hash:v',
    relay_domains: 'r.test',
    relay_recipient_maps: 'hash:r',
  };
  const r = resolver(set, { 'hash:v': { 'x@v.test': 'x' }, 'hash:r': { '@r.test': 'ok' } });
  const known = async (address: string): Promise<boolean> => r.recipientKnown(address);
  expect(
    await Promise.all(['ada@localhost', 'no@localhost', 'x@v.test', 'y@v.test', 'a@r.test', 'a@z.test'].map(known)),
  ).toEqual([true, false, true, false, true, true]);
  expect(await r.localName('ada@localhost')).toBe('ada');
  expect(await r.localName('ada@else.test')).toBeUndefined();
});
