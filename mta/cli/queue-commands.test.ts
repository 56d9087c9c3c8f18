import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostriderError } from '../contract/errors.ts';
import type { QueueEntry, QueueMessage, QueueSelection } from '../contract/mail.ts';
import type { MailServerHandlers } from '../contract/server.ts';
import { runWith } from './fake-server.ts';
import { run as mailq } from './mailq.ts';
import { run as postcat } from './postcat.ts';
import { run as postqueue } from './postqueue.ts';
import { run as postsuper } from './postsuper.ts';
import { listHeading, listMessage } from './queue-format.ts';

let zone: string | undefined;
beforeAll(() => {
  zone = process.env['TZ'];
  process.env['TZ'] = 'UTC';
});
afterAll(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

const arrival = Date.UTC(2026, 10, 22, 10, 31, 38, 250);
const entry = (more: Partial<QueueEntry>): QueueEntry => ({
  id: 'B76B92205CE',
  queue: 'deferred',
  arrival,
  size: 356,
  sender: 'a@example.test',
  recipients: ['x@example.net'],
  recipientCount: 1,
  reason: 'connect to 127.0.0.1[127.0.0.1]:39599: Connection refused',
  attempts: 1,
  forcedExpire: false,
  ...more,
});
const many: QueueMessage = {
  ...entry({ id: 'C1', queue: 'active', sender: '', recipientCount: 3, size: 2048, forcedExpire: true }),
  recipientList: [
    { address: 'new@x', state: 'waiting' },
    { address: 'a@x', state: 'deferred', reason: 'r1 "q"' },
    { address: 'done@x', state: 'sent', reason: 'ok' },
    { address: 'b@x', state: 'deferred', reason: 'r1 "q"' },
    { address: 'c@x', state: 'deferred' },
  ],
  envelope: { sender: '', client: 'localhost[127.0.0.1]' },
};
const listing = (entries: QueueEntry[]): Partial<MailServerHandlers> => ({
  // One entry a page: the paging is under test too.
  'queue.list': ({ cursor }) => {
    const at = Number(cursor ?? 0);
    return {
      entries: entries.slice(at, at + 1),
      total: entries.length,
      ...(at + 1 < entries.length ? { cursor: String(at + 1) } : {}),
    };
  },
  'queue.get': ({ id }) => {
    if (id === many.id) return many;
    throw new PostriderError('not-found', 'gone');
  },
});

describe('postqueue', () => {
  // Golden: what Postfix 3.7 printed for the same message.
  it('-p prints one held message as Postfix does', async () => {
    const { code, out } = await runWith(postqueue, ['-p'], { handlers: listing([entry({ queue: 'hold' })]) });
    expect(code).toBe(0);
    expect(out).toBe(`-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
B76B92205CE!     356 Sun Nov 22 10:31:38  a@example.test
                   (connect to 127.0.0.1[127.0.0.1]:39599: Connection refused)
                                         x@example.net

-- 0 Kbytes in 1 Request.
`);
  });

  it('-p prints reasons before their recipients, the open ones only, and skips what has gone', async () => {
    const gone = entry({ id: 'D1', recipientCount: 9 });
    const { out } = await runWith(mailq, ['-v'], { handlers: listing([entry({}), gone, many]) });
    expect(out.split('\n').slice(4)).toEqual([
      '',
      'C1*#           2048 Sun Nov 22 10:31:38  MAILER-DAEMON',
      '                                         new@x',
      `${' '.repeat(70)}(r1 "q")`,
      '                                         a@x',
      '                                         b@x',
      `${' '.repeat(58)}(reason unavailable)`,
      '                                         c@x',
      '',
      '-- 2 Kbytes in 2 Requests.',
      '',
    ]);
  });

  it('has the wider columns of long queue ids', () => {
    expect(listHeading(true)).toBe('----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n');
    const long = { ...entry({}), id: '4jXQPS5Fs2zJnB7', recipients: [{ address: 'x@y' }] };
    expect(listMessage(long, true)).toBe(
      '4jXQPS5Fs2zJnB7        356 Sun Nov 22 10:31:38 a@example.test\n                                               x@y\n',
    );
  });

  it('-j prints one object a line, in Postfix’s order and spacing', async () => {
    const { out } = await runWith(postqueue, ['-j'], { handlers: listing([entry({}), many]) });
    expect(out).toBe(
      '{"queue_name": "deferred", "queue_id": "B76B92205CE", "arrival_time": 1795343498, "message_size": 356, "forced_expire": false, "sender": "a@example.test", "recipients": [{"address": "x@example.net", "delay_reason": "connect to 127.0.0.1[127.0.0.1]:39599: Connection refused"}]}\n' +
        '{"queue_name": "active", "queue_id": "C1", "arrival_time": 1795343498, "message_size": 2048, "forced_expire": true, "sender": "MAILER-DAEMON", "recipients": [{"address": "new@x"}, {"address": "a@x", "delay_reason": "r1 \\"q\\""}, {"address": "b@x", "delay_reason": "r1 \\"q\\""}, {"address": "c@x"}]}\n',
    );
  });

  it('says that an empty queue is empty, in JSON with nothing', async () => {
    expect((await runWith(postqueue, ['-p'], { handlers: listing([]) })).out).toBe('Mail queue is empty\n');
    expect((await runWith(postqueue, ['-j'], { handlers: listing([]) })).out).toBe('');
  });

  it.each([
    [['-p'], 'Queue report unavailable - mail system is down'],
    [['-j'], 'Queue report unavailable - mail system is down'],
    [['-f'], 'Cannot flush mail queue - mail system is down'],
    [['-iABC'], 'Cannot flush mail queue - mail system is down'],
    [['-i', '../A'], 'Cannot flush queue ID - invalid name: "../A"'],
    [[], 'usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site'],
    [['-p', '-f'], 'usage: postqueue'],
    [['-p', 'x'], 'usage: postqueue'],
  ])('%j without a server: 69', async (argv, message) => {
    const { code, out, err } = await runWith(postqueue, argv);
    expect([code, out]).toEqual([69, '']);
    expect(err).toContain(`postqueue: fatal: ${message}`);
  });

  it.each([
    [['-f'], { filter: [{ field: 'queue', value: 'deferred', not: false }] }],
    [['-i', 'ABC'], { ids: ['ABC'] }],
    [
      ['-s', '[mail.example.net]'],
      {
        filter: [
          { field: 'queue', value: 'deferred', not: false },
          { field: 'domain', value: 'mail.example.net', not: false },
        ],
      },
    ],
  ])('%j retries', async (argv, selection) => {
    const asked: QueueSelection[] = [];
    const { code } = await runWith(postqueue, argv, {
      handlers: {
        'queue.retry': (input) => {
          asked.push(input.selection);
          return { done: 0, unknown: [] };
        },
      },
    });
    expect([code, asked]).toEqual([0, [selection]]);
  });
});

describe('postsuper', () => {
  const recorder = () => {
    const calls: [string, QueueSelection][] = [];
    const record =
      (name: string) =>
      ({ selection }: { selection: QueueSelection }) => {
        calls.push([name, selection]);
        return { done: 'ids' in selection ? selection.ids.length : 7, unknown: [] };
      };
    return {
      calls,
      handlers: {
        'queue.remove': record('remove'),
        'queue.hold': record('hold'),
        'queue.release': record('release'),
        'queue.requeue': record('requeue'),
        'queue.expire': record('expire'),
        'queue.get': ({ id }: { id: string }) =>
          ({ ...many, id, queue: id === 'H1' ? 'hold' : 'deferred', forcedExpire: id === 'X1' }) as const,
      } satisfies Partial<MailServerHandlers>,
    };
  };

  it.each([
    [['-d', 'ABC'], 'postsuper: ABC: removed\npostsuper: Deleted: 1 message\n'],
    [['-d', 'A', '-d', 'D'], 'postsuper: A: removed\npostsuper: D: removed\npostsuper: Deleted: 2 messages\n'],
    [['-h', 'ABC'], 'postsuper: ABC: placed on hold\npostsuper: Placed on hold: 1 message\n'],
    [['-h', 'H1'], 'postsuper: Placed on hold: 0 messages\n'],
    [['-H', 'ABC'], 'postsuper: Released from hold: 0 messages\n'],
    [['-r', 'ABC'], 'postsuper: ABC: requeued\npostsuper: Requeued: 1 message\n'],
    [['-H', 'ALL'], 'postsuper: Released from hold: 7 messages\n'],
    [['-r', 'ALL'], 'postsuper: Requeued: 7 messages\n'],
    [['-e', 'ABC'], 'postsuper: ABC: expired\npostsuper: Force-expired: 1 message\n'],
    [['-e', 'X1'], 'postsuper: Force-expired: 0 messages\n'],
    [
      ['-f', 'H1'],
      'postsuper: H1: expired\npostsuper: H1: released from hold\n' +
        'postsuper: Force-expired: 1 message\npostsuper: Released from hold: 1 message\n',
    ],
    [['-d', 'bad/id'], 'postsuper: warning: invalid mail queue id: bad/id\npostsuper: Deleted: 0 messages\n'],
    [['-d', 'ALL', '-h', 'ALL'], 'postsuper: Deleted: 7 messages\npostsuper: Placed on hold: 7 messages\n'],
  ])('%j', async (argv, expected) => {
    const { code, out, err } = await runWith(postsuper, argv, { handlers: recorder().handlers });
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: expected });
  });

  it('reads ids from standard input, each once', async () => {
    const { calls, handlers } = recorder();
    const { err } = await runWith(postsuper, ['-d', '-'], { handlers, stdin: 'A1\nB2\nA1\n\nyy zz\n' });
    expect(calls).toEqual([['remove', { ids: ['A1', 'B2'] }]]);
    expect(err).toBe(
      'postsuper: warning: invalid mail queue id: \npostsuper: warning: invalid mail queue id: yy zz\npostsuper: A1: removed\npostsuper: B2: removed\npostsuper: Deleted: 2 messages\n',
    );
  });

  it('takes ALL of the named queues', async () => {
    const { calls, handlers } = recorder();
    await runWith(postsuper, ['-d', 'ALL', 'deferred'], { handlers });
    expect(calls).toEqual([['remove', { filter: [{ field: 'queue', value: 'deferred', not: false }] }]]);
  });

  it('leaves ids of other queues alone', async () => {
    const { calls, handlers } = recorder();
    const { err } = await runWith(postsuper, ['-d', 'H1', '-d', 'D1', 'hold'], { handlers });
    expect(calls).toEqual([['remove', { ids: ['H1'] }]]);
    expect(err).toBe('postsuper: H1: removed\npostsuper: Deleted: 1 message\n');
  });

  it('refuses a queue that does not exist, and says so when no server runs', async () => {
    const bad = await runWith(postsuper, ['-d', 'ALL', 'nosuch'], { handlers: {} });
    expect(bad).toEqual({ code: 1, out: '', err: 'postsuper: fatal: invalid directory name: nosuch\n' });
    const down = await runWith(postsuper, ['-d', 'ALL']);
    expect([down.code, down.err]).toEqual([69, expect.stringContaining('start it with "postrider mta"')]);
    expect((await runWith(postsuper, ['-d'])).err).toContain("postsuper: option requires an argument -- 'd'");
  });
});

