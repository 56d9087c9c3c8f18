/** The Queue: mail that is stuck is seen with its reason; it is held, released, retried, filtered and deleted. */
import { connectControl } from '#mta/control/connect.ts';
import type { QueueCounts } from '#mta/contract/mail.ts';
import { postrider } from '../support/server.ts';
import { expect, test, type App } from './fixtures.ts';

/** Mail to these domains is deferred: nothing listens at port 9, and the retry transport says what it is told to. */
const routes =
  'inline:{stuck.test=smtp:[127.0.0.1]:9, {grey.test = retry:4.2.0 greylisted}, {full.test = retry:4.2.2 mailbox over quota}}';

test.use({
  appOptions: { arguments: ['--profile', 'server', '--domain', 'shop.test'], locale: 'en-US', colorScheme: 'light' },
});

async function run(app: App, ...args: string[]): Promise<void> {
  const { code, stderr } = await postrider([...args, '--data', app.data]);
  expect(code, stderr).toBe(0);
}

async function counts(app: App): Promise<QueueCounts> {
  const control = await connectControl(app.data);
  try {
    return await control.call('queue.counts', {});
  } finally {
    control.close();
  }
}

/** Two messages to each of the three domains, all deferred; the Queue page is open. */
async function stuck(app: App): Promise<void> {
  await run(app, 'postconf', '-e', `transport_maps=${routes}`);
  await run(app, 'reload');
  for (const domain of ['stuck.test', 'grey.test', 'full.test']) {
    for (const name of ['ann', 'bob']) {
      await app.send({ from: 'news@shop.test', to: `${name}@${domain}`, subject: `For ${name} at ${domain}` });
    }
  }
  await expect.poll(async () => (await counts(app)).deferred, { timeout: 20_000 }).toBe(6);
  await app.page.getByRole('link', { name: /^Queue/ }).click();
  await expect(app.page.getByRole('radio', { name: 'Deferred 6' })).toBeVisible();
}

test('an empty queue teaches what it is', async ({ app: { page } }) => {
  await page.getByRole('link', { name: /^Queue/ }).click();
  await expect(page.getByRole('heading', { name: 'The queue is empty' })).toBeVisible();
  for (const name of ['Incoming 0', 'Active 0', 'Deferred 0', 'Hold 0', 'Corrupt 0']) {
    await expect(page.getByRole('radio', { name })).toBeVisible();
  }
  await page.getByRole('radio', { name: 'Hold 0' }).click();
  await expect(page.getByRole('heading', { name: 'Nothing is on hold' })).toBeVisible();
});

test('stuck mail says why; it is held, released, retried and deleted', async ({ app }) => {
  const { page } = app;
  await stuck(app);
  const detail = page.getByRole('article', { name: 'Open message' });
  const rows = page.getByRole('row', { name: /news@shop\.test/ });
  await expect(rows).toHaveCount(6);

  await page.getByRole('row', { name: /ann@stuck\.test/ }).click();
  await expect(detail.getByText('Nothing listens there.')).toBeVisible();
  await expect(detail.getByText(/Connection refused/).first()).toBeVisible();
  await expect(detail.getByText('For ann at stuck.test')).toBeVisible();
  await expect(detail.getByText(/The next try is/)).toBeVisible();

  await detail.getByRole('button', { name: 'Show message' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByText('For ann at stuck.test')).toBeVisible();
  await dialog.getByRole('tab', { name: 'Source' }).click();
  await expect(dialog.getByText('Subject: For ann at stuck.test')).toBeVisible();
  await page.keyboard.press('Escape');

  await detail.getByRole('button', { name: 'Hold' }).click();
  await expect(page.getByText('Held 1')).toBeVisible();
  await expect(detail.getByText('Somebody put it on hold.')).toBeVisible();
  await expect(page.getByRole('radio', { name: 'Hold 1' })).toBeVisible();
  expect((await counts(app)).hold).toBe(1);

  await detail.getByRole('button', { name: 'Release' }).click();
  await expect(page.getByText('Released 1')).toBeVisible();
  await expect(page.getByRole('radio', { name: 'Hold 0' })).toBeVisible();

  await page.getByRole('row', { name: /bob@stuck\.test/ }).click();
  await detail.getByRole('button', { name: 'Retry now' }).click();
  await expect(page.getByText('Trying 1 now')).toBeVisible();
  // A second try is on record.
  await expect(detail.getByText('Tries').locator('xpath=following-sibling::dd[1]')).toHaveText('2', {
    timeout: 20_000,
  });

  await detail.getByRole('button', { name: 'Delete…' }).click();
  const question = page.getByRole('alertdialog', { name: 'Delete 1 message?' });
  await expect(question.getByText(/bob@stuck\.test/)).toBeVisible();
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(rows).toHaveCount(6);
  await detail.getByRole('button', { name: 'Delete…' }).click();
  await question.getByRole('button', { name: 'Delete 1 message' }).click();
  await expect(page.getByText('Deleted 1')).toBeVisible();
  await expect(rows).toHaveCount(5);
  const left = await counts(app);
  expect(left.deferred + left.active + left.incoming).toBe(5);
});

test('a filter narrows what is seen and what is done; groups are opened and acted on', async ({ app }) => {
  const { page } = app;
  await stuck(app);
  await page.getByRole('radio', { name: 'Deferred 6' }).click();
  const rows = page.getByRole('row', { name: /news@shop\.test/ });
  await page.getByRole('textbox', { name: 'Filter the queue' }).fill('domain:grey.test ');
  await expect(rows).toHaveCount(2);

  const grid = page.getByRole('grid', { name: 'Messages in the queue' });
  await grid.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('h');
  await expect(page.getByText('Held 2')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'No message matches' })).toBeVisible();
  expect((await counts(app)).hold).toBe(2);
  await page.getByRole('button', { name: 'Clear filter' }).first().click();
  await expect(rows).toHaveCount(4);

  await page.getByRole('radio', { name: 'By reason' }).click();
  const group = page.getByRole('row', { name: /Mailbox over quota/ });
  await group.getByRole('button', { name: 'Show the messages' }).click();
  await expect(page.getByRole('row', { name: /@full\.test/ })).toHaveCount(2);
  await group.getByText('Mailbox over quota', { exact: true }).click();
  const summary = page.getByRole('article', { name: 'Mailbox over quota' });
  await expect(summary.getByText('The recipient’s mailbox is full.')).toBeVisible();
  await summary.getByRole('button', { name: 'Delete 2…' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete 2 messages' }).click();
  await expect(page.getByText('Deleted 2')).toBeVisible();
  await expect(group).toHaveCount(0);
  const left = await counts(app);
  expect([left.hold, left.deferred + left.active]).toEqual([2, 2]);
});
