import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterEach, expect, test } from 'vitest';
import type { DeliveryAgent, DeliveryOutcome } from '../qmgr/agent.ts';
import { testConfiguration } from '../qmgr/testing/test-configuration.ts';
import type { NewRecipient, QueuedMessage, StoredBody } from '../queue/store.ts';
import { queuedMessage } from '../queue/testing/messages.ts';
import { createSmtpAgent } from './agent.ts';
import type { Dns } from './hosts.ts';
import { scriptedServer, type Script, type ScriptedServer } from './testing/scripted-server.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function server(script: Script = {}): Promise<ScriptedServer> {
  const one = await scriptedServer(script);
  closers.push(() => one.close());
  return one;
}

function agentWith(
  set: Record<string, string> = {},
  more: { dns?: Dns; lookup?: (map: string, key: string) => string | undefined } = {},
): { agent: DeliveryAgent; log: string[] } {
  const log: string[] = [];
  const configuration = testConfiguration(set);
  const agent = createSmtpAgent({
    configuration: () => configuration,
    log: { line: (_, text) => void log.push(text) },
    ...more,
  });
  closers.push(() => agent.close());
  return { agent, log };
}

const text = (data: string): StoredBody => ({ kind: 'memory', data: Buffer.from(data) });

function deliver(
  agent: DeliveryAgent,
  nexthop: string,
  to: readonly (string | NewRecipient)[],
  more: { message?: Partial<QueuedMessage>; body?: StoredBody } = {},
): Promise<DeliveryOutcome[]> {
  const recipients = to.map((recipient, index) => ({
    ...(typeof recipient === 'string' ? { address: recipient } : recipient),
    index,
    state: 'waiting' as const,
  }));
  const message = queuedMessage({ id: 'B76B92205CE', recipients, ...more.message });
  return agent.deliver({
    message,
    recipients,
    route: { transport: 'smtp', nexthop },
    body: more.body ?? text('Subject: hi\n\n.dot\n..\nlast'),
  });
}

test('a message over a pipelined session: dots stuffed, CRLF, relay and queue id told', async () => {
  const peer = await server({ capabilities: ['PIPELINING', 'SIZE 1000000', '8BITMIME'] });
  const { agent } = agentWith();
  const [outcome] = await deliver(agent, peer.nexthop, ['bob@example.net'], {
    message: { envelope: { sender: 'ada@example.org', body: '8BITMIME' } },
  });
  expect(outcome).toMatchObject({
    index: 0,
    state: 'sent',
    dsn: '2.0.0',
    reason: '250 2.0.0 Ok: queued as TEST',
    relay: `127.0.0.1[127.0.0.1]:${peer.port}`,
    remoteMta: '127.0.0.1',
  });
  expect(peer.lines).toEqual([
    'EHLO mail.example.test',
    'MAIL FROM:<ada@example.org> SIZE=20 BODY=8BITMIME',
    'RCPT TO:<bob@example.net>',
    'DATA',
    '.',
  ]);
  expect(peer.messages).toEqual(['Subject: hi\r\n\r\n..dot\r\n...\r\nlast\r\n']);
});

test.each([['PIPELINING'], ['NOTHING']])('each recipient has its own answer (%s)', async (capability) => {
  const peer = await server({
    capabilities: [capability],
    answer: (line) =>
      line.includes('<no@')
        ? '550-5.1.1 no\r\n550 5.1.1 such user'
        : line.includes('<late@')
          ? '450 4.2.0 Greylisted'
          : undefined,
  });
  const { agent } = agentWith();
  const outcomes = await deliver(agent, peer.nexthop, ['no@x.test', 'yes@x.test', 'late@x.test']);
  expect(outcomes.map(({ state, dsn, reason }) => [state, dsn, reason])).toEqual([
    [
      'bounced',
      '5.1.1',
      'host 127.0.0.1[127.0.0.1] said: 550-5.1.1 no 550 5.1.1 such user (in reply to RCPT TO command)',
    ],
    ['sent', '2.0.0', '250 2.0.0 Ok: queued as TEST'],
    ['deferred', '4.2.0', 'host 127.0.0.1[127.0.0.1] said: 450 4.2.0 Greylisted (in reply to RCPT TO command)'],
  ]);
  expect(outcomes.some(({ destinationFailed }) => destinationFailed)).toBe(false);
  expect(outcomes[0]?.diagnostic).toBe('550-5.1.1 no 550 5.1.1 such user');
});

