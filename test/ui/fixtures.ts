/**
 * `test` of every UI spec: `app` is Postrider with a window of its own, the same in Chromium and in Electron.
 *
 * A page error or a breach of the Content-Security-Policy fails the test, whatever it asserts; a failed test leaves a
 * screenshot and what the programs wrote. `showsHtml` tolerates the three breaches that DOMPurify's parsing of a mail
 * makes Chromium report, in a document that is never shown: inline styles, inline handlers, a base URI.
 */
import { test as base, expect, type Browser, type Page } from '@playwright/test';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { openDisplay } from './display.ts';
import { launchChromium, openInChromium, openInElectron, type HostOptions, type SmtpAddress } from './hosts.ts';

export interface App {
  readonly host: 'chromium' | 'electron';
  readonly page: Page;
  readonly data: string;
  readonly smtp: SmtpAddress;
  /** By real SMTP. Has a sender, a recipient and a text unless given. */
  send(message: SendMailOptions): Promise<void>;
}

interface TestOptions {
  host: 'chromium' | 'electron';
  appOptions: HostOptions;
  showsHtml: boolean;
}

// In the words of Chromium now, and of the one in older Electrons.
const inertParse =
  /^(Applying inline style|Executing inline event handler|Setting the document's base URI|Refused to (apply inline style|execute inline event handler|set the document's base URI))/;

export const test = base.extend<TestOptions & { app: App }, { opener: Opener }>({
  host: ['chromium', { option: true }],
  appOptions: [{ arguments: [], locale: 'en-US', colorScheme: 'light' }, { option: true }],

  showsHtml: [false, { option: true }],

  // Playwright reads the fixtures a function needs from its first parameter, which therefore must be a pattern.
  opener: [
    async ({ playwright: _ }, use) => {
      const opener = new Opener();
      await use(opener);
      await opener.close();
    },
    { scope: 'worker' },
  ],

  app: async ({ host, appOptions, showsHtml, opener }, use, testInfo) => {
    const running = await opener.open(host, appOptions);
    const { page, data, smtp } = running;
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(`${error.name}: ${error.message}`));
    page.on('console', (message) => {
      const text = message.text();
      if (!/content security policy|trusted ?types?/i.test(text)) return;
      if (!showsHtml || !inertParse.test(text)) faults.push(text);
    });
    const transport = createTransport({ ...smtp, ignoreTLS: true });
    try {
      await use({
        host,
        page,
        data,
        smtp,
        send: async (message) => {
          const defaults = { from: 'shop@example.test', to: 'ada@example.test', text: 'Hello' };
          await transport.sendMail({ ...defaults, ...message });
        },
      });
      expect(faults, 'errors of the page').toEqual([]);
    } finally {
      if (testInfo.errors.length > 0) {
        const picture = await page.screenshot().catch(() => undefined);
        if (picture !== undefined) await testInfo.attach('page', { body: picture, contentType: 'image/png' });
        await testInfo.attach('stderr', { body: running.errors(), contentType: 'text/plain' });
      }
      transport.close();
      await running.close();
    }
  },
});

export { expect };

/** What outlives a test: the browser, the display. Made when first needed. */
class Opener {
  #browser: Promise<Browser> | undefined;
  #display: ReturnType<typeof openDisplay> | undefined;

  async open(host: 'chromium' | 'electron', options: HostOptions): ReturnType<typeof openInElectron> {
    if (host === 'chromium') {
      this.#browser ??= launchChromium();
      return await openInChromium(await this.#browser, options);
    }
    this.#display ??= openDisplay();
    return await openInElectron((await this.#display).name, options);
  }

  async close(): Promise<void> {
    await (await this.#browser)?.close();
    await (await this.#display)?.close();
  }
}
