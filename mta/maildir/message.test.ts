import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeTransfer } from './decode.ts';
import { decodeEntities, foldSpace, hasRemoteContent, htmlToText } from './html.ts';
import { listedParts, partContent, readMessage } from './message.ts';
import { readStructure } from './structure.ts';
import { parseStructuredField } from './structured-field.ts';
import { digest } from './summary.ts';

function message(...lines: string[]): Buffer {
  return Buffer.from(lines.join('\r\n'));
}

const digestOf = (bytes: Buffer): ReturnType<typeof digest> => digest(bytes, readStructure(bytes));
const bodyOf = (bytes: Buffer): ReturnType<typeof readMessage> => readMessage(bytes, readStructure(bytes), true);

const mixed = message(
  'From: =?utf-8?B?QWRhIEzDtnZlbGFjZQ==?= <ada@example.org>',
  'To: "Bob, B" <bob@example.org>, Team: cleo@example.org, dan@example.org;',
  'Subject: =?utf-8?Q?Caf=C3=A9?= =?utf-8?Q?_au_lait?=',
  'Date: Mon, 1 Jan 2024 10:00:00 +0000',
  'Message-ID: <1@example.org>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="outer"',
  '',
  'preamble',
  '--outer',
  'Content-Type: multipart/related; boundary=rel',
  '',
  '--rel',
  'Content-Type: multipart/alternative; boundary="al:t"',
  '',
  '--al:t',
  'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Sch=F6nen Tag,=20',
  'hier eine=',
  ' Zeile',
  '--al:t',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p>Schönen Tag</p><img src="cid:logo"><img src="https://t.example/x.gif">',
  '--al:t--',
  '--rel',
  'Content-Type: image/png; name=logo.png',
  'Content-ID: <logo>',
  'Content-Transfer-Encoding: base64',
  '',
  'AAEC',
  '--rel--',
  '--outer',
  "Content-Type: application/pdf; name*0*=utf-8''Rechnung%20; name*1*=%E2%82%AC.pdf",
  'Content-Disposition: attachment',
  'Content-Transfer-Encoding: base64',
  '',
  'SGVsbG8=',
  '--outer',
  'Content-Type: text/plain',
  '',
  'list footer',
  '--outer--',
  'epilogue',
  '',
);

describe('a message of many parts', () => {
  test('its summary', () => {
    expect(digestOf(mixed)).toEqual({
      from: 'ada@example.org',
      fromName: 'Ada Lövelace',
      to: 'Bob, B <bob@example.org>, cleo@example.org, dan@example.org',
      subject: 'Café au lait',
      snippet: 'Schönen Tag, hier eine Zeile',
      searchText: 'Schönen Tag, hier eine Zeile',
      attachments: 1,
      remoteContent: true,
      report: undefined,
    });
  });

  test('its texts and parts', () => {
    const body = bodyOf(mixed);
    expect(body.text).toBe('Schönen Tag, \nhier eine Zeile\nlist footer');
    expect(body.html).toBe(
      '<p>Schönen Tag</p><img src="cid:logo"><img src="https://t.example/x.gif">\n<pre style="white-space:pre-wrap">list footer</pre>',
    );
    expect(body.parts).toEqual([
      { index: 0, type: 'image/png', filename: 'logo.png', size: 3, contentId: 'logo', disposition: 'inline' },
      { index: 1, type: 'application/pdf', filename: 'Rechnung €.pdf', size: 5, disposition: 'attachment' },
    ]);
    expect(body.truncated).toBe(false);
    expect(body.headers[0]).toEqual(['From', '=?utf-8?B?QWRhIEzDtnZlbGFjZQ==?= <ada@example.org>']);
    const [, pdf] = listedParts(readStructure(mixed));
    expect(pdf === undefined ? '' : partContent(mixed, pdf).toString()).toBe('Hello');
  });
});

test('a message without a header field, and an empty one', () => {
  expect(bodyOf(message('just text'))).toMatchObject({ text: 'just text', truncated: false });
  expect(bodyOf(Buffer.alloc(0))).toMatchObject({ text: '', parts: [] });
  expect(digestOf(Buffer.from([0, 0xff, 0xfe, 0x0a, 0x0a, 0]))).toMatchObject({ subject: '', from: '' });
});

test('HTML alone makes the snippet', () => {
  const bytes = message(
    'Content-Type: text/html',
    '',
    '<html><head><title>no</title><style>p{}</style></head><body><h1>Hi&nbsp;there</h1><p>a &lt;b&gt; &#x263A;<script>alert(1)</script>',
  );
  expect(digestOf(bytes).snippet).toBe('Hi there a <b> ☺');
});

