import { readFile } from 'node:fs/promises';
import PostalMime from 'postal-mime';
import { expect, test } from 'vitest';
import { mailDate } from '../cleanup/mail-date.ts';
import { testConfiguration } from '../qmgr/testing/test-configuration.ts';
import type { DeliveryOutcome } from '../qmgr/agent.ts';
import type { NewMessage, QueuedMessage } from '../queue/store.ts';
import { queuedMessage } from '../queue/testing/messages.ts';
import { formatReport, type Report } from './report.ts';
import { buildReports, type ReportedOutcomes } from './reports.ts';

const arrival = Date.UTC(2026, 10, 22, 10, 31, 38);
const base: Report = {
  kind: 'failed',
  id: 'C0FFEE00001',
  now: arrival + 60_000,
  hostname: 'mail.example.test',
  origin: 'example.test',
  about: { id: 'B76B92205CE', sender: 'ada@example.org', arrival, envelopeId: 'QQ314' },
  recipients: [
    {
      address: 'no@example.net',
      originalRecipient: 'rfc822;no@example.net',
      action: 'failed',
      dsn: '5.1.1',
      reason:
        'host mx.example.net[192.0.2.1] said: 550 5.1.1 <no@example.net>: Recipient address rejected: User unknown (in reply to RCPT TO command)',
      remoteMta: 'mx.example.net',
      diagnostic: '550 5.1.1 <no@example.net>: Recipient address rejected: User unknown',
    },
    { address: 'full@example.test', action: 'failed', dsn: '5.2.2', reason: 'mailbox full\r\nX-Forged: 1' },
  ],
  returned: { kind: 'message', text: Buffer.from('From: ada@example.org\nSubject: hi\n\ntext\n') },
};

/** Times are written in the local zone: golden files have a mark in their place. */
async function golden(name: string): Promise<string> {
  const text = await readFile(new URL(`./golden/${name}.eml`, import.meta.url), 'utf8');
  return text
    .replaceAll('{now}', mailDate(base.now))
    .replaceAll('{arrival}', mailDate(arrival))
    .replaceAll('{until}', mailDate(arrival + 432_000_000));
}

test.each<[string, Report]>([
  ['failed', base],
  [
    'delayed',
    {
      ...base,
      kind: 'delayed',
      delayHours: 4,
      lifetimeDays: 5,
      retryUntil: arrival + 432_000_000,
      recipients: [
        {
          address: 'x@example.net',
          action: 'delayed',
          dsn: '4.4.1',
          reason: 'connect to mx.example.net[192.0.2.1]:25: Connection refused',
        },
      ],
      returned: { kind: 'headers', text: Buffer.from('From: ada@example.org\nSubject: hi\n') },
    },
  ],
  [
    'delivered',
    {
      ...base,
      kind: 'delivered',
      recipients: [
        {
          address: 'x@example.test',
          action: 'delivered',
          dsn: '2.0.0',
          reason: 'delivery via virtual: delivered to maildir',
        },
      ],
      returned: { kind: 'headers', text: Buffer.from('From: ada@example.org\nSubject: hi\n') },
    },
  ],
])('%s, as the golden file', async (name, report) => {
  expect(formatReport(report).toString()).toBe(await golden(name));
});

test('a MIME parser finds the parts', async () => {
  const mail = await PostalMime.parse(formatReport(base), { forceRfc822Attachments: true });
  expect(mail.attachments.map(({ mimeType }) => mimeType)).toEqual(['message/delivery-status', 'message/rfc822']);
  expect(mail.text).toContain('<no@example.net>: host mx.example.net[192.0.2.1] said: 550');
});

const outcome = (index: number, state: DeliveryOutcome['state']): DeliveryOutcome => ({
  index,
  state,
  dsn: state === 'sent' ? '2.0.0' : state === 'bounced' ? '5.0.0' : '4.0.0',
  reason: 'because',
  at: 0,
  connection: 0,
  transmission: 0,
});

