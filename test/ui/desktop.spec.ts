/** What only the desktop window has: its own scheme, and nothing of Electron or the disk within reach of the page. */
import { expect, test } from './fixtures.ts';

test('the page has its own origin and one function of ours', async ({ app: { page } }) => {
  const reach = await page.evaluate(() => ({
    origin: window.location.origin,
    bridge: Object.keys((window as unknown as { postrider: object }).postrider),
    node: ['require', 'process', 'module', 'Buffer', 'ipcRenderer'].filter((name) => name in window),
  }));
  expect(reach).toEqual({ origin: 'app://postrider', bridge: ['requestPort'], node: [] });
});

test('the scheme serves the built page only', async ({ app: { page } }) => {
  const paths = [
    '/../package.json',
    '/%2e%2e/package.json',
    '/..%2f..%2fpackage.json',
    '/%2e%2e%2f%2e%2e%2fetc/passwd',
    '//etc/passwd',
    '/assets/',
    '/%00',
    '/%ff',
    '/preview/',
    '/preview/unknown',
  ];
  for (const path of paths) {
    const url = `app://postrider${path}`;
    expect(await page.evaluate((it) => fetch(it).then((response) => response.status), url), path).toBe(404);
  }
  expect(await page.evaluate(() => fetch('/', { method: 'POST' }).then(({ status }) => status))).toBe(405);
  const headers = await page.evaluate(() => fetch('/').then((response) => [...response.headers]));
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-security-policy': expect.stringContaining("default-src 'none'"),
    'x-content-type-options': 'nosniff',
  });
});

test('windows, navigation and permissions are denied', async ({ app: { page } }) => {
  await expect(page.getByRole('heading', { name: 'Inbox' })).toBeVisible();
  const before = page.url();
  expect(await page.evaluate(() => window.open('file:///etc/passwd'))).toBeNull();
  expect(await page.evaluate(() => window.open('app://postrider/'))).toBeNull();
  await page.evaluate(() => {
    window.location.href = 'file:///etc/passwd';
  });
  await expect(page.getByRole('heading', { name: 'Inbox' })).toBeVisible();
  expect(page.url()).toBe(before);
  expect(await page.evaluate(() => Notification.requestPermission())).toBe('denied');
  const clipboard = page.evaluate(() => navigator.clipboard.readText());
  await expect(clipboard).rejects.toThrow(/denied|NotAllowed/i);
});
