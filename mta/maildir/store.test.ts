/** The store over real Maildirs, through its thread, with other programs' changes made by hand. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CallContext } from '../contract/contract.ts';
import { mailFields, parseFilter } from '../contract/filter.ts';
import { mailServer } from '../contract/server.ts';
import { mailboxFolder } from '../local/mailbox-name.ts';
import { encodeMailId } from './mail-id.ts';
import { openMailStore, type MailStore, type MailStoreOptions } from './store.ts';

type Page = Awaited<ReturnType<MailStore['handlers']['mail.list']>>;

let folder: string;
let root: string;
let store: MailStore;
let serial: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postrider-maildir-'));
  root = join(folder, 'mail');
  mkdirSync(root);
  serial = 0;
  store = open();
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: MailStoreOptions = {}): MailStore {
  return openMailStore(root, {
    cacheFile: join(folder, 'mail-index.db'),
    eventDelay: 10,
    restFactor: 0,
    ...options,
  });
}

async function reopen(options: MailStoreOptions = {}): Promise<void> {
  await store.close();
  store = open(options);
}

const context: CallContext = { signal: new AbortController().signal, progress: () => undefined };

interface Mail {
  mailbox?: string;
  folder?: string;
  text?: string;
  subject?: string;
  from?: string;
  in?: 'new' | 'cur';
  flags?: string;
  name?: string;
  time?: number;
}

/** Puts a message where a delivery agent or another reader would; gives the file's name. */
function put(mail: Mail = {}): string {
  const directory = mailboxFolder(mail.mailbox ?? 'ada');
  const maildir = mail.folder === undefined ? join(root, directory) : join(root, directory, `.${mail.folder}`);
  for (const name of ['tmp', 'new', 'cur']) mkdirSync(join(maildir, name), { recursive: true });
  serial++;
  const text =
    mail.text ??
    `From: ${mail.from ?? 'Bob <bob@example.org>'}\nTo: ada@example.org\nSubject: ${mail.subject ?? `mail ${String(serial)}`}\n\ntext ${String(serial)}\n`;
  const sub = mail.in ?? (mail.flags === undefined ? 'new' : 'cur');
  const seconds = mail.time ?? 1_700_000_000 + serial;
  const unique = mail.name ?? `${String(seconds)}.M${String(serial)}P1.host,S=${String(Buffer.byteLength(text))}`;
  const name = mail.flags === undefined ? unique : `${unique}:2,${mail.flags}`;
  writeFileSync(join(maildir, sub, name), text);
  return name;
}

async function list(
  query: { mailbox?: string; folder?: string; filter?: string; cursor?: string; limit?: number } = {},
): Promise<Page> {
  const { filter, ...rest } = query;
  const input = mailServer.methods['mail.list'].input.parse({
    mailbox: 'ada',
    ...rest,
    filter: parseFilter(filter ?? '', mailFields),
  });
  return mailServer.methods['mail.list'].output.parse(await store.handlers['mail.list'](input, context));
}

const subjects = async (filter = ''): Promise<string[]> =>
  (await list({ filter })).messages.map(({ subject }) => subject);
const firstId = async (): Promise<string> => (await list()).messages[0]?.id ?? '';