async function reports(
  message: Partial<QueuedMessage>,
  outcomes: ReportedOutcomes,
  set: Record<string, string> = {},
): Promise<{ spawned: NewMessage[]; log: string[] }> {
  const log: string[] = [];
  let next = 0;
  const spawned = await buildReports(
    {
      configuration: testConfiguration(set),
      log: { line: (service, text) => void log.push(`${service}: ${text}`) },
      newId: () => `R${++next}`,
      now: arrival,
      message: queuedMessage({
        arrival,
        size: 100,
        recipients: [
          { index: 0, address: 'a@x.test', state: 'waiting' },
          { index: 1, address: 'b@x.test', state: 'waiting', notify: ['NEVER'] },
          { index: 2, address: 'c@x.test', state: 'waiting', notify: ['SUCCESS', 'DELAY'] },
        ],
        ...message,
      }),
      body: () => Promise.resolve({ kind: 'memory', data: Buffer.from('Subject: x\nY: z\n\nsecret body\n') }),
    },
    outcomes,
  );
  return { spawned, log };
}

const textOf = (message: NewMessage | undefined): string =>
  message?.body.kind === 'memory' ? Buffer.from(message.body.data).toString() : '';

test('NOTIFY decides who is told of what', async () => {
  const failed = await reports({}, { bounced: [0, 1, 2].map((i) => outcome(i, 'bounced')) });
  expect(failed.log).toEqual(['bounce: A1: sender non-delivery notification: R1']);
  expect(textOf(failed.spawned[0])).toContain('<a@x.test>: because');
  expect(textOf(failed.spawned[0])).not.toMatch(/<[bc]@x\.test>/);
  const good = await reports({}, { sent: [0, 1, 2].map((i) => outcome(i, 'sent')) });
  expect(good.log).toEqual(['bounce: A1: sender delivery status notification: R1']);
  expect(textOf(good.spawned[0])).toContain('Action: delivered');
  const late = await reports({}, { delayed: [0, 1, 2].map((i) => outcome(i, 'deferred')) });
  expect(late.log).toEqual(['bounce: A1: sender delay notification: R1']);
  const passedOn = await reports({}, { sent: [{ ...outcome(2, 'sent'), dsnPassedOn: true }] });
  expect(passedOn.spawned).toEqual([]);
  const relayed = await reports({}, { sent: [{ ...outcome(2, 'sent'), remoteMta: 'mx.test' }] });
  expect(textOf(relayed.spawned[0])).toContain('Action: relayed');
});

test('the null sender hears nothing; what it sent is dropped, and that is logged', async () => {
  const { spawned, log } = await reports({ envelope: { sender: '' } }, { bounced: [outcome(0, 'bounced')] });
  expect(spawned).toEqual([]);
  expect(log).toEqual(['bounce: A1: undeliverable notification discarded']);
});

test('the whole message, or its header for RET=HDRS and beyond bounce_size_limit', async () => {
  const whole = await reports({}, { bounced: [outcome(0, 'bounced')] });
  expect(textOf(whole.spawned[0])).toContain('Content-Type: message/rfc822\n\nSubject: x\nY: z\n\nsecret body\n');
  for (const [message, set] of [
    [{ envelope: { sender: 'ada@example.org', ret: 'HDRS' as const } }, {}],
    [{}, { bounce_size_limit: '99' }],
  ] as const) {
    const { spawned } = await reports(message, { bounced: [outcome(0, 'bounced')] }, set);
    expect(textOf(spawned[0])).toContain('Content-Type: text/rfc822-headers\n\nSubject: x\nY: z\n\n--');
    expect(textOf(spawned[0])).not.toContain('secret');
  }
});

test('a message that cannot be read is still reported', async () => {
  const { spawned } = await reports({ size: 10 }, { bounced: [outcome(0, 'bounced')] });
  expect(spawned[0]?.size).toBe(textOf(spawned[0]).length);
});
