/**
 * Makes the machine fit for the suites: as root on Debian or Ubuntu it installs the packages of packages.ts that are
 * missing; elsewhere it says which are missing and what therefore cannot run. Postfix is installed without a
 * configuration and without being started.
 */
import { existsSync } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '#main/tools/run.ts';
import { systemPackages, type SystemPackage } from './packages.ts';

const searchPath = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];

export function findProgram(name: string): string | undefined {
  return searchPath.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

async function knownLibraries(): Promise<string> {
  const ldconfig = findProgram('ldconfig');
  return ldconfig === undefined ? '' : (await run(ldconfig, ['-p'])).stdout;
}

/** Packages whose program, library or other sign is not there. */
export async function missingPackages(): Promise<SystemPackage[]> {
  const libraries = await knownLibraries();
  const there = await Promise.all(
    systemPackages.map(async ({ program, library, probe }) => {
      if (probe !== undefined)
        return findProgram(probe[0]) !== undefined && (await run(probe[0], probe.slice(1))).code === 0;
      if (program === undefined) return libraries.includes(`${library ?? ''} `);
      return findProgram(program) !== undefined || (program === 'chromium' && process.env['CHROMIUM'] !== undefined);
    }),
  );
  return systemPackages.filter((_, index) => there[index] === false);
}

function canInstall(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0 && findProgram('apt-get') !== undefined;
}

const policy = '/usr/sbin/policy-rc.d';

/** Returns what is still missing. Throws when an installation that should work fails. */
export async function setUp(announce: (line: string) => void): Promise<SystemPackage[]> {
  const missing = await missingPackages();
  if (missing.length === 0 || !canInstall()) return missing;
  announce(`Installing ${missing.map(({ name }) => name).join(' ')} (apt-get)…`);
  // policy-rc.d: no installed service is started (Debian policy manual §9.3.3.1).
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) {
    await writeFile(policy, '#!/bin/sh\nexit 101\n');
    await chmod(policy, 0o755);
  }
  try {
    await aptGet(['update']);
    await preseed();
    const names = await Promise.all(missing.map(availableName));
    await aptGet(['install', '--yes', '--no-install-recommends', ...names]);
  } finally {
    if (ownPolicy) await rm(policy, { force: true });
  }
  return missingPackages();
}

/** Ubuntu 24.04 renamed some libraries (64-bit time_t). */
async function availableName({ name, otherwise }: SystemPackage): Promise<string> {
  if (otherwise === undefined) return name;
  return (await run('apt-cache', ['show', otherwise])).code === 0 ? otherwise : name;
}

async function aptGet(args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { code, stdout, stderr } = await run('apt-get', ['-q', ...args], { env });
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${stdout.slice(-4000)}${stderr}`);
}

/** Postfix asks what to be unless it is told. */
async function preseed(): Promise<void> {
  const { spawn } = await import('node:child_process');
  await new Promise<void>((resolve, reject) => {
    const child = spawn('debconf-set-selections', [], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('close', () => resolve());
    child.stdin.end('postfix postfix/main_mailer_type select No configuration\n');
  });
}
