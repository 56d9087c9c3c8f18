/**
 * Accept and deliver rates beside Debian's Postfix in the same run, on the same disk, as a table with ratios.
 *
 * `npm run bench [-- --messages 3000 --size 4000 --sessions 20 --rounds 3]`. Both store durably (fsync) and deliver to
 * one Maildir. Rounds alternate between the two so that a slow moment of the machine hits both; the median counts.
 * Needs root and the packages of test/tools/packages.ts (postfix for smtp-source and as the peer).
 */
import { readdir, mkdir, chown, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startPostfix } from '../support/postfix.ts';
import { command, eventually, startServer, temporaryFolder } from '../support/server.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '3000' },
    size: { type: 'string', default: '4000' },
    sessions: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
  },
});
const messages = Number(values.messages);
const rounds = Number(values.rounds);

interface Target {
  readonly name: string;
  readonly port: number;
  /** Maildir that all mail of the benchmark ends in. */
  readonly maildir: string;
  readonly recipient: string;
}

interface Measured {
  accept: number;
  deliver: number;
}

async function delivered(maildir: string): Promise<number> {
  return (await readdir(path.join(maildir, 'new')).catch(() => [])).length;
}

async function measure(target: Target, reuse: boolean): Promise<Measured> {
  const before = await delivered(target.maildir);
  const started = performance.now();
  const { code, stderr } = await command('/usr/sbin/smtp-source', [
    ...(reuse ? ['-d'] : []),
    '-s',
    values.sessions,
    '-l',
    values.size,
    '-m',
    String(messages),
    '-f',
    'bench@client.test',
    '-t',
    target.recipient,
    `127.0.0.1:${target.port}`,
  ]);
  const accepted = performance.now();
  if (code !== 0) throw new Error(`smtp-source to ${target.name} ended with ${code}: ${stderr}`);
  await eventually(
    async () => ((await delivered(target.maildir)) - before >= messages ? true : undefined),
    `${target.name} delivering ${messages} messages`,
    300_000,
  );
  const done = performance.now();
  return { accept: (messages * 1000) / (accepted - started), deliver: (messages * 1000) / (done - started) };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

const mailFolder = await temporaryFolder('bench-mail');
const { stdout: uid } = await command('id', ['-u', 'postfix']);
await mkdir(path.join(mailFolder, 'postfix'), { recursive: true });
await chown(mailFolder, Number(uid), Number(uid));
await chown(path.join(mailFolder, 'postfix'), Number(uid), Number(uid));

const ours = await startServer({ command: 'mta', profile: 'sink' });
const postfix = await startPostfix({
  virtual_mailbox_domains: 'bench.test',
  virtual_mailbox_base: mailFolder,
  virtual_mailbox_maps: 'static:postfix/',
  virtual_uid_maps: 'static:' + uid.trim(),
  virtual_gid_maps: 'static:' + uid.trim(),
  virtual_minimum_uid: '1',
  smtpd_client_connection_count_limit: '0',
  smtpd_client_connection_rate_limit: '0',
});

const targets: Target[] = [
  {
    name: 'Postrider',
    port: ours.port,
    maildir: path.join(ours.data, 'mail', 'user@bench.test'),
    recipient: 'user@bench.test',
  },
  { name: 'Postfix', port: postfix.port, maildir: path.join(mailFolder, 'postfix'), recipient: 'user@bench.test' },
];

const results = new Map<string, Measured[]>();
try {
  for (const reuse of [true, false]) {
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) {
        const measured = await measure(target, reuse);
        const key = `${target.name} ${reuse}`;
        results.set(key, [...(results.get(key) ?? []), measured]);
        process.stderr.write(
          `${target.name}, ${reuse ? 'sessions reused' : 'a connection each'}, round ${round + 1}: ` +
            `${Math.round(measured.accept)} accepted/s, ${Math.round(measured.deliver)} delivered/s\n`,
        );
      }
    }
  }
  const memory = await residentMegabytes(ours.ready.pid);
  const { stdout: version } = await command('/usr/sbin/postconf', ['-dh', 'mail_version']);
  const rows = [
    `| ${messages} messages of ${values.size} bytes, ${values.sessions} at a time, median of ${rounds} | Postrider | Postfix ${version.trim()} | ratio |`,
    '|---|---:|---:|---:|',
  ];
  for (const reuse of [true, false]) {
    for (const what of ['accept', 'deliver'] as const) {
      const [a, b] = targets.map((target) =>
        median((results.get(`${target.name} ${reuse}`) ?? []).map((each) => each[what])),
      );
      rows.push(
        `| ${what === 'accept' ? 'accepted/s' : 'in the Maildir/s'}, ${reuse ? 'sessions reused' : 'a connection each'} | ` +
          `${Math.round(a ?? 0)} | ${Math.round(b ?? 0)} | ${((a ?? 0) / (b ?? 1)).toFixed(1)}× |`,
      );
    }
  }
  rows.push('', `Postrider's MTA after the load: ${memory} MB resident.`, '');
  process.stdout.write(rows.join('\n'));
} finally {
  await ours.cleanUp();
  await postfix.stop();
  await rm(mailFolder, { recursive: true, force: true });
}

async function residentMegabytes(pid: number): Promise<number> {
  const { stdout } = await command('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Math.round(Number(stdout) / 1024);
}
