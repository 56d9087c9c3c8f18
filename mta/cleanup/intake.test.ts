import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkFiles } from '../config/load.ts';
import { StoreFullError, type NewMessage } from '../queue/store.ts';
import { createIntake, IntakeError, type Intake, type IntakeOptions } from './intake.ts';

let folder: string;
let log: string[];
let accepted: NewMessage[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postrider-intake-'));
  log = [];
  accepted = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function make(mainCf = '', options: Partial<IntakeOptions> = {}): Intake {
  const text = `compatibility_level = 3.6\nmyhostname = mail.example.test\n${mainCf}\n`;
  const { configuration } = checkFiles(folder, text, '', { dataFolder: folder, hostname: 'mail.example.test' });
  return createIntake({
    configuration: () => configuration,
    log: { line: (service, line) => log.push(`${service}: ${line}`) },
    accept: (message) => {
      accepted.push(message);
      return Promise.resolve();
    },
    bodiesFolder: folder,
    ...options,
  });
}

const text = (message: NewMessage | undefined): string =>
  message?.body.kind === 'memory' ? Buffer.from(message.body.data).toString() : '';

describe('submit', () => {
  test('as sendmail: any line ends, missing headers, Received without a client', async () => {
    const intake = make();
    const { id } = await intake.submit({
      sender: 'alice@example.org',
      recipients: ['bob@example.org'],
      data: Buffer.from('Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\none\rtwo\0\nlast'),
      user: 'alice',
    });
    const [message] = accepted;
    expect(message).toMatchObject({
      id,
      subject: 'Grüße',
      recipients: [{ address: 'bob@example.org' }],
      envelope: { sender: 'alice@example.org' },
    });
    expect(text(message)).toMatch(
      new RegExp(
        `^Received: by mail\\.example\\.test \\(Postrider, from userid alice\\)\\n\\tid ${id}; .*\\nSubject: .*\\nMessage-Id: <\\d{14}\\.${id}@mail\\.example\\.test>\\nDate: .*\\nFrom: alice@example\\.org\\n\\none two\\nlast\\n$`,
      ),
    );
    expect(message?.messageId).toMatch(/^<\d{14}\./);
    expect(log).toEqual([
      `pickup: ${id}: uid=alice from=<alice@example.org>`,
      `cleanup: ${id}: message-id=${message?.messageId}`,
    ]);
  });

  test('nothing is accepted twice for one address asked for twice', async () => {
    await make().submit({ sender: '', recipients: ['a@b', 'c@d', 'a@b'], data: Buffer.from('x') });
    expect(accepted[0]?.recipients.map(({ address }) => address)).toEqual(['a@b', 'c@d']);
    expect(text(accepted[0])).toContain('From: MAILER-DAEMON (Mail Delivery System)\n');
  });

  test('recipients are expanded before they are stored', async () => {
    const intake = make('', {
      expand: (recipients) =>
        recipients.flatMap((each) =>
          each.address === 'team@b'
            ? [
                { address: 'a@b', originalAddress: 'team@b' },
                { address: 'c@b', originalAddress: 'team@b' },
              ]
            : [each],
        ),
    });
    await intake.submit({ sender: '', recipients: ['team@b'], data: Buffer.from('x') });
    expect(accepted[0]?.recipients).toHaveLength(2);
  });

  test('an expansion that fails, and no recipients', async () => {
    const broken = make('', { expand: () => Promise.reject(new Error('aliases: broken')) });
    await expect(broken.submit({ sender: '', recipients: ['a@b'], data: Buffer.from('x') })).rejects.toMatchObject({
      reply: '451 4.3.0 Error: queue file write error',
    });
    await expect(make().submit({ sender: '', recipients: [], data: Buffer.from('x') })).rejects.toMatchObject({
      reply: '550 5.1.0 Error: no recipients specified',
    });
    expect(accepted).toEqual([]);
  });

  test('undisclosed_recipients_header', async () => {
    await make('undisclosed_recipients_header = To: undisclosed-recipients:;').submit({
      sender: 'a@b',
      recipients: ['c@d'],
      data: Buffer.from('Subject: x\n\n'),
    });
    expect(text(accepted[0])).toContain('From: a@b\nTo: undisclosed-recipients:;\n\n');
  });
});

describe('large messages', () => {
  const big = Buffer.from(`Subject: big\n\n${'x'.repeat(99)}\n`.padEnd(300_000, 'y\n'));

  test('go to a file of the id that is complete when accept is called', async () => {
    let seen = '';
    const intake = make('', {
      accept: async (message) => {
        if (message.body.kind === 'spool') seen = await readFile(join(folder, message.body.file), 'utf8');
        expect(Buffer.byteLength(seen)).toBe(message.size);
      },
    });
    const { id } = await intake.submit({ sender: 'a@b', recipients: ['c@d'], data: big });
    expect(await readdir(folder)).toEqual([id]);
    expect(seen.endsWith(big.toString().slice(-200_000))).toBe(true);
  });

  test.each([
    [new StoreFullError('full'), '452 4.3.1 Insufficient system storage'],
    [new Error('gone'), '451 4.3.0 Error: queue file write error'],
  ])('%s: the file is removed', async (error, reply) => {
    const intake = make('', { accept: () => Promise.reject(error) });
    const failure = intake.submit({ sender: '', recipients: ['a@b'], data: big });
    await expect(failure).rejects.toBeInstanceOf(IntakeError);
    await expect(failure).rejects.toMatchObject({ reply });
    expect(await readdir(folder)).toEqual([]);
  });

  test('a size limit is noticed while it streams; nothing stays', async () => {
    const intake = make('message_size_limit = 100000');
    const message = intake.open({ envelope: { sender: '' }, recipients: [{ address: 'a@b' }], local: false });
    for (let n = 0; n < 100; n += 1) await message.write(Buffer.alloc(10_000, 'x'));
    await expect(message.end()).rejects.toMatchObject({ reply: '552 5.3.4 Error: message file too big' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('a folder that cannot be written is 451, and a file of that name is not overwritten', async () => {
    const gone = make('', { bodiesFolder: join(folder, 'nowhere') });
    await expect(gone.submit({ sender: '', recipients: ['a@b'], data: big })).rejects.toMatchObject({
      reply: '451 4.3.0 Error: queue file write error',
    });
    const intake = make();
    const id = intake.newId();
    await writeFile(join(folder, id), 'precious');
    const message = intake.open({ id, envelope: { sender: '' }, recipients: [{ address: 'a@b' }], local: false });
    await message.write(big);
    await expect(message.end()).rejects.toBeInstanceOf(IntakeError);
    expect(await readFile(join(folder, id), 'utf8')).toBe('precious');
  });

  test('abort removes what was written', async () => {
    const message = make().open({ envelope: { sender: '' }, recipients: [{ address: 'a@b' }], local: false });
    await message.write(big);
    await message.abort();
    expect(await readdir(folder)).toEqual([]);
    expect(accepted).toEqual([]);
  });

  test('a writer that heeds the promises keeps little in memory', async () => {
    const intake = make('message_size_limit = 0', { accept: () => Promise.resolve() });
    const message = intake.open({ envelope: { sender: '' }, recipients: [{ address: 'a@b' }], local: false });
    await message.write(Buffer.from('\n'));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let n = 0; n < 800; n += 1) {
      const wait = message.write(Buffer.alloc(65_536, 'x'));
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      await wait;
    }
    const { size } = await message.end();
    expect(size).toBeGreaterThan(50_000_000);
    expect(most).toBeLessThan(40_000_000);
  });
});

test('Received names an IPv6 client as a literal and quotes nothing dangerous', async () => {
  const message = make().open({
    envelope: { sender: '', protocol: 'ESMTPS' },
    recipients: [{ address: 'a@b' }],
    from: { helo: 'x) evil\r\n(', name: 'unknown', address: '2001:db8::1', tls: 'TLSv1.3 with cipher X' },
    local: false,
  });
  await message.end();
  expect(text(accepted[0])).toMatch(
    /^Received: from x\? evil\?\?\? \(unknown \[IPv6:2001:db8::1\]\)\n\t\(using TLSv1\.3 with cipher X\)\n\t\(No client certificate requested\)\n\tby mail\.example\.test \(Postrider\) with ESMTPS id \w+\n\tfor <a@b>; .*\n$/,
  );
});
