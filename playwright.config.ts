/**
 * UI specs: the same ones in Chromium (browser mode) and in real Electron, and a smoke test of the packaged app.
 * `npm test -- chromium electron package` prepares what they need: the build, an Electron, a packaged app.
 */
import { defineConfig } from '@playwright/test';

export default defineConfig<{ host: 'chromium' | 'electron' }>({
  testDir: 'test/ui',
  outputDir: 'test-results',
  fullyParallel: true,
  forbidOnly: process.env['CI'] !== undefined,
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  projects: [
    { name: 'chromium', testIgnore: ['packaged/**', 'desktop.spec.ts'], use: { host: 'chromium' } },
    { name: 'electron', testIgnore: 'packaged/**', use: { host: 'electron' } },
    { name: 'package', testDir: 'test/ui/packaged', testMatch: '*.spec.ts' },
  ],
});
