import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commentOutMainCf, editMainCf, setParameters } from './edit.ts';
import { ConfigurationError } from './errors.ts';
import { writeFirstConfiguration } from './first-files.ts';
import { checkFiles, loadConfiguration } from './load.ts';
import { parseMainCf } from './main-cf.ts';
import { defaultNetworks, networkProblem } from './networks.ts';
import { parameters } from './parameters.ts';

const masterText = 'smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n';
const load = (main: string, master = masterText, hostname = 'host.example.org') =>
  checkFiles('/data/etc', main, master, { hostname, dataFolder: '/data' });
const reason = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('main.cf', () => {
  it('reads comments, blank lines and continuation lines', () => {
    const text =
      '# c\nmyhostname = mail.example.com\n   # inside\nmydomain=example.com\nmydestination = $myhostname,\n    localhost.$mydomain\n\n\tlocalhost\n# end\n';
    const { configuration } = load(text);
    expect(configuration.value('mydestination')).toBe('$myhostname, localhost.$mydomain localhost');
    expect(configuration.list('mydestination')).toEqual(['mail.example.com', 'localhost.example.com', 'localhost']);
  });

  it('takes the last of two settings and says so as postconf does', () => {
    const { configuration, findings } = load('myhostname = a.example\nmyhostname = b.example\n');
    expect(configuration.text('myhostname')).toBe('b.example');
    expect(findings).toContainEqual({
      level: 'warning',
      code: 'duplicate-parameter',
      message: 'overriding earlier entry: myhostname=a.example',
      file: '/data/etc/main.cf',
      line: 2,
    });
  });

  it.each([
    ['=foo', '/data/etc/main.cf, line 1: missing attribute name: "=foo"'],
    ['key value', 'line 1: missing \'=\' after attribute name: "key value"'],
    ['myhostname＝mail.example.com', 'U+FF1D); write a plain "="'],
    [
      '\n\nqueue_run_delay = 5x',
      'line 3: queue_run_delay: "5x" is not a time; write a number and one of s, m, h, d, w',
    ],
    [
      'line_length_limit = abc',
      'line 1: line_length_limit: "abc" is not a whole number'.replace('a whole number', 'a number of bytes'),
    ],
    ['smtpd_helo_required = true', '"true" is not yes or no'],
    ['myhostname = foo bar', 'myhostname: "foo bar" is not a host name'],
    ['mynetworks = 127.0.0.1/8', '"127.0.0.1/8" has host bits beyond its prefix; write 127.0.0.0/8'],
    ['a = $b\nb = $a', 'refers to itself: a → b → a'],
    ['smtpd_banner = ${myhostname', 'truncated macro reference: "${myhostname"'],
    ['postrider_profile = snik', 'write one of sink, server'],
  ])('refuses %j', (text, message) => {
    expect(reason(() => load(text))).toContain(message);
  });

  it('keeps unknown names, with a finding and a suggestion', () => {
    const { configuration, findings } = load(
      'myhostnam = x\nsmtpd_milters = inet:localhost:1\nmine = 1\nmyorigin = $mine\n',
    );
    expect(findings.map(({ code, message }) => [code, message.replace(/^(\S+ \S+ \S+).*Did/, '$1 Did')])).toEqual([
      ['unknown-parameter', 'unused parameter: myhostnam=x; Did you mean myhostname?'],
      ['parameter-not-used', expect.stringContaining('smtpd_milters')],
    ]);
    expect(configuration.text('myorigin')).toBe('1');
  });
});

describe('$expansion', () => {
  it.each([
    ['$mydomain', 'example.com'],
    ['${mydomain}', 'example.com'],
    ['$(mydomain)', 'example.com'],
    ['$$mydomain', '$mydomain'],
    ['${relayhost?yes}', ''],
    ['${relayhost:none}', 'none'],
    ['${mydomain?{a $mydomain}:{b}}', 'a example.com'],
    ['${relayhost?{a}:{b}}', 'b'],
    ['${{$mydomain} == {example.com} ? {A} : {B}}', 'A'],
    ['${{$mydomain}=={foo}?{A}:{B}}', 'B'],
    ['${{3} <level {3.6} ? {old} : {new}}', 'old'],
    ['${{3.10} <level {3.6} ? {old} : {new}}', 'new'],
    ['${nosuch}x', 'x'],
  ])('%s', (text, expected) => {
    expect(load('mydomain = example.com\n').configuration.expand(text)).toBe(expected);
  });

  it('ends for any text, in a value or an error', () => {
    const piece = fc.constantFrom(
      '$',
      '{',
      '}',
      '(',
      ')',
      '?',
      ':',
      '==',
      'mydomain',
      'a',
      'b',
      ' ',
      '$a',
      '${b}',
      '<level',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(piece, { maxLength: 12 }), (a, b) => {
        try {
          load(`a = ${a.join('')}\nb = ${b.join('')}\n`);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
        }
      }),
    );
  });
});

