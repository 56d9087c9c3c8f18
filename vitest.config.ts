/** Unit and whole-MTA tests. UI specs run under Playwright (playwright.config.ts). */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{mta,app,main,renderer,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
  },
});
