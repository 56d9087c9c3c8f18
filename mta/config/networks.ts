/**
 * The default of mynetworks, from this machine's own addresses (postconf(5), mynetworks_style): `host`, `subnet` or
 * `class`. Never fails; a machine without a network trusts its loopback addresses.
 */
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

export interface InterfaceAddress {
  readonly address: string;
  readonly prefix: number;
}

/** This machine's addresses, without zone ids. */
export function ownAddresses(): InterfaceAddress[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .flatMap(({ address, cidr }) => {
      const prefix = Number(cidr?.split('/')[1]);
      return cidr === null || !Number.isInteger(prefix) ? [] : [{ address: address.replace(/%.*$/, ''), prefix }];
    });
}

/**
 * Networks in mynetworks' own syntax: `127.0.0.0/8 [::1]/128`. `interfaces` and `protocols` are the values of
 * inet_interfaces and inet_protocols, which narrow the addresses.
 */
export function defaultNetworks(
  style: string,
  interfaces: readonly string[],
  protocols: readonly string[],
  addresses: readonly InterfaceAddress[] = ownAddresses(),
): string {
  const all = protocols.length === 0 || protocols.includes('all');
  const networks = new Set<string>();
  for (const { address, prefix } of addresses) {
    const parsed = ipaddr.parse(address);
    const v4 = parsed.kind() === 'ipv4';
    if (!all && !protocols.includes(v4 ? 'ipv4' : 'ipv6')) continue;
    const loopback = parsed.range() === 'loopback';
    const wanted =
      interfaces.includes('all') || (interfaces.includes('loopback-only') && loopback) || interfaces.includes(address);
    // A client on the machine itself is always its own.
    if (!wanted && !loopback) continue;
    const bits = style === 'host' ? (v4 ? 32 : 128) : style === 'class' && v4 ? classBits(address) : prefix;
    const base = v4
      ? ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits}`).toString()
      : `[${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits}`).toString()}]`;
    networks.add(`${base}/${bits}`);
  }
  if (networks.size === 0) return '127.0.0.0/8 [::1]/128';
  return [...networks].join(' ');
}

function classBits(address: string): number {
  const first = Number(address.split('.')[0]);
  return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

/** What is wrong with one token of a network list, with the remedy; undefined when it fits or is no address. */
export function networkProblem(token: string): string | undefined {
  const match = /^!?(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?:\/(\d+))?$/.exec(token);
  if (match === null) {
    return /^!?[0-9A-Fa-f]*:[0-9A-Fa-f:]+(\/\d+)?$/.test(token) && token.includes('::')
      ? `"${token}": an IPv6 address must stand in [ ]: [2001:db8::]/32`
      : undefined;
  }
  const address = match[1] ?? match[2] ?? '';
  const v6 = match[1] !== undefined;
  if (v6 ? !ipaddr.IPv6.isValid(address) : !ipaddr.IPv4.isValidFourPartDecimal(address)) {
    return `"${token}" is not an address; write one like ${v6 ? '[::1]/128' : '192.0.2.0/24'}`;
  }
  if (match[3] === undefined) return undefined;
  const bits = Number(match[3]);
  const most = v6 ? 128 : 32;
  if (bits > most) return `"${token}": a prefix has at most ${most} bits`;
  const network = v6
    ? ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits}`)
    : ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits}`);
  if (network.toString() !== ipaddr.parse(address).toString()) {
    const text = v6 ? `[${network.toString()}]/${bits}` : `${network.toString()}/${bits}`;
    return `"${token}" has host bits beyond its prefix; write ${text}`;
  }
  return undefined;
}
