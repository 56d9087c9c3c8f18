/**
 * The MTA, put together: configuration, log, queue store, queue manager, agents, SMTP listeners, control socket.
 *
 * Promises: `startMta` resolves when every listener is open and the control socket answers; when anything fails before,
 * what was opened is closed again and the error names the file, line, port or folder and the remedy. `stop` takes no
 * more mail, finishes what is in hand within postrider_shutdown_time_limit, and leaves the queue for the next start.
 * A reload that fails changes nothing.
 */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { createIntake } from '../cleanup/intake.ts';
import type { Configuration } from '../config/configuration.ts';
import { writeFirstConfiguration } from '../config/first-files.ts';
import { loadConfiguration } from '../config/load.ts';
import { version } from '../config/version.ts';
import { ConfigurationError } from '../config/errors.ts';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import { EventHub } from '../contract/rpc.ts';
import type { Finding, MailServerContract, Overview } from '../contract/server.ts';
import { createHandlers } from '../control/handlers.ts';
import { listenControl } from '../control/server.ts';
import { createLocalAgent } from '../local/agent.ts';
import { mailboxFolder } from '../local/mailbox-name.ts';
import { openMailStore } from '../maildir/store.ts';
import { searchLog } from '../maillog/search.ts';
import { openMailLog } from '../maillog/writer.ts';
import type { DeliveryAgent } from '../qmgr/agent.ts';
import { createDiscardAgent, createErrorAgent } from '../qmgr/fixed-agents.ts';
import { createQueueManager } from '../qmgr/queue-manager.ts';
import { createResolver } from '../qmgr/resolve.ts';
import { openQueueStore } from '../queue/sqlite-store.ts';
import { createSmtpAgent } from '../smtp/agent.ts';
import { createClientCounts } from '../smtpd/clients.ts';
import { createPeerNames } from '../smtpd/peer-name.ts';
import { openSaslUsers } from '../smtpd/sasl/users.ts';
import { createSmtpServer } from '../smtpd/server.ts';
import { openTls, type TlsMaterial } from '../smtpd/tls.ts';
import { formatEndpoint } from './endpoint.ts';
import { prepareDataFolder } from './folders.ts';
import { forward } from './forward.ts';
import { openListeners, type OpenListener } from './listeners.ts';
import { Tables } from './tables.ts';

export interface MtaOptions {
  readonly data: string;
  /** For a new data folder; an existing one knows its own. Default sink. */
  readonly profile?: 'sink' | 'server' | undefined;
  readonly domain?: string | undefined;
  /** `HOST:PORT` each, instead of the smtpd services of master.cf. */
  readonly smtp?: readonly string[] | undefined;
}

export interface Mta {
  readonly ready: { readonly smtp: string[]; readonly data: string; readonly pid: number };
  /** Resolves when it has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** How many ports after the wanted one are tried in the sink. */
const fallbackPorts = 50;

export async function startMta(options: MtaOptions): Promise<Mta> {
  const data = path.resolve(options.data);
  const startedAt = Date.now();
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return await start();
  } catch (error) {
    await closeAll();
    throw error;
  }

