/**
 * Pictures of the pages in both themes and languages, and a check that nothing breaks the page's policy while they are
 * taken: `node renderer/testing/screenshots.ts FOLDER [CHROMIUM]`. Needs a built page.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { fakeMessage, sampleMail } from './fake-mail.ts';
import { FakeServer } from './fake-server.ts';

const [folder = 'out/screenshots', executablePath = '/usr/bin/chromium'] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const fake = new FakeServer();
const web = await fake.start();
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      process.stderr.write(`console: ${message.text()}\n`);
  });
  page.on('pageerror', (error) => process.stderr.write(`error: ${error.stack ?? error.message}\n`));
  const shoot = async (name: string): Promise<void> => {
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(folder, `${name}.png`) });
  };
  await page.goto(web.link());
  await page.waitForSelector('text=Nodemailer');
  await shoot('empty-light');
  await page.click('role=tab[name="Django"]');
  await page.click('role=button[name="Send test message"]');
  await page.waitForSelector('role=option');
  await shoot('first-message');

  for (const message of Array.from({ length: 2000 }, (_, at) =>
    fakeMessage({
      mailbox: ['orders@shop.test', 'billing', 'newsletter'][at % 3] ?? '',
      fromName: `Sender ${at}`,
      subject: `Message number ${at}`,
      received: Date.now() - 864e5 - at * 6e4,
      seen: at % 7 !== 0,
    }),
  ))
    fake.mail.push(message);
  fake.mail.unshift(...sampleMail(Date.now()));
  fake.events.emit('mail.arrived', { server: 'local', payload: { mailbox: 'billing', count: 2000 } });
  await page.click('text=Your order #10293');
  await page.waitForSelector('iframe');
  await shoot('inbox-light');
  await page.keyboard.press('ArrowDown');
  await page.waitForSelector('text=blocked');
  await shoot('invoice-light');
  await page.click('role=tab[name="Headers"]');
  await shoot('headers');
  await page.click('role=tab[name="Source"]');
  await shoot('source');
  await page.click('role=tab[name=/^Parts/]');
  await shoot('parts');
  await page.click('role=tab[name="HTML"]');
  await page.keyboard.press('Control+k');
  await page.waitForSelector('[role=dialog]');
  await shoot('palette');
  await page.keyboard.type('over');
  await shoot('palette-search');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await shoot('help');
  await page.keyboard.press('Escape');
  await page.click('text=Reset your password');
  await page.keyboard.press('Delete');
  await shoot('undo');
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+ArrowDown');
  await shoot('selected');
  await page.click('text=Your order #10293', { button: 'right' });
  await shoot('menu');
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await page.keyboard.type('from:digest 12 ');
  await shoot('search');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.click('role=link[name=/Overview/]');
  await shoot('overview-light');
  await page.click('role=button[name="Appearance and language"]');
  await shoot('settings');
  await page.click('role=radio[name="Dark"]');
  await page.keyboard.press('Escape');
  await shoot('overview-dark');
  await page.click('role=link[name=/Inbox/]');
  await page.click('text=Your order #10293');
  await shoot('inbox-dark');
  await page.click('role=button[name="Appearance and language"]');
  await page.click('role=radio[name="简体中文"]');
  await page.keyboard.press('Escape');
  await shoot('inbox-dark-zh');
  await page.keyboard.press('Control+1');
  await shoot('overview-dark-zh');
  fake.mail = [];
  fake.preferences = { theme: 'light', language: 'zh' };
  await page.reload();
  await page.click('role=link[name=/收件箱/]');
  await page.waitForSelector('text=Nodemailer');
  await shoot('empty-zh');
} finally {
  await browser.close();
  await web.close();
}
