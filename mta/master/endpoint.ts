/**
 * Where a master.cf service of type inet listens: `smtp`, `2525`, `127.0.0.1:1025`, `[::1]:smtps` (master(5)).
 * Service names come from a short table of mail's own and from the system's services file.
 */
import { readFile } from 'node:fs/promises';
import type { Configuration, MasterService } from '../config/configuration.ts';
import { PostriderError } from '../contract/errors.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const wellKnown = new Map([
  ['smtp', 25],
  ['mail', 25],
  ['smtps', 465],
  ['submissions', 465],
  ['ssmtp', 465],
  ['submission', 587],
  ['msa', 587],
]);

/** `HOST:PORT`, `[v6]:PORT`, `:PORT` or `PORT`; undefined host when none was given. Throws `bad-input`. */
export async function parseEndpoint(
  text: string,
  field: string,
  servicesFile = '/etc/services',
): Promise<{ host: string | undefined; port: number }> {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]:|([^:[\]\s]*):)?([A-Za-z0-9_-]+)$/.exec(text);
  const service = match?.[3];
  if (match === null || service === undefined) {
    throw new PostriderError(
      'bad-input',
      `${field}: "${text}" is not HOST:PORT. Write for example 127.0.0.1:1025 or [::1]:1025.`,
      { field },
    );
  }
  const host = match[1] ?? (match[2] === '' ? undefined : match[2]);
  const port = /^\d+$/.test(service) ? Number(service) : await portOf(service, servicesFile);
  if (port === undefined || port > 65_535) {
    throw new PostriderError(
      'bad-input',
      `${field}: "${service}" is neither a port (0 to 65535) nor a known service name.`,
      {
        field,
      },
    );
  }
  return { host, port };
}

async function portOf(name: string, servicesFile: string): Promise<number | undefined> {
  const known = wellKnown.get(name);
  if (known !== undefined) return known;
  const text = await readFile(servicesFile, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const [service, portAndProtocol, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (portAndProtocol?.endsWith('/tcp') === true && (service === name || aliases.includes(name))) {
      return Number.parseInt(portAndProtocol, 10);
    }
  }
  return undefined;
}

/**
 * The endpoints of one service: its own host, or one for each of inet_interfaces (postconf(5)): `all`,
 * `loopback-only`, `localhost`, or addresses. inet_protocols leaves out the family it does not name.
 */
export async function endpointsOf(service: MasterService, configuration: Configuration): Promise<Endpoint[]> {
  const { host, port } = await parseEndpoint(service.service, `master.cf line ${service.line}, service name`);
  const protocols = configuration.list('inet_protocols');
  const ipv4 = protocols.includes('all') || protocols.includes('ipv4');
  const ipv6 = protocols.includes('all') || protocols.includes('ipv6');
  const hosts = new Set<string>();
  for (const name of host === undefined ? configuration.list('inet_interfaces') : [host]) {
    if (name === 'all') {
      if (ipv6) hosts.add('::');
      else if (ipv4) hosts.add('0.0.0.0');
    } else if (name === 'loopback-only' || name === 'localhost') {
      if (ipv4) hosts.add('127.0.0.1');
      if (ipv6) hosts.add('::1');
    } else {
      const address = name.replace(/^\[(.*)\]$/, '$1');
      if (address.includes(':') ? ipv6 : ipv4 || !/^\d/.test(address)) hosts.add(address);
    }
  }
  return [...hosts].map((each) => ({ host: each, port }));
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\./.test(host);
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