  async function start(): Promise<Mta> {
    await prepareDataFolder(data);
    const findings = {
      configuration: [] as Finding[],
      listeners: [] as Finding[],
      store: [] as Finding[],
      log: [] as Finding[],
    };
    // The spool's lock is the data folder's: nothing else is touched before it is held.
    const store = await openQueueStore(path.join(data, 'spool'), {
      onFinding: (finding) => findings.store.push(finding),
    }).catch((error: unknown) => {
      if (!(error instanceof PostriderError) || error.code !== 'conflict') throw error;
      throw new PostriderError(
        'conflict',
        `A mail server already runs on ${data}. Use another --data folder, or stop that one with "postrider stop".`,
        { field: 'data', cause: error },
      );
    });
    closers.push(() => store.close());

    await writeFirstConfiguration(data, {
      profile: options.profile ?? 'sink',
      domain: options.domain,
      smtp: options.smtp?.filter((address) => !address.endsWith(':0')),
    });
    const etc = path.join(data, 'etc');
    const load = (): Promise<Configuration> => loadConfiguration(etc, { dataFolder: data });
    let configuration = await load();
    findings.configuration = [...configuration.findings];
    const current = (): Configuration => configuration;

    const events = new EventHub<MailServerContract>();
    const logFile = configuration.text('maillog_file') || configuration.text('postrider_log_file');
    const hostname = configuration.text('myhostname');
    const log = await openMailLog(logFile, {
      hostname: hostname.split('.')[0] ?? hostname,
      pid: process.pid,
      onLines: (lines) => events.emit('log.lines', { lines }),
      onFailure: (message) => {
        findings.log =
          message === undefined ? [] : [{ level: 'error', code: 'log-not-written', message, file: logFile }];
        announceHealth();
      },
    });
    closers.push(() => log.close());
    log.line('master', `daemon started -- version ${configuration.text('mail_version')}, configuration ${etc}`);
    for (const finding of [...findings.store, ...findings.configuration]) {
      if (finding.level !== 'info') log.line('master', `warning: ${finding.message}`, 'warning');
    }

    const mailRoot = configuration.text('postrider_maildir_root');
    const mail = openMailStore(mailRoot, { cacheFile: path.join(data, 'spool', 'mail-index.db') });
    closers.push(() => mail.close());
    mail.onArrived((arrived) => events.emit('mail.arrived', arrived));
    mail.onChanged((changed) => events.emit('mail.changed', changed));

    const users = openSaslUsers(configuration.text('postrider_sasl_users'));
    const tables = new Tables(current);
    const resolver = createResolver({
      configuration: current,
      lookup: (map, key) => tables.lookup(map, key),
      knownUser: async (name) =>
        // Must be reachable on every server (RFC 5321 §4.5.1).
        name.toLowerCase() === 'postmaster' ||
        (await tables.find('alias_maps', name.toLowerCase())) !== undefined ||
        (await users.list()).some(({ user }) => user.toLowerCase() === name.toLowerCase()) ||
        (await exists(path.join(mailRoot, mailboxFolder(name)))),
    });

    const agents = new Map<string, DeliveryAgent>();
    const local = createLocalAgent({
      mailFolder: mailRoot,
      hostname,
      configuration: current,
      onDelivered: ({ folder, file }) => mail.notify(folder, file),
      aliases: (name) => tables.find('alias_maps', name),
      localName: (address) => resolver.localName(address),
      forward: (request, addresses) => forward(intake, request, addresses),
    });
    const smtp = createSmtpAgent({ configuration: current, log, lookup: (map, key) => tables.lookup(map, key) });
    for (const name of ['local', 'virtual']) agents.set(name, local);
    for (const name of ['smtp', 'relay']) agents.set(name, smtp);
    agents.set('error', createErrorAgent(false));
    agents.set('retry', createErrorAgent(true));
    agents.set('discard', createDiscardAgent());

    const intake = createIntake({
      configuration: current,
      log,
      accept: (message) => {
        received++;
        return queue.accept(message);
      },
      bodiesFolder: store.bodiesFolder,
    });
    const queue = createQueueManager({
      store,
      configuration: current,
      log,
      agents,
      resolve: (address, message) => resolver.resolve(address, message),
      newId: () => intake.newId(),
      onTrouble: (message) => {
        findings.store.push({ level: 'error', code: 'queue-trouble', message });
        announceHealth();
      },
    });
    closers.push(() => queue.stop(configuration.time('postrider_shutdown_time_limit')));
    queue.onChanged((counts) => events.emit('queue.changed', counts));

    let received = 0;
    let rejected = 0;
    let sessions = 0;
    const tls = await openTls(configuration, log);
    const clients = createClientCounts();
    const peerNames = createPeerNames();
    const { listeners, findings: listenerFindings } = await openListeners({
      configuration,
      smtp: options.smtp,
      fallbackPorts: configuration.bool('postrider_port_fallback') ? fallbackPorts : 0,
      create: (service, forService) =>
        createSmtpServer({
          service,
          configuration: forService,
          log,
          intake,
          users,
          tls,
          clients,
          peerNames,
          recipientKnown: (address) => resolver.recipientKnown(address),
          onRejected: () => {
            rejected++;
          },
          onSession: (delta) => {
            sessions += delta;
          },
        }),
    });
    findings.listeners = listenerFindings;
    closers.push(async () => {
      await Promise.all(listeners.map(({ server }) => server.close()));
    });
    if (listeners.length === 0) {
      throw new ConfigurationError(
        path.join(etc, 'master.cf'),
        undefined,
        'it names no smtpd service of type inet, so nothing would listen. Add a line like "127.0.0.1:1025 inet n - n - - smtpd".',
      );
    }

    const allFindings = (): Finding[] => [
      ...openBeyondLoopback(listeners, configuration),
      ...findings.listeners,
      ...findings.configuration,
      ...findings.store,
      ...findings.log,
    ];
    const health = (): { ready: boolean; findings: Finding[] } => ({ ready: !stopping, findings: allFindings() });
    function announceHealth(): void {
      events.emit('health.changed', health());
    }

    async function reload(): Promise<Finding[]> {
      let next: Configuration;
      let nextTls: TlsMaterial | undefined;
      try {
        next = await load();
        nextTls = await openTls(next, log);
      } catch (error) {
        log.line('master', `error: reload refused, the previous configuration stays: ${errorMessage(error)}`, 'error');
        throw error instanceof ConfigurationError
          ? new PostriderError('bad-input', error.message, { cause: error })
          : error;
      }
      configuration = next;
      findings.configuration = [...next.findings];
      tables.forget();
      for (const { service, server } of listeners) {
        const same = next.services.find((each) => each.service === service.service && each.command === 'smtpd');
        server.reconfigure(next.forService(same ?? service), nextTls);
      }
      queue.reload();
      log.line('master', `reload -- version ${next.text('mail_version')}, configuration ${etc}`);
      announceHealth();
      return allFindings();
    }

    async function overview(): Promise<Overview> {
      const { mailboxes } = await mail.mailboxes();
      const { delivered, relayed, deferred, bounced } = queue.flow();
      const relayhost = configuration.text('relayhost');
      return {
        software: 'Postrider',
        version: version(),
        profile: configuration.text('postrider_profile') === 'sink' ? 'sink' : 'server',
        hostname: configuration.text('myhostname'),
        domain: configuration.text('mydomain'),
        dataFolder: data,
        pid: process.pid,
        startedAt,
        listeners: listeners.map(({ description }) => description),
        queue: queue.counts(),
        flow: { received, rejected, delivered, relayed, deferred, bounced },
        sessions,
        mailboxes: mailboxes.length,
        messages: mailboxes.reduce((sum, { total }) => sum + total, 0),
        ...(relayhost === '' ? {} : { relayhost }),
        capabilities: ['queue', 'queue.actions', 'mail', 'mail.write', 'log', 'log.tail', 'send'],
        findings: allFindings(),
      };
    }

    let stopping = false;
    let ended: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => {
      ended = resolve;
    });
    async function stop(): Promise<void> {
      if (!stopping) {
        stopping = true;
        log.line('master', 'terminating on request');
        await closeAll();
        ended?.();
      }
      await stopped;
    }

