/** An SMTP server with a real intake for tests: what it accepts and logs is kept in memory. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIntake, type Intake } from '../../cleanup/intake.ts';
import type { Configuration, MasterService } from '../../config/configuration.ts';
import type { NewMessage } from '../../queue/store.ts';
import { openSaslUsers, type SaslUsers } from '../sasl/users.ts';
import { createSmtpServer, type SmtpServer } from '../server.ts';
import { openTls } from '../tls.ts';
import { testConfiguration } from './configuration.ts';

export interface Accepted extends Omit<NewMessage, 'body'> {
  readonly text: string;
  readonly kind: 'memory' | 'spool';
}

export interface TestServer {
  readonly port: number;
  readonly folder: string;
  readonly server: SmtpServer;
  readonly intake: Intake;
  readonly users: SaslUsers;
  readonly configuration: Configuration;
  readonly messages: Accepted[];
  /** `smtpd: connect from …` */
  readonly log: string[];
  readonly rejected: () => number;
  readonly sessions: () => number;
  /** Resolves when a log line has this in it. */
  logged(part: string): Promise<string>;
  close(): Promise<void>;
}

export interface TestServerOptions {
  readonly tls?: boolean | undefined;
  readonly known?: ((address: string) => boolean | Promise<boolean>) | undefined;
  /** Instead of keeping the message. */
  readonly accept?: ((message: NewMessage) => Promise<void>) | undefined;
}

export const testService: MasterService = {
  service: 'smtp',
  type: 'inet',
  private: false,
  unprivileged: false,
  chroot: false,
  wakeup: '',
  maxproc: '',
  command: 'smtpd',
  arguments: [],
  overrides: new Map(),
  line: 1,
};

export async function startServer(mainCf = '', options: TestServerOptions = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-smtpd-'));
  const bodiesFolder = join(folder, 'bodies');
  await mkdir(bodiesFolder);
  const configuration = testConfiguration(folder, mainCf);
  const log: string[] = [];
  const waiting = new Set<() => void>();
  const messages: Accepted[] = [];
  let rejected = 0;
  let sessions = 0;
  const maillog = {
    line(service: string, text: string): void {
      log.push(`${service}: ${text}`);
      for (const wake of waiting) wake();
    },
  };
  const intake = createIntake({
    configuration: () => configuration,
    log: maillog,
    bodiesFolder,
    accept:
      options.accept ??
      (async ({ body, ...message }) => {
        const data = body.kind === 'memory' ? Buffer.from(body.data) : await readFile(join(bodiesFolder, body.file));
        messages.push({ ...message, text: data.toString('utf8'), kind: body.kind });
      }),
  });
  const users = openSaslUsers(configuration.text('postrider_sasl_users'), { iterations: 4096 });
  const server = createSmtpServer({
    service: testService,
    configuration,
    log: maillog,
    intake,
    users,
    tls: options.tls === true ? await openTls(configuration, maillog) : undefined,
    recipientKnown: options.known ?? ((address) => /^(?:bob|postmaster)@/i.test(address)),
    onRejected: () => (rejected += 1),
    onSession: (delta) => (sessions += delta),
  });
  const { port } = await server.listen('127.0.0.1', 0);

  return {
    port,
    folder,
    server,
    intake,
    users,
    configuration,
    messages,
    log,
    rejected: () => rejected,
    sessions: () => sessions,
    logged(part) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = log.find((line) => line.includes(part));
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no log line with "${part}" in:\n${log.join('\n')}`));
        }, 10_000);
        waiting.add(look);
        look();
      });
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
