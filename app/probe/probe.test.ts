import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { generate } from 'selfsigned';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestMessage, Transcript } from '../contract/api.ts';
import { dataBytes, parseAddress } from './message.ts';
import { sendProbe, type ProbeOptions } from './probe.ts';

let certificate: { key: string; cert: string };
const closers: (() => void)[] = [];

beforeAll(async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'probe.test' }]);
  certificate = { key, cert };
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Caught {
  port: number;
  messages: { from: string; to: string[]; data: string; user: string | undefined }[];
}

/** A real SMTP server. */
async function realServer(options: SMTPServerOptions = {}): Promise<Caught> {
  const messages: Caught['messages'] = [];
  const server = new SMTPServer({
    ...certificate,
    authOptional: true,
    allowInsecureAuth: true,
    closeTimeout: 10,
    onAuth: ({ username, password }, _session, done) =>
      password === 'correct horse' && username !== undefined
        ? done(null, { user: username })
        : done(Object.assign(new Error(`Wrong: ${password ?? ''}`), { responseCode: 535 })),
    onRcptTo: ({ address }, _session, done) =>
      address.startsWith('nobody')
        ? done(Object.assign(new Error('5.1.1 unknown user'), { responseCode: 550 }))
        : done(),
    onData: (stream, session, done) => {
      let data = '';
      stream.on('data', (chunk: Buffer) => (data += chunk.toString()));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        messages.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          data,
          user: session.user as string | undefined,
        });
        done(null, '2.0.0 Ok: queued as 4Xyz1Q2w3e');
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => void server.close(() => undefined));
  return { port: (server.server.address() as AddressInfo).port, messages };
}

