/**
 * Every page with real mail, in both themes and both languages: clean for axe, nothing wider than the window, and a
 * picture of each in .cache/pictures. `PICTURES=docs/images npm test -- chromium` renews those of the README.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '#main/tools/paths.ts';
import { connectControl } from '#mta/control/connect.ts';
import { postrider } from '../support/server.ts';
import { expect, test, type App } from './fixtures.ts';

const folder = path.resolve(root, process.env['PICTURES'] ?? '.cache/pictures');
/** Name of the picture → route within the server. */
const pages = {
  overview: 'overview',
  inbox: 'inbox',
  queue: 'queue',
  groups: 'queue/deferred?view=reason',
  log: 'log',
  send: 'send',
};
const axeSource = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** Mail as a shop's program would send it, and some that waits for a host that does not answer. */
async function fill(app: App): Promise<void> {
  const mails = [
    {
      from: 'Shop <news@shop.test>',
      to: 'newsletter@shop.test',
      subject: 'Weekly digest',
      text: '12 things your team did this week',
    },
    {
      from: '李雷 <lilei@partner.test>',
      to: 'staff@shop.test',
      subject: '会议纪要：十一月发布计划',
      text: '各位好，附件是今天会议的纪要。',
    },
    {
      from: 'Accounts <accounts@shop.test>',
      to: 'ada@example.test',
      subject: 'Reset your password',
      text: 'Somebody asked for a new password for this account. If it was you, open the link below.',
    },
    {
      from: 'Billing <billing@shop.test>',
      to: 'ada@example.test',
      subject: 'Invoice 2026-118',
      text: 'Please find attached the invoice for November.',
      html: '<p>Please find attached the invoice for November.</p><img src="http://tracker.test/p.gif">',
      attachments: [{ filename: 'invoice-2026-118.pdf', content: Buffer.from('%PDF-1.4') }],
    },
    {
      from: 'Shop <orders@shop.test>',
      to: 'ada@example.test',
      subject: 'Your order #10293 is on its way',
      text: 'Hello Ada, we have handed your parcel to the carrier.',
      html: `<div style="font-family:sans-serif;padding:24px;max-width:520px"><h2>Hello Ada,</h2>
        <p>we have handed your parcel to the carrier. You can follow it here:</p>
        <p><a href="https://shop.test/parcel/10293" style="background:#1b1c1a;color:#fff;padding:10px 18px;border-radius:6px;text-decoration:none">Follow my parcel</a></p>
        <p style="color:#777">Shop, 1 Harbour Street</p></div>`,
    },
  ];
  for (const mail of mails) await app.send(mail);
}

/** A sink keeps everything; with these two settings some of its mail has somewhere to go that does not answer. */
async function block(app: App): Promise<void> {
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await postrider([...args, '--data', app.data]);
    expect(code, stderr).toBe(0);
  };
  await run(
    ...['postconf', '-e', 'postrider_profile=server', 'mydestination=', 'mynetworks=127.0.0.0/8'],
    'smtpd_relay_restrictions=permit_mynetworks, reject_unauth_destination',
    `transport_maps=inline:{ partner.test=smtp:[127.0.0.1]:9,
      { club.test = retry:4.2.0 host mx.club.test[192.0.2.7] said: 450 4.2.0 Greylisted, try again later },
      { big.test = retry:4.2.2 host mx.big.test[192.0.2.9] said: 452 4.2.2 Mailbox over quota } }`.replaceAll(
      /\s+/g,
      ' ',
    ),
  );
  await run('reload');
  for (let n = 0; n < 24; n++) {
    const domain = ['partner.test', 'partner.test', 'club.test', 'big.test'][n % 4] ?? '';
    await app.send({ from: 'news@shop.test', to: `reader${n}@${domain}`, subject: `Digest ${n}` });
  }
  const control = await connectControl(app.data);
  try {
    await expect.poll(async () => (await control.call('queue.counts', {})).deferred, { timeout: 20_000 }).toBe(24);
    const { entries } = await control.call('queue.list', { limit: 2 });
    await control.call('queue.hold', { selection: { ids: entries.map(({ id }) => id) } });
  } finally {
    control.close();
  }
}

for (const { theme, language, wide } of [
  { theme: 'light', language: 'en', wide: 1280 },
  { theme: 'dark', language: 'en', wide: 1280 },
  { theme: 'light', language: 'zh', wide: 1280 },
  { theme: 'dark', language: 'zh', wide: 1024 },
] as const) {
  test.describe(`${theme}, ${language}`, () => {
    test.use({
      showsHtml: true,
      appOptions: { arguments: [], locale: language === 'zh' ? 'zh-CN' : 'en-US', colorScheme: theme },
    });

    test('every page is whole and accessible', async ({ app }) => {
      test.slow();
      const { page } = app;
      if (app.host === 'chromium') await page.setViewportSize({ width: wide, height: 800 });
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await picture(app, 'empty', theme, language);
      await fill(app);
      await block(app);
      for (const [name, route] of Object.entries(pages)) {
        await page.evaluate((hash) => {
          window.location.hash = hash;
        }, `#/local/${route}`);
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
        if (name === 'inbox') {
          await page.getByRole('option', { name: /#10293/ }).click();
          await expect(page.frameLocator('iframe').getByRole('heading', { name: 'Hello Ada' })).toBeVisible();
        }
        if (name === 'queue')
          await page
            .getByRole('row', { name: /reader/ })
            .first()
            .click();
        if (name === 'groups') await page.getByRole('row').nth(1).click();
        await picture(app, name, theme, language);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect.soft(overflow, `${name} is wider than the window`).toBeLessThanOrEqual(0);
        expect.soft(await violations(app), `${name}, by axe`).toEqual([]);
      }
    });
  });
}

async function picture({ page, host }: App, name: string, theme: string, language: string): Promise<void> {
  await page.evaluate(() => document.fonts.ready);
  // Live figures and transitions settle; nothing announces that.
  await page.waitForTimeout(600);
  const file = `${host === 'electron' ? 'desktop-' : ''}${name}-${theme}${language === 'zh' ? '-zh' : ''}.png`;
  await page.screenshot({ path: path.join(folder, file) });
}

async function violations({ page }: App): Promise<string[]> {
  return page.evaluate(
    async (source) => {
      // Through the debugger, past the page's own policy, which forbids foreign scripts.
      interface Axe {
        run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
      }
      const holder = window as unknown as { axe?: Axe };
      if (holder.axe === undefined) throw new Error(`axe is not there (${source})`);
      const result = await holder.axe.run({
        iframes: false,
        resultTypes: ['violations'],
        // A list's rows scroll inside the element that has the focus and the keys, which the rule does not see.
        rules: { 'scrollable-region-focusable': { enabled: false } },
      });
      return result.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
    },
    await installAxe(page),
  );
}

async function installAxe(page: App['page']): Promise<string> {
  if (await page.evaluate(() => 'axe' in window)) return 'present';
  await page.evaluate(axeSource);
  return 'installed';
}
