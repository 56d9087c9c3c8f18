/** No open relay: the address forms of Postfix's tests and of old sendmail holes, from a stranger, on three listeners. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Talk } from './testing/dialogue.ts';
import { startServer, type TestServer } from './testing/server.ts';

const other = 'other.example';
const ours = 'mail.example.test';

/** Forms that try to get a message to somebody else; all refused as relaying. */
const relaying = [
  `<u@${other}>`,
  `u@${other}`,
  `<u%${other}@${ours}>`,
  `<u%${other}@[127.0.0.1]>`,
  `<"u@${other}">`,
  `<"u%${other}">`,
  `<"u@${other}"@${ours}>`,
  `<@${ours}:u@${other}>`,
  `<@${ours},@${other}:u@${other}>`,
  `<${other}!u>`,
  `<${other}!u@${ours}>`,
  `<${other}!u@[127.0.0.1]>`,
  `<u%${other}>`,
  `<u@[192.0.2.25]>`,
  `<u@[IPv6:2001:db8::25]>`,
  `<u@sub.${ours}.${other}>`,
  `<u@${ours}.>`,
  `<u@${other}.>`,
  `<"u\\@${other}"@${ours}>`,
  `<bob%${other}%x@${ours}>`,
  `<u@${other}@${ours}>`,
];
/** Forms that stay here; nobody of that name exists. */
const unknown = ['<x@localhost>', '<x>', `<x@${ours}>`, '<x@[127.0.0.1]>', '<x@[IPv6:::1]>'];

const listeners: [string, string][] = [
  [
    'relay restrictions as Postfix has them',
    'smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination',
  ],
  [
    'recipient restrictions only',
    'smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination',
  ],
  [
    'a permit of another list does not help',
    'smtpd_client_restrictions = permit\nsmtpd_helo_restrictions = permit\nsmtpd_sender_restrictions = permit\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\nsmtpd_recipient_restrictions = permit',
  ],
];

async function rcpt(server: TestServer, sender: string, recipient: string): Promise<string | undefined> {
  const talk = await Talk.open(server.port);
  try {
    await talk.expect('220 *');
    await talk.send('EHLO stranger.example\r\n');
    while (!(await talk.line())?.startsWith('250 '));
    await talk.send(`MAIL FROM:${sender}\r\n`);
    await talk.expect('250 2.1.0 Ok');
    await talk.send(`RCPT TO:${recipient}\r\n`);
    return await talk.line();
  } finally {
    talk.close();
  }
}

describe.each(listeners)('%s', (_name, config) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(
      `mynetworks = 192.0.2.0/24\nsmtpd_client_event_limit_exceptions = 127.0.0.1\nsmtpd_error_sleep_time = 0\nmydestination = $myhostname, localhost.$mydomain, localhost\n${config}`,
    );
  });
  afterAll(() => server.close());

  test.each(relaying)('%s is refused', async (recipient) => {
    for (const sender of ['<spammer@evil.example>', '<>', `<postmaster@${ours}>`]) {
      const reply = await rcpt(server, sender, recipient);
      expect(reply).toMatch(/^554 5\.7\.1 <.*>: Relay access denied$|^501 5\.1\.3 Bad recipient address syntax$/);
    }
  });

  test.each(unknown)('%s is unknown here', async (recipient) => {
    expect(await rcpt(server, '<>', recipient)).toMatch(
      /^550 5\.1\.1 <.*>: Recipient address rejected: User unknown in local recipient table$/,
    );
  });

  test('a known recipient and postmaster are taken', async () => {
    expect(await rcpt(server, '<>', `<bob@${ours}>`)).toBe('250 2.1.5 Ok');
    expect(await rcpt(server, '<>', '<postmaster>')).toBe('250 2.1.5 Ok');
    expect(await rcpt(server, '<>', '<"x@evil y"@localhost>')).toMatch(/^554 5\.7\.1/);
  });

  test('every refusal is in the log', async () => {
    await rcpt(server, '<a@b.example>', `<u@${other}>`);
    expect(server.log).toContain(
      `smtpd: NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 554 5.7.1 <u@${other}>: Relay access denied; from=<a@b.example> to=<u@${other}> proto=ESMTP helo=<stranger.example>`,
    );
  });
});

test('a server whose lists guard nothing takes nothing', async () => {
  const server = await startServer(
    'mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit',
  );
  expect(await rcpt(server, '<>', `<u@${other}>`)).toBe('451 4.3.5 Server configuration error');
  expect(await rcpt(server, '<>', `<bob@${ours}>`)).toBe('451 4.3.5 Server configuration error');
  await server.close();
});

test('mynetworks may relay, but not to people we know do not exist', async () => {
  const server = await startServer('mynetworks = 127.0.0.0/8 [::1]/128');
  expect(await rcpt(server, '<>', `<u@${other}>`)).toBe('250 2.1.5 Ok');
  expect(await rcpt(server, '<>', `<u%${other}@${ours}>`)).toMatch(/^550 5\.1\.1/);
  expect(await rcpt(server, '<>', `<x@${ours}>`)).toMatch(/^550 5\.1\.1/);
  await server.close();
});

test('domains that we relay for, with their subdomains; virtual domains', async () => {
  const server = await startServer(
    'mynetworks = 192.0.2.0/24\nrelay_domains = !not.relayed.example relayed.example\nvirtual_mailbox_domains = virtual.example\nvirtual_alias_domains = alias.example',
  );
  expect(await rcpt(server, '<>', '<bob@relayed.example>')).toBe('250 2.1.5 Ok');
  expect(await rcpt(server, '<>', '<bob@a.RELAYED.example>')).toBe('250 2.1.5 Ok');
  expect(await rcpt(server, '<>', '<bob@not.relayed.example>')).toMatch(/^454 4\.7\.1/);
  expect(await rcpt(server, '<>', '<bob@notrelayed.example>')).toMatch(/^454 4\.7\.1 <.*>: Relay access denied$/);
  expect(await rcpt(server, '<>', '<x@virtual.example>')).toMatch(/^550 5\.1\.1 .*virtual mailbox table$/);
  expect(await rcpt(server, '<>', '<x@alias.example>')).toMatch(/^550 5\.1\.1 .*virtual alias table$/);
  await server.close();
});

test('a lookup that fails is a temporary refusal', async () => {
  const server = await startServer('', { known: () => Promise.reject(new Error('table is broken')) });
  expect(await rcpt(server, '<>', `<bob@${ours}>`)).toBe(`451 4.3.0 <bob@${ours}>: Temporary lookup failure`);
  await server.close();
});