describe('mailboxes', () => {
  test('of a root that is not there, and of one with all sorts of things in it', async () => {
    expect(await store.mailboxes()).toEqual({ mailboxes: [] });
    put({ mailbox: 'ada@example.org' });
    put({ mailbox: 'ada@example.org', flags: 'S' });
    put({ mailbox: 'ada@example.org', folder: 'Sent' });
    put({ mailbox: '../../etc/passwd' });
    writeFileSync(join(root, 'a file'), '');
    mkdirSync(join(root, 'no maildir'));
    mkdirSync(join(root, '.hidden', 'new'), { recursive: true });
    symlinkSync(join(root, 'ada@example.org'), join(root, 'link'));
    mkdirSync(join(root, 'Foreign Name', 'cur'), { recursive: true });
    expect(await store.mailboxes()).toEqual({
      mailboxes: [
        { name: '../../etc/passwd', folders: [], total: 1, unread: 1 },
        { name: 'Foreign Name', folders: [], total: 0, unread: 0 },
        { name: 'ada@example.org', folders: ['Sent'], total: 2, unread: 1 },
      ],
    });
    expect((await list({ mailbox: 'Foreign Name' })).total).toBe(0);
    expect((await list({ mailbox: '../../etc/passwd' })).messages[0]?.mailbox).toBe('../../etc/passwd');
    expect((await list({ mailbox: 'ADA@example.org', folder: 'Sent' })).total).toBe(1);
    for (const mailbox of ['link', 'no maildir', '.hidden', '..', '.', '']) {
      await expect(list({ mailbox })).rejects.toMatchObject({ code: 'not-found' });
    }
    for (const name of ['Trash', '../../x', '..']) {
      await expect(list({ mailbox: 'ada@example.org', folder: name })).rejects.toMatchObject({ code: 'not-found' });
    }
    rmSync(join(root, 'ada@example.org'), { recursive: true });
    expect((await store.mailboxes()).mailboxes).toHaveLength(2);
    const input = mailServer.methods['mail.list'].input.parse({});
    expect((await store.handlers['mail.list'](input, context)).total).toBe(1);
  });
});