describe('the machine’s names', () => {
  it.each([
    ['', 'host.example.org', 'host.example.org', 'example.org'],
    ['', 'host', 'host.localdomain', 'localdomain'],
    ['mydomain = d.example', 'host', 'host.d.example', 'd.example'],
    ['myhostname = mx.a.example', 'host', 'mx.a.example', 'a.example'],
    ['myhostname = mx.$mydomain', 'host', 'mx.localdomain', 'localdomain'],
  ])('%j on %s', (main, hostname, myhostname, mydomain) => {
    const { configuration } = load(main, masterText, hostname);
    expect([configuration.text('myhostname'), configuration.text('mydomain')]).toEqual([myhostname, mydomain]);
  });

  it('makes mynetworks of the addresses', () => {
    const addresses = [
      { address: '127.0.0.1', prefix: 8 },
      { address: '192.0.2.7', prefix: 24 },
      { address: '::1', prefix: 128 },
    ];
    expect(defaultNetworks('subnet', ['all'], ['all'], addresses)).toBe('127.0.0.0/8 192.0.2.0/24 [::1]/128');
    expect(defaultNetworks('host', ['all'], ['ipv4'], addresses)).toBe('127.0.0.1/32 192.0.2.7/32');
    expect(defaultNetworks('subnet', ['loopback-only'], ['ipv4'], addresses)).toBe('127.0.0.0/8');
  });

  it('knows what a network is', () => {
    expect(['10.0.0.0/8', '[::1]/128', '!192.0.2.1', 'hash:/x', '/file', 'example.com'].map(networkProblem)).toEqual(
      Array.from({ length: 6 }, () => undefined),
    );
    expect(networkProblem('2001:db8::/32')).toContain('[2001:db8::]/32');
    expect(networkProblem('10.0.0.0/40')).toContain('at most 32');
  });
});

describe('types', () => {
  it('reads the seed’s kind of main.cf', () => {
    const { configuration, findings } = load(`myhostname = mail.tourcoder.com
mydomain = tourcoder.com
myorigin = $mydomain
inet_interfaces = all
inet_protocols = ipv4
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain
mynetworks = 127.0.0.0/8 123.123.123.123
home_mailbox = Maildir/
mail_spool_directory = /var/mail
smtpd_client_restrictions = permit_sasl_authenticated
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
`);
    // home_mailbox wins over mail_spool_directory, in Postfix too.
    expect(findings.map(({ level, line }) => [level, line])).toEqual([['info', 9]]);
    expect(configuration.text('smtpd_banner')).toBe('mail.tourcoder.com ESMTP Postrider');
    expect(configuration.bool('smtpd_sasl_auth_enable')).toBe(true);
    expect(configuration.time('queue_run_delay')).toBe(300_000);
    expect(configuration.int('smtpd_hard_error_limit')).toBe(20);
    expect(configuration.list('smtpd_relay_restrictions')).toEqual([]);
  });

  it('takes a bare number in the unit of the default', () => {
    const { configuration } = load('maximal_queue_lifetime = 2\ndelay_warning_time = 4\nsmtpd_timeout = 7\n');
    expect(configuration.time('maximal_queue_lifetime')).toBe(2 * 86_400_000);
    expect(configuration.time('delay_warning_time')).toBe(4 * 3_600_000);
    expect(configuration.time('smtpd_timeout')).toBe(7000);
  });

  it('has defaults that fit their types, every one', () => {
    const { configuration } = load('');
    for (const name of parameters.keys()) expect([name, configuration.problem(name)]).toEqual([name, undefined]);
    for (const [name, { type }] of parameters) if (type === 'time') configuration.time(name);
    expect(parameters.size).toBeGreaterThan(800);
  });

  it('throws for a name that is not in the table, and for the wrong type', () => {
    const { configuration } = load('');
    expect(() => configuration.text('nosuch')).toThrow('not in the parameter table');
    expect(() => configuration.int('myhostname')).toThrow('not of type');
  });

  it('gives a transport its own limits', () => {
    const { configuration, findings } = load(
      'slow_destination_concurrency_limit = 1\ndefault_destination_concurrency_limit = 7\n',
      `${masterText}slow unix - - n - - smtp\n`,
    );
    expect(findings).toEqual([]);
    expect(['slow', 'smtp', 'local'].map((name) => configuration.int(`${name}_destination_concurrency_limit`))).toEqual(
      [1, 7, 2],
    );
  });
});

