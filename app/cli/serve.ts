/**
 * `postrider serve`: the MTA on a data folder (started, or attached to) and the web page over it, until told to stop.
 *
 * Promises: `ready` is said when both answer, with --json as exactly one line on stdout; on SIGTERM or SIGINT it
 * finishes what is in hand, ends the MTA it started, and returns 0; a second SIGINT does not wait.
 * Fails with a sysexits code and one clear line on stderr, and then nothing of it is left running.
 */
import path from 'node:path';
import { Command, Option } from 'commander';
import { errorMessage } from '#mta/contract/errors.ts';
import { dataFolder } from '#mta/config/data-folder.ts';
import { version } from '#mta/config/version.ts';
import type { Overview } from '#mta/contract/server.ts';
import { openApplication, type Application } from '../application.ts';
import { spawnWithNode, type SpawnMta } from '../servers/mta-process.ts';
import { hostPort, isLoopback } from '../web/access.ts';
import type { WebServer } from '../web/server.ts';
import { collect, dataOption, exitCode, parseHostPort, type HostPort } from './options.ts';
import { rendererFolder } from './package-info.ts';

export interface ServeOptions {
  data?: string;
  profile?: 'sink' | 'server';
  domain?: string;
  smtp?: string[];
  http?: HostPort;
  httpHost?: string[];
  json?: boolean;
}

/** What a command reads and writes besides files. */
export interface Surroundings {
  out(text: string): void;
  err(text: string): void;
  env: NodeJS.ProcessEnv;
  /** Told of each SIGINT and SIGTERM; returns how to stop listening. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): () => void;
  spawnMta?: SpawnMta;
  /**
   * Milliseconds before another SIGINT counts as the second: one Ctrl-C under npm arrives twice, from the terminal and
   * from npm.
   */
  secondSignalAfter?: number;
}

const defaultHttp: HostPort = { host: '127.0.0.1', port: 8025 };
const nextPorts = 50;

export function serveCommand(run: (options: ServeOptions) => Promise<void>): Command {
  return new Command('serve')
    .description('run the mail server and its web page')
    .addOption(dataOption())
    .addOption(
      new Option('--profile <name>', 'of a new data folder: sink catches all mail, server is as safe as Postfix')
        .choices(['sink', 'server'])
        .env('POSTRIDER_PROFILE'),
    )
    .addOption(new Option('--domain <name>', 'mail domain of a new data folder').env('POSTRIDER_DOMAIN'))
    .addOption(
      new Option('--smtp <host:port>', 'listen for SMTP here (repeatable; port 0: any free one)')
        .env('POSTRIDER_SMTP')
        .argParser(collect),
    )
    .addOption(
      new Option('--http <host:port>', 'web address (default 127.0.0.1:8025; port 0: any free one)')
        .env('POSTRIDER_HTTP')
        .argParser(parseHostPort),
    )
    .addOption(
      new Option('--http-host <name:port>', 'another Host the page is reached by, behind a proxy (repeatable)')
        .env('POSTRIDER_HTTP_HOST')
        .argParser(collect),
    )
    .option('--json', 'say when ready as one line of JSON')
    .action(run);
}

