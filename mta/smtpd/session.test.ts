/** Whole sessions as dialogues over real sockets. */
import { describe, expect, test } from 'vitest';
import { StoreFullError } from '../queue/store.ts';
import { dialogue, Talk } from './testing/dialogue.ts';
import { serversPerTest } from './testing/servers.ts';

const start = serversPerTest();

const sink = 'postrider_profile = sink';
const stranger = 'mynetworks = 192.0.2.0/24\nsmtpd_client_event_limit_exceptions =';
const greeting = 'S: 220 mail.example.test ESMTP Postrider\nC: HELO client\nS: 250 mail.example.test\n';
const fast = 'smtpd_error_sleep_time = 0';

describe('a message', () => {
  test('by EHLO, MAIL, RCPT, DATA', async () => {
    const server = await start(sink);
    await dialogue(
      server.port,
      `
      S: 220 mail.example.test ESMTP Postrider
      C: EHLO client.example.test
      S: 250-mail.example.test
      S: 250-PIPELINING
      S: 250-SIZE 10240000
      S: 250-VRFY
      S: 250-AUTH PLAIN LOGIN
      S: 250-ENHANCEDSTATUSCODES
      S: 250-8BITMIME
      S: 250-DSN
      S: 250 SMTPUTF8
      C: MAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x+2By
      S: 250 2.1.0 Ok
      C: RCPT TO:<b@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@example.net
      S: 250 2.1.5 Ok
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>
      C: Subject: hello
      C: Message-ID: <1@example.org>
      C: Date: Tue, 25 Nov 2025 10:31:38 +0000
      C: From: a@example.org
      C:
      C: ..dot
      C: .
      S: 250 2.0.0 Ok: queued as *
      C: QUIT
      S: 221 2.0.0 Bye
      S: END
      `.replace(/^ +C:$/m, '      C: '),
    );
    const [message] = server.messages;
    expect(message).toMatchObject({
      subject: 'hello',
      messageId: '<1@example.org>',
      kind: 'memory',
      recipients: [
        { address: 'b@example.net', notify: ['SUCCESS', 'FAILURE'], originalRecipient: 'rfc822;b+c@example.net' },
      ],
      envelope: {
        sender: 'a@example.org',
        client: 'localhost[127.0.0.1]',
        helo: 'client.example.test',
        protocol: 'ESMTP',
        envelopeId: 'x+2By',
        ret: 'HDRS',
        body: '8BITMIME',
      },
    });
    expect(message?.id).toMatch(/^[0-9A-F]{10,14}$/);
    expect(message?.text).toMatch(
      /^Received: from client\.example\.test \(localhost \[127\.0\.0\.1\]\)\n\tby mail\.example\.test \(Postrider\) with ESMTP id [0-9A-F]+\n\tfor <b@example\.net>; \w{3}, \d+ \w{3} \d{4} [\d:]+ [+-]\d{4}( \(\w+\))?\nSubject: hello\n/,
    );
    expect(message?.text).toMatch(/\n\n\.dot\n$/);
    expect(message?.size).toBe(Buffer.byteLength(message?.text ?? ''));
    await server.logged('disconnect from');
    expect(server.log).toEqual([
      'smtpd: connect from localhost[127.0.0.1]',
      `smtpd: ${message?.id}: client=localhost[127.0.0.1]`,
      `cleanup: ${message?.id}: message-id=<1@example.org>`,
      'smtpd: disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5',
    ]);
    expect(server.sessions()).toBe(0);
  });

  test('pipelined, byte by byte, and all in one write', async () => {
    const server = await start(sink);
    const script = `
      S: 220 *
      C: EHLO c
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250 *
      C: MAIL FROM:<>
      C: RCPT TO:<b@example.net>
      C: RCPT TO:<"c d"@example.net>
      C: DATA
      S: 250 2.1.0 Ok
      S: 250 2.1.5 Ok
      S: 250 2.1.5 Ok
      S: 354 *
      C: hello
      C: .
      C: QUIT
      S: 250 2.0.0 Ok: queued as *
      S: 221 2.0.0 Bye
      S: END
    `;
    await dialogue(server.port, script);
    await dialogue(server.port, script, { split: 1 });
    await dialogue(server.port, script, { split: 3 });
    expect(server.messages).toHaveLength(3);
    for (const message of server.messages) {
      expect(message.envelope.sender).toBe('');
      expect(message.recipients.map(({ address }) => address)).toEqual(['b@example.net', '"c d"@example.net']);
      // Local clients get what is missing; a body without headers gets its empty line.
      expect(message.text).toMatch(
        /\nMessage-Id: <\d{14}\.[0-9A-F]+@mail\.example\.test>\nDate: .*\nFrom: MAILER-DAEMON \(Mail Delivery System\)\n\nhello\n$/,
      );
      expect(message.text).not.toContain('for <');
    }
  });

  test('replies of pipelined commands come in one write', async () => {
    const server = await start(sink);
    const talk = await Talk.open(server.port);
    await talk.expect('220 *');
    await talk.send('EHLO c\r\n');
    for (let n = 0; n < 9; n += 1) await talk.line();
    talk.reads.length = 0;
    await talk.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n');
    for (const code of ['250', '250', '250', '354']) await talk.expect(`${code} *`);
    expect(talk.reads).toHaveLength(1);
    talk.close();
  });

  test('a large one streams to a synced file', async () => {
    const server = await start(`${sink}\nmessage_size_limit = 40000000`);
    const talk = await Talk.open(server.port);
    await talk.send('HELO c\r\n');
    await talk.send('MAIL FROM:<a@b.example>\r\n');
    await talk.send('RCPT TO:<c@d.example>\r\n');
    await talk.send('DATA\r\n');
    for (const code of ['220', '250', '250', '250', '354']) await talk.expect(`${code} *`);
    const line = `.${'x'.repeat(70)}\r\n`;
    const block = Buffer.from(`.${line}`.repeat(10_000));
    for (let n = 0; n < 20; n += 1) await talk.send(block);
    await talk.send('.\r\n');
    await talk.expect('250 2.0.0 Ok: queued as *');
    const [message] = server.messages;
    expect(message?.kind).toBe('spool');
    expect(message?.text.endsWith(line.replace('\r', '').repeat(3))).toBe(true);
    expect(message?.text.length).toBe(message?.size);
    expect(message?.size).toBeGreaterThan(200_000 * 72);
    talk.close();
  });

  test('local clients only get missing headers, unless always', async () => {
    const remote = await start(`${sink}\nlocal_header_rewrite_clients =`);
    const always = await start(`${sink}\nlocal_header_rewrite_clients =\nalways_add_missing_headers = yes`);
    const script = `${greeting}
      C: MAIL FROM:<root>
      S: 250 *
      C: RCPT TO:<bob>
      S: 250 *
      C: DATA
      S: 354 *
      C: Return-Path: <evil@example.org>
      C: Subject: s
      C: Bcc: secret@example.org
      C>  \\r\\nbody\\r\\n.\\r\\n
      S: 250 *
    `.replace('C>  ', 'C> ');
    await dialogue(remote.port, script);
    await dialogue(always.port, script);
    expect(remote.messages[0]?.text).toMatch(/^Received:[^]*\nSubject: s\n\nbody\n$/);
    expect(always.messages[0]?.text).toMatch(
      /\nSubject: s\nMessage-Id: <.*>\nDate: .*\nFrom: root@mail\.example\.test\n\nbody\n$/,
    );
    expect(always.messages[0]?.recipients).toEqual([{ address: 'bob@mail.example.test', originalAddress: 'bob' }]);
    expect(always.messages[0]?.text).not.toContain('secret');
  });
});