test('a delivery status notification tells its status, and its innards are no attachments', () => {
  const bytes = message(
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    '',
    '--b',
    '',
    'This is the mail system.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx1',
    '',
    'Final-Recipient: rfc822; a@b',
    'Action: delivered',
    'Status: 2.0.0',
    '',
    'Final-Recipient: rfc822; c@b',
    'Action: failed',
    'Status: 5.1.1 (no such user)',
    '',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: inner',
    '',
    '--b--',
  );
  expect(digestOf(bytes)).toMatchObject({ report: '5.1.1', attachments: 0, snippet: 'This is the mail system.' });
  expect(bodyOf(bytes).parts.map((part) => part.type)).toEqual(['message/delivery-status', 'message/rfc822']);
});

describe('the delivery note', () => {
  const received =
    'Received: from laptop (localhost [127.0.0.1])\r\n\t(Authenticated sender: ada)\r\n\tby mx1 (Postrider) with ESMTPSA id 4dK2xL1Y3xz9Wq\r\n\tfor <bob@example.org>; Mon, 1 Jan 2024';

  test('is read from the top', () => {
    const bytes = message(
      'Return-Path: <ada@a.example>',
      'X-Original-To: sales@example.org',
      'Delivered-To: bob',
      received,
      '',
      '',
    );
    expect(bodyOf(bytes).delivery).toEqual({
      sender: 'ada@a.example',
      recipient: 'sales@example.org',
      queueId: '4dK2xL1Y3xz9Wq',
      saslUser: 'ada',
    });
  });

  test('the null sender is an empty one', () => {
    expect(bodyOf(message('Return-Path: <>', 'Delivered-To: bob', '', '')).delivery).toEqual({
      sender: '',
      recipient: 'bob',
    });
  });

  test('what stands below the first Received field is the sender’s word', () => {
    const bytes = message(
      'Received: from x by y; Mon',
      'Return-Path: <fake@a>',
      'Delivered-To: fake',
      received,
      '',
      '',
    );
    expect(bodyOf(bytes).delivery).toEqual({});
  });
});