describe('master.cf', () => {
  it('reads columns and -o in both forms', () => {
    const { configuration } = load(
      '',
      `smtp inet n - y - 100 smtpd -v
  -o smtpd_tls_security_level=encrypt
  # inside
  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
127.0.0.1:1025 inet n - n 60? - smtpd
`,
    );
    const [first, second] = configuration.services;
    if (first === undefined || second === undefined) throw new Error('two services were expected');
    expect(first).toMatchObject({
      private: false,
      unprivileged: true,
      chroot: true,
      maxproc: '100',
      command: 'smtpd',
      line: 1,
    });
    expect(second).toMatchObject({ service: '127.0.0.1:1025', chroot: false, wakeup: '60?', line: 5 });
    expect(configuration.forService(first).list('smtpd_client_restrictions')).toEqual([
      'permit_sasl_authenticated',
      'reject',
    ]);
    expect(configuration.forService(second).list('smtpd_client_restrictions')).toEqual([]);
    expect(configuration.forService(first).text('smtpd_tls_security_level')).toBe('encrypt');
    expect(configuration.forService(first).isSet('smtpd_tls_security_level')).toBe(true);
  });

  it.each([
    [
      'smtp2 inet  n - n - － smtpd',
      'line 1: invalid process_limit field "－"',
      '(full-width "-", U+FF0D); write a plain "-"',
    ],
    ['smtp2 inet n - n - smtpd', 'bad field count: 7 of 8', ''],
    ['smtp2 inet n - n - -\u3000smtpd', 'bad field count', 'ideographic (full-width) space, U+3000'],
    ['smtp2 inet q - n - - smtpd', 'invalid private field "q"', 'write y, n or -'],
    ['smtp2 foo n - n - - smtpd', 'invalid type field "foo"', 'inet, unix, fifo, unix-dgram, pass'],
    ['127.0.0.1:99999 inet n - n - - smtpd', 'port 99999 does not exist', ''],
    ['smtp inet n - n - - smtpd –o a=b', '"–o" is not an option', 'U+2013'],
    ['smtp inet n - n - - smtpd -o smtpd_timeout=soon', 'smtpd_timeout: "soon" is not a time', ''],
    ['smtp inet n - n - - smtpd -o', 'nothing follows "-o"', ''],
    ['smtp inet n - n - - smtpd\nsmtp inet n - n - - smtpd', 'line 2', 'already on line 1'],
  ])('refuses %j', (master, what, more) => {
    const message = reason(() => load('', master));
    expect(message).toContain(what);
    expect(message).toContain(more);
  });

  it('never fails otherwise than by ConfigurationError', () => {
    const word = fc.constantFrom(
      'smtp',
      'inet',
      'unix',
      'n',
      'y',
      '-',
      '60',
      'smtpd',
      '-o',
      '{',
      '}',
      'a=b',
      '\n',
      '\n ',
      '－',
      '#',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        try {
          load('', words.join(' '));
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
        }
      }),
    );
  });
});

