/**
 * How many messages a second the SMTP server takes with nothing behind it: `node mta/smtpd/testing/bench.ts [messages]
 * [sessions]`. A tool for whoever changes the session; no test.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIntake } from '../../cleanup/intake.ts';
import { createSmtpServer } from '../server.ts';
import { testConfiguration } from './configuration.ts';

const total = Number(process.argv[2] ?? 20_000);
const sessions = Number(process.argv[3] ?? 20);
const folder = await mkdtemp(join(tmpdir(), 'postrider-bench-'));
const configuration = testConfiguration(folder, 'postrider_profile = sink');
const log = { line: () => undefined };
const intake = createIntake({
  configuration: () => configuration,
  log,
  accept: async () => undefined,
  bodiesFolder: folder,
});
const service = {
  service: 'smtp',
  type: 'inet',
  private: false,
  unprivileged: false,
  chroot: false,
  wakeup: '',
  maxproc: '',
  command: 'smtpd',
  arguments: [],
  overrides: new Map<string, string>(),
  line: 0,
} as const;
const server = createSmtpServer({ service, configuration, log, intake, recipientKnown: () => true });
const { port } = await server.listen('127.0.0.1', 0);
const body = `Subject: bench\r\nMessage-ID: <a@b>\r\nDate: now\r\nFrom: a@b\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(51)}.\r\n`;

let left = total;
async function run(): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  const say = async (text: string): Promise<void> => {
    if (text !== '') socket.write(text);
    await once(socket, 'data');
  };
  await say('');
  await say('EHLO bench\r\n');
  while (left-- > 0) {
    await say('MAIL FROM:<a@example.org>\r\n');
    await say('RCPT TO:<b@example.org>\r\n');
    await say('DATA\r\n');
    await say(body);
  }
  socket.end('QUIT\r\n');
}
const start = performance.now();
const cpu = process.cpuUsage();
await Promise.all(Array.from({ length: sessions }, run));
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
process.stdout.write(
  `${total} messages, ${sessions} sessions: ${Math.round(total / seconds)} msg/s (client in the same process), ` +
    `${((user + system) / 1000 / total).toFixed(3)} ms of CPU a message\n`,
);
await server.close();
await rm(folder, { recursive: true });
