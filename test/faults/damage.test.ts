/** Bytes that changed on the disk while the server was down: that message goes to corrupt and is named; others go out. */
import { readdir, readFile, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import Database from 'better-sqlite3';
import { SMTPServer } from 'smtp-server';
import { expect, it } from 'vitest';
import { freePort } from '../support/postfix.ts';
import { rawControl } from '../support/rpc.ts';
import { eventually, startServer, temporaryFolder } from '../support/server.ts';
import { SmtpClient } from '../support/smtp-client.ts';

it('a damaged body is set aside as corrupt, the others are delivered', { timeout: 60_000 }, async () => {
  const data = await temporaryFolder('damage');
  const nextHop = await freePort();
  let server = await startServer({ command: 'mta', data, profile: 'server', domain: 'example.test' });
  const received: string[] = [];
  const peer = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    size: 10_000_000,
    onData: (stream, session, done) => {
      stream.resume();
      stream.on('end', () => {
        received.push(...session.envelope.rcptTo.map(({ address }) => address));
        done();
      });
    },
  });
  try {
    await server.run('postconf', '-e', `relayhost=[127.0.0.1]:${nextHop}`);
    await server.run('reload');
    const ids = new Map<string, string>();
    for (const [name, size] of [
      ['sound', 100],
      ['flipped', 5000],
      ['cut', 3_000_000],
      ['large', 3_000_000],
    ] as const) {
      const client = await SmtpClient.open(server.port);
      const text = `Subject: ${name}\n\n${`${'x'.repeat(70)}\n`.repeat(Math.ceil(size / 70))}`;
      const reply = await client.send('a@example.test', [`${name}@far.test`], text);
      await client.quit();
      ids.set(name, /queued as (\w+)/.exec(reply.text)?.[1] ?? reply.text);
    }
    await eventually(
      async () => ((await server.run('postqueue', '-j')).stdout.split('"deferred"').length === 5 ? true : undefined),
      'all deferred',
    );
    expect(await server.stop()).toBe(0);

    const spool = path.join(data, 'spool');
    const db = new Database(path.join(spool, 'queue.db'));
    const of = (name: string): { seq: number; body_file: string | null } =>
      db.prepare('SELECT seq, body_file FROM messages WHERE id = ?').get(ids.get(name)) as never;
    const { seq } = of('flipped');
    const { data: body } = db.prepare('SELECT data FROM bodies WHERE seq = ?').get(seq) as { data: Buffer };
    const middle = Math.floor(body.length / 2);
    body.writeUInt8(body.readUInt8(middle) ^ 1, middle);
    db.prepare('UPDATE bodies SET data = ? WHERE seq = ?').run(body, seq);
    await truncate(path.join(spool, 'bodies', of('cut').body_file ?? ''), 1000);
    db.close();

    await new Promise<void>((resolve) => peer.listen(nextHop, '127.0.0.1', resolve));
    server = await startServer({ command: 'mta', data });
    await server.run('postqueue', '-f');
    await eventually(() => (received.length >= 2 ? true : undefined), 'the sound ones relayed');
    const control = await rawControl(data);
    await eventually(async () => {
      const { result } = await control.request('queue.counts', { input: {} });
      const counts = result as { deferred: number; corrupt: number };
      return counts.corrupt === 2 && counts.deferred === 0 ? true : undefined;
    }, 'two corrupt');
    expect(received.sort()).toEqual(['large@far.test', 'sound@far.test']);
    for (const name of ['flipped', 'cut']) {
      const { result } = await control.request('queue.get', { input: { id: ids.get(name) } });
      expect(result).toMatchObject({ queue: 'corrupt', sender: 'a@example.test' });
    }
    const { result: health } = await control.request('server.health', { input: {} });
    expect(JSON.stringify(health)).toContain(ids.get('cut'));
    control.close();
    const log = await readFile(path.join(data, 'log', 'mail.log'), 'utf8');
    for (const name of ['flipped', 'cut'])
      expect(log).toMatch(new RegExp(`warning: .*${ids.get(name) ?? ''}.*corrupt|${ids.get(name) ?? ''}: .*corrupt`));
    // As Postfix, the listing leaves corrupt mail out; it can be removed by its id.
    expect((await server.run('mailq')).stdout).toBe('Mail queue is empty\n');
    const removed = await server.run('postsuper', '-d', ids.get('flipped') ?? '', '-d', ids.get('cut') ?? '');
    expect(removed.stderr).toContain('postsuper: Deleted: 2 messages\n');
    expect(await readdir(path.join(spool, 'bodies'))).toEqual([]);
  } finally {
    await new Promise<void>((resolve) => peer.close(resolve));
    await server.cleanUp();
    await rm(data, { recursive: true, force: true });
  }
});