test.each<[string, Script, string, string, string, boolean]>([
  [
    'greeting',
    { greeting: '554 5.7.1 go away' },
    'deferred',
    '4.7.1',
    'host 127.0.0.1[127.0.0.1] refused to talk to me: 554 5.7.1 go away',
    true,
  ],
  [
    'EHLO',
    { answer: (line) => (line.startsWith('EHLO') ? '421 4.3.2 busy' : undefined) },
    'deferred',
    '4.3.2',
    'host 127.0.0.1[127.0.0.1] refused to talk to me: 421 4.3.2 busy',
    true,
  ],
  [
    'MAIL 4xx',
    { answer: (line) => (line.startsWith('MAIL') ? '451 4.3.0 later' : undefined) },
    'deferred',
    '4.3.0',
    'host 127.0.0.1[127.0.0.1] said: 451 4.3.0 later (in reply to MAIL FROM command)',
    false,
  ],
  [
    'MAIL 5xx',
    { answer: (line) => (line.startsWith('MAIL') ? '550 never' : undefined) },
    'bounced',
    '5.0.0',
    'host 127.0.0.1[127.0.0.1] said: 550 never (in reply to MAIL FROM command)',
    false,
  ],
  [
    'DATA',
    { answer: (line) => (line === 'DATA' ? '554 5.7.0 no' : undefined) },
    'bounced',
    '5.7.0',
    'host 127.0.0.1[127.0.0.1] said: 554 5.7.0 no (in reply to DATA command)',
    false,
  ],
  [
    'end of data',
    { answer: (line) => (line === '.' ? '552 5.2.2 full' : undefined) },
    'bounced',
    '5.2.2',
    'host 127.0.0.1[127.0.0.1] said: 552 5.2.2 full (in reply to end of DATA command)',
    false,
  ],
  [
    'hang up at greeting',
    { greeting: 'hang up' },
    'deferred',
    '4.4.2',
    'lost connection with 127.0.0.1[127.0.0.1] while receiving the initial server greeting',
    true,
  ],
  [
    'hang up at RCPT',
    { capabilities: ['X'], answer: (line) => (line.startsWith('RCPT') ? 'hang up' : undefined) },
    'deferred',
    '4.4.2',
    'lost connection with 127.0.0.1[127.0.0.1] while sending RCPT TO',
    true,
  ],
  [
    'hang up at end',
    { answer: (line) => (line === '.' ? 'hang up' : undefined) },
    'deferred',
    '4.4.2',
    'lost connection with 127.0.0.1[127.0.0.1] while sending end of data -- message may be sent more than once',
    true,
  ],
  [
    'nonsense',
    { answer: (line) => (line.startsWith('MAIL') ? 'HTTP/1.1 200' : undefined) },
    'deferred',
    '4.5.0',
    'host 127.0.0.1[127.0.0.1] said: HTTP/1.1 200 (in reply to MAIL FROM command)',
    false,
  ],
  [
    'too big',
    { capabilities: ['SIZE 10'] },
    'bounced',
    '5.3.4',
    'message size 20 exceeds size limit 10 of server 127.0.0.1[127.0.0.1]',
    false,
  ],
])('%s', async (_, script, state, dsn, reason, destinationFailed) => {
  const peer = await server(script);
  const { agent } = agentWith();
  const [outcome] = await deliver(agent, peer.nexthop, ['bob@x.test']);
  expect(outcome).toMatchObject({ state, dsn, reason });
  expect(outcome?.destinationFailed === true).toBe(destinationFailed);
});

test('a server that says nothing is given up after the time limit', async () => {
  const peer = await server({
    answer: (line) => (line.startsWith('MAIL') ? 'silence' : undefined),
    capabilities: ['X'],
  });
  const { agent } = agentWith({ smtp_mail_timeout: '1s' });
  const [outcome] = await deliver(agent, peer.nexthop, ['bob@x.test']);
  expect(outcome).toMatchObject({
    state: 'deferred',
    dsn: '4.4.2',
    reason: 'conversation with 127.0.0.1[127.0.0.1] timed out while sending MAIL FROM',
  });
});

