/**
 * The compiler over every layer, each with its own lib and types, and svelte-check over the page.
 * Exit code 1 when any finds something; prints what they print.
 */
import { glob } from 'node:fs/promises';
import path from 'node:path';
import { root } from '#main/tools/paths.ts';
import { run } from '#main/tools/run.ts';

const programs = path.join(root, 'node_modules');
const checks: { name: string; args: string[] }[] = [];
for await (const file of glob('{app,main,mta,test}/**/tsconfig.json', { cwd: root })) {
  checks.push({ name: `tsc -p ${path.dirname(file)}`, args: [`${programs}/typescript/bin/tsc`, '-p', file] });
}
checks.push({
  name: 'svelte-check',
  args: [
    `${programs}/svelte-check/bin/svelte-check`,
    '--workspace',
    'renderer',
    '--output',
    'human',
    '--fail-on-warnings',
  ],
});

let failed = 0;
const waiting = [...checks].reverse();
async function work(): Promise<void> {
  for (let check = waiting.pop(); check !== undefined; check = waiting.pop()) {
    const { code, stdout, stderr } = await run(process.execPath, check.args, { cwd: root });
    if (code === 0) continue;
    failed += 1;
    process.stdout.write(`${check.name}\n${stdout}${stderr}\n`);
  }
}
await Promise.all([work(), work()]);
process.stdout.write(`${checks.length - failed} of ${checks.length} type checks pass\n`);
process.exitCode = failed === 0 ? 0 : 1;
