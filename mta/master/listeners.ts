/**
 * Opens what master.cf (or --smtp) names. In the sink a port that is taken gives way to the next free one, and the
 * listener remembers which port was wanted; otherwise a taken or forbidden port is an error that names it.
 */
import type { Configuration, MasterService } from '../config/configuration.ts';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import type { Finding, Listener } from '../contract/server.ts';
import { tlsLevel, type TlsMaterial } from '../smtpd/tls.ts';
import { endpointsOf, formatEndpoint, isLoopback, type Endpoint } from './endpoint.ts';

export interface SmtpListener {
  listen(host: string, port: number): Promise<{ address: string; port: number }>;
  close(): Promise<void>;
  reconfigure(configuration: Configuration, tls?: TlsMaterial): void;
}

export interface OpenListener {
  readonly description: Listener;
  readonly service: MasterService;
  readonly server: SmtpListener;
}

export interface ListenersOptions {
  readonly configuration: Configuration;
  /** Replaces the smtpd services of master.cf for this run: `HOST:PORT` each. */
  readonly smtp?: readonly string[] | undefined;
  readonly create: (service: MasterService, configuration: Configuration) => SmtpListener;
  /** How many further ports to try when one is taken; 0 forbids. */
  readonly fallbackPorts: number;
}

/** Opens all or none; on failure those already open are closed again. */
export async function openListeners(
  options: ListenersOptions,
): Promise<{ listeners: OpenListener[]; findings: Finding[] }> {
  const listeners: OpenListener[] = [];
  const findings: Finding[] = [];
  try {
    for (const service of smtpdServices(options.configuration, options.smtp)) {
      const configuration = options.configuration.forService(service);
      for (const endpoint of await endpointsOf(service, configuration)) {
        const server = options.create(service, configuration);
        const bound = await bind(server, endpoint, options.fallbackPorts);
        const listener: Listener = {
          service: service.service,
          address: bound.address,
          port: bound.port,
          tls: configuration.bool('smtpd_tls_wrappermode')
            ? 'wrapper'
            : tlsLevel(configuration) === 'none'
              ? 'none'
              : 'starttls',
          loopback: isLoopback(bound.address),
          ...(endpoint.port !== 0 && bound.port !== endpoint.port ? { wanted: endpoint.port } : {}),
        };
        listeners.push({ description: listener, service, server });
        findings.push(...findingsOf(listener));
      }
    }
  } catch (error) {
    await Promise.all(listeners.map(({ server }) => server.close()));
    throw error;
  }
  return { listeners, findings };
}

function smtpdServices(configuration: Configuration, smtp: readonly string[] | undefined): readonly MasterService[] {
  const configured = configuration.services.filter(({ type, command }) => type === 'inet' && command === 'smtpd');
  if (smtp === undefined || smtp.length === 0) return configured;
  return smtp.map((service) => ({
    service,
    type: 'inet',
    private: false,
    unprivileged: true,
    chroot: false,
    wakeup: '-',
    maxproc: '-',
    command: 'smtpd',
    arguments: [],
    // The named address may be one that master.cf describes more fully (TLS wrapper mode, restrictions).
    overrides: configured.find((each) => each.service === service)?.overrides ?? new Map(),
    line: 0,
  }));
}

async function bind(
  server: SmtpListener,
  endpoint: Endpoint,
  fallbackPorts: number,
): Promise<{ address: string; port: number }> {
  for (let offset = 0; ; offset++) {
    const port = endpoint.port === 0 ? 0 : endpoint.port + offset;
    try {
      return await server.listen(endpoint.host, port);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EADDRINUSE' && endpoint.port !== 0 && offset < fallbackPorts && port < 65_535) continue;
      throw bindError(code, endpoint, error);
    }
  }
}

function bindError(code: unknown, endpoint: Endpoint, error: unknown): PostriderError {
  const where = formatEndpoint(endpoint);
  const remedy =
    code === 'EADDRINUSE'
      ? `port ${endpoint.port} is in use by another program. Stop it, or name another port in master.cf or with --smtp ${formatEndpoint({ ...endpoint, port: 0 }).replace(/0$/, 'PORT')}.`
      : code === 'EACCES'
        ? `port ${endpoint.port} needs more rights. Ports below 1024 want root or CAP_NET_BIND_SERVICE; or name a higher port.`
        : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
          ? `this machine has no address ${endpoint.host}. See inet_interfaces in main.cf.`
          : errorMessage(error);
  return new PostriderError('conflict', `Cannot listen on ${where}: ${remedy}`, { field: 'smtp', cause: error });
}

function findingsOf(listener: Listener): Finding[] {
  const findings: Finding[] = [];
  if (listener.wanted !== undefined) {
    findings.push({
      level: 'info',
      code: 'port-taken',
      message: `Port ${listener.wanted} is in use by another program; listening on ${listener.port} instead.`,
    });
  }
  return findings;
}
