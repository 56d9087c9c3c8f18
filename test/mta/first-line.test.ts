/**
 * The whole line, by programs that people use: mail sent by smtplib, swaks, curl and smtp-source is caught, stored and
 * lies in Maildirs that another program reads; the queue commands see and act on what cannot be delivered.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { header, mailbox, readMaildir } from '../support/maildir.ts';
import { freePort } from '../support/postfix.ts';
import { command, eventually, postrider, startServer, type RunningServer } from '../support/server.ts';
import { SmtpClient } from '../support/smtp-client.ts';

async function arrived(data: string, name: string, count = 1): ReturnType<typeof readMaildir> {
  return eventually(async () => {
    const messages = await readMaildir(mailbox(data, name)).catch(() => []);
    return messages.length >= count ? messages : undefined;
  }, `${count} message(s) for ${name}`);
}

describe('the sink, with real clients', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ profile: 'sink' });
  });
  afterAll(() => server.cleanUp());

  it('prints one JSON object when it is ready', () => {
    expect(server.ready).toMatchObject({ event: 'ready', data: server.data });
    expect(server.ready.smtp).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
    expect(server.ready.http).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(server.ready.url).toMatch(/token=[\w-]{43}$/);
    expect(server.ready.pid).not.toBe(server.process.pid);
  });

  it('is ready by its own word', async () => {
    expect(await server.run('readyz', '--wait')).toMatchObject({ code: 0 });
  });

  it('smtplib', async () => {
    const script = `
import smtplib, sys
from email.message import EmailMessage
m = EmailMessage()
m["From"] = "Shop <shop@example.test>"
m["To"] = "ada@python.test"
m["Subject"] = "Größe 12"
m.set_content("Hello\\n.\\n..dots\\nend")
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as s:
    s.send_message(m)
`;
    const { code, stderr } = await command('python3', ['-c', script, String(server.port)]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const [message] = await arrived(server.data, 'ada@python.test');
    expect(message?.body).toBe('Hello\n.\n..dots\nend\n');
    expect(header(message, 'Return-Path')).toBe('<shop@example.test>');
    expect(header(message, 'Delivered-To')).toBe('ada@python.test');
    expect(header(message, 'Received')).toMatch(/^from .*\sby .*\(Postrider\) with E?SMTP/s);
  });

  it('swaks, with STARTTLS and AUTH: the SMTP user has a mailbox', async () => {
    for (const mechanism of ['PLAIN', 'LOGIN']) {
      const { code, stdout } = await command('swaks', [
        ...['--server', `127.0.0.1:${server.port}`, '--from', 'a@example.test', '--to', 'b@example.test', '--tls'],
        ...['--auth', mechanism, '--auth-user', 'orders', '--auth-password', 'anything'],
      ]);
      expect(code, stdout).toBe(0);
      expect(stdout).toContain('235 2.7.0 Authentication successful');
      expect(stdout).toMatch(/250 2\.0\.0 Ok: queued as [0-9A-Za-z]+/);
    }
    const messages = await arrived(server.data, 'orders', 2);
    expect(header(messages[0], 'Received')).toContain('ESMTPSA');
  });

  it('curl', async () => {
    const { code, stderr } = await command(
      'curl',
      [
        '-sS',
        `smtp://127.0.0.1:${server.port}`,
        '--mail-from',
        'a@example.test',
        '--mail-rcpt',
        'curl@example.test',
        '-T',
        '-',
      ],
      { input: 'Subject: from curl\r\n\r\nbody\r\n' },
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const [message] = await arrived(server.data, 'curl@example.test');
    expect(header(message, 'Subject')).toBe('from curl');
  });

  it(
    'smtp-source: 2,000 messages, one Maildir each of 20 recipients, all in the Maildirs',
    { timeout: 120_000 },
    async () => {
      const { code, stderr } = await command('/usr/sbin/smtp-source', [
        ...['-d', '-s', '10', '-m', '2000', '-l', '2000', '-f', 'load@client.test', '-t', 'load@many.test'],
        `127.0.0.1:${server.port}`,
      ]);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(await arrived(server.data, 'load@many.test', 2000)).toHaveLength(2000);
    },
  );

  it('sendmail -t -i hands in a message, and one with a lone dot', async () => {
    const { code, stderr } = await postrider(['sendmail', '-t', '-i', '-f', 'cron@example.test'], {
      env: { POSTRIDER_DATA: server.data },
      input: 'To: mail@sendmail.test\nBcc: hidden@sendmail.test\nSubject: from sendmail\n\none\n.\ntwo\n',
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const [message] = await arrived(server.data, 'mail@sendmail.test');
    expect(message?.body).toBe('one\n.\ntwo\n');
    expect(header(message, 'Bcc')).toBeUndefined();
    expect(header(message, 'Date')).toBeDefined();
    await arrived(server.data, 'hidden@sendmail.test');
  });

  it('logs in the words of Postfix', async () => {
    const log = await readFile(path.join(server.data, 'log', 'mail.log'), 'utf8');
    expect(log).toMatch(
      /^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ postfix\/smtpd\[\d+\]: connect from localhost\[127\.0\.0\.1\]$/m,
    );
    expect(log).toMatch(
      /postfix\/smtpd\[\d+\]: [0-9A-Za-z]+: client=localhost\[127\.0\.0\.1\], sasl_method=LOGIN, sasl_username=orders$/m,
    );
    expect(log).toMatch(
      /postfix\/qmgr\[\d+\]: [0-9A-Za-z]+: from=<shop@example\.test>, size=\d+, nrcpt=1 \(queue active\)$/m,
    );
    expect(log).toMatch(
      /postfix\/\w+\[\d+\]: [0-9A-Za-z]+: to=<ada@python\.test>, relay=\w+, delay=[\d.]+, delays=[\d.]+\/[\d.]+\/[\d.]+\/[\d.]+, dsn=2\.0\.0, status=sent \(delivered to maildir\)$/m,
    );
    expect(log).toMatch(/postfix\/qmgr\[\d+\]: [0-9A-Za-z]+: removed$/m);
    expect(log).not.toContain('anything');
  });

  it('refuses a second MTA on the same data, and a second serve attaches', async () => {
    const refused = await postrider(['mta', '--data', server.data, '--smtp', '127.0.0.1:0']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('already runs');
    const second = await startServer({ data: server.data });
    expect(second.ready.pid).toBe(server.ready.pid);
    expect(second.ready.smtp).toEqual(server.ready.smtp);
    expect(await second.stop()).toBe(0);
    expect((await server.run('readyz')).code).toBe(0);
  });

  it('takes the next port when the wanted one is taken', async () => {
    const other = await startServer({ profile: 'sink', smtp: `127.0.0.1:${server.port}` });
    expect(other.port).toBeGreaterThan(server.port);
    await other.cleanUp();
  });
});

describe('a server that relays', () => {
  let server: RunningServer;
  let nextHop: number;
  const received: string[] = [];
  let peer: SMTPServer | undefined;

  beforeAll(async () => {
    nextHop = await freePort();
    server = await startServer({ profile: 'server', domain: 'example.test' });
    expect(
      (await server.run('postconf', '-e', `relayhost=[127.0.0.1]:${nextHop}`, 'minimal_backoff_time=300s')).code,
    ).toBe(0);
    expect((await server.run('reload')).code).toBe(0);
  });
  afterAll(async () => {
    await new Promise<void>((resolve) => (peer === undefined ? resolve() : peer.close(resolve)));
    await server.cleanUp();
  });

  const send = async (to: string, from = 'a@example.test'): Promise<string> => {
    const client = await SmtpClient.open(server.port);
    await client.say('EHLO client.test');
    const reply = await client.send(from, [to], 'Subject: relay\n\nhello');
    await client.quit();
    return /queued as (\w+)/.exec(reply.text)?.[1] ?? reply.text;
  };

  it('has the domain in its configuration', async () => {
    expect((await server.run('postconf', '-h', 'mydomain')).stdout).toBe('example.test\n');
    expect((await server.run('postconf', '-n')).stdout).toContain(`relayhost = [127.0.0.1]:${nextHop}\n`);
  });

  it('defers what cannot be delivered, shows it, and acts on it', async () => {
    const ids = [await send('x@far.test'), await send('y@far.test')];
    const list = await eventually(async () => {
      const { stdout } = await server.run('postqueue', '-p');
      return stdout.match(/Connection refused/g)?.length === 2 ? stdout : undefined;
    }, 'both deferred');
    expect(list).toMatch(/^-Queue ID- {2}--Size-- ----Arrival Time---- -Sender\/Recipient-------$/m);
    expect(list).toMatch(/^-- \d+ Kbytes in 2 Requests\.$/m);
    const rows = (await server.run('postqueue', '-j')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.map((row) => row['queue_name'])).toEqual(['deferred', 'deferred']);
    expect(rows.map((row) => row['queue_id']).sort()).toEqual([...ids].sort());
    expect(rows[0]).toMatchObject({
      sender: 'a@example.test',
      forced_expire: false,
      recipients: [{ delay_reason: expect.stringContaining('Connection refused') as string }],
    });

    const [first = '', second = ''] = ids;
    expect(await server.run('postsuper', '-h', first)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('Placed on hold: 1 message') as string,
    });
    expect((await server.run('postqueue', '-p')).stdout).toContain(`${first}!`);
    expect((await server.run('postcat', '-q', first)).stdout).toContain('Subject: relay');
    expect(await server.run('postsuper', '-H', first)).toMatchObject({
      stderr: expect.stringContaining('Released from hold: 1 message') as string,
    });
    expect(await server.run('postsuper', '-d', second)).toMatchObject({
      stderr: expect.stringContaining('Deleted: 1 message') as string,
    });
    // Unknown ids: no message counted, exit code 0, as Postfix does.
    expect(await server.run('postsuper', '-d', 'ABCDEF0123')).toMatchObject({ code: 0 });

    peer = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData: (stream, session, done) => {
        stream.resume();
        stream.on('end', () => {
          received.push(...session.envelope.rcptTo.map(({ address }) => address));
          done();
        });
      },
    });
    await new Promise<void>((resolve) => peer?.listen(nextHop, '127.0.0.1', resolve));
    expect((await server.run('postqueue', '-i', first)).code).toBe(0);
    await eventually(() => (received.includes('x@far.test') ? true : undefined), 'the relay');
    await eventually(
      async () => ((await server.run('mailq')).stdout === 'Mail queue is empty\n' ? true : undefined),
      'an empty queue',
    );
    expect(received).toEqual(['x@far.test']);
  });

  it('returns to its sender what the next hop refuses for good', async () => {
    await new Promise<void>((resolve) => (peer === undefined ? resolve() : peer.close(resolve)));
    peer = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onRcptTo: (_address, _session, done) => {
        done(Object.assign(new Error('No such user here'), { responseCode: 550 }));
      },
    });
    await new Promise<void>((resolve) => peer?.listen(nextHop, '127.0.0.1', resolve));
    await postrider(['saslpasswd2', '-p', '-c', '-u', 'example.test', 'ada'], {
      env: { POSTRIDER_DATA: server.data },
      input: 'secret\n',
    });
    expect((await server.run('sasldblistusers2')).stdout).toContain('ada@example.test: userPassword');
    await send('nobody@far.test', 'ada@example.test');
    const [bounce] = await arrived(server.data, 'ada');
    expect(header(bounce, 'Subject')).toBe('Undelivered Mail Returned to Sender');
    expect(header(bounce, 'Content-Type')).toContain('multipart/report');
    expect(header(bounce, 'Return-Path')).toBe('<>');
  });

  it('is no open relay', async () => {
    await server.run('postconf', '-e', 'mynetworks=192.0.2.0/24');
    await server.run('reload');
    expect(await send('x@far.test')).toContain('554 5.7.1 <x@far.test>: Relay access denied');
    expect(await send('nosuchuser@example.test')).toContain('550 5.1.1');
    expect(await send('postmaster@example.test')).toMatch(/^[0-9A-Z]+$/);
  });

  it('keeps the configuration it has when the new one is broken', async () => {
    const file = path.join(server.data, 'etc', 'master.cf');
    const before = await readFile(file, 'utf8');
    const { writeFile } = await import('node:fs/promises');
    await writeFile(file, `${before}\nsmtps inet n - y — - smtpd\n`);
    const { code, stderr } = await server.run('reload');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/master\.cf/);
    expect(stderr).toMatch(new RegExp(`line ${before.split('\n').length + 1}`));
    expect((await server.run('readyz')).code).toBe(0);
    await writeFile(file, before);
    expect((await server.run('reload')).code).toBe(0);
  });

  it('names the port when it is taken', async () => {
    const { code, stderr } = await postrider([
      'serve',
      '--profile',
      'server',
      '--smtp',
      `127.0.0.1:${server.port}`,
      '--http',
      '127.0.0.1:0',
      '--data',
      `${server.data}-other`,
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(String(server.port));
    expect(stderr).toContain('in use');
    await command('rm', ['-rf', `${server.data}-other`]);
  });

  it('stops cleanly', async () => {
    expect(await server.stop()).toBe(0);
    expect((await server.run('postqueue', '-p')).code).toBe(69);
    expect(() => process.kill(server.ready.pid, 0)).toThrow();
  });
});
