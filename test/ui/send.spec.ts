/** Send: a test message by real SMTP, its whole conversation, and what became of it. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from './fixtures.ts';

test('a test message is sent, its conversation explained, and the message found in the inbox', async ({ app }) => {
  const { page, smtp } = app;
  await page.getByRole('link', { name: /^Send/ }).click();
  await expect(page.getByRole('heading', { name: 'See the whole conversation' })).toBeVisible();
  await expect(page.getByRole('combobox', { name: 'Send to' })).toContainText(`${smtp.host}:${smtp.port}`);
  await page.getByRole('textbox', { name: 'To' }).fill('ada@example.test, bob@example.test');
  await page.getByRole('button', { name: 'Chinese subject' }).click();
  await page.getByRole('textbox', { name: 'Subject' }).press('ControlOrMeta+Enter');

  await expect(page.getByRole('heading', { name: /^Accepted, queued as [0-9A-Za-z]+$/ })).toBeVisible();
  const transcript = page.getByRole('list', { name: 'Transcript' });
  await expect(transcript.getByText('RCPT TO:<bob@example.test>')).toBeVisible();
  await expect(transcript.getByText('Go ahead: send the message and end with a dot.')).toBeVisible();
  await transcript.getByRole('button', { name: '354' }).click();
  await expect(page.getByText('Codes that begin with 3: go on, more is expected.')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByText('Delivered to bob@example.test')).toBeVisible();

  await page.getByRole('button', { name: 'Open in Inbox' }).click();
  await expect(page.getByRole('heading', { name: /订单已发货/ })).toBeVisible();
  await expect(page.getByRole('option', { name: /订单已发货/ }).first()).toBeVisible();

  // The form is as it was left.
  await page.getByRole('link', { name: /^Send/ }).click();
  await expect(page.getByRole('textbox', { name: 'To' })).toHaveValue('ada@example.test, bob@example.test');
  await page.getByRole('button', { name: 'Follow in log' }).click();
  await expect(page.getByRole('option', { name: /to=<bob@example\.test>/ })).toBeVisible();
});

test('a refusal shows the step that failed and a remedy', async ({ app: { page } }) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mx.refusing.test ESMTP\r\n');
    socket.on('data', (data: Buffer) => {
      const text = data.toString('latin1');
      if (text.startsWith('EHLO')) socket.write('250 mx.refusing.test\r\n');
      else if (text.startsWith('RCPT')) socket.write('550 5.1.1 <nobody@far.test>: User unknown\r\n');
      else if (text.startsWith('QUIT')) socket.end('221 2.0.0 Bye\r\n');
      else socket.write('250 2.1.0 Ok\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await page.getByRole('link', { name: /^Send/ }).click();
    await page.getByRole('combobox', { name: 'Send to' }).selectOption({ label: 'Another server…' });
    await page.getByRole('textbox', { name: 'Port' }).fill('0');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(page.getByText('A number from 1 to 65535')).toBeVisible();
    await page.getByRole('textbox', { name: 'Port' }).fill(String((server.address() as AddressInfo).port));
    await page.getByRole('textbox', { name: 'To' }).fill('<not an address>');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(page.getByText(/is not an address/)).toBeVisible();
    await expect(page.getByRole('textbox', { name: 'To' })).toBeFocused();
    await page.getByRole('textbox', { name: 'To' }).fill('nobody@far.test');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'Failed at: Recipient' })).toBeVisible();
    await expect(page.getByText('The server knows no such recipient. Check the address.')).toBeVisible();
    await expect(page.getByText('Permanent failure: there is no such mailbox.')).toBeVisible();
  } finally {
    server.close();
  }
});
