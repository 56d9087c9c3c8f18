/**
 * The command line on a server that runs: Postfix's commands under their own names, with its words, counts and exit
 * codes. A real Postfix is asked the same beside it, and must answer in the same shape.
 */
import { readFile, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, startPostfix, type Postfix } from '../support/postfix.ts';
import {
  command,
  eventually,
  postrider,
  projectFolder,
  startServer,
  temporaryFolder,
  type CommandResult,
  type RunningServer,
} from '../support/server.ts';
import { SmtpClient } from '../support/smtp-client.ts';

let server: RunningServer;
let postfix: Postfix;
let nextHop: number;

beforeAll(async () => {
  nextHop = await freePort();
  postfix = await startPostfix({ relayhost: `[127.0.0.1]:${nextHop}`, enable_long_queue_ids: 'no' });
  server = await startServer({ command: 'mta', profile: 'server', domain: 'postfix.test' });
  const set = await server.run('postconf', '-e', `relayhost=[127.0.0.1]:${nextHop}`, 'myhostname=postfix.test');
  expect(set).toEqual({ code: 0, stdout: '', stderr: '' });
  expect((await server.run('reload')).code).toBe(0);
}, 60_000);
afterAll(async () => {
  await Promise.all([server.cleanUp(), postfix.stop()]);
}, 60_000);

async function send(port: number, to: readonly string[] = ['x@far.test'], from = 'a@postfix.test'): Promise<string> {
  const client = await SmtpClient.open(port);
  await client.say('EHLO client.test');
  const reply = await client.send(from, to, 'Subject: hello\nFrom: a@postfix.test\n\nbody');
  await client.quit();
  return /queued as (\w+)/.exec(reply.text)?.[1] ?? reply.text;
}

interface Listed {
  queue_name: string;
  queue_id: string;
  recipients: { delay_reason?: string }[];
}

type Asked = Pick<RunningServer, 'run'>;

async function listed(where: Asked): Promise<Listed[]> {
  const { stdout } = await where.run('postqueue', '-j');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Listed);
}

/** Waits until every message has been tried, and lies in deferred. */
async function settled(where: Asked, count: number): Promise<void> {
  let rows: Listed[] = [];
  await eventually(async () => {
    rows = await listed(where);
    const tried = rows.every(
      (row) => row.queue_name === 'deferred' && row.recipients.every((each) => each.delay_reason !== undefined),
    );
    return rows.length === count && tried ? true : undefined;
  }, `${count} deferred`).catch((error: unknown) => {
    throw new Error(`the queue has ${JSON.stringify(rows)}`, { cause: error });
  });
}

const emptied = (where: Asked): Promise<unknown> => where.run('postsuper', '-d', 'ALL');