describe('order and syntax', () => {
  test('commands out of order and malformed ones', async () => {
    const server = await start(`${sink}\nsmtpd_hard_error_limit = 100\n${fast}`);
    await dialogue(
      server.port,
      `${greeting}
      C: RCPT TO:<a@b.example>
      S: 503 5.5.1 Error: need MAIL command
      C: DATA
      S: 503 5.5.1 Error: need RCPT command
      C: MAIL
      S: 501 5.5.4 Syntax: MAIL FROM:<address>
      C: MAIL FROM:<a@>
      S: 501 5.1.7 Bad sender address syntax
      C: MAIL FROM:<a@b.example> FOO=1
      S: 555 5.5.4 Unsupported option: FOO=1
      C: MAIL FROM:<a@b.example> SIZE=x
      S: 501 5.5.4 Bad message size syntax
      C: MAIL FROM:<a@b.example> SIZE=99999999999
      S: 552 5.3.4 Message size exceeds fixed limit
      C: MAIL FROM:<a@b.example> BODY=BINARYMIME
      S: 555 5.5.4 Unsupported option: BODY=BINARYMIME
      C: MAIL FROM:<a@b.example> RET=ALL
      S: 501 5.5.4 Bad RET parameter syntax
      C: MAIL FROM:<a@b.example> ENVID=a+0D+0Ab
      S: 501 5.5.4 Bad ENVID parameter syntax
      C: MAIL FROM:<a@b.example> SIZE=1 SIZE=2
      S: 501 5.5.4 Error: duplicate SIZE parameter
      C: MAIL FROM:<ü@b.example>
      S: 553 5.6.7 Must declare SMTPUTF8 to send unicode address
      C: MAIL FROM:<ü@b.example> SMTPUTF8
      S: 250 2.1.0 Ok
      C: MAIL FROM:<a@b.example>
      S: 503 5.5.1 Error: nested MAIL command
      C: DATA
      S: 554 5.5.1 Error: no valid recipients
      C: RCPT TO:<>
      S: 501 5.1.3 Bad recipient address syntax
      C: RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY
      S: 501 5.5.4 Error: Bad NOTIFY parameter syntax
      C: RCPT TO:<a@b.example> ORCPT=rfc822;a+0Ab
      S: 501 5.5.4 Error: Bad ORCPT parameter syntax
      C: RCPT TO:<a@b.example> SIZE=1
      S: 555 5.5.4 Unsupported option: SIZE=1
      C: RSET
      S: 250 2.0.0 Ok
      C: RCPT TO:<a@b.example>
      S: 503 5.5.1 Error: need MAIL command
      C: NOOP anything
      S: 250 2.0.0 Ok
      C: VRFY bob
      S: 252 2.0.0 bob
      C: VRFY
      S: 501 5.5.4 Syntax: VRFY address
      C: EXPN list
      S: 500 5.5.2 Error: command not recognized
      C: WIZ
      S: 500 5.5.2 Error: command not recognized
      C: STARTTLS
      S: 502 5.5.1 Error: command not implemented
      C:
      S: 500 5.5.2 Error: bad syntax
      C: HELO
      S: 501 Syntax: HELO hostname
      C: QUIT now
      S: 501 5.5.4 Syntax: QUIT
      C: QUIT
      S: 221 2.0.0 Bye
      S: END
      `.replace(/^ +C:$/m, '      C: '),
    );
    await server.logged('disconnect from');
    expect(server.log.at(-1)).toMatch(
      /helo=1\/2 starttls=0\/1 mail=1\/12 rcpt=0\/6 data=0\/2 rset=1 noop=1 vrfy=1\/2 quit=1\/2 unknown=0\/3 /,
    );
    expect(server.log.filter((line) => line.includes('reject:'))).toEqual([
      'smtpd: NOQUEUE: reject: MAIL from localhost[127.0.0.1]: 552 5.3.4 Message size exceeds fixed limit; proto=SMTP helo=<client>',
    ]);
  });

  test('HTTP and TLS on the port end at once', async () => {
    const server = await start(sink);
    for (const line of ['GET / HTTP/1.1', 'POST /x HTTP/1.0', 'CONNECT a:25 HTTP/1.1', '\u0016\u0003\u0001']) {
      await dialogue(
        server.port,
        `S: 220 *
        C: ${line}
        C: MAIL FROM:<a@b.example>
        S: 221 2.7.0 Error: I can break rules, too. Goodbye.
        S: END`,
      );
    }
    expect(server.log.filter((line) => line.includes('non-SMTP command'))).toHaveLength(4);
  });

  test('an unterminated last command is dropped; replies still reach a client that closed its side', async () => {
    const server = await start(sink);
    await dialogue(
      server.port,
      `S: 220 *
      C: MAIL FROM:<a@b.example>
      C: RCPT TO:<c@d.example>
      C> NOO
      ~ FIN
      S: 250 2.1.0 Ok
      S: 250 2.1.5 Ok
      S: END`,
    );
    expect(await server.logged('lost connection')).toBe('smtpd: lost connection after RCPT from localhost[127.0.0.1]');
  });

  test('invalid UTF-8 and over-long lines', async () => {
    const server = await start(`${sink}\n${fast}`);
    const talk = await Talk.open(server.port);
    await talk.expect('220 *');
    await talk.send(Buffer.from('MAIL FROM:<\xff\xfe@b>\r\n', 'latin1'));
    await talk.expect('500 5.5.2 Error: bad UTF-8 syntax');
    await talk.send(`NOOP ${'x'.repeat(3000)}\r\n`);
    await talk.expect('500 5.5.2 Error: line too long');
    await talk.send('x'.repeat(5_000_000));
    await talk.send('\r\nNOOP\r\n');
    await talk.expect('500 5.5.2 Error: line too long');
    await talk.expect('250 2.0.0 Ok');
    talk.close();
  });

  test('bare newlines: normalized by default, refused on request', async () => {
    const normal = await start(sink);
    const strict = await start(`${sink}\nsmtpd_forbid_bare_newline = reject\nsmtpd_forbid_bare_newline_exclusions =`);
    const begin = `${greeting}
      C: MAIL FROM:<a@b.example>
      S: 250 *
      C: RCPT TO:<c@d.example>
      S: 250 *
      C: DATA
      S: 354 *
      C> one\\ntwo\\n.\\nthree\\r\\n.\\r\\n
    `;
    await dialogue(normal.port, `${begin}S: 250 *\nC> NOOP\\n\nS: 250 2.0.0 Ok`);
    expect(normal.messages[0]?.text).toContain('one\ntwo\n.\nthree\n');
    await dialogue(strict.port, `${begin}S: 550 5.5.2 mail.example.test Error: bare <LF> received`);
    expect(strict.messages).toEqual([]);
    await dialogue(
      strict.port,
      'S: 220 *\nC> NOOP\\n\nS: 550 5.5.2 mail.example.test Error: bare <LF> received\nS: END',
    );
  });

  test('smtpd_forbid_unauth_pipelining', async () => {
    const strict = await start(`${sink}\nsmtpd_forbid_unauth_pipelining = yes`);
    await dialogue(
      strict.port,
      'S: 220 *\nC: EHLO c\nC: MAIL FROM:<a@b.example>\nS: 554 5.5.0 Error: SMTP protocol synchronization\nS: END',
    );
    expect(strict.log).toContain('smtpd: improper command pipelining after EHLO from localhost[127.0.0.1]');
  });
});

