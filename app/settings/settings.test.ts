import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Settings, settingsFile } from './settings.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postrider-settings-'));
  file = settingsFile(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('no file means defaults, and none is made until something changes', async () => {
  const settings = await Settings.open(file);
  expect(settings.get()).toEqual({ theme: 'system', language: 'system' });
  expect(await readdir(folder)).toEqual([]);
});

test('a change is kept, told, and leaves no temporary file; unknown members stay', async () => {
  await writeFile(file, '{"window": {"width": 900}, "preferences": {"density": "tight", "theme": "light"}}');
  const settings = await Settings.open(file);
  const told: unknown[] = [];
  settings.onChange((preferences) => told.push(preferences));
  expect(await settings.set({ theme: 'dark' })).toEqual({ theme: 'dark', language: 'system' });
  expect(told).toEqual([{ theme: 'dark', language: 'system' }]);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    window: { width: 900 },
    preferences: { density: 'tight', theme: 'dark' },
  });
  expect(await readdir(folder)).toEqual(['settings.json']);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await Settings.open(file)).get().theme).toBe('dark');
});

test('changes made at once are all kept', async () => {
  const settings = await Settings.open(file);
  await Promise.all([
    settings.set({ theme: 'light' }),
    settings.set({ language: 'zh' }),
    settings.set({ theme: 'dark' }),
  ]);
  expect((await Settings.open(file)).get()).toEqual({ theme: 'dark', language: 'zh' });
});

test.each(['{"preferences": ', '[]', '', '"text"'])(
  'a broken file (%j) is moved aside and reported',
  async (content) => {
    await writeFile(file, content);
    const settings = await Settings.open(file);
    expect(settings.get()).toEqual({ theme: 'system', language: 'system' });
    expect(settings.problems).toEqual([expect.stringMatching(/settings\.json is broken .*moved to .*\.broken-\d+/)]);
    const [aside] = await readdir(folder);
    expect(await readFile(path.join(folder, aside ?? ''), 'utf8')).toBe(content);
  },
);

test('a member that does not fit is reported and left in the file', async () => {
  await writeFile(file, '{"preferences": {"theme": "sepia", "language": "zh"}}');
  const settings = await Settings.open(file);
  expect(settings.get()).toEqual({ theme: 'system', language: 'zh' });
  expect(settings.problems).toEqual([expect.stringContaining('preferences.theme is "sepia"')]);
  await settings.set({ language: 'en' });
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ preferences: { theme: 'sepia', language: 'en' } });
});

test('a bad value names its field and changes nothing', async () => {
  const settings = await Settings.open(file);
  await expect(settings.set({ theme: 'sepia' as 'dark' })).rejects.toMatchObject({ code: 'bad-input', field: 'theme' });
  expect(await readdir(folder)).toEqual([]);
});

test('a file that cannot be written is an error, and the old settings stay', async () => {
  const settings = await Settings.open(file);
  await settings.set({ theme: 'dark' });
  await rm(file);
  // A folder in its place cannot be replaced by a file, not even by root.
  await mkdir(path.join(file, 'occupied'), { recursive: true });
  await expect(settings.set({ theme: 'light' })).rejects.toMatchObject({ code: 'unavailable' });
  expect(settings.get().theme).toBe('dark');
  expect(await readdir(folder)).toEqual(['settings.json']);
});