describe('beside a real Postfix', () => {
  let ours: string[];
  let theirs: string[];
  const reference: Asked = { run: (name = '', ...args) => postfix.run(name, ...args) };

  beforeAll(async () => {
    ours = [];
    theirs = [];
    for (const to of [['x@far.test'], ['x@far.test', 'y@else.test']]) {
      ours.push(await send(server.port, to));
      theirs.push(await send(postfix.port, to));
    }
    await Promise.all([settled(server, 2), settled(reference, 2)]);
  }, 60_000);
  afterAll(() => emptied(server));

  /** Ids by their place, sizes and times as their shape; blocks in one order, as Postfix's follows its folders. */
  function shape({ code, stdout, stderr }: CommandResult, ids: readonly string[]): unknown {
    const plain = (text: string): string => {
      let out = text;
      ids.forEach((id, index) => {
        // The id's length is Postfix's own affair: what follows is padded by it.
        out = out
          .replaceAll(new RegExp(`${id}([*!#]*) +\\d+ `, 'g'), `ID${index}$1 SIZE `)
          .replaceAll(id, `ID${index}`);
      });
      return out
        .replaceAll(/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d/g, 'TIME')
        .replaceAll(/"arrival_time": \d{10}/g, '"arrival_time": TIME')
        .replaceAll(/"message_size": \d+/g, '"message_size": SIZE')
        .replaceAll('/usr/sbin/', '');
    };
    const blocks = plain(stdout)
      .split(/\n\n/)
      .flatMap((block) => (block.startsWith('{') ? block.trim().split('\n') : [block]))
      .map((block) => block.replace(/^-Queue ID-.*\n/, (heading) => heading).trimEnd());
    const heading = blocks[0]?.startsWith('-Queue ID-') === true ? blocks[0].split('\n')[0] : undefined;
    const messages = blocks.map((block) => (heading === undefined ? block : block.replace(`${heading}\n`, '')));
    const lines = messages.map((block) => {
      const rows = block.split('\n');
      // Recipients of one message come in no promised order.
      return block.startsWith('{') ? sortRecipients(block) : [...rows.slice(0, 2), ...rows.slice(2).sort()].join('\n');
    });
    return { code, heading, stdout: lines.sort(), stderr: plain(stderr) };
  }

  function sortRecipients(line: string): string {
    return line.replace(/"recipients": \[(.*)\]/, (_, list: string) => {
      const each = list.match(/\{[^{}]*\}/g) ?? [];
      return `"recipients": [${each.sort().join(', ')}]`;
    });
  }

  async function same(...[name, ...args]: [string, ...string[]]): Promise<void> {
    const named = (ids: readonly string[]): string[] =>
      args.map((word) => ids[Number(/^ID(\d)$/.exec(word)?.[1])] ?? word);
    const [we, they] = await Promise.all([server.run(name, ...named(ours)), postfix.run(name, ...named(theirs))]);
    expect(shape(we, ours), `${name} ${args.join(' ')}`).toEqual(shape(they, theirs));
  }

  it('lists alike', async () => {
    await same('postqueue', '-p');
    await same('postqueue', '-j');
    const mailq = await server.run('mailq');
    expect(mailq).toEqual(await server.run('postqueue', '-p'));
  });

  it('answers unknown ids and wrong usage alike', { timeout: 60_000 }, async () => {
    for (const letter of 'dhHref') await same('postsuper', `-${letter}`, 'ABCDEF0');
    await same('postsuper', '-d', 'bad/id');
    await same('postsuper', '-d', 'ALL', 'nosuch');
    await same('postsuper', '-x');
    await same('postqueue', '-i', 'ABCDEF0');
    await same('postqueue', '-i', '../x');
    await same('postqueue');
    await same('postcat', '-q', 'ABCDEF0');
    await same('postcat', '-q', 'a/b');
  });

  it('acts alike, one change after the other', { timeout: 60_000 }, async () => {
    await same('postsuper', '-h', 'ID0');
    await same('postqueue', '-p');
    await same('postqueue', '-j');
    await same('postsuper', '-h', 'ID0');
    await same('postsuper', '-H', 'ID1');
    await same('postsuper', '-d', 'ID0', 'deferred');
    await same('postsuper', '-H', 'ID0', '-h', 'ID1');
    await same('postsuper', '-h', 'ALL', 'deferred');
    await same('postsuper', '-H', 'ALL', 'deferred');
    await same('postsuper', '-e', 'ID0');
    await same('postqueue', '-p');
    await same('postsuper', '-d', 'ID0', '-d', 'ABCDEF');
    // Last, for what is then due is returned at our pace or at Postfix's.
    await same('postsuper', '-f', 'ID1');
    for (const where of [server, reference]) {
      // A report of the expired one may come while we empty the queue.
      await eventually(async () => {
        await emptied(where);
        return (await listed(where)).length === 0 ? true : undefined;
      }, 'an empty queue');
    }
    await same('postqueue', '-p');
    await same('postqueue', '-j');
  });

  it('knows the same defaults and answers of postconf', async () => {
    await same('postconf', '-d', 'message_size_limit', 'minimal_backoff_time', 'maximal_queue_lifetime');
    await same('postconf', '-h', 'relayhost', 'myhostname');
    await same('postconf', '-n', 'relayhost');
    await same('postconf', 'nosuch_parameter');
  });
});

