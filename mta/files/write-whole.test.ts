import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeWhole } from './write-whole.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'write-whole-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

test('a file is its owner’s only, unless a mode is given', async () => {
  const file = path.join(folder, 'key');
  await writeWhole(file, 'one\n');
  expect(await modeOf(file)).toBe(0o600);
  await writeWhole(file, 'two\n', 0o640);
  expect([await readFile(file, 'utf8'), await modeOf(file)]).toEqual(['two\n', 0o640 & ~process.umask()]);
  expect(await readdir(folder)).toEqual(['key']);
});

test('rights that are kept do not lose what the umask takes', async () => {
  const file = path.join(folder, 'main.cf');
  const { uid, gid } = await stat(folder);
  await writeWhole(file, 'a = b\n', { mode: 0o100666, uid, gid });
  expect(await modeOf(file)).toBe(0o666);
});

test('what cannot be written leaves the old file and nothing beside it', async () => {
  const file = path.join(folder, 'taken');
  await writeWhole(path.join(folder, 'other'), 'old');
  // A folder cannot be replaced by a file.
  await mkdir(file);
  await expect(writeWhole(file, 'new')).rejects.toThrow(/EISDIR|EPERM/);
  expect((await readdir(folder)).sort()).toEqual(['other', 'taken']);
  await expect(writeWhole(path.join(folder, 'none', 'file'), 'x')).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a link is replaced, what it points to stays', async () => {
  const secret = path.join(folder, 'secret');
  const link = path.join(folder, 'link');
  await writeFile(secret, 'keep');
  await symlink(secret, link);
  await writeWhole(link, 'new');
  expect([await readFile(secret, 'utf8'), await readFile(link, 'utf8')]).toEqual(['keep', 'new']);
});