describe('limits', () => {
  test('errors slow down, then end the session', async () => {
    const server = await start(
      `${sink}\nsmtpd_soft_error_limit = 2\nsmtpd_hard_error_limit = 4\nsmtpd_error_sleep_time = 1s`,
    );
    const begin = performance.now();
    await dialogue(
      server.port,
      `S: 220 *
      C: FOO
      S: 500 *
      C: FOO
      S: 500 *
      C: FOO
      S: 500 *
      C: FOO
      S: 500 *
      S: 421 4.7.0 mail.example.test Error: too many errors
      S: END`,
    );
    expect(performance.now() - begin).toBeGreaterThan(2900);
    expect(server.log).toContain('smtpd: too many errors after UNKNOWN from localhost[127.0.0.1]');
  });

  test('commands that do no work count as errors beyond smtpd_junk_command_limit', async () => {
    const server = await start(`${sink}\nsmtpd_junk_command_limit = 5\nsmtpd_hard_error_limit = 3\n${fast}`);
    const talk = await Talk.open(server.port);
    await talk.expect('220 *');
    let replies = 0;
    await talk.send('NOOP\r\n'.repeat(50));
    for (let line = await talk.line(); line !== undefined; line = await talk.line()) {
      replies += 1;
      if (line.startsWith('421')) break;
    }
    expect(replies).toBeLessThan(15);
  });

  test('recipients beyond smtpd_recipient_limit get 452, the others their mail', async () => {
    const server = await start(`${sink}\nsmtpd_recipient_limit = 2\n${fast}`);
    await dialogue(
      server.port,
      `${greeting}
      C: MAIL FROM:<a@b.example>
      S: 250 *
      C: RCPT TO:<1@d.example>
      S: 250 *
      C: RCPT TO:<2@d.example>
      S: 250 *
      C: RCPT TO:<3@d.example>
      S: 452 4.5.3 Error: too many recipients
      C: DATA
      S: 354 *
      C: .
      S: 250 *`,
    );
    expect(server.messages[0]?.recipients).toHaveLength(2);
  });

  test('a message beyond message_size_limit is refused at its end, and the session goes on', async () => {
    const server = await start(`${sink}\nmessage_size_limit = 1000`);
    await dialogue(
      server.port,
      `${greeting}
      C: MAIL FROM:<a@b.example>
      S: 250 *
      C: RCPT TO:<1@d.example>
      S: 250 *
      C: DATA
      S: 354 *
      C: ${'x'.repeat(1000)}
      C: .
      S: 552 5.3.4 Error: message file too big
      C: MAIL FROM:<a@b.example>
      S: 250 *`,
    );
    expect(server.messages).toEqual([]);
    expect(server.rejected()).toBe(1);
  });

  test('too many hops', async () => {
    const server = await start(`${sink}\nhopcount_limit = 3`);
    await dialogue(
      server.port,
      `${greeting}
      C: MAIL FROM:<a@b.example>
      S: 250 *
      C: RCPT TO:<1@d.example>
      S: 250 *
      C: DATA
      S: 354 *
      C> Received: 1\\r\\nReceived: 2\\r\\nReceived: 3\\r\\nReceived: 4\\r\\n\\r\\n.\\r\\n
      S: 554 5.4.0 Error: too many hops`,
    );
    expect(server.messages).toEqual([]);
  });

  test('connections of one client, and of all', async () => {
    const server = await start(`${sink}\n${stranger}\nsmtpd_client_connection_count_limit = 2`);
    const first = await Talk.open(server.port);
    const second = await Talk.open(server.port);
    await first.expect('220 *');
    await second.expect('220 *');
    await dialogue(server.port, 'S: 421 4.7.0 mail.example.test Error: too many connections from 127.0.0.1\nS: END');
    first.close();
    await server.logged('disconnect from');
    await dialogue(server.port, 'S: 220 *');
    second.close();

    const small = await start(`${sink}\npostrider_smtpd_connection_limit = 1`);
    const one = await Talk.open(small.port);
    await one.expect('220 *');
    await dialogue(small.port, 'S: 421 4.3.2 *\nS: END');
    one.close();
  });

  test('a client that says nothing, or a byte now and then, is timed out', async () => {
    const server = await start(`${sink}\nsmtpd_timeout = 1s`);
    const drip = await Talk.open(server.port);
    const timer = setInterval(() => void drip.send('N'), 200);
    await Promise.all([
      dialogue(server.port, 'S: 220 *\nS: 421 4.4.2 mail.example.test Error: timeout exceeded\nS: END'),
      drip.expect('220 *').then(() => drip.expect('421 4.4.2 mail.example.test Error: timeout exceeded')),
    ]);
    clearInterval(timer);
    drip.close();
    expect(server.log).toContain('smtpd: timeout after CONNECT from localhost[127.0.0.1]');
  });

  test('a message that comes too slowly is timed out, one at the minimum rate is not', async () => {
    const server = await start(`${sink}\nsmtpd_timeout = 1s\nsmtpd_min_data_rate = 1000`);
    const send = async (step: number): Promise<string | undefined> => {
      const talk = await Talk.open(server.port);
      await talk.send('HELO c\r\n');
      await talk.send('MAIL FROM:<a@b.example>\r\n');
      await talk.send('RCPT TO:<c@d.example>\r\n');
      await talk.send('DATA\r\n');
      for (let n = 0; n < 5; n += 1) await talk.line();
      let over = false;
      const pace = (async () => {
        for (let n = 0; n < 12 && !over; n += 1) {
          await talk.send(`${'x'.repeat(step - 2)}\r\n`);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
        if (!over) await talk.send('.\r\n');
      })();
      const reply = await talk.line();
      over = true;
      await pace;
      talk.close();
      return reply;
    };
    const [slow, steady] = await Promise.all([send(10), send(500)]);
    expect(slow).toBe('421 4.4.2 mail.example.test Error: timeout exceeded');
    expect(steady).toMatch(/^250 2\.0\.0 Ok: queued/);
    expect(await server.logged('timeout after DATA')).toMatch(/timeout after DATA \(\d+ bytes\) from localhost/);
  });
});

describe('when the queue cannot take it', () => {
  test.each([
    [new StoreFullError('full'), '452 4.3.1 Insufficient system storage'],
    [Object.assign(new Error('no space'), { code: 'ENOSPC' }), '452 4.3.1 Insufficient system storage'],
    [new Error('worker gone'), '451 4.3.0 Error: queue file write error'],
  ])('%s', async (error, reply) => {
    const server = await start(sink, { accept: () => Promise.reject(error) });
    await dialogue(
      server.port,
      `${greeting}
      C: MAIL FROM:<a@b.example>
      S: 250 *
      C: RCPT TO:<c@d.example>
      S: 250 *
      C: DATA
      S: 354 *
      C: .
      S: ${reply}
      C: MAIL FROM:<a@b.example>
      S: 250 *`,
    );
  });

  test('250 comes only after accept resolved', async () => {
    let release = (): void => undefined;
    const server = await start(sink, { accept: () => new Promise((resolve) => (release = resolve)) });
    const talk = await Talk.open(server.port);
    await talk.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n');
    for (const code of ['220', '250', '250', '354']) await talk.expect(`${code} *`);
    await talk.send('x\r\n.\r\nNOOP\r\n');
    await server.logged('message-id=');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(talk.reads.join('')).not.toContain('queued');
    release();
    await talk.expect('250 2.0.0 Ok: queued as *');
    await talk.expect('250 2.0.0 Ok');
    talk.close();
  });
});

describe('closing', () => {
  test('idle sessions are told 421, a message in hand finishes first', async () => {
    const server = await start(sink);
    const idle = await Talk.open(server.port);
    await idle.expect('220 *');
    const busy = await Talk.open(server.port);
    await busy.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nfirst\r\n');
    for (const code of ['220', '250', '250', '354']) await busy.expect(`${code} *`);
    const closed = server.server.close();
    await idle.expect('421 4.3.2 mail.example.test Service shutting down');
    await idle.expect('END');
    await busy.send('second\r\n.\r\n');
    await busy.expect('250 2.0.0 Ok: queued as *');
    await busy.expect('421 4.3.2 mail.example.test Service shutting down');
    await busy.expect('END');
    await closed;
    expect(server.messages[0]?.text).toContain('first\nsecond\n');
    await expect(Talk.open(server.port)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('a port that is taken is an error, and the same server can take another', async () => {
    const one = await start(sink);
    const two = await start(sink);
    await two.server.close();
    const three = await start(sink);
    await expect(three.server.listen('127.0.0.1', one.port)).rejects.toThrow();
  });

  test('a client that breaks off in the middle of a message leaves nothing', async () => {
    const server = await start(sink);
    const talk = await Talk.open(server.port);
    await talk.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n');
    for (const code of ['220', '250', '250', '354']) await talk.expect(`${code} *`);
    await talk.send(`${'x'.repeat(998)}\r\n`.repeat(500));
    talk.close();
    expect(await server.logged('lost connection')).toMatch(
      /lost connection after DATA \(\d+ bytes\) from localhost\[127\.0\.0\.1\]/,
    );
    const { readdir } = await import('node:fs/promises');
    await expect.poll(() => readdir(`${server.folder}/bodies`)).toEqual([]);
    expect(server.messages).toEqual([]);
  });
});