describe('on a queue of our own', () => {
  it('ids on standard input, ALL, ALL of one queue', { timeout: 60_000 }, async () => {
    const ids = [await send(server.port), await send(server.port), await send(server.port)];
    const [a = '', b = '', c = ''] = ids;
    await settled(server, 3);
    const env = { POSTRIDER_DATA: server.data };
    const held = await postrider(['postsuper', '-h', '-'], { env, input: `${a}\n${b}\nABCDEF\n` });
    expect(held.code).toBe(0);
    expect(held.stderr).toContain('postsuper: Placed on hold: 2 messages\n');
    const removed = await server.run('postsuper', '-d', 'ALL', 'deferred');
    expect(removed).toEqual({ code: 0, stdout: '', stderr: 'postsuper: Deleted: 1 message\n' });
    expect((await listed(server)).map((row) => row.queue_id).sort()).toEqual([a, b].sort());
    expect((await server.run('postsuper', '-r', a, '-r', c)).stderr).toBe(
      `postsuper: ${a}: requeued\npostsuper: Requeued: 1 message\n`,
    );
    expect((await server.run('postsuper', '-H', 'ALL')).stderr).toBe('postsuper: Released from hold: 1 message\n');
    await settled(server, 2);
    expect(await server.run('postqueue', '-i', a)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await server.run('postqueue', '-f')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await server.run('postsuper', '-d', 'ALL')).stderr).toBe('postsuper: Deleted: 2 messages\n');
    expect((await server.run('mailq')).stdout).toBe('Mail queue is empty\n');
    expect(await server.run('postqueue', '-j')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('postcat shows envelope, headers and body', async () => {
    const id = await send(server.port);
    expect((await server.run('postcat', '-bq', id)).stdout).toBe('\nbody\n');
    const headers = (await server.run('postcat', '-hq', id)).stdout;
    expect(headers).toMatch(new RegExp(`^Received: from client\\.test .*id ${id}\\n.*Subject: hello\\n`, 's'));
    const whole = (await server.run('postcat', '-q', id)).stdout;
    expect(whole).toMatch(/^\*\*\* ENVELOPE RECORDS \w+\//);
    expect(whole).toContain('sender: a@postfix.test\n');
    expect(whole).toContain('recipient: x@far.test\n');
    expect(whole).toContain(headers);
    await emptied(server);
  });
});

it('postconf -n -d -h -e', async () => {
  expect((await server.run('postconf', '-e', 'mynetworks = 127.0.0.0/8', 'delay_warning_time=2h')).code).toBe(0);
  expect((await server.run('postconf', '-n')).stdout).toContain('delay_warning_time = 2h\n');
  expect((await server.run('postconf', '-d', 'delay_warning_time')).stdout).toBe('delay_warning_time = 0h\n');
  expect((await server.run('postconf', '-h', 'delay_warning_time')).stdout).toBe('2h\n');
  const before = await readFile(path.join(server.data, 'etc/main.cf'), 'utf8');
  const bad = await server.run('postconf', '-e', 'bad');
  expect(bad.code).toBe(1);
  expect(bad.stderr).toContain(`missing '=' after attribute name: "bad"`);
  expect(await readFile(path.join(server.data, 'etc/main.cf'), 'utf8')).toBe(before);
});

it('sendmail: recipients as arguments and by -t, through a link named sendmail, refused without any', async () => {
  const folder = await temporaryFolder('link');
  try {
    const link = path.join(folder, 'sendmail');
    await symlink(path.join(projectFolder, 'app/cli/postrider.ts'), link);
    const env = { POSTRIDER_DATA: server.data };
    const linked = (args: string[], input: string): Promise<CommandResult> =>
      command(process.execPath, [link, ...args], { env, input });
    const text = 'To: t@far.test\nBcc: b@far.test\nSubject: linked\n\none\n.\ntwo\n';
    expect(await linked(['-t', '-i', '-f', 'cron@postfix.test'], text)).toEqual({ code: 0, stdout: '', stderr: '' });
    await settled(server, 1);
    const [row] = await listed(server);
    expect(row).toMatchObject({ sender: 'cron@postfix.test' });
    expect(row?.recipients).toHaveLength(2);
    const shown = (await server.run('postcat', '-hbq', row?.queue_id ?? '')).stdout;
    expect(shown).toContain('\none\n.\ntwo\n');
    expect(shown).not.toContain('Bcc');
    // Without -i a lone dot ends the message.
    await linked(['-f', '', 'x@far.test'], 'Subject: dot\n\none\n.\ntwo\n');
    await settled(server, 2);
    const second = (await listed(server)).find(({ queue_id }) => queue_id !== row?.queue_id);
    expect(second).toMatchObject({ sender: 'MAILER-DAEMON' });
    expect((await server.run('postcat', '-bq', second?.queue_id ?? '')).stdout).toBe('\none\n');
    const none = await linked(['-t'], 'Subject: nobody\n\nx\n');
    expect(none.code).not.toBe(0);
    expect(none.stderr).toMatch(/recipient/i);
  } finally {
    await emptied(server);
    await rm(folder, { recursive: true, force: true });
  }
});

it('saslpasswd2 and sasldblistusers2', async () => {
  const env = { POSTRIDER_DATA: server.data };
  const set = await postrider(['saslpasswd2', '-p', '-c', '-u', 'postfix.test', 'ada'], {
    env,
    input: 'first secret\n',
  });
  expect(set).toEqual({ code: 0, stdout: '', stderr: '' });
  expect((await server.run('sasldblistusers2')).stdout).toBe('ada@postfix.test: userPassword\n');
  const login = async (password: string): Promise<number> => {
    const client = await SmtpClient.open(server.port);
    await client.say('EHLO client.test');
    const words = Buffer.from(`\0ada@postfix.test\0${password}`).toString('base64');
    const { code } = await client.say(`AUTH PLAIN ${words}`);
    await client.quit();
    return code;
  };
  await server.run('postconf', '-e', 'smtpd_tls_auth_only=no', 'smtpd_sasl_auth_enable=yes');
  await server.run('reload');
  expect(await login('first secret')).toBe(235);
  expect(await login('another')).toBe(535);
  expect(await server.run('saslpasswd2', '-d', '-u', 'postfix.test', 'ada')).toMatchObject({ code: 0 });
  expect(await login('first secret')).toBe(535);
  expect((await server.run('sasldblistusers2')).stdout).toBe('');
  expect(await readFile(path.join(server.data, 'log/mail.log'), 'utf8')).not.toContain('secret');
});

it('readyz before, during and after; --data wins over POSTRIDER_DATA', { timeout: 60_000 }, async () => {
  const data = await temporaryFolder('ready');
  try {
    const env = { POSTRIDER_DATA: data };
    expect(await postrider(['readyz'], { env })).toMatchObject({ code: 69, stdout: '' });
    const soon = await postrider(['readyz', '--wait', '0.2'], { env });
    expect(soon).toMatchObject({ code: 69, stderr: expect.stringContaining('not ready') as string });
    expect((await postrider(['readyz', '--wait', 'x'], { env })).code).toBe(64);
    const waiting = postrider(['readyz', '--wait'], { env });
    const other = await startServer({ command: 'mta', data });
    expect(await waiting).toEqual({ code: 0, stdout: 'ready\n', stderr: '' });
    expect(await postrider(['readyz', '--data', data], { env: { POSTRIDER_DATA: '/proc/nope' } })).toMatchObject({
      code: 0,
    });
    expect((await postrider(['readyz', '--data', '/proc/nope'], { env })).code).toBe(69);
    expect(await other.stop()).toBe(0);
    expect((await postrider(['readyz'], { env })).code).toBe(69);
    for (const args of [['postqueue', '-p'], ['postqueue', '-f'], ['mailq'], ['postsuper', '-d', 'ALL']]) {
      expect((await postrider(args, { env })).code, args.join(' ')).toBe(69);
    }
    // What reads only files needs no server.
    expect((await postrider(['postconf', '-h', 'postrider_profile'], { env })).stdout).toBe('sink\n');
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
