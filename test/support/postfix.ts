/**
 * A real Postfix (Debian's package) with configuration, queue and data folders of its own, on loopback ports chosen by the
 * test, beside whatever Postfix the machine has. Needs root, as Postfix's master does. Ended by stop().
 */
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile, chmod, cp, chown } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { command, eventually, temporaryFolder } from './server.ts';

export interface Postfix {
  readonly port: number;
  readonly folder: string;
  readonly configuration: string;
  /** Runs a Postfix command (`postqueue`, `postconf`, …) on this instance. */
  run(name: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  log(): Promise<string>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts it with these main.cf settings over a minimal base; `services` are extra master.cf lines. */
export async function startPostfix(
  settings: Record<string, string> = {},
  services: readonly string[] = [],
): Promise<Postfix> {
  const folder = await temporaryFolder('postfix');
  await chmod(folder, 0o755);
  const configuration = path.join(folder, 'etc');
  const queue = path.join(folder, 'spool');
  const data = path.join(folder, 'lib');
  const log = path.join(folder, 'mail.log');
  for (const each of [configuration, queue, data]) await mkdir(each);
  const { stdout } = await command('id', ['-u', 'postfix']);
  await chown(data, Number(stdout), 0);
  const port = await freePort();
  const main = {
    compatibility_level: '3.6',
    queue_directory: queue,
    data_directory: data,
    maillog_file: log,
    maillog_file_prefixes: folder,
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    myhostname: 'postfix.test',
    mydestination: 'postfix.test',
    mynetworks: '127.0.0.0/8',
    alias_maps: '',
    alias_database: '',
    smtputf8_enable: 'no',
    multi_instance_enable: 'no',
    import_environment: 'MAIL_CONFIG',
    ...settings,
  };
  await writeFile(
    path.join(configuration, 'main.cf'),
    Object.entries(main)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  );
  await cp('/usr/share/postfix/postfix-files', path.join(configuration, 'postfix-files')).catch(() => undefined);
  const daemons = [
    ['pickup', 'unix', 'n', '-', 'n', '60', '1', 'pickup'],
    ['cleanup', 'unix', 'n', '-', 'n', '-', '0', 'cleanup'],
    ['qmgr', 'unix', 'n', '-', 'n', '300', '1', 'qmgr'],
    ['tlsmgr', 'unix', '-', '-', 'n', '1000?', '1', 'tlsmgr'],
    ['rewrite', 'unix', '-', '-', 'n', '-', '-', 'trivial-rewrite'],
    ['bounce', 'unix', '-', '-', 'n', '-', '0', 'bounce'],
    ['defer', 'unix', '-', '-', 'n', '-', '0', 'bounce'],
    ['trace', 'unix', '-', '-', 'n', '-', '0', 'bounce'],
    ['verify', 'unix', '-', '-', 'n', '-', '1', 'verify'],
    ['flush', 'unix', 'n', '-', 'n', '1000?', '0', 'flush'],
    ['proxymap', 'unix', '-', '-', 'n', '-', '-', 'proxymap'],
    ['smtp', 'unix', '-', '-', 'n', '-', '-', 'smtp'],
    ['relay', 'unix', '-', '-', 'n', '-', '-', 'smtp'],
    ['showq', 'unix', 'n', '-', 'n', '-', '-', 'showq'],
    ['error', 'unix', '-', '-', 'n', '-', '-', 'error'],
    ['retry', 'unix', '-', '-', 'n', '-', '-', 'error'],
    ['discard', 'unix', '-', '-', 'n', '-', '-', 'discard'],
    ['local', 'unix', '-', 'n', 'n', '-', '-', 'local'],
    ['virtual', 'unix', '-', 'n', 'n', '-', '-', 'virtual'],
    ['lmtp', 'unix', '-', '-', 'n', '-', '-', 'lmtp'],
    ['anvil', 'unix', '-', '-', 'n', '-', '1', 'anvil'],
    ['scache', 'unix', '-', '-', 'n', '-', '1', 'scache'],
    ['postlog', 'unix-dgram', 'n', '-', 'n', '-', '1', 'postlogd'],
  ].map((row) => row.join(' '));
  await writeFile(
    path.join(configuration, 'master.cf'),
    [`127.0.0.1:${port} inet n - n - - smtpd`, ...daemons, ...services, ''].join('\n'),
  );

  const run: Postfix['run'] = (name, ...args) => command(`/usr/sbin/${name}`, ['-c', configuration, ...args]);
  const started = await run('postfix', 'start');
  if (started.code !== 0) throw new Error(`postfix start failed (${started.code}): ${started.stderr}`);
  await eventually(async () => {
    return (await run('postfix', 'status')).code === 0 ? true : undefined;
  }, 'postfix running');
  return {
    port,
    folder,
    configuration,
    run,
    log: () => readFile(log, 'utf8').catch(() => ''),
    stop: async () => {
      await run('postfix', 'stop');
      await eventually(async () => ((await run('postfix', 'status')).code === 0 ? undefined : true), 'postfix stopped');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