test('no data for nobody: all recipients refused, nothing of the message is sent', async () => {
  const peer = await server({ answer: (line) => (line.startsWith('RCPT') ? '550 5.1.1 no' : undefined) });
  const { agent } = agentWith();
  const [outcome] = await deliver(agent, peer.nexthop, ['bob@x.test'], { body: text('MAIL FROM:<evil>\n') });
  expect(outcome).toMatchObject({ state: 'bounced', dsn: '5.1.1' });
  expect(peer.messages).toEqual([]);
  expect(peer.lines.at(-1)).toBe('DATA');
});

test('connection refused names host and port', async () => {
  const peer = await server();
  await peer.close();
  const { agent, log } = agentWith();
  const [outcome] = await deliver(agent, peer.nexthop, ['bob@x.test']);
  expect(outcome).toMatchObject({
    state: 'deferred',
    dsn: '4.4.1',
    relay: 'none',
    reason: `connect to 127.0.0.1[127.0.0.1]:${peer.port}: Connection refused`,
    destinationFailed: true,
  });
  expect(log).toEqual([outcome?.reason]);
});

test('a session is used again, and a stale one is replaced without a failure', async () => {
  const peer = await server();
  const { agent } = agentWith();
  const one = await deliver(agent, peer.nexthop, ['a@x.test']);
  const two = await deliver(agent, peer.nexthop, ['b@x.test']);
  expect(peer.connections()).toBe(1);
  expect([one[0]?.connectionUse, two[0]?.connectionUse]).toEqual([undefined, 2]);
  expect(two[0]?.connection).toBe(0);
  peer.hangUp();
  const three = await deliver(agent, peer.nexthop, ['c@x.test']);
  expect(three[0]).toMatchObject({ state: 'sent' });
  expect(peer.connections()).toBe(2);
});

test('a kept session that says 421 is replaced too', async () => {
  let mails = 0;
  const peer = await server({
    answer: (line) => (line.startsWith('MAIL') && ++mails === 2 ? '421 4.4.2 idle' : undefined),
  });
  const { agent } = agentWith();
  await deliver(agent, peer.nexthop, ['a@x.test']);
  expect((await deliver(agent, peer.nexthop, ['b@x.test']))[0]).toMatchObject({ state: 'sent' });
});

test('control characters in an address never reach the wire', async () => {
  const peer = await server();
  const { agent } = agentWith();
  const outcomes = await deliver(agent, peer.nexthop, ['a@x.test>\r\nRCPT TO:<evil@x.test', 'odd name@x.test']);
  expect(outcomes[0]).toMatchObject({ state: 'bounced', dsn: '5.1.3' });
  expect(peer.lines.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<"odd name"@x.test>']);
});

test('DSN parameters are passed on when offered, SMTPUTF8 is required when needed', async () => {
  const peer = await server({ capabilities: ['PIPELINING', 'DSN'] });
  const { agent } = agentWith();
  const outcomes = await deliver(
    agent,
    peer.nexthop,
    [{ address: 'b@x.test', notify: ['SUCCESS', 'FAILURE'], originalRecipient: 'rfc822;b+1@x.test' }],
    { message: { envelope: { sender: 'ada@example.org', ret: 'HDRS', envelopeId: 'QQ 314' } } },
  );
  expect(peer.lines).toContain('MAIL FROM:<ada@example.org> RET=HDRS ENVID=QQ+20314');
  expect(peer.lines).toContain('RCPT TO:<b@x.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2B1@x.test');
  expect(outcomes[0]?.dsnPassedOn).toBe(true);
  const [utf8] = await deliver(agent, peer.nexthop, ['dürst@x.test']);
  expect(utf8).toMatchObject({
    state: 'bounced',
    dsn: '5.6.7',
    reason: 'SMTPUTF8 is required, but was not offered by host 127.0.0.1[127.0.0.1]',
  });
});

test('a large message comes from its file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'smtp-'));
  closers.push(() => rm(folder, { recursive: true }));
  const path = join(folder, 'body');
  const line = `${'x'.repeat(70)}\n`;
  await writeFile(path, `Subject: big\n\n${line.repeat(40_000)}`);
  const peer = await server();
  const { agent } = agentWith();
  const [outcome] = await deliver(agent, peer.nexthop, ['b@x.test'], { body: { kind: 'file', path, size: 1 } });
  expect(outcome).toMatchObject({ state: 'sent' });
  expect(peer.messages[0]?.length).toBe(16 + 72 * 40_000);
});

