import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogLine } from '../contract/mail.ts';
import { parseLogLine } from './parse.ts';
import { openMailLog } from './writer.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maillog-'));
});
afterEach(() => rm(folder, { recursive: true }));

const at = new Date(2026, 10, 2, 9, 5, 7).getTime();

test("lines in Postfix's format, warnings marked, control characters masked", async () => {
  const file = join(folder, 'log', 'mail.log');
  const log = await openMailLog(file, { hostname: 'mail.example.org', pid: 42, now: () => at });
  log.line('smtpd', 'B76B92205CE: client=localhost[127.0.0.1]');
  log.line('qmgr', 'a\r\nNov 22 forged\u001b[31m', 'warning');
  log.line('local', 'grüße');
  await log.close();
  expect(await readFile(file, 'utf8')).toBe(
    [
      'Nov  2 09:05:07 mail postfix/smtpd[42]: B76B92205CE: client=localhost[127.0.0.1]',
      'Nov  2 09:05:07 mail postfix/qmgr[42]: warning: a??Nov 22 forged?[31m',
      'Nov  2 09:05:07 mail postfix/local[42]: grüße',
      '',
    ].join('\n'),
  );
});

test('published lines equal what a reader parses, with byte positions that survive reopening', async () => {
  const file = join(folder, 'mail.log');
  const published: LogLine[] = [];
  const options = {
    hostname: 'h',
    pid: 7,
    now: () => at,
    onLines: (lines: LogLine[]) => void published.push(...lines),
  };
  const first = await openMailLog(file, options);
  first.line('qmgr', 'ünïcode');
  first.line('qmgr', 'B76B92205CE: removed');
  await first.close();
  const second = await openMailLog(file, options);
  second.line('smtpd', 'B76B92205CE: odd', 'warning');
  await second.close();
  const text = await readFile(file);
  expect(published).toHaveLength(3);
  for (const line of published) {
    const end = text.indexOf(10, line.position);
    const { position: _, ...parsed } = line;
    expect(parsed).toEqual(parseLogLine(text.toString('utf8', line.position, end), new Date(at)));
  }
});

test('reopen follows a rotation', async () => {
  const file = join(folder, 'mail.log');
  const log = await openMailLog(file, { hostname: 'h', pid: 1 });
  log.line('qmgr', 'before');
  await log.flush();
  await rename(file, `${file}.1`);
  await log.reopen();
  log.line('qmgr', 'after');
  await log.close();
  expect(await readFile(`${file}.1`, 'utf8')).toContain('before');
  expect(await readFile(file, 'utf8')).toMatch(/^[^\n]*after\n$/);
});

test('a flood beyond the limit is dropped, counted and told', async () => {
  const file = join(folder, 'mail.log');
  const log = await openMailLog(file, { hostname: 'h', pid: 1, bufferLimit: 1000 });
  for (let i = 0; i < 500; i++) log.line('qmgr', `line ${i}`);
  await log.flush();
  log.line('qmgr', 'later');
  await log.close();
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const kept = lines.filter((line) => / line \d+$/.test(line)).length;
  expect(kept).toBeLessThan(50);
  expect(lines.join('\n')).toContain(`warning: ${500 - kept} log lines were lost`);
  expect(lines.at(-1)).toMatch(/later$|lost/);
});

test('an unwritable file loses lines but never throws, and recovers', async () => {
  const file = join(folder, 'log', 'mail.log');
  const failures: (string | undefined)[] = [];
  const log = await openMailLog(file, { hostname: 'h', pid: 1, onFailure: (message) => failures.push(message) });
  await rm(join(folder, 'log'), { recursive: true });
  await expect(log.reopen()).rejects.toThrow();
  log.line('qmgr', 'nowhere to go');
  await log.flush();
  expect(failures).toHaveLength(1);
  const { mkdir } = await import('node:fs/promises');
  await mkdir(join(folder, 'log'));
  log.line('qmgr', 'back');
  await log.close();
  const text = await readFile(file, 'utf8');
  expect(text).toContain('back');
  expect(text).toContain('1 log lines were lost');
  expect(failures[1]).toBeUndefined();
});
