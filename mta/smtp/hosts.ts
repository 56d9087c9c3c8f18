/**
 * The hosts that take mail for a next hop (RFC 5321 section 5.1, smtp(8)).
 *
 * `[host]` and address literals are taken as they are; a domain's MX hosts by preference, equals shuffled, this server
 * and all that is no better than it dropped; without MX records the domain itself. Fails with HostError: `5.4.4` no such
 * name, `4.4.3` the name service did not answer, `5.1.10` null MX (RFC 7505), `5.4.6` the mail would come back here.
 */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';
import type { Configuration } from '../config/configuration.ts';
import { errorCode } from '../qmgr/system-error.ts';
import type { Peer } from './connection.ts';

export interface Dns {
  /** Rejects with a `code` of node:dns: ENOTFOUND, ENODATA, ESERVFAIL, ETIMEOUT, … */
  mx(domain: string): Promise<readonly { readonly exchange: string; readonly priority: number }[]>;
  addresses(host: string, family: 4 | 6): Promise<readonly string[]>;
}

export class HostError extends Error {
  override name = 'HostError';
  readonly dsn: string;
  constructor(dsn: string, text: string) {
    super(text);
    this.dsn = dsn;
  }
}

export interface Nexthop {
  readonly host: string;
  readonly port: number;
  /** Written in brackets, or an address: no MX lookup. */
  readonly literal: boolean;
}

export interface HostOptions {
  readonly configuration: Configuration;
  readonly dns: Dns;
  readonly random?: (() => number) | undefined;
  readonly ownAddresses?: (() => readonly string[]) | undefined;
}

const servicePorts: Readonly<Record<string, number>> = {
  smtp: 25,
  smtps: 465,
  submissions: 465,
  submission: 587,
  lmtp: 24,
};

/** node:dns over the system's name servers; `smtp_host_lookup = native` asks the system instead (hosts file). */
export function systemDns(configuration: () => Configuration): Dns {
  const resolver = new Resolver({ timeout: 5000, tries: 2 });
  return {
    mx: (domain) => resolver.resolveMx(domain),
    addresses: async (host, family) => {
      if (host === 'localhost') return [family === 4 ? '127.0.0.1' : '::1'];
      const ways = configuration().list('smtp_host_lookup');
      if (ways.length > 0 && !ways.includes('dns')) {
        return (await lookup(host, { family, all: true })).map(({ address }) => address);
      }
      return family === 4 ? resolver.resolve4(host) : resolver.resolve6(host);
    },
  };
}

/** `[mail.example.org]:2525`, `example.org:smtp`, `[ipv6:::1]`. Throws HostError. */
export function parseNexthop(text: string, defaultPort: string): Nexthop {
  const match = /^(?:\[([^[\]\s]+)\]|([^:[\]\s]+))(?::([A-Za-z0-9-]+))?$/.exec(text.trim());
  const service = match?.[3] ?? defaultPort;
  const port = /^\d{1,5}$/.test(service) ? Number(service) : servicePorts[service.toLowerCase()];
  const written = (match?.[1] ?? match?.[2])?.replace(/^ipv6:/i, '');
  if (match === null || written === undefined || port === undefined || port < 1 || port > 65_535) {
    throw new HostError('4.3.5', `mail system configuration error: next hop "${text}" is not [HOST]:PORT`);
  }
  const host = isIP(written) === 0 ? domainToASCII(written) || written : written;
  return { host: host.toLowerCase(), port, literal: match[1] !== undefined || isIP(written) !== 0 };
}