describe('editing', () => {
  const before =
    '# comment\nmyhostname = mail.example.com\n   # comment in the middle\nmydomain = example.com\nmydestination = $myhostname,\n    localhost.$mydomain\n\n\tlocalhost\nmyhostname = mx.example.com\nbogus_param = 1\nsmtpd_hard_error_limit=5';

  // Golden: what Postfix 3.7.11's `postconf -e` and `-X` made of the same file.
  it('rewrites every duplicate and appends what is new', () => {
    const changes = new Map([
      ['myhostname', 'new.example.com'],
      ['brand_new', '1'],
    ]);
    expect(editMainCf(before, changes)).toBe(
      '# comment\nmyhostname = new.example.com\n   # comment in the middle\nmydomain = example.com\nmydestination = $myhostname,\n    localhost.$mydomain\n\n\tlocalhost\nmyhostname = new.example.com\nbogus_param = 1\nsmtpd_hard_error_limit=5\nbrand_new = 1\n',
    );
  });

  it('removes, with continuation lines, and leaves comments', () => {
    expect(
      editMainCf(
        before,
        new Map([
          ['mydestination', null],
          ['bogus_param', null],
        ]),
      ),
    ).toBe(
      '# comment\nmyhostname = mail.example.com\n   # comment in the middle\nmydomain = example.com\n\nmyhostname = mx.example.com\nsmtpd_hard_error_limit=5\n',
    );
    expect(commentOutMainCf('a = 1\n b\nc = 2\n', new Set(['a']))).toBe('#a = 1\n# b\nc = 2\n');
  });

  it('keeps CRLF', () => {
    expect(editMainCf('a = 1\r\nb = 2\r\n', new Map([['a', '3']]))).toBe('a = 3\r\nb = 2\r\n');
  });

  it('refuses what could not be read back', () => {
    expect(() => editMainCf('', new Map([['a', 'x\ny']]))).toThrow(ConfigurationError);
    expect(() => editMainCf('', new Map([['a b', 'x']]))).toThrow(ConfigurationError);
  });

  it('parse → edit → parse keeps everything else', () => {
    const name = fc.constantFrom('myhostname', 'mydomain', 'relayhost', 'a', 'b', 'c');
    const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/).filter((text) => !text.startsWith('#'));
    const line = fc.oneof(
      fc.tuple(name, value).map(([n, v]) => `${n} = ${v}`),
      fc.tuple(name, value, value).map(([n, v, w]) => `${n}=${v}\n\t${w}`),
      value.map((text) => `# ${text}`),
      fc.constant(''),
    );
    fc.assert(
      fc.property(fc.array(line), fc.dictionary(name, fc.option(value)), (lines, changed) => {
        const changes = new Map(Object.entries(changed));
        const text = lines.join('\n');
        const old = parseMainCf(text, 'main.cf').settings;
        const edited = editMainCf(text, changes);
        const now = parseMainCf(edited, 'main.cf').settings;
        for (const [key, { value: was }] of old) if (!changes.has(key)) expect(now.get(key)?.value).toBe(was);
        for (const [key, wanted] of changes) expect(now.get(key)?.value).toBe(wanted ?? undefined);
        const comments = (of: string): string[] => of.split('\n').filter((one) => one.startsWith('#'));
        expect(comments(edited)).toEqual(comments(text));
      }),
    );
  });
});

describe('files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'config-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('writes first files that load without a complaint', async () => {
    for (const profile of ['sink', 'server'] as const) {
      const data = path.join(folder, profile);
      const written = await writeFirstConfiguration(data, {
        profile,
        domain: 'Example.com',
        smtp: ['127.0.0.1:0', '[::1]:0'],
      });
      expect(written).toEqual(['etc/sasl/smtpd.conf', 'etc/aliases', 'etc/master.cf', 'etc/main.cf']);
      const configuration = await loadConfiguration(path.join(data, 'etc'));
      expect(configuration.findings).toEqual([]);
      expect(configuration.text('myhostname')).toBe('mail.example.com');
      expect(configuration.text('postrider_profile')).toBe(profile);
      expect(configuration.bool('postrider_port_fallback')).toBe(profile === 'sink');
      expect(configuration.text('postrider_maildir_root')).toBe(path.join(data, 'mail'));
      expect(configuration.services.filter(({ type }) => type === 'inet').map(({ service }) => service)).toEqual([
        '127.0.0.1:0',
        '[::1]:0',
      ]);
      expect((await stat(data)).mode & 0o777).toBe(0o700);
    }
  });

  it('never overwrites, and refuses a domain or address that cannot be', async () => {
    await writeFirstConfiguration(folder, { profile: 'sink' });
    await writeFile(path.join(folder, 'etc/main.cf'), 'mydomain = mine.example\n');
    expect(await writeFirstConfiguration(folder, { profile: 'server' })).toEqual([]);
    expect(await readFile(path.join(folder, 'etc/main.cf'), 'utf8')).toBe('mydomain = mine.example\n');
    await expect(writeFirstConfiguration(folder, { profile: 'sink', domain: 'a b' })).rejects.toMatchObject({
      code: 'bad-input',
      field: 'domain',
    });
    await expect(writeFirstConfiguration(folder, { profile: 'sink', smtp: ['nine'] })).rejects.toMatchObject({
      field: 'smtp',
    });
  });

  it('changes main.cf in place, mode and all', async () => {
    await writeFirstConfiguration(folder, { profile: 'sink' });
    const etc = path.join(folder, 'etc');
    const file = path.join(etc, 'main.cf');
    await writeFile(file, '# mine\nmydomain = a.example\n', { mode: 0o600 });
    const mode = (await stat(file)).mode;
    await setParameters(
      etc,
      new Map([
        ['mydomain', 'b.example'],
        ['relayhost', '[x]:25'],
      ]),
    );
    expect(await readFile(file, 'utf8')).toBe('# mine\nmydomain = b.example\nrelayhost = [x]:25\n');
    expect((await stat(file)).mode).toBe(mode);
  });

  it('names the missing file', async () => {
    await expect(loadConfiguration(folder)).rejects.toThrow(/main\.cf: open: No such file or directory/);
  });
});
