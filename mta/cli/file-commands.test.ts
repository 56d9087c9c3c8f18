import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFirstConfiguration } from '../config/first-files.ts';
import { runWith, type Outcome } from './fake-server.ts';
import { run as newaliases } from './newaliases.ts';
import { run as postconf } from './postconf.ts';
import { run as sasldblistusers2 } from './sasldblistusers2.ts';
import { run as saslpasswd2 } from './saslpasswd2.ts';

let data: string;
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'cli-'));
  await writeFirstConfiguration(data, { profile: 'server', domain: 'example.com' });
});
afterEach(() => rm(data, { recursive: true, force: true }));
const file = (name: string): string => path.join(data, 'etc', name);

describe('postconf', () => {
  const conf = (...argv: string[]): Promise<Outcome> => runWith(postconf, ['--data', data, ...argv]);

  // Golden: main.cf, and what Postfix 3.7.11's postconf printed for it (`-c folder`, its name taken out).
  const main = `# comment
myhostname = mail.example.com
   # comment in the middle
mydomain = example.com
myorigin=$mydomain
mine = x $undefd
mydestination = $myhostname,
    localhost.$mydomain,localhost	,   $mydomain $mine

	localhost
relayhost=
bogus_param = 1
smtpd_hard_error_limit=5
smtpd_restriction_classes = myclass
myclass = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_rbl_client zen.spamhaus.org, reject_unknown
smtp_fallback_relay = \${relayhost?yes}\${relayhost:no $myhostname}
myhostname = mx.example.com
compatibility_level = 3.6
`;
  const warnings = `postconf: warning: FILE, line 18: overriding earlier entry: myhostname=mail.example.com
postconf: warning: FILE: undefined parameter: undefd
postconf: warning: FILE: unused parameter: bogus_param=1
`;

  it('-n -x -f -h as Postfix', async () => {
    await writeFile(file('main.cf'), main);
    const set = await conf('-n');
    expect(set.code).toBe(0);
    expect(set.err.replaceAll(file('main.cf'), 'FILE')).toBe(warnings);
    expect(set.out).toBe(
      `compatibility_level = 3.6
mine = x $undefd
mydestination = $myhostname, localhost.$mydomain,localhost , $mydomain $mine localhost
mydomain = example.com
myhostname = mx.example.com
myorigin = $mydomain
myclass = permit_mynetworks, reject
relayhost =
smtp_fallback_relay = \${relayhost?yes}\${relayhost:no $myhostname}
smtpd_hard_error_limit = 5
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_rbl_client zen.spamhaus.org, reject_unknown
smtpd_restriction_classes = myclass
`
        .split('\n')
        .filter((line) => line !== '')
        .sort()
        .join('\n') + '\n',
    );
    expect((await conf('-x', 'mydestination', 'smtp_fallback_relay', 'mine')).out).toBe(
      'mydestination = mx.example.com, localhost.example.com,localhost , example.com x localhost\nsmtp_fallback_relay = no mx.example.com\nmine = x\n',
    );
    expect((await conf('-nf', 'smtpd_recipient_restrictions')).out).toBe(
      'smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated,\n    reject_unauth_destination, reject_rbl_client zen.spamhaus.org,\n    reject_unknown\n',
    );
    expect((await conf('-h', 'myorigin', 'relayhost')).out).toBe('$mydomain\n\n');
    expect((await conf('-o', 'myhostname=a.b', '-xh', 'smtpd_banner')).out).toBe('a.b ESMTP Postrider\n');
  });

  it('-d needs no files, and shows defaults as Postfix has them', async () => {
    await rm(path.join(data, 'etc'), { recursive: true });
    expect(await conf('-d', 'smtpd_timeout', 'queue_run_delay')).toEqual({
      code: 0,
      out: 'smtpd_timeout = ${stress?{10}:{300}}s\nqueue_run_delay = 300s\n',
      err: '',
    });
    expect((await conf('-dx', 'smtpd_timeout')).out).toBe('smtpd_timeout = 300s\n');
    expect((await conf('-d')).out.split('\n').length).toBeGreaterThan(800);
    expect(await conf('-n')).toEqual({
      code: 1,
      out: '',
      err: `postconf: fatal: open ${file('main.cf')}: No such file or directory\n`,
    });
  });

  it('warns of an unknown parameter and exits 0', async () => {
    expect(await conf('-h', 'nosuch')).toEqual({
      code: 0,
      out: '',
      err: 'postconf: warning: nosuch: unknown parameter\n',
    });
  });

  it('-e edits in place, and says at once when the server would refuse it', async () => {
    await writeFile(file('main.cf'), '# c\nmydomain = a.example\nmydomain = b.example\n');
    expect((await conf('-e', 'mydomain=c.example', 'relayhost = [x]:25')).err).toBe(
      `postconf: warning: ${file('main.cf')}: multiple entries for "mydomain"\n`,
    );
    expect(await readFile(file('main.cf'), 'utf8')).toBe(
      '# c\nmydomain = c.example\nmydomain = c.example\nrelayhost = [x]:25\n',
    );
    expect((await conf('-X', 'relayhost')).code).toBe(0);
    expect((await conf('-#', 'mydomain')).code).toBe(0);
    expect(await readFile(file('main.cf'), 'utf8')).toBe('# c\n#mydomain = c.example\n#mydomain = c.example\n');
    const bad = await conf('queue_run_delay=5x');
    expect(bad.code).toBe(0);
    expect(bad.err).toContain('main.cf, line 4: queue_run_delay: "5x" is not a time');
  });

  it.each([
    [['-e'], '-e requires name=value argument'],
    [['-e', 'a'], 'missing \'=\' after attribute name: "a"'],
    [['-e', '=b'], 'missing attribute name: "=b"'],
    [['-e', 'a=b\nc'], '-e, -X, or -# accepts no multi-line input'],
    [['-X', 'a=b'], '-X or -# requires names without value: "a=b"'],
    [['-n', '-d'], 'specify one of -d -n'],
    [['-Z'], 'usage: postconf'],
  ])('%j is refused', async (argv, message) => {
    const before = await readFile(file('main.cf'), 'utf8');
    const { code, err } = await conf(...argv);
    expect(code).toBe(1);
    expect(err).toContain(`postconf: fatal: ${message}`);
    expect(await readFile(file('main.cf'), 'utf8')).toBe(before);
  });

  it('-M -F -P show master.cf as Postfix', async () => {
    await writeFile(
      file('master.cf'),
      `smtp inet n - y - - smtpd
postlog   unix-dgram n  -       n       -       1       postlogd
scalemail-backend unix -       n       n       -       2       pipe
  flags=R user=scalemail argv=/usr/lib/scalemail/bin/scalemail-store \${nexthop} \${user} \${extension}
submission inet n - y - - smtpd -v
  -o syslog_name=postfix/submission -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
`,
    );
    expect((await conf('-M')).out).toBe(`smtp       inet  n       -       y       -       -       smtpd
postlog    unix-dgram n  -       n       -       1       postlogd
scalemail-backend unix - n       n       -       2       pipe flags=R user=scalemail argv=/usr/lib/scalemail/bin/scalemail-store \${nexthop} \${user} \${extension}
submission inet  n       -       y       -       -       smtpd -v -o syslog_name=postfix/submission -o {smtpd_client_restrictions=permit_sasl_authenticated, reject}
`);
    expect((await conf('-Mf', 'submission')).out)
      .toBe(`submission inet  n       -       y       -       -       smtpd -v
    -o syslog_name=postfix/submission
    -o {smtpd_client_restrictions=permit_sasl_authenticated, reject}
`);
    expect((await conf('-P', 'submission/inet/syslog_name')).out).toBe(
      'submission/inet/syslog_name = postfix/submission\n',
    );
    expect((await conf('-Fh', 'smtp/inet/command')).out).toBe('smtpd\n');
    expect(await conf('-M', 'foo')).toEqual({ code: 0, out: '', err: 'postconf: warning: unmatched request: "foo"\n' });
  });
});

