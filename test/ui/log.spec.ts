/** The Log, live; and the Overview's figures. */
import { expect, test } from './fixtures.ts';

test('the log follows what happens, and one message can be singled out', async ({ app }) => {
  const { page } = app;
  await page.getByRole('link', { name: /^Log/ }).click();
  await app.send({ subject: 'Logged', to: 'log@example.test' });
  const lines = page.getByRole('listbox', { name: 'Log lines' });
  await expect(lines.getByText(/to=<log@example\.test>/)).toBeVisible();
  await expect(lines.getByText('sent', { exact: true })).toBeVisible();
  const id = await lines
    .getByRole('option', { name: /to=<log@example\.test>/ })
    .locator('[data-queue-id]')
    .textContent();
  await lines
    .getByRole('option', { name: /to=<log@example\.test>/ })
    .locator('[data-queue-id]')
    .click();
  await expect(lines.getByRole('option', { name: /connect from/ })).toHaveCount(0);
  await expect(lines.getByRole('option', { name: new RegExp(`${id ?? '?'} ?: removed`) })).toBeVisible();
  await page.getByRole('radio', { name: 'Errors' }).click();
  await expect(page.getByRole('heading', { name: 'No line fits' })).toBeVisible();
});

test('the overview shows listeners and draws the flow', async ({ app }) => {
  const { page, smtp } = app;
  await app.send({ subject: 'Counted' });
  await page.getByRole('link', { name: /^Overview/ }).click();
  await expect(page.getByText(`${smtp.host}:${smtp.port}`).first()).toBeVisible();
  await expect(page.getByRole('img', { name: /^1 messages accepted, 0 in the queues, 1 delivered/ })).toBeVisible();
});