describe('hostile messages', () => {
  test('20,000 nested parts', () => {
    const lines: string[] = [];
    lines.push('Content-Type: multipart/mixed; boundary=b0', '');
    for (let i = 0; i < 20_000; i++)
      lines.push(`--b${String(i)}`, `Content-Type: multipart/mixed; boundary=b${String(i + 1)}`, '');
    const bytes = message(...lines, '--b20000', '', 'deep');
    const start = performance.now();
    expect(bodyOf(bytes).truncated).toBe(true);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test('300,000 parts', () => {
    const bytes = message('Content-Type: multipart/mixed; boundary=b', '', '--b\r\n\r\nx\r\n'.repeat(300_000));
    const body = bodyOf(bytes);
    expect(body.truncated).toBe(true);
    expect(readStructure(bytes).parts).toHaveLength(1000);
  });

  test.each([
    ['addresses of parentheses', `From: ${'('.repeat(1_000_000)}`],
    ['addresses of quotes', `To: ${'"<'.repeat(500_000)}`],
    ['encoded words without end', `Subject: ${'=?utf-8?Q?'.repeat(100_000)}`],
    ['parameters without end', `Content-Type: multipart/mixed; ${'a*0*="'.repeat(100_000)}`],
    ['tags without end', `Content-Type: text/html\r\n\r\n${'<a href="'.repeat(100_000)}`],
    ['open tags', `Content-Type: text/html\r\n\r\n${'<'.repeat(1_000_000)}`],
    ['open comments', `Content-Type: text/html\r\n\r\n${'<!--'.repeat(300_000)}`],
    ['raw text that never closes', `Content-Type: text/html\r\n\r\n${'<style></'.repeat(200_000)}`],
    ['references', `Content-Type: text/html\r\n\r\n${'&#'.repeat(500_000)}`],
    ['NULs', '\0'.repeat(1_000_000)],
  ])('%s', (_what, text) => {
    const bytes = Buffer.from(text);
    const start = performance.now();
    const found = digestOf(bytes);
    bodyOf(bytes);
    expect(performance.now() - start).toBeLessThan(2000);
    for (const value of [found.subject, found.from, found.fromName, found.to])
      expect(value.length).toBeLessThanOrEqual(1000);
  });

  test('file names lose paths, controls and reading marks', () => {
    const name = (value: string): string | undefined =>
      readStructure(Buffer.from(`Content-Disposition: attachment; filename="${value}"\r\n\r\n`)).parts[0]?.filename;
    expect(name('../../etc/passwd')).toBe('passwd');
    expect(name('C:\\\\temp\\\\a.exe')).toBe('a.exe');
    expect(name('a\u202egpj.exe')).toBe('agpj.exe');
    expect(name('/')).toBe('unnamed');
  });

  test('nothing throws', () => {
    const piece = fc.constantFrom(
      '\r\n',
      '\n',
      '--b',
      '--',
      'Content-Type: ',
      'multipart/mixed; ',
      'boundary=b',
      'text/html',
      '<',
      '>',
      'src=',
      '"',
      'https://',
      '=?',
      'utf-8',
      '?B?',
      '\0',
      ':',
      ';',
      '*0*=',
      "utf-8''%",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 60 }), (pieces) => {
        const bytes = Buffer.from(pieces.join(''));
        digestOf(bytes);
        const structure = readStructure(bytes);
        for (const part of structure.parts) {
          expect(part.start).toBeLessThanOrEqual(part.end);
          expect(part.end).toBeLessThanOrEqual(bytes.length);
        }
        readMessage(bytes, structure, true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('remote content', () => {
  test.each([
    '<img src=http://a>',
    '<IMG SRC = "HTTPS://a">',
    "<img alt='>' src='//a'>",
    '<img src="&#104;ttp://a">',
    '<img src=" h\nttp://a">',
    '<img srcset="cid:x 1x, https://a 2x">',
    '<table background="http://a">',
    '<div style="background:url( \'http://a\')">',
    '<style>@import "http://a";</style>',
    '<style>p{background:URL(https://a)}</style>',
    '<link rel=stylesheet href="http://a">',
    '<video poster="http://a">',
    '<svg><image xlink:href="http://a">',
  ])('%s fetches', (html) => {
    expect(hasRemoteContent(html)).toBe(true);
  });

  test.each([
    '<a href="http://a">link</a>',
    '<img src="cid:x">',
    '<img src="data:image/png;base64,AA">',
    'src="http://a"',
    '<!-- <img src="http://a"> -->',
    '<p title="url(http://a)">',
    '<style>p{color:red}</style> url(http://a)',
  ])('%s does not', (html) => {
    expect(hasRemoteContent(html)).toBe(false);
  });
});

test('text from HTML', () => {
  expect(htmlToText('a<br>b<b>c</b>d', 100)).toBe('a bcd');
  expect(htmlToText('1 < 2 & 3', 100)).toBe('1 < 2 & 3');
  expect(htmlToText(`<p>${'word '.repeat(1000)}`, 20)).toBe('word word word word ');
  expect(decodeEntities('&amp;lt; &unknown; &#0; &#x110000;')).toBe('&lt; &unknown; \ufffd \ufffd');
  expect(foldSpace('\u200b a \0\r\n b\u00a0')).toBe('a b');
});

describe('decodeTransfer', () => {
  test('base64 and quoted-printable as programs write them', () => {
    const decode = (text: string, encoding: string): string => decodeTransfer(Buffer.from(text), encoding).toString();
    expect(decode('SGVs\r\nbG8=\r\n', 'Base64')).toBe('Hello');
    expect(decode('SGVsbG8=\n'.repeat(20), 'base64')).toBe('Hello'.repeat(20));
    expect(decode('a=3Db=\r\nc = d=zz=', 'quoted-printable')).toBe('a=bc = d=zz');
    expect(decode('a=3D', 'x-unknown')).toBe('a=3D');
  });

  test('gives back what was encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const base64 = Buffer.from(bytes).toString('base64').replace(/.{76}/g, '$&\r\n');
        expect(decodeTransfer(Buffer.from(base64), 'base64')).toEqual(Buffer.from(bytes));
        const quoted = [...bytes]
          .map((byte) => `=${byte.toString(16).padStart(2, '0')}`)
          .join('')
          .replace(/.{72}/g, '$&=\r\n');
        expect(decodeTransfer(Buffer.from(quoted), 'quoted-printable')).toEqual(Buffer.from(bytes));
      }),
    );
  });
});

test('structured fields', () => {
  const field = parseStructuredField('Text/HTML (a comment); charset="ut\\f-8"; x=1 (y); X=2; flag; empty=;name="a;b"');
  expect(field.value).toBe('text/html');
  expect([...field.parameters]).toEqual([
    ['charset', 'utf-8'],
    ['x', '1'],
    ['empty', ''],
    ['name', 'a;b'],
  ]);
});