/** In the order in which they are to be tried, at most smtp_mx_address_limit. */
export async function findHosts(nexthop: Nexthop, options: HostOptions): Promise<Peer[]> {
  const limit = options.configuration.int('smtp_mx_address_limit') || Infinity;
  if (nexthop.literal) {
    const found = await addressesOf(nexthop.host, options);
    if (found instanceof HostError) throw found;
    return peersOf(nexthop, nexthop.host, found).slice(0, limit);
  }
  const exchanges = await exchangesOf(nexthop.host, options);
  const own = ownNames(options);
  const peers: Peer[] = [];
  let failure: HostError | undefined;
  let loops = false;
  let preference: number | undefined;
  for (const { exchange, priority } of exchanges) {
    // All of one preference are looked at, then the list ends if we are among them.
    if (loops && priority !== preference) break;
    if (peers.length >= limit) break;
    preference = priority;
    const found = await addressesOf(exchange, options);
    if (found instanceof HostError) {
      if (failure === undefined || found.dsn.startsWith('4')) failure = found;
      continue;
    }
    if (exchange === own.name || (nexthop.port === 25 && found.some((address) => own.addresses.has(address)))) {
      loops = true;
      for (let last = peers.length; last > 0 && peerPriority.get(peers[last - 1] ?? none) === priority; last--)
        peers.pop();
      continue;
    }
    if (loops) continue;
    for (const peer of peersOf(nexthop, exchange, found)) {
      peerPriority.set(peer, priority);
      peers.push(peer);
    }
  }
  if (peers.length > 0) return peers.slice(0, limit);
  if (loops) throw new HostError('5.4.6', `mail for ${nexthop.host} loops back to myself`);
  throw failure ?? new HostError('5.4.4', `unable to look up host ${nexthop.host}`);
}

const none: Peer = { name: '', address: '', port: 0 };
const peerPriority = new WeakMap<Peer, number>();

function peersOf(nexthop: Nexthop, name: string, addresses: readonly string[]): Peer[] {
  return addresses.map((address) => ({ name, address, port: nexthop.port }));
}

async function exchangesOf(domain: string, options: HostOptions): Promise<{ exchange: string; priority: number }[]> {
  let records: readonly { readonly exchange: string; readonly priority: number }[];
  try {
    records = await options.dns.mx(domain);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENODATA') throw lookupError(domain, 'MX', code);
    records = [];
  }
  const hosts = records.map(({ exchange, priority }) => ({
    exchange: exchange.toLowerCase().replace(/\.$/, ''),
    priority,
  }));
  if (hosts.length === 1 && hosts[0]?.exchange === '') {
    throw new HostError('5.1.10', `Domain ${domain} does not accept mail (nullMX)`);
  }
  const random = options.random ?? Math.random;
  const order = new Map(hosts.map((host) => [host, random()]));
  return hosts.length === 0
    ? [{ exchange: domain, priority: 0 }]
    : hosts
        .filter(({ exchange }) => exchange !== '')
        .sort((a, b) => a.priority - b.priority || (order.get(a) ?? 0) - (order.get(b) ?? 0));
}

async function addressesOf(host: string, options: HostOptions): Promise<string[] | HostError> {
  if (isIP(host) !== 0) return [host];
  const protocols = options.configuration.list('inet_protocols');
  const families = ([4, 6] as const).filter(
    (family) => protocols.includes('all') || protocols.includes(`ipv${family}`),
  );
  const found: string[] = [];
  let failure: HostError | undefined;
  await Promise.all(
    families.map(async (family) => {
      try {
        found.push(...(await options.dns.addresses(host, family)));
      } catch (error) {
        const one = lookupError(host, family === 4 ? 'A' : 'AAAA', errorCode(error));
        if (failure === undefined || one.dsn.startsWith('4')) failure = one;
      }
    }),
  );
  if (found.length === 0) return failure ?? lookupError(host, 'A', 'ENODATA');
  const random = options.random ?? Math.random;
  const order = new Map(found.map((address) => [address, random()]));
  return found.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
}

function lookupError(name: string, type: string, code: string | undefined): HostError {
  const what = `Host or domain name not found. Name service error for name=${name} type=${type}:`;
  if (code === 'ENOTFOUND') return new HostError('5.4.4', `${what} Host not found`);
  if (code === 'ENODATA') return new HostError('5.4.4', `${what} Host found but no data record of requested type`);
  return new HostError('4.4.3', `${what} Host not found, try again`);
}

function ownNames(options: HostOptions): { name: string; addresses: ReadonlySet<string> } {
  const { configuration } = options;
  const interfaces =
    options.ownAddresses?.() ??
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const addresses = new Set(configuration.list('proxy_interfaces'));
  for (const name of configuration.list('inet_interfaces')) {
    if (name === 'all') for (const address of interfaces) addresses.add(address);
    else if (name === 'loopback-only' || name === 'localhost') addresses.add('127.0.0.1').add('::1');
    else addresses.add(name);
  }
  return { name: configuration.text('myhostname').toLowerCase(), addresses };
}
