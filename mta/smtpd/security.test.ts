/** STARTTLS and AUTH: what a client may do before, during and after. */
import { statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { dialogue, Talk } from './testing/dialogue.ts';
import { serversPerTest } from './testing/servers.ts';
import { openTls, selfSigned } from './tls.ts';
import { testConfiguration } from './testing/configuration.ts';

const start = serversPerTest();

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const plain = (user: string, password: string): string => base64(`\0${user}\0${password}`);
const sink = 'postrider_profile = sink';
const server = 'smtpd_sasl_auth_enable = yes\nsmtpd_error_sleep_time = 0';

async function ehlo(talk: Talk): Promise<string[]> {
  const words: string[] = [];
  await talk.send('EHLO c\r\n');
  for (let line = await talk.line(); line !== undefined; line = await talk.line()) {
    words.push(line.slice(4));
    if (line.startsWith('250 ')) break;
  }
  return words;
}

describe('STARTTLS', () => {
  test('is offered with a certificate, works, and then is not offered again', async () => {
    const { port, messages, log } = await start(
      `${sink}\nsmtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\nsmtpd_tls_received_header = yes`,
      { tls: true },
    );
    const talk = await Talk.open(port);
    await talk.expect('220 *');
    expect(await ehlo(talk)).toContain('STARTTLS');
    await talk.send('STARTTLS\r\n');
    await talk.expect('220 2.0.0 Ready to start TLS');
    await talk.startTls();
    expect(await ehlo(talk)).not.toContain('STARTTLS');
    await talk.send('STARTTLS\r\n');
    await talk.expect('554 5.5.1 Error: TLS already active');
    await talk.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n');
    for (const code of ['250', '250', '354']) await talk.expect(`${code} *`);
    await talk.send('x\r\n.\r\n');
    await talk.expect('250 2.0.0 Ok: queued as *');
    await talk.send('QUIT\r\n');
    await talk.expect('221 2.0.0 Bye');
    await talk.expect('END');
    talk.close();
    expect(messages[0]?.envelope).toMatchObject({
      protocol: 'ESMTPS',
      tls: 'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)',
    });
    expect(messages[0]?.text).toContain('\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n');
    expect(log).toContain(
      'smtpd: Anonymous TLS connection established from localhost[127.0.0.1]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)',
    );
  });

  test('nothing said in the clear survives it, however it is cut', async () => {
    const { port, messages } = await start(`${sink}\nsmtpd_tls_security_level = may`, { tls: true });
    const injected =
      'STARTTLS\r\nMAIL FROM:<evil@b.example>\r\nRCPT TO:<evil@d.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\nNO';
    for (const cut of [undefined, 9, 10, 11, 20, 40]) {
      const talk = await Talk.open(port);
      await talk.expect('220 *');
      await ehlo(talk);
      await talk.send(`MAIL FROM:<before@b.example>\r\nAUTH PLAIN ${plain('evil', 'x')}\r\n`);
      await talk.expect('250 *');
      await talk.expect('503 *');
      if (cut === undefined) await talk.send(injected);
      else {
        await talk.send(injected.slice(0, cut));
        await talk.send(injected.slice(cut));
      }
      await talk.expect('220 2.0.0 Ready to start TLS');
      // Bytes in the clear where a ClientHello must be may break the handshake: then nothing can survive.
      const shaken = await talk.startTls().then(
        () => true,
        () => false,
      );
      if (shaken) {
        await talk.send('RCPT TO:<c@d.example>\r\n');
        await talk.expect('503 5.5.1 Error: need MAIL command');
        await talk.send('NOOP\r\n');
        await talk.expect('250 2.0.0 Ok');
      }
      talk.close();
    }
    expect(messages).toEqual([]);
  });

  test('HELO, login and transaction are forgotten', async () => {
    const { port } = await start(`${sink}\nsmtpd_tls_security_level = may\nsmtpd_helo_required = yes`, { tls: true });
    const talk = await Talk.open(port);
    await talk.expect('220 *');
    await ehlo(talk);
    await talk.send(`AUTH PLAIN ${plain('a', 'b')}\r\n`);
    await talk.expect('235 2.7.0 Authentication successful');
    await talk.send('STARTTLS\r\n');
    await talk.expect('220 *');
    await talk.startTls();
    await talk.send('MAIL FROM:<a@b.example>\r\n');
    await talk.expect('503 5.5.1 Error: send HELO/EHLO first');
    expect(await ehlo(talk)).toContain('AUTH PLAIN LOGIN');
    await talk.send(`AUTH PLAIN ${plain('a', 'b')}\r\n`);
    await talk.expect('235 *');
    talk.close();
  });

  test('smtpd_tls_security_level = encrypt', async () => {
    const { port } = await start('smtpd_tls_security_level = encrypt', { tls: true });
    await dialogue(
      port,
      `S: 220 *
      C: HELO c
      S: 250 *
      C: MAIL FROM:<a@b.example>
      S: 530 5.7.0 Must issue a STARTTLS command first
      C: NOOP
      S: 250 *
      C: STARTTLS
      S: 220 *
      ~ TLS
      C: MAIL FROM:<a@b.example>
      S: 250 *`,
    );
  });

  test('wrapper mode', async () => {
    const { port, log } = await start(`${sink}\nsmtpd_tls_wrappermode = yes`, { tls: true });
    await dialogue(port, 'S: 220 *\nC: STARTTLS\nS: 554 5.5.1 Error: TLS already active\nC: QUIT\nS: 221 *\nS: END', {
      tls: true,
    });
    expect(log).toContain('smtpd: connect from localhost[127.0.0.1]');
  });

  test('a broken handshake ends the session only', async () => {
    const test = await start(`${sink}\nsmtpd_tls_security_level = may`, { tls: true });
    await dialogue(test.port, 'S: 220 *\nC: STARTTLS\nS: 220 *\nC: this is no handshake\nS: END').catch(
      () => undefined,
    );
    expect(await test.logged('SSL_accept error from localhost[127.0.0.1]')).toBeTruthy();
    await test.logged('disconnect from');
    await dialogue(test.port, 'S: 220 *\nC: NOOP\nS: 250 *');
  });

  test('the certificate: private, for this host, made once and again when it must', async () => {
    const test = await start();
    const folder = `${test.folder}/tls`;
    const first = await selfSigned(folder, 'mail.example.test');
    expect(statSync(`${folder}/smtpd.pem`).mode & 0o777).toBe(0o600);
    const certificate = new X509Certificate(first.cert);
    expect(certificate.checkHost('mail.example.test')).toBe('mail.example.test');
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect((await selfSigned(folder, 'mail.example.test')).cert).toBe(first.cert);
    const later = Date.now() + 800 * 86_400_000;
    expect((await selfSigned(folder, 'mail.example.test', later)).cert).not.toBe(first.cert);
    const renamed = await selfSigned(folder, 'other.example.test');
    expect(new X509Certificate(renamed.cert).checkHost('other.example.test')).toBe('other.example.test');
    await writeFile(`${folder}/smtpd.pem`, 'damaged');
    expect((await selfSigned(folder, 'other.example.test')).cert).toContain('BEGIN CERTIFICATE');
    expect(await readFile(`${folder}/smtpd.pem`, 'utf8')).toContain('BEGIN PRIVATE KEY');
  });

  test('a certificate that main.cf names and that is not there is an error that names it', async () => {
    const test = await start();
    const configuration = testConfiguration(
      test.folder,
      'smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /nowhere/x.pem',
    );
    await expect(openTls(configuration)).rejects.toMatchObject({ field: 'smtpd_tls_cert_file' });
    expect(await openTls(testConfiguration(test.folder, 'smtpd_tls_security_level = none'))).toBeUndefined();
  });
});

describe('AUTH', () => {
  test('PLAIN and LOGIN, with and without initial response', async () => {
    const test = await start(server);
    await test.users.set('bob', 'mail.example.test', 'sécret', { create: true });
    await test.users.set('eve', 'other.example', 'x y', { create: true });
    const cases = [
      `C: AUTH PLAIN ${plain('bob', 'sécret')}`,
      `C: AUTH PLAIN ${base64('bob\0bob\0sécret')}`,
      `C: auth plain\nS: 334 \nC: ${plain('bob', 'sécret')}`,
      `C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ${base64('bob')}\nS: 334 UGFzc3dvcmQ6\nC: ${base64('sécret')}`,
      `C: AUTH LOGIN ${base64('eve@other.example')}\nS: 334 UGFzc3dvcmQ6\nC: ${base64('x y')}`,
    ];
    for (const exchange of cases) {
      await dialogue(
        test.port,
        `S: 220 *\nC: HELO c\nS: 250 *\n${exchange}\nS: 235 2.7.0 Authentication successful\nC: AUTH LOGIN\nS: 503 5.5.1 Error: already authenticated`,
      );
    }
  });

  test('a logged-in client may relay; the log and the envelope name it', async () => {
    const test = await start(`${server}\nmynetworks = 192.0.2.0/24\nsmtpd_sasl_authenticated_header = yes`);
    await test.users.set('bob', 'mail.example.test', 'pw', { create: true });
    await dialogue(
      test.port,
      `S: 220 *
      C: HELO c
      S: 250 *
      C: AUTH PLAIN ${plain('bob', 'pw')}
      S: 235 *
      C: MAIL FROM:<bob@example.test>
      S: 250 *
      C: RCPT TO:<x@far.example>
      S: 250 *
      C: DATA
      S: 354 *
      C: .
      S: 250 *`,
    );
    const [message] = test.messages;
    expect(message?.envelope).toMatchObject({ saslUser: 'bob', saslMethod: 'PLAIN', protocol: 'SMTPA' });
    expect(message?.text).toContain('\n\t(Authenticated sender: bob)\n');
    expect(test.log).toContain(
      `smtpd: ${message?.id}: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=bob`,
    );
  });

  test('wrong, malformed, aborted, unknown', async () => {
    const test = await start(`${server}\npostrider_smtpd_auth_limit = 20`);
    await test.users.set('bob', 'mail.example.test', 'pw', { create: true });
    await dialogue(
      test.port,
      `S: 220 *
      C: HELO c
      S: 250 *
      C: AUTH PLAIN ${plain('bob', 'wrong')}
      S: 535 5.7.8 Error: authentication failed: authentication failure
      C: AUTH PLAIN ${plain('nobody', 'pw')}
      S: 535 5.7.8 Error: authentication failed: authentication failure
      C: AUTH PLAIN not-base64
      S: 535 5.7.8 Error: authentication failed: bad protocol / cancel
      C: AUTH PLAIN ${base64('a\0b')}
      S: 535 *
      C: AUTH PLAIN ${base64('root\0bob\0pw')}
      S: 535 *
      C: AUTH LOGIN
      S: 334 *
      C: *
      S: 501 5.7.0 Authentication aborted
      C: AUTH CRAM-MD5
      S: 535 5.7.8 Error: authentication failed: Invalid authentication mechanism
      C: AUTH
      S: 501 5.5.4 Syntax: AUTH mechanism
      C: MAIL FROM:<a@b.example>
      S: 250 *
      C: AUTH PLAIN ${plain('bob', 'pw')}
      S: 503 5.5.1 Error: MAIL transaction in progress`,
    );
    expect(test.log).toContain(
      'smtpd: warning: localhost[127.0.0.1]: SASL PLAIN authentication failed: authentication failure, sasl_username=bob',
    );
    expect(test.log.join('\n')).not.toContain('wrong');
  });

  test('five tries a session; then the address has to wait', async () => {
    const test = await start(server);
    const wrong = `C: AUTH PLAIN ${plain('bob', 'x')}\nS: 535 *\n`;
    for (let n = 0; n < 4; n += 1) {
      await dialogue(
        test.port,
        `S: 220 *\n${wrong.repeat(5)}S: 421 4.7.0 mail.example.test Error: too many errors\nS: END`,
      );
    }
    await dialogue(test.port, `S: 220 *\nC: AUTH LOGIN\nS: 450 4.7.1 Error: too many AUTH commands from 127.0.0.1`);
  });

  test('each wrong answer waits', async () => {
    const test = await start('smtpd_sasl_auth_enable = yes\nsmtpd_error_sleep_time = 1s');
    const begin = performance.now();
    await dialogue(test.port, `S: 220 *\nC: AUTH PLAIN ${plain('bob', 'x')}\nS: 535 *`);
    expect(performance.now() - begin).toBeGreaterThan(950);
  });

  test('not enabled; only under TLS', async () => {
    const off = await start();
    await dialogue(off.port, 'S: 220 *\nC: AUTH LOGIN\nS: 503 5.5.1 Error: authentication not enabled');
    const test = await start(`${server}\nsmtpd_tls_auth_only = yes\nsmtpd_tls_security_level = may`, { tls: true });
    const talk = await Talk.open(test.port);
    await talk.expect('220 *');
    expect(await ehlo(talk)).not.toContain('AUTH PLAIN LOGIN');
    await talk.send('AUTH LOGIN\r\n');
    await talk.expect('504 5.5.4 Encryption required for requested authentication mechanism');
    await talk.send('STARTTLS\r\n');
    await talk.expect('220 *');
    await talk.startTls();
    expect(await ehlo(talk)).toContain('AUTH PLAIN LOGIN');
    talk.close();
  });

  test('the sink takes any name with any password, the server never', async () => {
    const any = await start(sink);
    await dialogue(any.port, `S: 220 *\nC: AUTH PLAIN ${plain('anybody', 'anything')}\nS: 235 *`);
    const never = await start(`${server}\npostrider_sasl_accept_any = yes`);
    await dialogue(never.port, `S: 220 *\nC: AUTH PLAIN ${plain('anybody', 'anything')}\nS: 535 *`);
  });

  test('a users file that cannot be read is a temporary failure', async () => {
    const test = await start(server);
    await test.users.set('bob', 'mail.example.test', 'pw', { create: true });
    await writeFile(test.configuration.text('postrider_sasl_users'), 'garbage\n');
    await dialogue(test.port, `S: 220 *\nC: AUTH PLAIN ${plain('bob', 'pw')}\nS: 454 4.7.0 *`);
  });
});
