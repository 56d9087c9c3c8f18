import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logFields, parseFilter } from '../contract/filter.ts';
import { searchLog, type LogPage, type LogSearchOptions } from './search.ts';
import { traceQueueId } from './search-trace.ts';

const now = (): number => new Date(2026, 10, 14, 12, 0, 0).getTime();
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postrider-log-'));
  file = join(folder, 'mail.log');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function stamp(minute: number): string {
  const date = new Date(2026, 10, 14, 0, minute, 0);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `Nov 14 ${two(date.getHours())}:${two(date.getMinutes())}:00`;
}

async function search(text: string, limit = 100, options: LogSearchOptions = {}, cursor?: string): Promise<LogPage> {
  return await searchLog(file, { filter: parseFilter(text, logFields), limit, cursor }, { now, ...options });
}

async function everything(text: string, limit: number, options: LogSearchOptions = {}): Promise<string[]> {
  const texts: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 10_000; pages++) {
    const page = await search(text, limit, options, cursor);
    texts.push(...page.lines.map((line) => line.text));
    cursor = page.cursor;
    if (cursor === undefined) return texts;
  }
  throw new Error('the search does not end');
}

describe('searchLog', () => {
  test('a log that is not there has no lines', async () => {
    expect(await search('')).toEqual({ lines: [] });
  });

  test('gives the newest first, with byte positions, and pages back', async () => {
    const lines = Array.from({ length: 25 }, (_, i) => `${stamp(i)} mx1 postfix/smtpd[1]: connect ${String(i)}\n`);
    await writeFile(file, lines.join(''));
    const page = await search('', 10);
    expect(page.lines.map((line) => line.text)).toEqual(
      Array.from({ length: 10 }, (_, i) => `connect ${String(24 - i)}`),
    );
    expect(page.lines[0]?.position).toBe(lines.slice(0, 24).join('').length);
    expect(await everything('', 10)).toEqual(Array.from({ length: 25 }, (_, i) => `connect ${String(24 - i)}`));
  });

  test('passes over a line that is still being written, and over what is no log line', async () => {
    await writeFile(
      file,
      `\n\nrubbish\n${stamp(1)} mx1 postfix/smtpd[1]: one\r\n\0\0\n${stamp(2)} mx1 postfix/smtpd[1]: tw`,
    );
    expect(await everything('', 10)).toEqual(['one']);
    await appendFile(file, 'o\n');
    expect(await everything('', 10)).toEqual(['two', 'one']);
  });

  test('knows every field', async () => {
    await writeFile(
      file,
      [
        `${stamp(1)} mx1 postfix/smtpd[1]: 3F8A21C0D5: client=a`,
        `${stamp(2)} mx1 postfix/submission/smtpd[1]: warning: Dishonest Ünicode`,
        `${stamp(3)} mx1 postfix/qmgr[1]: 3F8A21C0D5: removed`,
        `${stamp(4)} mx1 postfix/qmgr[1]: fatal: no 3F8A21C0D5`,
        '',
      ].join('\n'),
    );
    const minutes = async (text: string): Promise<number[]> =>
      (await search(text)).lines.map((line) => new Date(line.time).getMinutes());
    expect(await minutes('id:3F8A21C0D5')).toEqual([3, 1]);
    expect(await minutes('3f8a21c0d5')).toEqual([4, 3, 1]);
    expect(await minutes('service:smtpd')).toEqual([2, 1]);
    expect(await minutes('service:submission/smtpd')).toEqual([2]);
    expect(await minutes('-service:smtpd')).toEqual([4, 3]);
    expect(await minutes('level:warning')).toEqual([4, 2]);
    expect(await minutes('-level:warning')).toEqual([3, 1]);
    expect(await minutes('level:INFO')).toEqual([4, 3, 2, 1]);
    expect(await minutes('level:error')).toEqual([4]);
    expect(await minutes('id:3f8a21c0d5')).toEqual([]);
    expect(await minutes('ünicode')).toEqual([2]);
    expect(await minutes('qmgr removed')).toEqual([3]);
    expect(await minutes('before:2026-11-14T00:03')).toEqual([2, 1]);
    expect(await minutes('after:2026-11-14T00:03')).toEqual([4, 3]);
    expect(await minutes('after:2026-11-14 before:2026-11-15')).toEqual([4, 3, 2, 1]);
    expect(await minutes('after:1h')).toEqual([]);
    expect(await minutes('before:11h')).toEqual([4, 3, 2, 1]);
  });

  test('says what is wrong with a filter and a cursor', async () => {
    await writeFile(file, '');
    await expect(search('level:loud')).rejects.toMatchObject({ code: 'bad-input', field: 'filter' });
    await expect(search('after:soon')).rejects.toMatchObject({ code: 'bad-input', field: 'filter' });
    await expect(search('', 10, {}, '../x')).rejects.toMatchObject({ code: 'bad-input', field: 'cursor' });
    await expect(
      searchLog(file, { filter: [{ field: 'queue', value: 'x', not: false }], limit: 1 }),
    ).rejects.toMatchObject({ code: 'bad-input', field: 'filter' });
  });

  test('a search out of budget goes on from its cursor and misses nothing', async () => {
    const lines = Array.from(
      { length: 500 },
      (_, i) => `${stamp(i)} mx1 postfix/smtpd[1]: ${i % 250 === 0 ? 'needle' : 'hay'}`,
    );
    await writeFile(file, `${lines.join('\n')}\n`);
    const first = await search('needle', 10, { budgetBytes: 1000, blockBytes: 500 });
    expect(first.lines).toEqual([]);
    expect(first.cursor).toBeDefined();
    expect(await everything('needle', 10, { budgetBytes: 1000, blockBytes: 500 })).toEqual(['needle', 'needle']);
  });

  test('bisects to a time in a large file', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `2026-10-01T00:00:00.${String(i).padStart(6, '0')}Z mx1 postfix/smtpd[1]: early\n`,
    );
    lines.push(...Array.from({ length: 20_000 }, () => `2026-11-01T00:00:00Z mx1 postfix/smtpd[1]: late\n`));
    await writeFile(file, lines.join(''));
    const page = await search('before:2026-10-20', 5, { budgetBytes: 300_000 });
    expect(page.lines.map((line) => line.text)).toEqual(Array.from({ length: 5 }, () => 'early'));
    const past = await search('after:2026-12-01', 5, { budgetBytes: 300_000 });
    expect(past).toEqual({ lines: [] });
  });

  test('goes on into rotated files, with positions that grow with time, also when it is rotated between pages', async () => {
    const write = (name: string, from: number): Promise<void> =>
      writeFile(name, [0, 1, 2].map((i) => `${stamp(from + i)} mx1 postfix/smtpd[1]: ${String(from + i)}\n`).join(''));
    await write(`${file}.2`, 0);
    await write(`${file}.1`, 3);
    await write(file, 6);
    const page = await search('', 100);
    expect(page.lines.map((line) => line.text)).toEqual(['8', '7', '6', '5', '4', '3', '2', '1', '0']);
    const positions = page.lines.map((line) => line.position);
    expect(positions).toEqual([...positions].sort((a, b) => b - a));
    expect(new Set(positions).size).toBe(9);
    expect(await everything('', 1)).toHaveLength(9);
    expect(await everything('', 3)).toHaveLength(9);

    const before = await search('', 2);
    await rename(`${file}.2`, `${file}.3`);
    await rename(`${file}.1`, `${file}.2`);
    await rename(file, `${file}.1`);
    const after = await search('', 100, {}, before.cursor);
    expect(after.lines.map((line) => line.text)).toEqual(['6', '5', '4', '3', '2', '1', '0']);
  });

  test('a line of megabytes costs its beginning only', async () => {
    await writeFile(
      file,
      `${stamp(1)} mx1 postfix/smtpd[1]: one\n${stamp(2)} mx1 postfix/smtpd[1]: ${'x'.repeat(3_000_000)}\n${stamp(3)} mx1 postfix/smtpd[1]: three\n`,
    );
    const page = await search('', 10, { lineBytes: 1000 });
    expect(page.lines.map((line) => line.text.length)).toEqual([5, expect.any(Number), 3]);
    expect(page.lines[1]?.text.length).toBeLessThan(1000);
  });

  test('whatever the block size, every line is found once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[a-z ]{0,60}$/), { maxLength: 30 }),
        fc.integer({ min: 16, max: 300 }),
        fc.integer({ min: 1, max: 7 }),
        async (texts, blockBytes, limit) => {
          await writeFile(file, texts.map((text) => `${stamp(1)} mx1 postfix/smtpd[1]: ${text}\n`).join(''));
          expect(await everything('', limit, { blockBytes })).toEqual([...texts].reverse());
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('traceQueueId', () => {
  test('gives the lines of one message in order, and stops at its birth', async () => {
    await writeFile(
      file,
      [
        `${stamp(1)} mx1 postfix/smtpd[1]: 3F8A21C0D5: client=earlier[127.0.0.1]`,
        `${stamp(2)} mx1 postfix/qmgr[1]: 3F8A21C0D5: removed`,
        `${stamp(3)} mx1 postfix/smtpd[1]: 3F8A21C0D5: client=mine[127.0.0.1]`,
        `${stamp(4)} mx1 postfix/qmgr[1]: 4000000000: removed`,
        `${stamp(5)} mx1 postfix/qmgr[1]: 3F8A21C0D5: removed`,
        '',
      ].join('\n'),
    );
    const trace = await traceQueueId(file, '3F8A21C0D5', 100, { now });
    expect(trace.complete).toBe(true);
    expect(trace.lines.map((line) => new Date(line.time).getMinutes())).toEqual([3, 5]);
    expect(await traceQueueId(file, '5555555555', 100, { now })).toEqual({ lines: [], complete: false });
  });
});