export async function serve(options: ServeOptions, around: Surroundings): Promise<number> {
  const data = options.data ?? dataFolder(around.env);
  const complain = (text: string): void => around.err(`postrider: ${text}\n`);
  let web: WebServer | undefined;
  let stopping = 0;
  let over: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    over = resolve;
  });
  let force: (code: number) => void = () => undefined;
  const forced = new Promise<number>((resolve) => {
    force = resolve;
  });
  let kill: () => void = () => undefined;
  // First of all: a signal that comes while everything is still being opened is a wish too.
  const deaf = around.onSignal((signal) => {
    const now = performance.now();
    if (stopping === 0) {
      stopping = now;
      over(exitCode.ok);
    } else if (signal === 'SIGINT' && now - stopping > (around.secondSignalAfter ?? 500)) {
      kill();
      force(130);
    }
  });
  const application = await openApplication({
    dataFolder: data,
    info: { version: version(), platform: process.platform, mode: 'browser' },
    spawnMta: around.spawnMta ?? spawnWithNode(),
    mtaArguments: mtaArguments(options),
  });
  for (const problem of application.settings.problems) complain(problem);

  const { local } = application;
  kill = () => local.kill();
  const start = async (): Promise<number> => {
    if (stopping > 0) return exitCode.ok;
    try {
      await local.start();
    } catch (error) {
      if (stopping === 0) complain(errorMessage(error));
      return local.lastExitCode === undefined || local.lastExitCode === 0 ? exitCode.unavailable : local.lastExitCode;
    }
    const overview = await local.client.call('server.overview', {});
    web = await openWeb(application, options, overview.profile, path.join(data, 'run', 'web-url'));
    if (stopping > 0) {
      // Told to stop meanwhile: nobody else knows of it yet.
      await web.close();
      return exitCode.ok;
    }
    greet(options, around, application, web, overview);
    let trouble = false;
    local.onChange(() => {
      const { state, problem } = local.entry();
      if (stopping > 0) return;
      if (state === 'stopped') {
        around.err('postrider: The mail server was stopped; so ends its web page.\n');
        over(exitCode.ok);
      } else if (state === 'running') {
        if (trouble) complain(`The mail server runs (pid ${local.running()?.pid ?? '?'}).`);
        trouble = false;
      } else if (problem !== undefined && local.running() === undefined) {
        // While it still runs, only its socket dropped: most often the first sign of an orderly end.
        trouble = true;
        complain(`${problem}. Trying again.`);
      }
    });
    return await ended;
  };

  let code: number;
  try {
    code = await Promise.race([start(), ended]);
  } catch (error) {
    complain(errorMessage(error));
    code = exitCode.unavailable;
  }
  if (stopping === 0) stopping = performance.now();
  code = await Promise.race([Promise.all([web?.close(), application.close()]).then(() => code), forced]);
  deaf();
  return code;
}

function mtaArguments({ profile, domain, smtp }: ServeOptions): string[] {
  return [
    ...(profile === undefined ? [] : ['--profile', profile]),
    ...(domain === undefined ? [] : ['--domain', domain]),
    ...(smtp ?? []).flatMap((address) => ['--smtp', address]),
  ];
}

async function openWeb(
  { api, previews, local }: Application,
  options: ServeOptions,
  profile: Overview['profile'],
  linkFile: string,
): Promise<WebServer> {
  const { startWeb } = await import('../web/server.ts');
  const { host, port } = options.http ?? defaultHttp;
  return await startWeb({
    api,
    previews,
    rendererFolder: rendererFolder(),
    address: host,
    port,
    // Where a person or a script named the port, another would be a surprise.
    nextPorts: options.http === undefined && profile === 'sink' ? nextPorts : 0,
    hosts: options.httpHost ?? [],
    ready: async () => (await local.client.call('server.health', {})).ready,
    linkFile,
  });
}

function greet(
  options: ServeOptions,
  { out, err }: Surroundings,
  { local }: Application,
  web: WebServer,
  overview: Overview,
): void {
  const running = local.running();
  if (running === undefined) return;
  const { smtp, data, pid, attached } = running;
  if (!isLoopback(web.address)) {
    err(
      `postrider: WARNING: the web page is open to other machines (${hostPort(web.address, web.port)}), unencrypted. ` +
        'Whoever gets hold of a link can read and delete all mail. Use --http 127.0.0.1:PORT unless that is meant.\n',
    );
  }
  for (const { level, message } of overview.findings) {
    if (level !== 'info') err(`postrider: ${level === 'warning' ? 'WARNING: ' : ''}${message}\n`);
  }
  if (options.json === true) {
    out(`${JSON.stringify({ event: 'ready', smtp, http: web.origin, url: web.link(), data, pid })}\n`);
    return;
  }
  const taken = overview.listeners
    .filter(({ wanted, port }) => wanted !== undefined && wanted !== port)
    .map(({ wanted, port }) => `Port ${wanted ?? ''} is used by another program; SMTP listens on ${port}.`);
  if (options.http === undefined && web.port !== defaultHttp.port) {
    taken.push(`Port ${defaultHttp.port} is used by another program; the web page is on ${web.port}.`);
  }
  out(
    [
      attached ? `Postrider runs here already (pid ${pid}); this adds its web page.` : 'Postrider is ready.',
      '',
      `  SMTP  ${smtp.join(', ')}`,
      `  Web   ${web.link()}`,
      '        (this link works once; "postrider url" prints another)',
      `  Data  ${data}`,
      '',
      ...taken,
      attached ? 'Ctrl-C ends the web page; the mail server goes on.' : 'Ctrl-C stops it.',
      '',
    ].join('\n'),
  );
}
