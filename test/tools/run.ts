/**
 * `npm test [-- STEP…]`: set-up, then every step, then one line `N passed, N failed, N skipped` over all of them.
 *
 * Steps: lint types unit build chromium electron package; `ui` is chromium and electron. A step's whole output goes to
 * test-results/STEP.log; the console gets one line for what passes and everything for what fails. A suite that this
 * machine cannot run is named and counted as skipped. Exit code 1 when anything failed.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { findElectron } from '#main/tools/electron.ts';
import { root } from '#main/tools/paths.ts';
import { run } from '#main/tools/run.ts';
import type { SystemPackage } from './packages.ts';
import { setUp } from './set-up.ts';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

interface Step {
  readonly name: string;
  /** Steps that must have passed. */
  readonly after?: readonly string[];
  readonly needs?: SystemPackage['suites'][number];
  readonly electron?: boolean;
  /** Prints through `log`, which also keeps it; returns what it counted. `missing`: what this machine lacks. */
  run(log: (text: string) => void, folder: string, missing: readonly SystemPackage[]): Promise<Count>;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const modules = path.join(root, 'node_modules');
const tools = {
  eslint: [`${modules}/eslint/bin/eslint.js`, '.'],
  prettier: [`${modules}/prettier/bin/prettier.cjs`, '--check', '--log-level', 'warn', '.'],
  knip: [`${modules}/knip/bin/knip.js`],
};

async function node(
  args: readonly string[],
  log: (text: string) => void,
  env: NodeJS.ProcessEnv = {},
): Promise<boolean> {
  const { code, signal, stdout, stderr } = await run(process.execPath, args, {
    cwd: root,
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', ...env },
  });
  log(stdout + stderr);
  if (code !== 0) log(`\n(${path.basename(args[0] ?? '')} ended with ${signal ?? code})\n`);
  return code === 0;
}

/** Tests that mount, trace or run other people's programs. */
const systemTests = ['test/mta/**', 'test/faults/**', 'mta/queue/faults.test.ts', 'mta/local/agent.test.ts'];

const one = (passed: boolean): Count => ({ passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 });
const add = (a: Count, b: Count): Count => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** A reporter's file; undefined when the runner fell over before it wrote one. */
async function report<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numFailedTestSuites: number;
  success: boolean;
}

interface PlaywrightReport {
  stats: { expected: number; unexpected: number; flaky: number; skipped: number };
  errors: unknown[];
}

async function playwright(project: string, log: (text: string) => void, folder: string): Promise<Count> {
  const file = path.join(folder, `${project}.json`);
  const passed = await node(
    [`${modules}/@playwright/test/cli.js`, 'test', '--project', project, '--reporter', 'list,json'],
    log,
    { PLAYWRIGHT_JSON_OUTPUT_FILE: file, PLAYWRIGHT_JSON_OUTPUT_NAME: file },
  );
  const result = await report<PlaywrightReport>(file);
  if (result === undefined) return one(false);
  const { expected, unexpected, flaky, skipped } = result.stats;
  const failed = unexpected + flaky;
  // A broken config or hook fails the run without failing a test.
  return { passed: expected, failed: failed === 0 && !passed ? 1 : failed, skipped };
}

