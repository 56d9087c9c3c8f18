import { describe, expect, it } from 'vitest';
import { badInput } from '../contract/errors.ts';
import type { Overview } from '../contract/server.ts';
import { commands, summaries } from './commands.ts';
import { runWith } from './fake-server.ts';
import { run as readyz } from './readyz.ts';
import { run as reload } from './reload.ts';
import { run as status } from './status.ts';
import { run as stop } from './stop.ts';

const overview: Overview = {
  software: 'Postrider',
  version: '1',
  profile: 'sink',
  hostname: 'mail.example.com',
  domain: 'example.com',
  dataFolder: '/d',
  pid: process.pid,
  listeners: [
    { service: 'smtp', address: '::1', port: 1026, tls: 'starttls', wanted: 1025, loopback: true },
    { service: 'smtp', address: '127.0.0.1', port: 1025, tls: 'none', loopback: true },
  ],
  queue: { incoming: 1, active: 2, deferred: 3, hold: 4, corrupt: 5 },
  flow: { received: 1, rejected: 2, delivered: 3, relayed: 4, deferred: 5, bounced: 6 },
  sessions: 0,
  mailboxes: 7,
  messages: 8,
  capabilities: [],
  findings: [
    { level: 'warning', code: 'w', message: 'careful', file: 'main.cf', line: 3 },
    { level: 'info', code: 'i', message: 'by the way' },
  ],
};

describe('readyz', () => {
  it('is 0 when the server is ready, 69 with the reason when not', async () => {
    const ask = (ready: boolean) =>
      runWith(readyz, [], {
        handlers: {
          'server.health': () => ({
            ready,
            findings: ready ? [] : [{ level: 'error', code: 'x', message: 'disk full' }],
          }),
        },
      });
    expect(await ask(true)).toEqual({ code: 0, out: 'ready\n', err: '' });
    expect(await ask(false)).toEqual({ code: 69, out: '', err: 'readyz: not ready: disk full\n' });
    expect((await runWith(readyz, [])).code).toBe(69);
  });

  it('waits until it is', async () => {
    let asked = 0;
    const outcome = await runWith(readyz, ['--wait', '20'], {
      handlers: { 'server.health': () => ({ ready: ++asked === 3, findings: [] }) },
    });
    expect([outcome.code, asked]).toEqual([0, 3]);
    expect((await runWith(readyz, ['--wait', 'long'])).code).toBe(64);
  });
});

describe('status', () => {
  it('describes the server', async () => {
    const { code, out } = await runWith(status, [], { handlers: { 'server.overview': () => overview } });
    expect(code).toBe(0);
    expect(out).toBe(`server:      Postrider 1, sink profile, pid ${process.pid}
name:        mail.example.com (example.com)
data:        /d
SMTP:        [::1]:1026 (starttls), instead of 1025, which was taken, 127.0.0.1:1025
queue:       1 incoming, 2 active, 3 deferred, 4 on hold, 5 corrupt
since start: 1 received, 2 rejected, 3 delivered, 4 relayed, 5 deferred, 6 bounced
mailboxes:   7, 8 messages
warning: main.cf, line 3: careful
`);
    const json = await runWith(status, ['--json'], { handlers: { 'server.overview': () => overview } });
    expect(JSON.parse(json.out)).toEqual(overview);
    expect((await runWith(status, [])).code).toBe(69);
  });
});

describe('reload', () => {
  it('prints what was found; a refused configuration is 78', async () => {
    const done = await runWith(reload, [], { handlers: { 'server.reload': () => ({ findings: overview.findings }) } });
    expect(done).toEqual({ code: 0, out: 'reloaded\n', err: 'reload: warning: main.cf, line 3: careful\n' });
    const refused = await runWith(reload, [], {
      handlers: {
        'server.reload': () => {
          throw badInput('main.cf', 'main.cf, line 2: wrong.');
        },
      },
    });
    expect(refused).toEqual({
      code: 78,
      out: '',
      err: 'reload: fatal: main.cf, line 2: wrong. The previous configuration stays in force.\n',
    });
  });
});

describe('stop', () => {
  it('is 69 when nothing runs', async () => {
    expect((await runWith(stop, [])).code).toBe(69);
    expect((await runWith(stop, ['--nosuch'])).code).toBe(64);
  });
});

describe('the list of commands', () => {
  it('loads each, and has a summary for each', async () => {
    expect(Object.keys(summaries)).toEqual(Object.keys(commands));
    for (const load of Object.values(commands)) expect((await load()).run).toBeTypeOf('function');
  });

  it('refuses --data without a folder', async () => {
    for (const name of ['mailq', 'postqueue', 'postsuper', 'postconf', 'saslpasswd2']) {
      const { run } = await (commands[name] ?? (() => Promise.reject(new Error(name))))();
      expect([name, (await runWith(run, ['--data'])).code]).toEqual([name, 64]);
    }
  });
});