/** A server that says what it is told: a greeting, then one answer a line received. `null` hangs up. */
async function scripted(greeting: string, answers: (string | null)[] = []): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const left = [...answers];
    socket.on('error', () => undefined);
    socket.write(greeting);
    socket.on('data', () => {
      const answer = left.shift();
      if (answer === null) socket.destroy();
      else if (answer !== undefined) socket.write(answer);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

function probe(message: Partial<TestMessage> & { port: number }, options?: ProbeOptions): Promise<Transcript> {
  return sendProbe(
    TestMessage.parse({
      from: 'ann@example.org',
      to: ['bob@example.org'],
      subject: 'Hello',
      text: 'Hi\n.\n..\nbye',
      host: '127.0.0.1',
      ...message,
    }),
    options,
  );
}

function client(transcript: Transcript): string[] {
  return transcript.lines.filter(({ side }) => side === 'client').map(({ text }) => text);
}

describe('a message that is taken', () => {
  test('arrives whole, and the transcript tells every line with code, status and time', async () => {
    const server = await realServer();
    const transcript = await probe({ port: server.port, to: ['bob@example.org', 'Eve <eve@example.org>'] });
    expect(transcript).toMatchObject({ ok: true, queueId: '4Xyz1Q2w3e' });
    expect(Transcript.parse(transcript)).toEqual(transcript);
    expect(client(transcript)).toEqual([
      'EHLO [127.0.0.1]',
      expect.stringMatching(/^MAIL FROM:<ann@example\.org>/),
      'RCPT TO:<bob@example.org>',
      'RCPT TO:<eve@example.org>',
      'DATA',
      'QUIT',
    ]);
    const taken = transcript.lines.find(({ text }) => text.includes('queued as'));
    expect(taken).toMatchObject({ side: 'server', code: 250, enhanced: '2.0.0' });
    const times = transcript.lines.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const [message] = server.messages;
    expect(message).toMatchObject({ from: 'ann@example.org', to: ['bob@example.org', 'eve@example.org'] });
    expect(message?.data).toMatch(/^Subject: Hello\r$/m);
    expect(message?.data.endsWith('\r\n\r\nHi\r\n.\r\n..\r\nbye\r\n')).toBe(true);
  });

  test('may have HTML, a null sender, letters beyond ASCII; files and addresses on the web stay unread', async () => {
    const server = await realServer();
    const transcript = await probe({
      port: server.port,
      from: '',
      to: ['jürgen@bücher.example'],
      subject: 'Grüße 你好',
      html: '<img src="file:///etc/passwd"><p>ok</p>',
    });
    expect(transcript.ok).toBe(true);
    expect(server.messages[0]?.from).toBe('');
    expect(client(transcript)[1]).toMatch(/ SMTPUTF8$/);
    expect(server.messages[0]?.data).not.toContain('root:');
  });

  test('goes to those who are taken; who was refused is said', async () => {
    const server = await realServer();
    const transcript = await probe({ port: server.port, to: ['bob@example.org', 'nobody@example.org'] });
    expect(transcript).toMatchObject({
      ok: false,
      queueId: '4Xyz1Q2w3e',
      failure: { step: 'rcpt', message: expect.stringMatching(/^1 of 2 .*nobody@example\.org: 550 5\.1\.1/s) },
    });
    expect(server.messages).toHaveLength(1);
  });
});

describe('encryption', () => {
  test('by STARTTLS, with EHLO again and a note about the certificate', async () => {
    const server = await realServer();
    const transcript = await probe({ port: server.port, security: 'starttls' });
    expect(transcript).toMatchObject({ ok: true, tls: expect.stringMatching(/^TLSv1\.[23] /) });
    expect(client(transcript).slice(0, 3)).toEqual(['EHLO [127.0.0.1]', 'STARTTLS', 'EHLO [127.0.0.1]']);
    expect(transcript.lines.some(({ text }) => text.includes('not trusted'))).toBe(true);
  });

  test('from the first byte', async () => {
    const server = await realServer({ secure: true });
    expect(await probe({ port: server.port, security: 'tls' })).toMatchObject({
      ok: true,
      tls: expect.stringContaining('TLS'),
    });
  });

  test('that is not offered is a failure of its own', async () => {
    const server = await realServer({ disabledCommands: ['STARTTLS'] });
    const transcript = await probe({ port: server.port, security: 'starttls' });
    expect(transcript).toMatchObject({ ok: false, failure: { step: 'starttls' } });
    expect(server.messages).toHaveLength(0);
    expect(client(transcript).at(-1)).toBe('QUIT');
  });

  test('answers typed before STARTTLS are not believed', async () => {
    const port = await scripted('220 x\r\n', ['250-x\r\n250 STARTTLS\r\n', '220 go\r\n250 queued as EVIL\r\n']);
    expect(await probe({ port, security: 'starttls' })).toMatchObject({
      ok: false,
      failure: { step: 'starttls', message: 'The server sent data before encryption began' },
    });
  });

  test('with a server that speaks no TLS fails in words', async () => {
    const port = await scripted('220 plain\r\n');
    const transcript = await probe({ port, security: 'tls' }, { timeouts: { connect: 2000 } });
    expect(transcript).toMatchObject({ ok: false, failure: { step: 'tls' } });
  });

  test('asked for in clear of a TLS port times out in words', async () => {
    const tls = createTlsServer(certificate).listen(0, '127.0.0.1');
    tls.on('tlsClientError', () => undefined);
    await once(tls, 'listening');
    closers.push(() => void tls.close());
    const transcript = await probe({ port: (tls.address() as AddressInfo).port }, { timeouts: { reply: 100 } });
    expect(transcript.failure).toEqual({ step: 'greeting', message: 'No answer within 0.1 seconds' });
  });
});

describe('AUTH', () => {
  const login = { username: 'ann', password: 'correct horse' };
  const secrets = ['correct horse', Buffer.from('correct horse').toString('base64')];

  test.each([
    ['PLAIN', ['AUTH PLAIN ••••']],
    ['LOGIN', ['AUTH LOGIN', 'YW5u', '••••']],
  ])('%s, with the password nowhere in the transcript', async (name, said) => {
    const server = await realServer({ authMethods: [name] });
    const transcript = await probe({ port: server.port, ...login });
    expect(transcript.ok).toBe(true);
    expect(client(transcript).slice(1, 1 + said.length)).toEqual(said);
    expect(server.messages[0]?.user).toBe('ann');
    for (const secret of secrets) expect(JSON.stringify(transcript)).not.toContain(secret);
  });

  test('a wrong password is a result, even when the server repeats it', async () => {
    const server = await realServer();
    const transcript = await probe({ port: server.port, username: 'ann', password: 'hunter2hunter2' });
    expect(transcript).toMatchObject({ ok: false, failure: { step: 'auth', message: expect.stringMatching(/^535/) } });
    expect(JSON.stringify(transcript)).not.toContain('hunter2');
    expect(JSON.stringify(transcript)).toContain('Wrong: ••••');
  });

  test('that the server does not offer, or only in ways we do not know', async () => {
    const none = await realServer({ disabledCommands: ['AUTH'] });
    expect((await probe({ port: none.port, ...login })).failure?.message).toContain('does not offer AUTH');
    const odd = await scripted('220 x\r\n', ['250-x\r\n250 AUTH GSSAPI\r\n', '221 bye\r\n']);
    expect((await probe({ port: odd, ...login })).failure?.message).toContain('offers AUTH GSSAPI');
  });
});

describe('a refusal is a result', () => {
  const ehlo = '250 hello\r\n';
  test.each<[string, string, (string | null)[], string, RegExp]>([
    ['greeting', '554 5.7.1 no\r\n', [], 'greeting', /^554 5\.7\.1 no$/],
    ['busy', '421 later\r\n', [], 'greeting', /^421/],
    ['not SMTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', [], 'greeting', /no SMTP server/],
    ['silence', '', [], 'greeting', /No answer within/],
    ['HELO too', '220 x\r\n', ['502 no\r\n', '502 no\r\n'], 'helo', /^502/],
    ['MAIL', '220 x\r\n', [ehlo, '451 4.3.0 disk\r\n'], 'mail', /^451 4\.3\.0/],
    [
      'RCPT',
      '220 x\r\n',
      [ehlo, ehlo, '550-5.1.1 no\r\n550 5.1.1 such user\r\n'],
      'rcpt',
      /550 5\.1\.1 no 5\.1\.1 such/,
    ],
    ['DATA', '220 x\r\n', [ehlo, ehlo, ehlo, '503 no\r\n'], 'data', /^503/],
    ['message', '220 x\r\n', [ehlo, ehlo, ehlo, '354 go\r\n', '552 5.3.4 big\r\n'], 'message', /^552/],
    ['hang-up', '220 x\r\n', [ehlo, ehlo, null], 'rcpt', /closed the connection|broke the connection/],
    ['long line', `220 ${'x'.repeat(10_000)}\r\n`, [], 'greeting', /line of more than/],
    ['many lines', '220-x\r\n'.repeat(600), [], 'greeting', /more than 500 lines/],
  ])('%s', async (_name, greeting, answers, step, message) => {
    const port = await scripted(greeting, answers);
    const transcript = await probe({ port }, { timeouts: { reply: 300, data: 300 } });
    expect(transcript).toMatchObject({ ok: false, failure: { step, message: expect.stringMatching(message) } });
    expect(transcript.lines.at(-1)?.side).toBe('note');
  });

  test('HELO is tried when EHLO is not known', async () => {
    const port = await scripted('220 old\r\n', [
      '500 what\r\n',
      '250 hi\r\n',
      '250 ok\r\n',
      '250 ok\r\n',
      '354 go\r\n',
      '250 taken\r\n',
      '221 bye\r\n',
    ]);
    const transcript = await probe({ port });
    expect(transcript.ok).toBe(true);
    expect(transcript.queueId).toBeUndefined();
    expect(client(transcript)[1]).toBe('HELO [127.0.0.1]');
  });

  test('nobody listens', async () => {
    const port = await scripted('');
    for (const close of closers.splice(0)) close();
    const transcript = await probe({ port });
    expect(transcript.failure).toEqual({
      step: 'connect',
      message: `Connection refused: nothing listens on 127.0.0.1, port ${port}`,
    });
  });

  test('what a server sends cannot steer a terminal', async () => {
    const port = await scripted('554 \u001b[2Jgone\u0007\r\n');
    const transcript = await probe({ port });
    expect(transcript.lines.some(({ text }) => text === '554 \\u001b[2Jgone\\u0007')).toBe(true);
  });

  test('cancelling ends it', async () => {
    const port = await scripted('');
    const stop = new AbortController();
    const sent = probe({ port }, { signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await expect(sent).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('bad input', () => {
  test.each<[string, Partial<TestMessage>]>([
    ['from', { from: 'ann@example.org>\r\nRCPT TO:<x@y' }],
    ['from', { from: 'ann@example.org> SIZE=1' }],
    ['to.1', { to: ['bob@example.org', 'eve@example.org\n'] }],
    ['to.0', { to: ['bob@ex ample.org'] }],
    ['subject', { subject: 'Hi\r\nBcc: eve@example.org' }],
    ['subject', { subject: 'Hi\u0000' }],
    ['host', { host: '127.0.0.1\n' }],
    ['username', { username: 'a\u0000b' }],
    ['password', { username: 'a', password: 'b\u0000' }],
  ])('%s: %j', async (field, message) => {
    await expect(probe({ port: 1, ...message })).rejects.toMatchObject({ code: 'bad-input', field });
  });

  test('no address that passes can leave its angle brackets', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        let address: string;
        try {
          ({ address } = parseAddress('to', text));
        } catch {
          return;
        }
        const outside = address.replace(/^"(?:[^"\\]|\\.)*"/, '');
        expect(outside).not.toMatch(/[<>\s\p{Cc}]/u);
        expect(address).not.toMatch(/[\r\n\0]/);
      }),
    );
  });

  test('the message on the wire ends only at its end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('\r', '\n', '\r\n', '.', 'a', 'é'), { maxLength: 40 }).map((parts) => parts.join('')),
        (text) => {
          const wire = dataBytes(Buffer.from(text)).toString();
          expect(wire.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
          expect(`\r\n${wire}`.indexOf('\r\n.\r\n')).toBe(wire.length + 2 - 5);
          const body = wire.slice(0, -3).replace(/^\./gm, '');
          expect(body).toBe(text === '' ? '' : text.replace(/\r\n|\r|\n/g, '\r\n').replace(/(?<!\r\n)$/, '\r\n'));
        },
      ),
    );
  });
});