describe('lists', () => {
  test('are newest first and page without gap or double, also while mail arrives', async () => {
    for (let i = 0; i < 25; i++) put({ time: 1_700_000_000 + (i % 5) });
    const seen: string[] = [];
    let page = await list({ limit: 10 });
    expect(page.total).toBe(25);
    seen.push(...page.messages.map(({ id }) => id));
    put({ time: 1_800_000_000 });
    while (page.cursor !== undefined) {
      page = await list({ limit: 10, cursor: page.cursor });
      seen.push(...page.messages.map(({ id }) => id));
    }
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
    const times = (await list()).messages.map(({ received }) => received);
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  test('go over all mailboxes when none is named', async () => {
    put({ mailbox: 'ada' });
    put({ mailbox: 'bob' });
    put({ mailbox: 'bob', folder: 'Sent' });
    const input = mailServer.methods['mail.list'].input.parse({ limit: 1 });
    const page = await store.handlers['mail.list'](input, context);
    expect(page.total).toBe(2);
    expect(page.messages[0]?.mailbox).toBe('bob');
    const next = await store.handlers['mail.list']({ ...input, cursor: page.cursor }, context);
    expect(next.messages[0]?.mailbox).toBe('ada');
    expect(next.cursor).toBeUndefined();
  });

  test('know every filter', async () => {
    put({ subject: 'Grüße aus Köln', from: 'Ada Lovelace <ada@a.example>', time: 1_700_000_000 });
    put({ subject: 'two', flags: 'S' });
    put({ subject: 'three', flags: 'FS' });
    put({
      text: 'Subject: four\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nneedle in the body\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\nx\n--b--\n',
    });
    put({ subject: 'five', text: `Subject: five\n\n${'x'.repeat(5000)}` });
    expect(await subjects('grüsse')).toEqual([]);
    expect(await subjects('GRÜSSE')).toEqual([]);
    expect(await subjects('GRÜßE')).toEqual(['Grüße aus Köln']);
    expect(await subjects('from:lovelace')).toEqual(['Grüße aus Köln']);
    expect(await subjects('from:ada@a.example subject:köln')).toEqual(['Grüße aus Köln']);
    expect(await subjects('to:ada@example -is:read')).toEqual(['Grüße aus Köln']);
    expect(await subjects('needle')).toEqual(['four']);
    expect(await subjects('n*e')).toEqual([]);
    expect(await subjects('[n]eedle')).toEqual([]);
    expect(await subjects('needl?')).toEqual([]);
    expect(await subjects('-to:ada')).toEqual(['five', 'four']);
    expect(await subjects('is:unread')).toEqual(['five', 'four', 'Grüße aus Köln']);
    expect(await subjects('is:flagged')).toEqual(['three']);
    expect(await subjects('is:read -is:flagged')).toEqual(['two']);
    expect(await subjects('has:attachment')).toEqual(['four']);
    expect(await subjects('larger:4k')).toEqual(['five']);
    expect(await subjects('smaller:4k -is:unread')).toEqual(['three', 'two']);
    expect(await subjects('before:2023-11-13')).toEqual([]);
    expect(await subjects('after:2023-11-13 before:2023-11-17 subject:t')).toEqual(['three', 'two']);
    expect(await subjects('after:1d')).toEqual([]);
    expect((await list({ filter: 'text', limit: 1 })).total).toBe(3);
    for (const filter of ['is:odd', 'has:wings', 'larger:huge', 'before:tomorrow']) {
      await expect(list({ filter })).rejects.toMatchObject({ code: 'bad-input', field: 'filter' });
    }
    await expect(list({ cursor: "1' or 1=1" })).rejects.toMatchObject({ code: 'bad-input', field: 'cursor' });
  });

  test('a search pages too', async () => {
    for (let i = 0; i < 7; i++) put({ subject: i % 2 === 0 ? 'even' : 'odd' });
    const first = await list({ filter: 'even', limit: 3 });
    expect([first.total, first.messages.length]).toEqual([4, 3]);
    const second = await list({ filter: 'even', limit: 3, cursor: first.cursor ?? '' });
    expect(second.messages).toHaveLength(1);
    expect(second.cursor).toBeUndefined();
    expect(first.messages.map(({ id }) => id)).not.toContain(second.messages[0]?.id);
  });
});

describe('what others do', () => {
  test('is seen with the next request', async () => {
    const one = put();
    expect((await list()).total).toBe(1);
    const id = await firstId();
    // mutt opens it, reads it, and deletes it.
    renameSync(join(root, 'ada/new', one), join(root, 'ada/cur', `${one}:2,`));
    expect((await list()).messages[0]).toMatchObject({ id, seen: false, subject: 'mail 1' });
    renameSync(join(root, 'ada/cur', `${one}:2,`), join(root, 'ada/cur', `${one}:2,RS`));
    expect((await list()).messages[0]).toMatchObject({ id, seen: true });
    expect((await store.mailboxes()).mailboxes[0]).toMatchObject({ total: 1, unread: 0 });
    unlinkSync(join(root, 'ada/cur', `${one}:2,RS`));
    expect(await list()).toMatchObject({ total: 0, messages: [] });
    expect((await store.mailboxes()).mailboxes[0]).toMatchObject({ total: 0, unread: 0 });
    await expect(Promise.resolve(store.handlers['mail.get']({ id }, context))).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('an id leads to its message though nobody listed the change', async () => {
    await reopen({ restFactor: 1e9 });
    const one = put();
    const id = await firstId();
    renameSync(join(root, 'ada/new', one), join(root, 'ada/cur', `${one}:2,S`));
    expect((await store.handlers['mail.get']({ id }, context)).text).toBe('text 1\n');
    const two = put();
    const other = encodeMailId({ directory: 'ada', folder: '', unique: two });
    expect((await store.handlers['mail.get']({ id: other }, context)).subject).toBe('mail 2');
  });

  test('and flags and removal are what other programs understand', async () => {
    put();
    put({ flags: 'RS' });
    put();
    const ids = (await list()).messages.map(({ id }) => id);
    const [third = '', second = '', first = ''] = ids;
    const flag = (input: { ids: string[]; seen?: boolean; flagged?: boolean }): unknown =>
      store.handlers['mail.flag'](input, context);
    expect(await flag({ ids: [first, second], seen: true, flagged: true })).toEqual({
      done: 2,
      unknown: [],
      cancelled: false,
    });
    expect(
      readdirSync(join(root, 'ada/cur'))
        .map((name) => name.split(':')[1])
        .sort(),
    ).toEqual(['2,FRS', '2,FS']);
    expect((await list()).messages.map(({ id, seen, flagged }) => [id, seen, flagged])).toEqual([
      [third, false, false],
      [second, true, true],
      [first, true, true],
    ]);
    expect(await flag({ ids: [first, 'nonsense', second], seen: false })).toEqual({
      done: 2,
      unknown: ['nonsense'],
      cancelled: false,
    });
    expect((await store.mailboxes()).mailboxes[0]).toMatchObject({ total: 3, unread: 3 });
    const gone = encodeMailId({ directory: 'ada', folder: '', unique: '1.gone' });
    expect(await store.handlers['mail.remove']({ ids: [first, gone, third] }, context)).toEqual({
      done: 2,
      unknown: [gone],
      cancelled: false,
    });
    expect(readdirSync(join(root, 'ada/new'))).toEqual([]);
    expect(readdirSync(join(root, 'ada/cur'))).toHaveLength(1);
    expect((await store.mailboxes()).mailboxes[0]).toMatchObject({ total: 1, unread: 1 });
    expect((await list({ filter: 'mail' })).total).toBe(1);
  });

  test('somebody who is faster is no fault', async () => {
    await reopen({ restFactor: 1e9 });
    const one = put();
    const two = put();
    const [second = '', first = ''] = (await list()).messages.map(({ id }) => id);
    renameSync(join(root, 'ada/new', one), join(root, 'ada/cur', `${one}:2,R`));
    unlinkSync(join(root, 'ada/new', two));
    expect(await store.handlers['mail.flag']({ ids: [first, second], seen: true }, context)).toMatchObject({
      done: 1,
      unknown: [second],
    });
    expect(readdirSync(join(root, 'ada/cur'))).toEqual([`${one}:2,RS`]);
    expect(await store.handlers['mail.remove']({ ids: [second] }, context)).toMatchObject({
      done: 0,
      unknown: [second],
    });
  });

  test('a rename never replaces another message', async () => {
    const one = put();
    expect((await list()).total).toBe(1);
    writeFileSync(join(root, 'ada/cur', `${one}:2,S`), 'another\n');
    await reopen({ restFactor: 1e9 });
    const id = encodeMailId({ directory: 'ada', folder: '', unique: one });
    await store.handlers['mail.flag']({ ids: [id], seen: true }, context);
    const contents = [...readdirSync(join(root, 'ada/new')), ...readdirSync(join(root, 'ada/cur'))];
    expect(contents).toHaveLength(2);
    expect(readFileSync(join(root, 'ada/cur', `${one}:2,S`), 'utf8')).toBe('another\n');
  });
});

describe('events', () => {
  test('of other programs come without asking', async () => {
    put();
    await list();
    const arrived = new Promise((resolve) => store.onArrived(resolve));
    put();
    expect(await arrived).toEqual({ mailbox: 'ada', count: 1 });
    const changed = new Promise((resolve) => store.onChanged(resolve));
    unlinkSync(join(root, 'ada/new', readdirSync(join(root, 'ada/new'))[0] ?? ''));
    expect(await changed).toEqual({ mailbox: 'ada' });
    expect((await list()).total).toBe(1);
  });

  test('of our own deliveries come once, gathered, and the message is there at once', async () => {
    await reopen({ restFactor: 1e9 });
    put();
    await list();
    const events: { mailbox: string; count: number }[] = [];
    store.onArrived((event) => events.push(event));
    const done = new Promise<void>((resolve) => store.onArrived(() => resolve()));
    store.notify('ada', put());
    store.notify('ada', put());
    expect((await list()).messages.map(({ subject }) => subject)).toEqual(['mail 3', 'mail 2', 'mail 1']);
    await done;
    await reopen();
    expect(events).toEqual([{ mailbox: 'ada', count: 2 }]);
  });

  test('of our own actions come too', async () => {
    put();
    const id = await firstId();
    const changed = new Promise((resolve) => store.onChanged(resolve));
    await store.handlers['mail.flag']({ ids: [id], seen: true }, context);
    expect(await changed).toEqual({ mailbox: 'ada' });
  });
});

describe('messages', () => {
  test('in full, in parts and raw', async () => {
    const text =
      'Return-Path: <bob@example.org>\nDelivered-To: ada\nFrom: bob@example.org\nSubject: parts\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/csv; name="a.csv"\nContent-Transfer-Encoding: base64\n\nMTsy\n--b--\n';
    put({ text });
    const id = await firstId();
    const message = mailServer.methods['mail.get'].output.parse(await store.handlers['mail.get']({ id }, context));
    expect(message).toMatchObject({
      subject: 'parts',
      attachments: 1,
      text: 'hello',
      truncated: false,
      delivery: { sender: 'bob@example.org', recipient: 'ada' },
    });
    expect(message.parts).toEqual([
      { index: 0, type: 'text/csv', filename: 'a.csv', size: 3, disposition: 'attachment' },
    ]);
    expect(await store.handlers['mail.part']({ id, index: 0 }, context)).toEqual({
      type: 'text/csv',
      filename: 'a.csv',
      data: 'MTsy',
    });
    await expect(Promise.resolve(store.handlers['mail.part']({ id, index: 1 }, context))).rejects.toMatchObject({
      code: 'not-found',
    });
    const raw = await store.handlers['mail.raw']({ id, offset: 13, length: 17 }, context);
    expect(raw).toEqual({ data: Buffer.from(text.slice(13, 30)).toString('base64'), total: text.length });
    expect(await store.handlers['mail.raw']({ id, offset: 1e9, length: 10 }, context)).toEqual({
      data: '',
      total: text.length,
    });
  });

  test('a large one is shown by its beginning', async () => {
    await reopen({ messageBytes: 2000, beginningBytes: 500 });
    put({
      text: `Subject: large\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: image/png\n\n${'x'.repeat(5000)}\n--b--\n`,
    });
    const id = await firstId();
    expect(await store.handlers['mail.get']({ id }, context)).toMatchObject({
      subject: 'large',
      text: 'hello',
      truncated: true,
    });
    await expect(Promise.resolve(store.handlers['mail.part']({ id, index: 0 }, context))).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  test.each([
    '',
    '~',
    '~x',
    '../../../etc/passwd',
    'YS8vLi4',
    encodeMailId({ directory: '..', folder: '', unique: 'x' }),
  ])('id %j is not found', async (id) => {
    writeFileSync(join(folder, 'x'), 'secret');
    mkdirSync(join(folder, 'new'));
    writeFileSync(join(folder, 'new', 'x'), 'secret');
    put();
    for (const method of ['mail.get', 'mail.raw'] as const) {
      await expect(
        Promise.resolve(store.handlers[method]({ id, offset: 0, length: 10 }, context)),
      ).rejects.toMatchObject({ code: 'not-found' });
    }
    expect(await store.handlers['mail.remove']({ ids: [id] }, context)).toEqual({
      done: 0,
      unknown: [id],
      cancelled: false,
    });
    expect(existsSync(join(folder, 'new', 'x'))).toBe(true);
  });

  test('an id too long to be spelt out works all the same', async () => {
    const mailbox = `${'ü'.repeat(30)}@${'x'.repeat(60)}`;
    const name = `1700000000.${'n'.repeat(200)}`;
    put({ mailbox, folder: 'f'.repeat(200), name });
    const page = await list({ mailbox, folder: 'f'.repeat(200) });
    const id = page.messages[0]?.id ?? '';
    expect(id.startsWith('~')).toBe(true);
    expect((await store.handlers['mail.get']({ id }, context)).subject).toBe('mail 1');
    expect(await store.handlers['mail.flag']({ ids: [id], seen: true }, context)).toMatchObject({ done: 1 });
    expect((await store.handlers['mail.get']({ id }, context)).seen).toBe(true);
  });
});

describe('hostile Maildirs', () => {
  test('links, pipes, folders and unreadable files are listed or passed over, never followed or waited for', async () => {
    put();
    writeFileSync(join(folder, 'secret'), 'Subject: secret\n\n');
    symlinkSync(join(folder, 'secret'), join(root, 'ada/new/1700000001.link'));
    mkdirSync(join(root, 'ada/new/1700000002.folder'));
    execFileSync('mkfifo', [join(root, 'ada/new/1700000003.pipe')]);
    put({ name: '1700000004.locked' });
    chmodSync(join(root, 'ada/new/1700000004.locked'), 0);
    writeFileSync(Buffer.concat([Buffer.from(join(root, 'ada/new/1700000005.')), Buffer.from([0xff])]), 'x');
    const page = await list();
    expect(page.messages.map(({ subject }) => subject)).not.toContain('secret');
    expect(page.total).toBe(5);
    const link = encodeMailId({ directory: 'ada', folder: '', unique: '1700000001.link' });
    await expect(
      Promise.resolve(store.handlers['mail.raw']({ id: link, offset: 0, length: 100 }, context)),
    ).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a Maildir whose cur is a link is not followed', async () => {
    put();
    mkdirSync(join(folder, 'elsewhere'));
    writeFileSync(join(folder, 'elsewhere', '1.x'), 'Subject: secret\n\n');
    rmSync(join(root, 'ada/cur'), { recursive: true });
    symlinkSync(join(folder, 'elsewhere'), join(root, 'ada/cur'));
    expect((await list()).total).toBe(1);
  });

  test('names that tell no time or size take the file’s', async () => {
    put({ name: 'just a name', text: 'Subject: x\n\n12345' });
    utimesSync(join(root, 'ada/new/just a name'), 1_600_000_000, 1_600_000_000);
    expect((await list()).messages[0]).toMatchObject({ received: 1_600_000_000_000, size: 17 });
  });
});

describe('the index', () => {
  test('is for the owner only, outlives a restart, and notices what happened meanwhile', async () => {
    const one = put();
    put();
    expect((await list({ filter: 'mail' })).total).toBe(2);
    expect(statSync(join(folder, 'mail-index.db')).mode & 0o777).toBe(0o600);
    await store.close();
    unlinkSync(join(root, 'ada/new', one));
    put();
    store = open();
    expect(await subjects('mail')).toEqual(['mail 3', 'mail 2']);
  });

  test('is made again when it is damaged', async () => {
    put();
    await list();
    await store.close();
    writeFileSync(join(folder, 'mail-index.db'), 'this is no database, and long enough to be looked at. '.repeat(100));
    store = open();
    expect((await list()).total).toBe(1);
  });

  test('is done without when it cannot be written', async () => {
    put();
    await reopen({ cacheFile: join(folder, 'no such folder', 'mail-index.db') });
    expect((await list()).total).toBe(1);
  });
});

test('a long action reports its progress and stops when it is cancelled', async () => {
  for (let i = 0; i < 1000; i++) put();
  const ids: string[] = [];
  for (let page = await list({ limit: 1000 }); ; page = await list({ limit: 1000, cursor: page.cursor ?? '' })) {
    ids.push(...page.messages.map(({ id }) => id));
    if (page.cursor === undefined) break;
  }
  const controller = new AbortController();
  const seen: number[] = [];
  const result = await store.handlers['mail.remove'](
    { ids: [...ids, ...ids.map(() => 'x')] },
    {
      signal: controller.signal,
      progress: ({ done }) => {
        seen.push(done);
        controller.abort();
      },
    },
  );
  expect(result.cancelled).toBe(true);
  expect(result.done).toBeGreaterThan(0);
  expect((await list()).total).toBe(1000 - result.done);
});

test('after close, requests fail at once', async () => {
  await store.close();
  await expect(store.mailboxes()).rejects.toMatchObject({ code: 'unavailable' });
});