describe('SMTP users', () => {
  const passwd = (argv: string[], stdin?: string): Promise<Outcome> =>
    runWith(saslpasswd2, ['--data', data, ...argv], stdin === undefined ? {} : { stdin });
  const list = async (): Promise<Outcome> => runWith(sasldblistusers2, ['--data', data]);

  it('are added, listed and deleted; the password is nowhere to be seen', async () => {
    expect(await list()).toEqual({ code: 0, out: '', err: expect.stringContaining('listusers failed') });
    expect(await passwd(['-p', '-c', '-u', 'example.org', 'ada'], 'se cret\n')).toEqual({ code: 0, out: '', err: '' });
    expect((await passwd(['-p', '-c', 'bob'], 'pw')).code).toBe(0);
    expect((await passwd(['-p', 'bob'], 'other')).code).toBe(0);
    expect((await list()).out).toBe('ada@example.org: userPassword\nbob@mail.example.com: userPassword\n');
    expect(await readFile(path.join(data, 'sasl/users'), 'utf8')).not.toContain('se cret');
    expect((await passwd(['-d', '-u', 'example.org', 'ada'])).code).toBe(0);
    expect((await passwd(['-d', '-u', 'example.org', 'ada'])).code).toBe(0);
    expect((await list()).out).toBe('bob@mail.example.com: userPassword\n');
  });

  it.each([
    [['-p', '-u', 'x', 'nobody'], 'pw', 1, 'user not found: nobody@x; -c creates it'],
    [['-p', '-c', 'ada'], '', 1, 'no password on standard input'],
    [['-c', 'ada'], 'pw', 64, 'standard input is no terminal; use -p'],
    [['-c', '-d', 'ada'], '', 64, '-c and -d contradict'],
    [[], '', 64, 'usage: saslpasswd2'],
  ])('%j', async (argv, stdin, code, message) => {
    const outcome = await passwd(argv, stdin);
    expect([outcome.code, outcome.err]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe('newaliases', () => {
  it('is silent about good files and names the line of a bad entry', async () => {
    expect(await runWith(newaliases, ['--data', data])).toEqual({ code: 0, out: '', err: '' });
    await writeFile(file('aliases'), 'root: ada\nnonsense\n');
    expect(await runWith(newaliases, ['--data', data])).toEqual({
      code: 0,
      out: '',
      err: `newaliases: warning: ${file('aliases')}, line 2: need name:value pair; skipped "nonsense"\n`,
    });
    await rm(file('aliases'));
    expect((await runWith(newaliases, ['--data', data])).code).toBe(1);
  });
});
