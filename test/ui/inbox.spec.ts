/** The Inbox: mail as it comes, read in all its forms, safely; found, flagged and removed. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from './fixtures.ts';

test.use({ showsHtml: true });

test('an empty inbox teaches with the live port and sends a real test message', async ({ app: { page, smtp } }) => {
  await expect(page.getByRole('heading', { name: 'Ready to catch mail' })).toBeVisible();
  const settings = page.getByRole('region', { name: 'Client settings' });
  for (const client of ['Nodemailer', 'Django', 'Laravel', 'Rails', 'Spring', 'PHP']) {
    await settings.getByRole('tab', { name: client }).click();
    await expect(settings.getByRole('tabpanel')).toContainText(String(smtp.port));
  }
  await page.getByRole('button', { name: 'Send test message' }).click();
  await expect(page.getByRole('option', { name: /It works: a test message from Postrider/ })).toBeVisible();
});

test('a message shows its HTML, text, headers, source and parts', async ({ app }) => {
  const { page } = app;
  await app.send({
    from: 'Shop <shop@example.test>',
    to: 'ada@example.test',
    subject: 'Größe 12 – 尺码',
    text: 'Plain words',
    html: '<h2 style="color:#1c7f4a">Hello Ada</h2><img src="cid:dot">',
    attachments: [
      { filename: 'invoice.pdf', content: Buffer.from('%PDF-1.4 test') },
      {
        filename: 'dot.gif',
        cid: 'dot',
        content: Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'),
      },
    ],
  });
  await page.getByRole('option', { name: /Größe 12/ }).click();
  await expect(page.getByRole('heading', { name: 'Größe 12 – 尺码' })).toBeVisible();
  const frame = page.frameLocator('iframe');
  await expect(frame.getByRole('heading', { name: 'Hello Ada' })).toBeVisible();
  await expect(frame.getByRole('heading', { name: 'Hello Ada' })).toHaveCSS('color', 'rgb(28, 127, 74)');
  await expect(frame.locator('img')).toHaveAttribute('src', /^data:image\/gif/);
  await page.getByRole('tab', { name: 'Text' }).click();
  await expect(page.getByRole('region', { name: 'Message body' })).toContainText('Plain words');
  await page.getByRole('tab', { name: 'Headers' }).click();
  await expect(page.getByRole('region', { name: 'Headers' })).toContainText('Delivered-To');
  await page.getByRole('tab', { name: 'Source' }).click();
  await expect(page.getByText(/^Content-Type: multipart\/mixed/)).toBeVisible();
  await page.getByRole('tab', { name: 'Parts' }).click();
  await expect(page.getByText('invoice.pdf').first()).toBeVisible();
});

test('a displayed message does nothing', async ({ app }) => {
  const { page } = app;
  const asked: string[] = [];
  const recorder = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end();
  });
  recorder.listen(0, '127.0.0.1');
  await once(recorder, 'listening');
  const url = `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
  const popups: string[] = [];
  page.context().on('page', (opened) => popups.push(opened.url()));
  try {
    await app.send({
      subject: 'Hostile',
      html: `<h2>Shown</h2>
        <img src="${url}/img" onerror="top.document.title='owned'"><img srcset="${url}/srcset 1x">
        <script src="${url}/script"></script><script>top.document.title='owned'</script>
        <link rel="stylesheet" href="${url}/css"><style>@import url(${url}/import); body{background:url(${url}/bg)}</style>
        <iframe src="${url}/frame"></iframe><object data="${url}/object"></object><embed src="${url}/embed">
        <video src="${url}/video" poster="${url}/poster" autoplay></video><audio src="${url}/audio" autoplay></audio>
        <form action="${url}/form"><input autofocus onfocus="this.form.submit()"></form>
        <meta http-equiv="refresh" content="0;url=${url}/refresh"><base href="${url}/base/">
        <svg onload="fetch('${url}/svg')"><image href="${url}/svgimage"/></svg>
        <table background="${url}/table"><tr><td>x</td></tr></table><div style="background-image:url('${url}/div')">y</div>`,
    });
    await page.getByRole('option', { name: /Hostile/ }).click();
    await expect(page.frameLocator('iframe').getByRole('heading', { name: 'Shown' })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Load remote content' })).toBeVisible();
    await expect(page).toHaveTitle(/Postrider/);
    expect(asked).toEqual([]);
    expect(popups).toEqual([]);
    // Only when the person asks for it.
    await page.getByRole('button', { name: 'Load remote content' }).click();
    await expect.poll(() => asked.includes('/img')).toBe(true);
    expect(asked.filter((path) => /script|frame|object|embed|form|refresh|svg$/.test(path))).toEqual([]);
  } finally {
    recorder.closeAllConnections();
    recorder.close();
  }
});

test('search narrows the list; the keyboard moves; a deletion can be undone', async ({ app }) => {
  const { page } = app;
  for (const name of ['one', 'two', 'three'])
    await app.send({ subject: `Message ${name}`, to: `${name}@example.test` });
  const rows = page.getByRole('option', { name: /Message / });
  await expect(rows).toHaveCount(3);
  await page.getByRole('textbox', { name: 'Search mail' }).fill('subject:two');
  await expect(rows).toHaveCount(1);
  await page.getByRole('button', { name: 'Clear filter' }).click();
  await expect(rows).toHaveCount(3);
  const list = page.getByRole('listbox', { name: 'Messages' });
  await list.focus();
  await page.keyboard.press('Home');
  await expect(page.getByRole('heading', { name: 'Message three' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('heading', { name: 'Message two' })).toBeVisible();
  await page.keyboard.press('Delete');
  await expect(rows).toHaveCount(2);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(rows).toHaveCount(3);
});

test('two thousand messages are listed and the last can be reached', async ({ app }) => {
  test.slow();
  const { page } = app;
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    ...app.smtp,
    ignoreTLS: true,
    pool: true,
    maxConnections: 5,
    maxMessages: Infinity,
  });
  await Promise.all(
    Array.from({ length: 2000 }, (_, n) =>
      transport.sendMail({ from: 'load@example.test', to: 'load@example.test', subject: `Number ${n}`, text: 'x' }),
    ),
  );
  transport.close();
  await expect(page.getByRole('button', { name: /^All mail/ })).toContainText('2,000', { timeout: 30_000 });
  const list = page.getByRole('listbox', { name: 'Messages' });
  await list.focus();
  await expect(async () => {
    await page.keyboard.press('End');
    await expect(page.locator('[aria-posinset="2000"]')).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 30_000 });
});
