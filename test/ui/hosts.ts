/**
 * Postrider running with a page that can be driven: browser mode in Chromium, or the desktop app in Electron. Each has
 * a data folder and free ports of its own and ends without a trace.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { _electron, chromium, type Browser, type Page } from '@playwright/test';
import { findElectron } from '#main/tools/electron.ts';
import { root } from '#main/tools/paths.ts';
import { connectControl } from '#mta/control/connect.ts';
import { startServer, temporaryFolder } from '../support/server.ts';
import { findProgram } from '../tools/set-up.ts';

export interface SmtpAddress {
  host: string;
  port: number;
}

export interface RunningHost {
  readonly page: Page;
  readonly data: string;
  readonly smtp: SmtpAddress;
  /** What the programs wrote to stderr so far. */
  errors(): string;
  close(): Promise<void>;
}

export interface HostOptions {
  /** Appended to `--data DIR --smtp 127.0.0.1:0`. */
  arguments: string[];
  locale: string;
  colorScheme: 'light' | 'dark';
}

/** Chromium refuses its sandbox to root; the other switches keep it from asking anything on the network. */
const chromiumSwitches = [
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-first-run',
  '--no-pings',
];

/** CHROMIUM names another program. */
export function chromiumProgram(): string {
  const found =
    process.env['CHROMIUM'] ??
    ['chromium', 'chromium-browser', 'google-chrome'].map(findProgram).find((file) => file !== undefined);
  if (found === undefined) throw new Error('There is no Chromium: install the package chromium or set CHROMIUM');
  return found;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumProgram(), args: chromiumSwitches });
}

export async function openInChromium(browser: Browser, options: HostOptions): Promise<RunningHost> {
  const server = await startServer({ arguments: options.arguments });
  try {
    const { locale, colorScheme } = options;
    const context = await browser.newContext({ locale, colorScheme, viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto(server.ready.url ?? '');
    return {
      page,
      data: server.data,
      smtp: { host: server.host, port: server.port },
      errors: () => server.errors(),
      close: async () => {
        await context.close();
        await server.cleanUp();
      },
    };
  } catch (error) {
    await server.cleanUp();
    throw error;
  }
}

export async function openInElectron(display: string | undefined, options: HostOptions): Promise<RunningHost> {
  const electron = await findElectron(() => undefined);
  if ('missing' in electron) throw new Error(electron.missing);
  const data = await temporaryFolder('desktop');
  const app = await _electron.launch({
    executablePath: electron.program,
    args: [
      root,
      ...chromiumSwitches,
      `--lang=${options.locale}`,
      ...['--data', data, '--smtp', '127.0.0.1:0', ...options.arguments],
    ],
    env: { ...(process.env as Record<string, string>), ...(display === undefined ? {} : { DISPLAY: display }) },
    colorScheme: options.colorScheme,
  });
  let errors = '';
  app.process().stderr?.on('data', (text: Buffer) => (errors += text.toString('utf8')));
  const close = async (): Promise<void> => {
    await app.close();
    await rm(data, { recursive: true, force: true });
  };
  try {
    const page = await app.firstWindow();
    return { page, data, smtp: await smtpOf(data), errors: () => errors, close };
  } catch (error) {
    await close();
    throw new Error(`The desktop app did not come up:\n${errors}`, { cause: error });
  }
}

/** Where the MTA of a data folder listens, once it does. */
export async function smtpOf(data: string, within = 30_000): Promise<SmtpAddress> {
  const deadline = Date.now() + within;
  for (;;) {
    try {
      const control = await connectControl(path.resolve(data));
      try {
        const listener = (await control.call('server.overview', {})).listeners[0];
        if (listener !== undefined) return { host: listener.address, port: listener.port };
      } finally {
        control.close();
      }
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`The mail server of ${data} has no listener`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