test('MX hosts by preference; the next is tried when one is down or says 4xx', async () => {
  const good = await server();
  const dns: Dns = {
    mx: () =>
      Promise.resolve([
        { exchange: 'second.test', priority: 20 },
        { exchange: 'down.test', priority: 10 },
      ]),
    // 127.0.0.9 is loopback too, and nobody listens there on that port.
    addresses: (host, family) =>
      family === 6
        ? Promise.reject(Object.assign(new Error(), { code: 'ENODATA' }))
        : Promise.resolve([host === 'down.test' ? '127.0.0.9' : '127.0.0.1']),
  };
  const { agent, log } = agentWith({ smtp_tcp_port: String(good.port) }, { dns });
  const [outcome] = await deliver(agent, 'example.test', ['b@example.test']);
  expect(outcome).toMatchObject({ state: 'sent', relay: `second.test[127.0.0.1]:${good.port}` });
  expect(log).toEqual([`connect to down.test[127.0.0.9]:${good.port}: Connection refused`]);
});

test('STARTTLS when offered, AUTH over it; a wrong password defers', async () => {
  const secure: boolean[] = [];
  const peer = new SMTPServer({
    authMethods: ['PLAIN', 'LOGIN'],
    disableReverseLookup: true,
    onAuth: (auth, _, callback) =>
      auth.username === 'u' && auth.password === 'p:w' ? callback(null, { user: 'u' }) : callback(new Error('no')),
    onData: (stream, session, callback) => {
      secure.push(session.secure);
      stream.resume();
      stream.on('end', () => callback());
    },
  });
  peer.on('error', () => undefined);
  await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', () => resolve()));
  closers.push(() => new Promise<void>((resolve) => peer.close(() => resolve())));
  const { port } = peer.server.address() as { port: number };
  const set = {
    smtp_sasl_auth_enable: 'yes',
    smtp_sasl_password_maps: 'hash:x',
    smtp_sasl_tls_security_options: 'noanonymous',
    smtp_tls_security_level: 'encrypt',
  };
  const right = agentWith(set, { lookup: (_, key) => (key === `[127.0.0.1]:${port}` ? 'u:p:w' : undefined) });
  expect((await deliver(right.agent, `[127.0.0.1]:${port}`, ['b@x.test']))[0]).toMatchObject({ state: 'sent' });
  expect(secure).toEqual([true]);
  expect(right.log[0]).toMatch(
    /^Untrusted TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3 with cipher /,
  );
  const wrong = agentWith(set, { lookup: () => 'u:wrong' });
  const [refused] = await deliver(wrong.agent, `[127.0.0.1]:${port}`, ['b@x.test']);
  expect(refused).toMatchObject({ state: 'deferred', dsn: '4.7.0' });
  expect(refused?.reason).toMatch(/^SASL authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] said: 535 /);
  expect([...wrong.log, refused?.reason].join()).not.toContain('wrong');
  const checked = agentWith({ ...set, smtp_tls_security_level: 'verify' });
  expect((await deliver(checked.agent, `[127.0.0.1]:${port}`, ['b@x.test']))[0]).toMatchObject({
    state: 'deferred',
    dsn: '4.7.5',
  });
});

test('TLS required but not offered defers', async () => {
  const peer = await server();
  const { agent } = agentWith({ smtp_tls_security_level: 'encrypt' });
  expect((await deliver(agent, peer.nexthop, ['b@x.test']))[0]).toMatchObject({
    state: 'deferred',
    dsn: '4.7.4',
    reason: 'TLS is required, but was not offered by host 127.0.0.1[127.0.0.1]',
  });
});

test('what is slipped in behind the STARTTLS reply is refused; a failed handshake goes plain only later', async () => {
  const injecting = await server({
    capabilities: ['STARTTLS'],
    answer: (line) => (line === 'STARTTLS' ? '220 go\r\n250 injected' : undefined),
  });
  const { agent } = agentWith();
  const [young] = await deliver(agent, injecting.nexthop, ['b@x.test']);
  expect(young).toMatchObject({ state: 'deferred', dsn: '4.7.5' });
  expect(young?.reason).toContain('sent more than its reply to STARTTLS');
  const old = await deliver(agent, injecting.nexthop, ['b@x.test'], { message: { arrival: Date.now() - 400_000 } });
  expect(old[0]).toMatchObject({ state: 'sent' });
});