    const control = await listenControl(
      data,
      createHandlers({
        overview,
        health,
        reload,
        // Answer first: the connection that asked is among what a stop closes.
        stop: () => void setImmediate(() => void stop()),
        queue: {
          counts: () => queue.counts(),
          list: (query) => queue.list(query),
          get: (id) => queue.get(id),
          groups: (by, filter, limit) => queue.groups(by, filter, limit),
          act: (action, selection, actOptions) => queue.act(action, selection, actOptions),
        },
        raw: (id, offset, length) => store.raw(id, offset, length),
        mail: mail.handlers,
        searchLog: (query) => searchLog(logFile, query),
        submit: (message) => intake.submit(message),
      }),
      events,
    );
    closers.push(() => control.close());
    queue.start();

    return {
      ready: {
        smtp: listeners.map(({ description }) => formatEndpoint({ host: description.address, port: description.port })),
        data,
        pid: process.pid,
      },
      stopped,
      stop,
    };
  }
}

/** A sink takes mail for everyone from everyone: reachable from other machines, that is said loudly. */
function openBeyondLoopback(listeners: readonly OpenListener[], configuration: Configuration): Finding[] {
  if (configuration.text('postrider_profile') !== 'sink') return [];
  return listeners
    .filter(({ description }) => !description.loopback)
    .map(({ description: { address, port } }) => ({
      level: 'warning' as const,
      code: 'bound-beyond-loopback',
      message: `This sink takes mail from everyone who can reach ${formatEndpoint({ host: address, port })}, not only from this machine. Listen on 127.0.0.1 unless you mean that.`,
    }));
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
