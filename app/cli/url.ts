/** `postrider url`: the one-time link to the web page of a server that runs. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { dataFolder } from '#mta/config/data-folder.ts';
import { dataOption, exitCode } from './options.ts';
import type { Surroundings } from './serve.ts';

export interface UrlOptions {
  data?: string;
}

export function urlCommand(run: (options: UrlOptions) => Promise<void>): Command {
  return new Command('url')
    .description('print a one-time link to the web page of the running server')
    .addOption(dataOption())
    .action(run);
}

export async function url(options: UrlOptions, around: Pick<Surroundings, 'out' | 'err' | 'env'>): Promise<number> {
  const data = options.data ?? dataFolder(around.env);
  const link = (await readFile(path.join(data, 'run', 'web-url'), 'utf8').catch(() => '')).trim();
  if (link === '' || !(await answers(link))) {
    around.err(`postrider: No web page is served on ${data}. Start one with "postrider serve --data ${data}".\n`);
    return exitCode.unavailable;
  }
  around.out(`${link}\n`);
  return exitCode.ok;
}

/** A server that was killed leaves its file behind. */
async function answers(link: string): Promise<boolean> {
  try {
    const answer = await fetch(new URL('/livez', link), { signal: AbortSignal.timeout(2000), redirect: 'error' });
    return answer.ok;
  } catch {
    return false;
  }
}
