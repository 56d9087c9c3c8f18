/** The architecture as lint rules: imports point one way. Each forbidden import fails, and each allowed one passes. */
import path from 'node:path';
import { ESLint } from 'eslint';
import { expect, test } from 'vitest';
import { root } from '#main/tools/paths.ts';

const eslint = new ESLint({ cwd: root });

async function findings(file: string, specifier: string): Promise<string[]> {
  const statement = `import * as it from '${specifier}';\nexport const use = it;\n`;
  const code = file.endsWith('.svelte') ? `<script lang="ts">\n${statement}</script>\n` : statement;
  const [result] = await eslint.lintText(code, { filePath: path.join(root, file) });
  return (result?.messages ?? []).map(({ ruleId, message }) => `${String(ruleId)}: ${message}`);
}

test.each([
  ['mta/queue/sample.ts', '#app/api.ts'],
  ['mta/queue/sample.ts', '../../app/api.ts'],
  ['mta/queue/sample.ts', '#main/logger.ts'],
  ['mta/queue/sample.ts', '#renderer/host.ts'],
  ['mta/queue/sample.ts', '../../test/support/server.ts'],
  ['mta/queue/sample.ts', 'electron'],
  ['mta/queue/sample.ts', 'ssh2'],
  ['mta/contract/sample.ts', '../queue/store.ts'],
  ['mta/contract/sample.ts', '#mta/queue/store.ts'],
  ['mta/contract/sample.ts', 'node:fs'],
  ['app/contract/sample.ts', '../api.ts'],
  ['app/contract/sample.ts', '#mta/queue/store.ts'],
  ['app/contract/sample.ts', 'node:path'],
  ['app/drivers/sample.ts', '#main/logger.ts'],
  ['app/drivers/sample.ts', '../../renderer/host.ts'],
  ['app/drivers/sample.ts', 'electron'],
  ['app/drivers/sample.ts', 'node-ssh'],
  ['main/sample.ts', '#mta/queue/store.ts'],
  ['main/sample.ts', '../mta/queue/store.ts'],
  ['main/sample.ts', '#renderer/host.ts'],
  ['main/sample.ts', 'ssh2'],
  ['renderer/state/sample.ts', '#app/api.ts'],
  ['renderer/state/sample.ts', '#mta/control/connect.ts'],
  ['renderer/state/sample.ts', '../../main/logger.ts'],
  ['renderer/state/sample.ts', '#main/logger.ts'],
  ['renderer/state/sample.ts', 'electron'],
  ['renderer/state/sample.ts', 'node:fs'],
  ['renderer/views/Sample.svelte', '#app/api.ts'],
  ['renderer/views/Sample.svelte', 'electron'],
])('%s may not import %s', async (file, specifier) => {
  expect(await findings(file, specifier)).toEqual([expect.stringContaining('no-restricted-imports')]);
});

test.each([
  ['mta/queue/sample.ts', '../contract/mail.ts'],
  ['mta/queue/sample.ts', 'better-sqlite3'],
  ['mta/contract/sample.ts', './mail.ts'],
  ['mta/contract/sample.ts', 'zod'],
  ['app/contract/sample.ts', '#mta/contract/server.ts'],
  ['app/drivers/sample.ts', '#mta/control/connect.ts'],
  ['app/drivers/sample.ts', '#mta/contract/server.ts'],
  ['app/ssh/sample.ts', 'ssh2'],
  ['main/sample.ts', '#app/api.ts'],
  ['main/sample.ts', '#mta/contract/rpc.ts'],
  ['main/sample.ts', 'electron'],
  ['renderer/state/sample.ts', '#app/contract/api.ts'],
  ['renderer/state/sample.ts', '#mta/contract/mail.ts'],
  ['renderer/views/Sample.svelte', '#mta/contract/mail.ts'],
  ['test/ui/sample.ts', '#mta/control/connect.ts'],
])('%s may import %s', async (file, specifier) => {
  expect(await findings(file, specifier)).toEqual([]);
});