describe('postcat', () => {
  const text = 'Subject: hi\n there\nX: y\n\nbody\nX: not a header\n';
  const handlers = {
    'queue.get': many.id === 'C1' ? ({ id }: { id: string }) => ({ ...many, id }) : () => many,
    'queue.raw': ({ offset }: { offset: number }) => ({
      // Three bytes a slice: no boundary may matter.
      data: Buffer.from(text)
        .subarray(offset, offset + 3)
        .toString('base64'),
      total: text.length,
    }),
  } satisfies Partial<MailServerHandlers>;

  it.each([
    [['-bh', '-q', 'C1'], text],
    [['-hq', 'C1'], 'Subject: hi\n there\nX: y\n'],
    [['-bq', 'C1'], '\nbody\nX: not a header\n'],
  ])('%j', async (argv, expected) => {
    expect((await runWith(postcat, argv, { handlers })).out).toBe(expected);
  });

  it('shows the envelope with its markers', async () => {
    const { code, out } = await runWith(postcat, ['-q', 'C1'], { handlers });
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toBe('*** ENVELOPE RECORDS active/C1 ***');
    expect(out).toContain('named_attribute: log_client_name=localhost[127.0.0.1]\nsender: \n');
    expect(out).toContain('original_recipient: done@x\ndone_recipient: done@x\n');
    expect(out).toContain(`*** MESSAGE CONTENTS active/C1 ***\n${text}*** HEADER EXTRACTED active/C1 ***\n`);
    expect(out.endsWith('*** MESSAGE FILE END active/C1 ***\n')).toBe(true);
  });

  it('names an id that is not there, and one that cannot be', async () => {
    const gone = { 'queue.get': listing([])['queue.get'] } as Partial<MailServerHandlers>;
    expect(await runWith(postcat, ['-q', 'ABCDEF1234'], { handlers: gone })).toEqual({
      code: 1,
      out: '',
      err: 'postcat: fatal: open queue file ABCDEF1234: No such file or directory\n',
    });
    expect((await runWith(postcat, ['-q', '../x'])).err).toBe('postcat: fatal: bad mail queue ID: ../x\n');
  });
});
