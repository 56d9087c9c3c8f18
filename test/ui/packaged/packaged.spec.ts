/**
 * The packaged app as a user starts it: its fuses are off what they must be, its window shows the inbox, mail arrives,
 * and it leaves no process. Its fuses shut out the inspector, so it is driven over the page's own debugging protocol.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { chromium, expect, test } from '@playwright/test';
import { createTransport } from 'nodemailer';
import { out } from '#main/tools/paths.ts';
import { temporaryFolder } from '../../support/server.ts';
import { openDisplay, type Display } from '../display.ts';
import { smtpOf } from '../hosts.ts';

const program = path.join(out, 'linux-unpacked', 'postrider');

test('has the fuses of the security list', async () => {
  const fuses = await getCurrentFuseWire(program);
  const off = [
    FuseV1Options.RunAsNode,
    FuseV1Options.EnableNodeOptionsEnvironmentVariable,
    FuseV1Options.EnableNodeCliInspectArguments,
    FuseV1Options.GrantFileProtocolExtraPrivileges,
  ];
  const on = [
    FuseV1Options.EnableCookieEncryption,
    FuseV1Options.EnableEmbeddedAsarIntegrityValidation,
    FuseV1Options.OnlyLoadAppFromAsar,
  ];
  for (const fuse of off) expect(fuses[fuse], FuseV1Options[fuse]).toBe(FuseState.DISABLE);
  for (const fuse of on) expect(fuses[fuse], FuseV1Options[fuse]).toBe(FuseState.ENABLE);
});

test.describe('running', () => {
  let display: Display;
  let data: string;
  let app: ChildProcess;
  let stderr = '';

  test.beforeEach(async () => {
    display = await openDisplay();
    data = await temporaryFolder('packaged');
    const args = ['--remote-debugging-port=0', '--lang=en-US', '--data', data, '--smtp', '127.0.0.1:0'];
    if (process.getuid?.() === 0) args.push('--no-sandbox');
    stderr = '';
    app = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      // The development stand-in's own Node is too old for the mail server; with the real Electron this is not needed.
      env: { ...process.env, POSTRIDER_NODE: process.execPath, ...(display.name && { DISPLAY: display.name }) },
    });
    app.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  });

  test.afterEach(async () => {
    if (app.exitCode === null && app.signalCode === null) {
      app.kill('SIGKILL');
      await once(app, 'exit');
    }
    await display.close();
    await rm(data, { recursive: true, force: true });
  });

  test('shows the inbox; mail sent to it arrives; ends on SIGTERM', async () => {
    await expect.poll(() => stderr, { timeout: 30_000 }).toMatch(/DevTools listening on (ws:\S+)/);
    const browser = await chromium.connectOverCDP(/DevTools listening on (ws:\S+)/.exec(stderr)?.[1] ?? '');
    const context = browser.contexts()[0];
    const page = context?.pages()[0] ?? (await context?.waitForEvent('page'));
    if (page === undefined) throw new Error(`The app has no page:\n${stderr}`);
    await expect(page.getByRole('heading', { name: 'Inbox' })).toBeVisible();

    const transport = createTransport({ ...(await smtpOf(data)), ignoreTLS: true });
    await transport.sendMail({ from: 'a@example.test', to: 'b@example.test', subject: 'Packaged', text: 'Hello' });
    transport.close();
    await expect(page.getByText('Packaged').first()).toBeVisible();

    await browser.close();
    app.kill('SIGTERM');
    const [code] = (await once(app, 'exit')) as [number | null];
    expect(code).toBe(0);
    await expect(smtpOf(data, 0)).rejects.toThrow();
  });
});
