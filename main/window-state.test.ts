import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fitting, readWindowState, writeWindowState } from './window-state.ts';

const displays = [
  { x: 0, y: 0, width: 1920, height: 1080 },
  { x: 1920, y: 200, width: 1280, height: 1024 },
];
const size = { width: 1200, height: 800 };

test.each([
  [{ x: 100, y: 50, ...size }, true],
  [{ x: 2000, y: 300, ...size }, true],
  [{ x: -1150, y: 50, ...size }, false],
  [{ x: 5000, y: 50, ...size }, false],
  [{ x: 100, y: -20, ...size }, false],
  [{ x: 1900, y: 1060, ...size }, true],
])('%j is shown by a display: %s', (bounds, shown) => {
  expect(fitting(bounds, displays)).toEqual(shown ? bounds : undefined);
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postrider-window-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('is kept, and a file that does not fit is as none', async () => {
  const file = path.join(folder, 'window', 'state.json');
  expect(readWindowState(file)).toBeUndefined();
  const state = { x: 1, y: 2, ...size, maximized: false };
  await writeWindowState(file, state);
  expect(readWindowState(file)).toEqual(state);
  await writeFile(file, (await readFile(file, 'utf8')).replace('1200', '"wide"'));
  expect(readWindowState(file)).toBeUndefined();
});