const steps: readonly Step[] = [
  {
    name: 'lint',
    async run(log) {
      const counts = await Promise.all(Object.values(tools).map(async (args) => one(await node(args, log))));
      return counts.reduce(add);
    },
  },
  {
    name: 'types',
    async run(log) {
      let text = '';
      await node(['test/tools/types.ts'], (part) => {
        text += part;
        log(part);
      });
      const found = /^(\d+) of (\d+) type checks pass$/m.exec(text);
      if (found === null) return one(false);
      const passed = Number(found[1]);
      return { passed, failed: Number(found[2]) - passed, skipped: 0 };
    },
  },
  {
    name: 'unit',
    async run(log, folder, missing) {
      const file = path.join(folder, 'unit.json');
      const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
      const lacking = missing.some(({ suites }) => suites.includes('whole')) || process.getuid?.() !== 0;
      if (lacking) {
        say(`- skipped, for they need root and the packages above: ${systemTests.join(' ')}`);
        args.push(...systemTests.flatMap((pattern) => ['--exclude', pattern]));
      }
      await node([`${modules}/vitest/vitest.mjs`, ...args], log);
      const result = await report<VitestReport>(file);
      if (result === undefined) return one(false);
      const { numPassedTests: passed, numFailedTests, numPendingTests, numTodoTests } = result;
      // A file that does not load fails without a failed test.
      const failed = result.success || numFailedTests > 0 ? numFailedTests : 1;
      return { passed, failed, skipped: numPendingTests + numTodoTests + (lacking ? systemTests.length : 0) };
    },
  },
  { name: 'build', run: async (log) => one(await node(['main/tools/build.ts'], log)) },
  { name: 'chromium', after: ['build'], needs: 'chromium', run: (log, folder) => playwright('chromium', log, folder) },
  {
    name: 'electron',
    after: ['build'],
    needs: 'electron',
    electron: true,
    run: (log, folder) => playwright('electron', log, folder),
  },
  {
    name: 'package',
    after: ['build'],
    needs: 'package',
    electron: true,
    async run(log, folder) {
      const packaged = await node(['main/tools/package.ts'], log);
      return packaged ? add(one(true), await playwright('package', log, folder)) : one(false);
    },
  },
];

function chosen(names: readonly string[]): readonly Step[] {
  const wanted = new Set(names.flatMap((name) => (name === 'ui' ? ['chromium', 'electron'] : [name])));
  for (const name of wanted) {
    const step = steps.find((candidate) => candidate.name === name);
    if (step === undefined) {
      throw new Error(`There is no step ${name}; the steps are ${steps.map((each) => each.name).join(' ')} ui`);
    }
    for (const earlier of step.after ?? []) wanted.add(earlier);
  }
  return wanted.size === 0 ? steps : steps.filter(({ name }) => wanted.has(name));
}

/** Why a step cannot run here; undefined when it can. */
async function hindrance(
  step: Step,
  missing: readonly SystemPackage[],
  failed: Set<string>,
): Promise<string | undefined> {
  const broken = step.after?.find((name) => failed.has(name));
  if (broken !== undefined) return `${broken} failed`;
  const lacking = missing.filter(({ suites }) => step.needs !== undefined && suites.includes(step.needs));
  if (process.platform === 'linux' && lacking.length > 0) {
    return `missing here: ${lacking.map(({ name, reason }) => `${name} (${reason})`).join(', ')}`;
  }
  if (step.electron !== true) return undefined;
  const electron = await findElectron(say);
  if ('missing' in electron) return electron.missing;
  // The steps' own programs need not look again.
  process.env['ELECTRON_OVERRIDE_DIST_PATH'] = electron.folder;
  return undefined;
}

async function main(names: readonly string[]): Promise<void> {
  const plan = chosen(names);
  const folder = path.join(root, 'test-results', 'steps');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Windows of tests do not open on a person's desktop.
  process.env['POSTRIDER_TEST_DISPLAY'] = 'own';
  const missing = plan.some(({ needs, name }) => needs !== undefined || name === 'unit') ? await setUp(say) : [];
  if (missing.length > 0) say(`Missing here: ${missing.map(({ name, reason }) => `${name} (${reason})`).join(', ')}`);

  let total: Count = { passed: 0, failed: 0, skipped: 0 };
  const failed = new Set<string>();
  for (const step of plan) {
    const reason = await hindrance(step, missing, failed);
    if (reason !== undefined) {
      say(`- ${step.name}: skipped, ${reason}`);
      total = add(total, { passed: 0, failed: 0, skipped: 1 });
      continue;
    }
    const started = performance.now();
    let text = '';
    const count = await step.run((part) => (text += part), folder, missing);
    await writeFile(path.join(folder, `${step.name}.log`), text);
    total = add(total, count);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (count.failed > 0) {
      failed.add(step.name);
      say(text);
    }
    const mark = count.failed > 0 ? '✗' : '✓';
    say(
      `${mark} ${step.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped (${seconds} s)`,
    );
  }
  process.exitCode = total.failed > 0 ? 1 : 0;
  say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  say('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
}
