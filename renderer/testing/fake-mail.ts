/** Mail for tests of the page: a handful of hand-written messages and as many generated ones as are asked for. */
import type { MailMessage } from '#mta/contract/mail.ts';

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export interface FakeMessage {
  readonly message: MailMessage;
  readonly raw: string;
  readonly parts: ReadonlyMap<number, { type: string; filename?: string; data: string }>;
}

let next = 1;

export function fakeMessage(
  over: Partial<MailMessage> & { mailbox: string; subject: string; received: number },
  parts: FakeMessage['parts'] = new Map(),
): FakeMessage {
  const serial = next++;
  const text = over.text ?? `Message ${serial}\n\nSent by a test.`;
  const from = over.from ?? 'noreply@shop.test';
  const to = over.to ?? 'ada@example.test';
  const message: MailMessage = {
    id: `m${serial}`,
    folder: '',
    from,
    fromName: over.fromName ?? '',
    to,
    snippet: text.replace(/\s+/g, ' ').slice(0, 120),
    size: 1200 + serial,
    seen: false,
    flagged: false,
    attachments: over.parts?.filter(({ disposition }) => disposition === 'attachment').length ?? 0,
    remoteContent: /src="https?:/.test(over.html ?? ''),
    delivery: {
      queueId: `4jXQPS5Fs2z${serial.toString(36).toUpperCase().padStart(4, 'J')}`,
      sender: from,
      recipient: to,
      saslUser: over.mailbox,
    },
    messageId: `<${serial}@shop.test>`,
    headers: [
      [
        'Received',
        `from app01 (localhost [127.0.0.1])\n\tby sink.test (Postfix) with ESMTPA id 4jXQPS5Fs2z; ${new Date(over.received).toUTCString()}`,
      ],
      ['Date', new Date(over.received).toUTCString()],
      ['From', over.fromName === undefined ? from : `${over.fromName} <${from}>`],
      ['To', to],
      ['Subject', over.subject],
      ['Message-ID', `<${serial}@shop.test>`],
      ['MIME-Version', '1.0'],
      ['Content-Type', 'multipart/alternative; boundary="b1"'],
    ],
    parts: [],
    truncated: false,
    ...over,
    text,
  };
  const raw = `${message.headers.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n${text.replaceAll('\n', '\r\n')}\r\n`;
  return { message: { ...message, size: Math.max(message.size, raw.length) }, raw, parts };
}

export function sampleMail(now: number): FakeMessage[] {
  const minute = 60_000;
  const order = `<!doctype html><html><head><style>h1{font-size:22px} .button{background:#1b1c1a;color:#fff;padding:9px 16px;border-radius:6px;display:inline-block;text-decoration:none}@import url("https://tracker.test/x.css");</style></head>
<body style="font:15px/1.6 system-ui;padding:12px 20px"><img src="cid:logo@shop" width="64" height="16" alt="Shop"><h1>Hello Ada,</h1>
<p>we have handed your parcel to the carrier. You can follow it here:</p><p><a class="button" href="https://xn--shp-0na.test/track/10293">Follow my parcel</a></p>
<p style="color:#777">Shop, 1 Harbour Street · <a href="mailto:help@shop.test">Help</a></p><script>document.title='pwned'</script><img src="x" onerror="parent.document.title='pwned'"></body></html>`;
  const invoice = `<body><h2>Invoice 2026-118</h2><img src="https://img.shop.test/banner.png" width="420" height="90" alt="Autumn sale banner"><table border="1" cellpadding="6"><tr><td>Parcel</td><td>12.00</td></tr></table><div style="background:url('https://img.shop.test/b.png')">Please find attached the invoice for November.</div></body>`;
  return [
    fakeMessage(
      {
        mailbox: 'orders@shop.test',
        from: 'orders@shop.test',
        fromName: 'Shop',
        subject: 'Your order #10293 is on its way',
        received: now - minute / 2,
        html: order,
        text: 'Hello Ada,\n\nwe have handed your parcel to the carrier. You can follow it here:\nhttps://shop.test/track/10293\n\n> On Friday you wrote:\n> Where is my parcel?\n>> It is coming.\n\nShop, 1 Harbour Street',
        parts: [
          {
            index: 0,
            type: 'image/png',
            filename: 'logo.png',
            size: 68,
            contentId: '<logo@shop>',
            disposition: 'inline',
          },
        ],
      },
      new Map([[0, { type: 'image/png', filename: 'logo.png', data: pixel }]]),
    ),
    fakeMessage(
      {
        mailbox: 'billing',
        from: 'billing@shop.test',
        fromName: 'Billing',
        subject: 'Invoice 2026-118',
        received: now - minute,
        html: invoice,
        text: 'Please find attached the invoice for November.',
        parts: [
          {
            index: 0,
            type: 'application/pdf',
            filename: 'invoice-2026-118.pdf',
            size: 48_213,
            disposition: 'attachment',
          },
          { index: 1, type: 'text/csv', filename: '../../items\u202evsc.csv', size: 812, disposition: 'attachment' },
        ],
      },
      new Map([
        [0, { type: 'application/pdf', filename: 'invoice-2026-118.pdf', data: pixel }],
        [1, { type: 'text/csv', filename: 'items.csv', data: pixel }],
      ]),
    ),
    fakeMessage({
      mailbox: 'orders@shop.test',
      from: 'security@shop.test',
      fromName: 'Password reset',
      subject: 'Reset your password',
      received: now - 15 * minute,
      text: 'Somebody asked for a new password for this account. If it was you, use the code 493 201.',
    }),
    fakeMessage({
      mailbox: 'newsletter',
      from: 'digest@news.test',
      fromName: 'Weekly digest',
      subject: '12 things your team did this week',
      received: now - 160 * minute,
      text: 'Deployments, incidents, and a birthday',
      seen: true,
      flagged: true,
    }),
    fakeMessage({
      mailbox: 'orders@shop.test',
      from: '',
      fromName: 'MAILER-DAEMON',
      subject: 'Undelivered Mail Returned to Sender',
      received: now - 240 * minute,
      text: '<nobody@shop.test>: unknown user',
      seen: true,
      report: '5.1.1',
    }),
    fakeMessage({
      mailbox: 'staff@shop.test',
      from: 'li@partner.test',
      fromName: '李雷',
      subject: '会议纪要：十一月发布计划',
      received: now - 26 * 60 * minute,
      text: '各位好，附件是今天会议的纪要，请在周五前补充。',
      seen: true,
    }),
  ];
}
