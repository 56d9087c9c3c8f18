import { describe, expect, it } from 'vitest';
import type { TranscriptLine } from '#app/contract/api.ts';
import { milliseconds, stepsOf } from './steps.ts';

const note = (at: number, text: string): TranscriptLine => ({ at, side: 'note', text });
const client = (at: number, text: string): TranscriptLine => ({ at, side: 'client', text });
const server = (at: number, text: string): TranscriptLine => ({
  at,
  side: 'server',
  text,
  code: Number(text.slice(0, 3)),
});

const good = [
  note(0, 'Connecting to 127.0.0.1, port 1025'),
  note(1, 'Connected to 127.0.0.1'),
  server(4, '220 mx ESMTP'),
  client(4, 'EHLO [127.0.0.1]'),
  server(5, '250-mx'),
  server(5, '250 SIZE 1'),
  client(5, 'AUTH LOGIN'),
  server(6, '334 VXNlcm5hbWU6'),
  client(6, 'UVVJVA=='),
  server(7, '334 UGFzc3dvcmQ6'),
  client(7, '••••'),
  server(8, '235 2.7.0 Ok'),
  client(8, 'MAIL FROM:<a@b>'),
  server(9, '250 2.1.0 Ok'),
  client(9, 'RCPT TO:<c@d>'),
  server(19, '250 2.1.5 Ok'),
  client(19, 'DATA'),
  server(20, '354 End'),
  note(20, 'The message, 12 bytes, and a dot on a line of its own'),
  server(50, '250 2.0.0 Ok: queued as A1'),
  client(50, 'QUIT'),
  server(51, '221 Bye'),
];

describe('a transcript', () => {
  it('falls into steps with their times', () => {
    const steps = stepsOf({ ok: true, milliseconds: 51, lines: good });
    expect(steps.map(({ name, took }) => [name, took])).toEqual([
      ['connect', 1],
      ['greeting', 3],
      ['ehlo', 1],
      ['auth', 3],
      ['mail', 1],
      ['rcpt', 10],
      ['data', 1],
      ['message', 30],
      ['quit', 1],
    ]);
    expect(steps.every(({ state }) => state === 'ok')).toBe(true);
    expect(steps.at(-2)?.reply?.text).toContain('queued as');
  });
  it('shows where it failed', () => {
    const lines = [
      ...good.slice(0, 6),
      client(6, 'MAIL FROM:<a@b>'),
      server(7, '550 5.7.1 No'),
      note(8, 'Failed at mail: 550'),
    ];
    const steps = stepsOf({ ok: false, milliseconds: 9, lines, failure: { step: 'mail', message: '550 5.7.1 No' } });
    expect(steps.map(({ name, state }) => [name, state])).toEqual([
      ['connect', 'ok'],
      ['greeting', 'ok'],
      ['ehlo', 'ok'],
      ['mail', 'failed'],
    ]);
  });
  it('that never connected failed there', () => {
    const steps = stepsOf({
      ok: false,
      milliseconds: 700,
      lines: [note(0, 'Connecting to x, port 9')],
      failure: { step: 'connect', message: 'refused' },
    });
    expect(steps).toMatchObject([{ name: 'connect', state: 'failed', took: 700 }]);
  });
  it('of nothing has no steps', () => expect(stepsOf({ ok: false, milliseconds: 0, lines: [] })).toEqual([]));
});

it.each([
  [0.34, '0.3 ms'],
  [34.4, '34 ms'],
  [1234, '1.2 s'],
])('%d', (span, text) => expect(milliseconds(span)).toBe(text));
