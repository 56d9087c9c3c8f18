/** The frame: the window opens on a running server; appearance and language change at once and are kept. */
import { expect, test } from './fixtures.ts';

test('opens on the inbox of a running server', async ({ app: { page, smtp } }) => {
  await expect(page).toHaveTitle(/Postrider/);
  await expect(page.getByRole('heading', { name: 'Inbox' })).toBeVisible();
  await expect(page.getByText(`${smtp.host}:${smtp.port}`).first()).toBeVisible();
});

test('mail that a program sends appears without being asked for', async ({ app }) => {
  await expect(app.page.getByRole('heading', { name: 'Inbox' })).toBeVisible();
  await app.send({ subject: 'Your order is on its way', html: '<p>Thank you, <b>Ada</b></p>' });
  const row = app.page
    .getByRole('row', { name: /Your order is on its way/ })
    .or(app.page.getByRole('option', { name: /Your order is on its way/ }));
  await expect(row).toBeVisible();
});

test('theme and language are chosen once and kept', async ({ app: { page } }) => {
  const html = page.locator('html');
  await expect(html).toHaveAttribute('lang', 'en');
  await page.getByRole('button', { name: 'Appearance and language' }).click();
  await page.getByRole('radio', { name: 'Dark' }).click();
  await expect(html).toHaveAttribute('data-theme', 'dark');
  await page.getByRole('radio', { name: '简体中文' }).click();
  await expect(html).toHaveAttribute('lang', 'zh-Hans');
  await expect(page.getByRole('heading', { name: '收件箱' })).toBeVisible();
  await page.reload();
  await expect(html).toHaveAttribute('data-theme', 'dark');
  await expect(html).toHaveAttribute('lang', 'zh-Hans');
});
