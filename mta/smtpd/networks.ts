/**
 * Client lists such as mynetworks (postconf(5)): addresses, networks `192.0.2.0/24` and `[2001:db8::]/32`, host names,
 * `.domain`, each negated by `!`; the first match decides. Entries that are tables match nothing.
 */
import { BlockList, isIP } from 'node:net';

interface Entry {
  readonly wanted: boolean;
  readonly matches: (name: string, address: string) => boolean;
}

export interface ClientList {
  has(client: { readonly name: string; readonly address: string }): boolean;
}

export function clientList(tokens: readonly string[]): ClientList {
  const entries = tokens.map(entry);
  return {
    has({ name, address }) {
      return entries.find(({ matches }) => matches(name, address))?.wanted ?? false;
    },
  };
}

function entry(token: string): Entry {
  const wanted = !token.startsWith('!');
  const text = wanted ? token : token.slice(1);
  const match = /^\[?([0-9A-Fa-f:.]+)\]?(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? '';
  const version = isIP(address);
  if (version !== 0) {
    const type = version === 6 ? 'ipv6' : 'ipv4';
    const list = new BlockList();
    const most = version === 6 ? 128 : 32;
    list.addSubnet(address, Math.min(Number(match?.[2] ?? most), most), type);
    return { wanted, matches: (_, client) => isIP(client) === version && list.check(client, type) };
  }
  const name = text.toLowerCase();
  if (name === '' || name.includes(':') || name.includes('/')) return { wanted, matches: () => false };
  return {
    wanted,
    matches: (client) => client === name || client.endsWith(name.startsWith('.') ? name : `.${name}`),
  };
}
