/** Every command of the mail server by name, loaded when it is run: `sendmail` must not wait for all the others. */
import type { Run } from './io.ts';

export type { CliIo, Run } from './io.ts';

export const commands: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  mailq: () => import('./mailq.ts'),
  mta: () => import('./mta.ts'),
  newaliases: () => import('./newaliases.ts'),
  postcat: () => import('./postcat.ts'),
  postconf: () => import('./postconf.ts'),
  postqueue: () => import('./postqueue.ts'),
  postsuper: () => import('./postsuper.ts'),
  readyz: () => import('./readyz.ts'),
  reload: () => import('./reload.ts'),
  sasldblistusers2: () => import('./sasldblistusers2.ts'),
  saslpasswd2: () => import('./saslpasswd2.ts'),
  sendmail: () => import('./sendmail.ts'),
  status: () => import('./status.ts'),
  stop: () => import('./stop.ts'),
};

/** What each is for, in a line: for the program's help. */
export const summaries: Readonly<Record<string, string>> = {
  mailq: 'the queue, as sendmail’s mailq shows it',
  mta: 'run the mail server alone',
  newaliases: 'check the alias files',
  postcat: 'show a queued message (-q ID)',
  postconf: 'show (-n -d -x -M) or edit (-e) the configuration',
  postqueue: 'list the queue (-p -j), try it again now (-f -i -s)',
  postsuper: 'delete, hold, release, requeue, expire queued mail (-d -h -H -r -e)',
  readyz: 'tell whether the server is ready, or wait for it',
  reload: 'read the configuration again',
  sasldblistusers2: 'list the SMTP users',
  saslpasswd2: 'add, change or delete an SMTP user',
  sendmail: 'send a message from standard input',
  status: 'show what the server does',
  stop: 'stop the server',
};
