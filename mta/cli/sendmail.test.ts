import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setParameters } from '../config/edit.ts';
import { writeFirstConfiguration } from '../config/first-files.ts';
import { PostriderError } from '../contract/errors.ts';
import type { MailServerHandlers } from '../contract/server.ts';
import { runWith, type Outcome } from './fake-server.ts';
import { run as sendmail } from './sendmail.ts';
import { endAtDot, headerRecipients, qualify, withFullName } from './sendmail-message.ts';

let data: string;
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'sendmail-'));
  await writeFirstConfiguration(data, { profile: 'sink', domain: 'example.com' });
});
afterEach(() => rm(data, { recursive: true, force: true }));

interface Sent {
  sender: string;
  recipients: string[];
  text: string;
}

async function send(
  argv: string[],
  stdin: string,
  submit?: MailServerHandlers['send.submit'],
): Promise<Outcome & { sent: Sent[] }> {
  const sent: Sent[] = [];
  const outcome = await runWith(sendmail, ['--data', data, ...argv], {
    stdin,
    handlers: {
      'send.submit':
        submit ??
        ((input) => {
          sent.push({
            sender: input.sender,
            recipients: input.recipients,
            text: Buffer.from(input.data, 'base64').toString(),
          });
          return { queueId: 'A1' };
        }),
    },
  });
  return { ...outcome, sent };
}

describe('sendmail', () => {
  it('sends to the operands, ends at a lone dot, completes addresses with $myorigin', async () => {
    const { code, out, err, sent } = await send(
      ['-f', 'ada', 'bob', 'Eve <eve@x.example>'],
      'Subject: s\n\nb\n.\nmore\n',
    );
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: '' });
    expect(sent).toEqual([
      { sender: 'ada@example.com', recipients: ['bob@example.com', 'eve@x.example'], text: 'Subject: s\n\nb\n' },
    ]);
  });

  it.each([[['-i']], [['-oi']]])('%j: a dot is a dot', async (argv) => {
    const { sent } = await send([...argv, '-bm', 'bob@x'], 'a\n.\nb\n');
    expect(sent[0]?.text).toBe('a\n.\nb\n');
    expect(sent[0]?.sender).toBe(`${userInfo().username}@example.com`);
  });

  it('-t takes the recipients of the headers, and options after operands', async () => {
    const message = 'To: A <a@x>, "b, c" <b@x>\nCc: team: d@x, e@x;\nBcc: a@x,\n f@x\nSubject: To: z@x\n\nTo: no@x\n';
    const { sent } = await send(['g@x', '-t', '-f', '<>'], message);
    expect(sent[0]?.sender).toBe('');
    expect(sent[0]?.recipients).toEqual(['g@x', 'a@x', 'b@x', 'd@x', 'e@x', 'f@x']);
  });

  it('-F names the sender of a message without From', async () => {
    const { sent } = await send(['-F', 'Ada "L"', '-f', 'ada@x', 'b@x'], 'Subject: s\n\nb\n');
    expect(sent[0]?.text).toBe('From: "Ada \\"L\\"" <ada@x>\nSubject: s\n\nb\n');
  });

  it.each([
    [[], 'Recipient addresses must be specified on the command line or via the -t option'],
    [['-t'], 'No recipient addresses found in message header'],
    [['-bz', 'x'], 'unsupported: -bz'],
    [['-y'], 'usage: sendmail [options]'],
  ])('%j: 75, as Postfix', async (argv, message) => {
    const { code, err, sent } = await send(argv, 'Subject: x\n\n');
    expect([code, sent]).toEqual([75, []]);
    expect(err).toContain(message);
  });

  it('exits 75 with the remedy when no server runs, 65 when the server refuses for good', async () => {
    const down = await runWith(sendmail, ['--data', data, 'a@x'], { stdin: 'x\n' });
    expect(down.code).toBe(75);
    expect(down.err).toMatch(/sendmail: fatal: \S+\(\d+\): mail system is down; the message was not taken/);
    const refused = await send(['a@x'], 'x\n', () => {
      throw new PostriderError('bad-input', 'no');
    });
    expect(refused.code).toBe(65);
    const full = await send(['a@x'], 'x\n', () => {
      throw new PostriderError('conflict', 'disk full');
    });
    expect(full.code).toBe(75);
  });

  it('refuses what message_size_limit does not allow', async () => {
    await setParameters(path.join(data, 'etc'), new Map([['message_size_limit', '100']]));
    const { code, err } = await send(['a@x'], `${'x'.repeat(101)}\n`);
    expect([code, err]).toEqual([65, expect.stringContaining('message file too big: message_size_limit is 100 bytes')]);
  });
});

describe('messages', () => {
  it('any bytes come through, or up to the dot', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '.', '\n', '\r\n', 'To: x@y', ' ', ':')), (pieces) => {
        const text = pieces.join('');
        const message = Buffer.from(text);
        const kept = endAtDot(message).toString();
        expect(text.startsWith(kept)).toBe(true);
        expect(kept.split(/\r?\n/).slice(0, -1)).not.toContain('.');
        headerRecipients(message);
        expect(withFullName(message, 'n', 's').toString().endsWith(text)).toBe(true);
      }),
    );
  });

  it('completes addresses', () => {
    expect([qualify('root', 'x'), qualify('<>', 'x'), qualify('a@b, "C D" <c@d>', 'x'), qualify('root', '')]).toEqual([
      ['root@x'],
      [''],
      ['a@b', 'c@d'],
      ['root'],
    ]);
  });
});
