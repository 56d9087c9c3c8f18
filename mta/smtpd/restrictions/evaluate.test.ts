import { describe, expect, test } from 'vitest';
import type { Decision, ListName, RestrictionContext } from './decision.ts';
import { evaluateLists } from './evaluate.ts';

const base: RestrictionContext = {
  client: { name: 'unknown', address: '203.0.113.9' },
  helo: 'client.example',
  sender: { local: 'a', domain: 'b.example' },
  recipient: { local: 'c', domain: 'd.example' },
  saslUser: undefined,
  trusted: false,
  illegalPipelining: false,
  destination: { class: 'default', routed: false, authorised: false },
  shown: { sender: 'a@b.example', recipient: 'c@d.example' },
  codes: { reject: 554, defer: 450, relay: 554, nonFqdn: 504, invalidHostname: 501 },
  unlisted: () => Promise.resolve(undefined),
};

async function decide(
  lists: [ListName, string][],
  context: Partial<RestrictionContext> = {},
): Promise<{ refusal: Decision | undefined; trace: Decision[]; warnings: string[] }> {
  const trace: Decision[] = [];
  const warnings: string[] = [];
  const refusal = await evaluateLists(
    lists.map(([name, rules]) => ({ name, rules: rules.split(' ').filter(Boolean) })),
    { ...base, ...context },
    (text) => warnings.push(text),
    (decision) => trace.push(decision),
  );
  return { refusal, trace, warnings };
}

const rcpt = 'smtpd_recipient_restrictions';
const reply = ({ refusal }: { refusal: Decision | undefined }): string =>
  refusal === undefined ? 'permit' : `${refusal.code} ${refusal.text}`;

describe('lists', () => {
  test('the first rule that decides ends its list; permit ends only its own', async () => {
    const { refusal, trace } = await decide([
      ['smtpd_client_restrictions', 'permit reject'],
      ['smtpd_relay_restrictions', 'reject_unauth_destination permit'],
    ]);
    expect(trace.map(({ list, rule, action }) => [list, rule, action])).toEqual([
      ['smtpd_client_restrictions', 'permit', 'permit'],
      ['smtpd_relay_restrictions', 'reject_unauth_destination', 'reject'],
    ]);
    expect(refusal).toEqual({
      list: 'smtpd_relay_restrictions',
      rule: 'reject_unauth_destination',
      input: 'c@d.example',
      action: 'reject',
      code: 554,
      text: '5.7.1 <c@d.example>: Relay access denied',
    });
  });

  test('the end of a list permits', async () => {
    const { refusal, trace } = await decide([[rcpt, 'permit_mynetworks']]);
    expect(refusal).toBeUndefined();
    expect(trace).toMatchObject([{ rule: 'end of list', action: 'permit' }]);
  });

  test('an unknown rule refuses for now and warns', async () => {
    const result = await decide([[rcpt, 'check_magic permit']]);
    expect(reply(result)).toBe('451 4.3.5 Server configuration error');
    expect(result.warnings).toEqual(['unknown smtpd restriction: "check_magic"']);
  });

  test('names of object properties are unknown rules', async () => {
    expect(reply(await decide([[rcpt, 'constructor']]))).toBe('451 4.3.5 Server configuration error');
  });
});

const own = { class: 'local', routed: false, authorised: true } as const;
const cases: [string, string, Partial<RestrictionContext>, string][] = [
  [rcpt, 'permit_mynetworks reject', { trusted: true }, 'permit'],
  [rcpt, 'permit_mynetworks reject', {}, '554 5.7.1 <c@d.example>: Recipient address rejected: Access denied'],
  [rcpt, 'permit_sasl_authenticated reject', { saslUser: 'bob' }, 'permit'],
  [rcpt, 'permit_auth_destination reject', { destination: own }, 'permit'],
  [rcpt, 'reject_unauth_destination', { destination: own }, 'permit'],
  [rcpt, 'defer_unauth_destination', {}, '454 4.7.1 <c@d.example>: Relay access denied'],
  [rcpt, 'defer', {}, '450 4.7.1 <c@d.example>: Recipient address rejected: Try again later'],
  ['smtpd_client_restrictions', 'reject', {}, '554 5.7.1 <unknown[203.0.113.9]>: Client host rejected: Access denied'],
  ['smtpd_helo_restrictions', 'reject', {}, '554 5.7.1 <client.example>: Helo command rejected: Access denied'],
  ['smtpd_sender_restrictions', 'reject', {}, '554 5.7.1 <a@b.example>: Sender address rejected: Access denied'],
  ['smtpd_data_restrictions', 'reject', {}, '554 5.7.1 <DATA>: Data command rejected: Access denied'],
  [
    'smtpd_data_restrictions',
    'reject_unauth_pipelining',
    { illegalPipelining: true },
    '503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining',
  ],
  [rcpt, 'reject_invalid_helo_hostname', { helo: 'a..b' }, '501 5.5.2 <a..b>: Helo command rejected: Invalid name'],
  [rcpt, 'reject_invalid_helo_hostname', { helo: '[192.0.2.1]' }, 'permit'],
  [rcpt, 'reject_invalid_helo_hostname', { helo: 'localhost' }, 'permit'],
  [
    rcpt,
    'reject_non_fqdn_helo_hostname',
    { helo: 'localhost' },
    '504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname',
  ],
  [rcpt, 'reject_non_fqdn_helo_hostname', {}, 'permit'],
  [rcpt, 'reject_non_fqdn_helo_hostname', { helo: undefined }, 'permit'],
  [
    rcpt,
    'reject_non_fqdn_sender',
    { sender: { local: 'root', domain: undefined }, shown: { sender: 'root', recipient: '' } },
    '504 5.5.2 <root>: Sender address rejected: need fully-qualified address',
  ],
  [rcpt, 'reject_non_fqdn_sender', { sender: null }, 'permit'],
  [
    rcpt,
    'reject_non_fqdn_recipient',
    { recipient: { local: 'x', domain: 'host' }, shown: { sender: '', recipient: 'x@host' } },
    '504 5.5.2 <x@host>: Recipient address rejected: need fully-qualified address',
  ],
  [rcpt, 'reject_non_fqdn_recipient', { recipient: { local: 'Postmaster', domain: undefined } }, 'permit'],
  [
    rcpt,
    'reject_unlisted_recipient',
    { unlisted: () => Promise.resolve({ code: 550, text: '5.1.1 <c@d.example>: unknown' }) },
    '550 5.1.1 <c@d.example>: unknown',
  ],
];

test.each(cases)('%s = %s, %j', async (list, rules, context, expected) => {
  expect(reply(await decide([[list as ListName, rules]], context))).toBe(expected);
});
