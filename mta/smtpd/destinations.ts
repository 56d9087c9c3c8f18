/**
 * Address classes (ADDRESS_CLASS_README): is a recipient's domain ours, relayed for, or somebody else's.
 *
 * Promises: domains compare as A-labels; a local part that carries a route of its own (`user%other`, `other!user`,
 * `user@other`) is never an authorised destination (allow_untrusted_routing = no), however it is quoted: that is what
 * open relays were made of. Tables (`hash:…`) in the lists match nothing here.
 */
import { networkInterfaces } from 'node:os';
import type { Configuration } from '../config/configuration.ts';
import { comparable, literalAddress, type MailAddress } from './path.ts';

export type AddressClass = 'local' | 'virtual-alias' | 'virtual-mailbox' | 'relay' | 'default';

export interface Destination {
  readonly class: AddressClass;
  /** The local part names another destination. */
  readonly routed: boolean;
  /** Mail for it may come from anybody. */
  readonly authorised: boolean;
}

export interface Destinations {
  classify(address: MailAddress): Destination;
}

export function readDestinations(configuration: Configuration): Destinations {
  const names = (parameter: string): DomainList => domainList(configuration.list(parameter), false);
  const local = names('mydestination');
  const origin = comparable(configuration.text('myorigin'));
  const virtualAlias = names('virtual_alias_domains');
  const virtualMailbox = names('virtual_mailbox_domains');
  const relay = domainList(
    configuration.list('relay_domains'),
    configuration.list('parent_domain_matches_subdomains').includes('relay_domains'),
  );
  const proxies = new Set(configuration.list('proxy_interfaces'));
  const untrusted = configuration.bool('allow_untrusted_routing');

  function classOf(domain: string | undefined): AddressClass {
    const name = comparable(domain ?? origin);
    const literal = literalAddress(name);
    if (literal !== undefined) return proxies.has(literal) || isOwnAddress(literal) ? 'local' : 'default';
    if (local.has(name)) return 'local';
    if (virtualAlias.has(name)) return 'virtual-alias';
    if (virtualMailbox.has(name)) return 'virtual-mailbox';
    return relay.has(name) ? 'relay' : 'default';
  }

  return {
    classify(address) {
      const found = classOf(address.domain);
      const routed = /[@%!]/.test(address.local);
      return { class: found, routed, authorised: found !== 'default' && (!routed || untrusted) };
    },
  };
}

interface DomainList {
  has(name: string): boolean;
}

/** Names from left to right, the first match decides; `!name` takes out, `.name` stands for subdomains. */
function domainList(tokens: readonly string[], subdomains: boolean): DomainList {
  const entries = tokens
    .filter((token) => !token.includes(':') && !token.includes('/'))
    .map((token) => ({ wanted: !token.startsWith('!'), domain: comparable(token.replace(/^!+/, '')) }));
  return {
    has: (name) =>
      entries.find(
        ({ domain }) =>
          name === domain ||
          (domain.startsWith('.') ? name.endsWith(domain) : subdomains && name.endsWith(`.${domain}`)),
      )?.wanted ?? false,
  };
}

/** The addresses of this machine change rarely; asked anew every minute. */
let own = new Set<string>();
let ownUntil = 0;

/** Whether the IP address is one of this machine's. */
export function isOwnAddress(address: string): boolean {
  const now = performance.now();
  if (now >= ownUntil) {
    own = new Set(['127.0.0.1', '::1']);
    for (const list of Object.values(networkInterfaces())) {
      for (const one of list ?? []) own.add(one.address.replace(/%.*$/, ''));
    }
    ownUntil = now + 60_000;
  }
  return own.has(address) || address.startsWith('127.');
}
