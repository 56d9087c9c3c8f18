/**
 * Where an address goes: trivial-rewrite(8)'s address classes, transport(5), relayhost.
 *
 * In the sink profile every address is a mailbox here. In the server profile: local (mydestination, our own address
 * literals), virtual alias (an error at this point), virtual mailbox, relay, default; transport_maps overrides the
 * transport and next hop of any class. Promises: synchronous as long as no table is asked; a table that fails rejects
 * (the queue manager defers then). Mailbox names are as folders want them: mta/local/mailbox-name.ts folds them.
 */
import { networkInterfaces } from 'node:os';
import type { Configuration } from '../config/configuration.ts';
import type { QueuedMessage } from '../queue/store.ts';
import { isOwnAddress } from '../smtpd/destinations.ts';
import type { Route } from './agent.ts';

type Maybe<T> = T | Promise<T>;

/** Asks a table, `hash:/etc/postfix/transport`, for a key (lower case); undefined when it has none. */
export type MapLookup = (map: string, key: string) => Maybe<string | undefined>;

export interface ResolverOptions {
  readonly configuration: () => Configuration;
  readonly lookup?: MapLookup | undefined;
  /** Whether a local part (without its +extension) is a user: an alias, an SMTP user, a mailbox that exists. */
  readonly knownUser: (name: string) => Maybe<boolean>;
  /** This host's addresses, for inet_interfaces = all. */
  readonly interfaces?: (() => readonly string[]) | undefined;
}

export type AddressClass = 'local' | 'virtual-alias' | 'virtual' | 'relay' | 'default';

export interface Resolver {
  /** What createQueueManager takes as `resolve`. */
  resolve(address: string, message?: Pick<QueuedMessage, 'envelope'>): Maybe<Route>;
  classify(address: string): Maybe<AddressClass>;
  /** For smtpd: false when the address is of a class we hold a list for and is not on it. */
  recipientKnown(address: string): Maybe<boolean>;
  /** The user name of a local address, without its extension unless a user of the full name exists; else undefined. */
  localName(address: string): Maybe<string | undefined>;
}

interface Parsed {
  readonly local: string;
  /** Lower case; undefined for a bare name. */
  readonly domain: string | undefined;
}

const unknownLocal = '5.1.1 User unknown in local recipient table';
const unknownVirtual = '5.1.1 User unknown in virtual mailbox table';
const unknownAlias = '5.1.1 User unknown in virtual alias table';

export function createResolver(options: ResolverOptions): Resolver {
  const interfaces = options.interfaces ?? hostAddresses;

  function lookup(map: string, key: string): Maybe<string | undefined> {
    return options.lookup?.(map, key);
  }

  /** The first map that has one of the keys, keys in order within each map's turn (maps_find). */
  function find(maps: readonly string[], keys: readonly string[]): Maybe<string | undefined> {
    if (maps.length === 0 || options.lookup === undefined) return undefined;
    return (async () => {
      for (const key of keys) {
        for (const map of maps) {
          const value = await lookup(map, key);
          if (value !== undefined) return value;
        }
      }
      return undefined;
    })();
  }

  /** Whether a domain is in a list of names, `.parents`, `!exceptions` and tables (match_list(3)). */
  function inList(list: readonly string[], domain: string, parents: boolean): Maybe<boolean> {
    const names = [domain, ...parentsOf(domain)];
    const tables: { index: number; negated: boolean; map: string }[] = [];
    let found: { index: number; negated: boolean } | undefined;
    for (const [index, pattern] of list.entries()) {
      const negated = pattern.startsWith('!');
      const name = (negated ? pattern.slice(1) : pattern).toLowerCase();
      if (name.includes(':') && !name.startsWith('['))
        tables.push({ index, negated, map: name === '' ? '' : pattern.slice(negated ? 1 : 0) });
      else if (
        found === undefined &&
        (name === domain || (parents ? names.includes(name) : name.startsWith('.') && domain.endsWith(name)))
      ) {
        found = { index, negated };
      }
    }
    const first = found;
    const asked = tables.filter(({ index }) => first === undefined || index < first.index);
    if (asked.length === 0 || options.lookup === undefined) return first !== undefined && !first.negated;
    return (async () => {
      for (const { map, negated } of asked) {
        for (const key of parents ? names : [domain, ...parentsOf(domain).map((parent) => `.${parent}`)]) {
          if ((await lookup(map, key)) !== undefined) return !negated;
        }
      }
      return first !== undefined && !first.negated;
    })();
  }

  function isLocalDomain(configuration: Configuration, domain: string): Maybe<boolean> {
    const literal = /^\[(?:ipv6:)?([0-9a-f:.]+)\]$/.exec(domain)?.[1];
    // smtpd takes mail for any address of this machine as ours: it must not go out by SMTP from here.
    if (literal !== undefined) return isOwnAddress(literal) || ownAddresses(configuration, interfaces).has(literal);
    return inList(configuration.list('mydestination'), domain, false);
  }

  function classOf(configuration: Configuration, { domain }: Parsed): Maybe<AddressClass> {
    if (domain === undefined) return 'local';
    const answer = (tests: readonly (readonly [AddressClass, () => Maybe<boolean>])[]): Maybe<AddressClass> => {
      for (const [i, [name, test]] of tests.entries()) {
        const yes = test();
        if (yes instanceof Promise) return yes.then((is) => (is ? name : answer(tests.slice(i + 1))));
        if (yes) return name;
      }
      return 'default';
    };
    return answer([
      ['local', () => isLocalDomain(configuration, domain)],
      ['virtual-alias', () => inList(configuration.list('virtual_alias_domains'), domain, false)],
      ['virtual', () => inList(configuration.list('virtual_mailbox_domains'), domain, false)],
      ['relay', () => inList(configuration.list('relay_domains'), domain, relayParents(configuration))],
    ]);
  }

  function localUser(configuration: Configuration, local: string): Maybe<string | undefined> {
    // local_recipient_maps set empty: every name is taken (postconf(5)).
    const name = unquote(local);
    const base = withoutExtension(name, configuration.text('recipient_delimiter'));
    const maps = configuration.list('local_recipient_maps');
    if (configuration.isSet('local_recipient_maps') && maps.length === 0) return base;
    const asked = configuration.isSet('local_recipient_maps')
      ? maps.filter((map) => !map.endsWith('unix:passwd.byname'))
      : [];
    const either = (
      known: boolean,
      candidate: string,
      next: () => Maybe<string | undefined>,
    ): Maybe<string | undefined> => (known ? candidate : next());
    const ask = (candidate: string, next: () => Maybe<string | undefined>): Maybe<string | undefined> => {
      const known = options.knownUser(candidate);
      return known instanceof Promise
        ? known.then((is) => either(is, candidate, next))
        : either(known, candidate, next);
    };
    const inMaps = (): Maybe<string | undefined> => {
      const value = find(asked, [name.toLowerCase(), base.toLowerCase()]);
      return value instanceof Promise
        ? value.then((found) => (found === undefined ? undefined : base))
        : value === undefined
          ? undefined
          : base;
    };
    return ask(name, () => (base === name ? inMaps() : ask(base, inMaps)));
  }

  function virtualKnown(configuration: Configuration, address: string, parsed: Parsed): Maybe<boolean> {
    const maps = configuration.list('virtual_mailbox_maps');
    if (maps.length === 0) return true;
    const found = find(maps, addressKeys(configuration, address, parsed, true));
    return found instanceof Promise ? found.then((value) => value !== undefined) : found !== undefined;
  }

  async function overridden(
    configuration: Configuration,
    address: string,
    parsed: Parsed,
  ): Promise<string | undefined> {
    return find(configuration.list('transport_maps'), [...addressKeys(configuration, address, parsed, false), '*']);
  }

  function routeOfClass(
    configuration: Configuration,
    kind: AddressClass,
    address: string,
    parsed: Parsed,
  ): Maybe<Route> {
    const domain = parsed.domain ?? configuration.text('myorigin');
    const relayhost = configuration.text('relayhost');
    switch (kind) {
      case 'local': {
        const user = localUser(configuration, parsed.local);
        const route = (name: string | undefined): Route => {
          if (name === undefined) return { transport: 'error', nexthop: unknownLocal };
          return withMailbox(transportOf(configuration.text('local_transport'), 'local', domain), name);
        };
        return user instanceof Promise ? user.then(route) : route(user);
      }
      case 'virtual-alias':
        return { transport: 'error', nexthop: unknownAlias };
      case 'virtual': {
        const known = virtualKnown(configuration, address, parsed);
        const route = (is: boolean): Route =>
          is
            ? withMailbox(
                transportOf(configuration.text('virtual_transport'), 'virtual', domain),
                virtualMailbox(configuration, parsed),
              )
            : { transport: 'error', nexthop: unknownVirtual };
        return known instanceof Promise ? known.then(route) : route(known);
      }
      case 'relay':
        return transportOf(configuration.text('relay_transport'), 'relay', relayhost === '' ? domain : relayhost);
      case 'default':
        return transportOf(configuration.text('default_transport'), 'smtp', relayhost === '' ? domain : relayhost);
    }
  }

  function resolve(address: string, message?: Pick<QueuedMessage, 'envelope'>): Maybe<Route> {
    const configuration = options.configuration();
    if (configuration.text('postrider_profile') === 'sink') return sinkRoute(configuration, address, message);
    const parsed = parse(address);
    const kind = classOf(configuration, parsed);
    const maps = configuration.list('transport_maps');
    if (!(kind instanceof Promise) && (maps.length === 0 || options.lookup === undefined)) {
      return routeOfClass(configuration, kind, address, parsed);
    }
    return (async () => {
      const route = await routeOfClass(configuration, await kind, address, parsed);
      const entry = await overridden(configuration, address, parsed);
      if (entry === undefined) return route;
      const domain = parsed.domain ?? configuration.text('myorigin');
      const changed = applyTransport(entry, route, domain);
      if (changed.transport !== 'local' && changed.transport !== 'virtual') return changed;
      const mailbox =
        changed.transport === 'local'
          ? withoutExtension(unquote(parsed.local), configuration.text('recipient_delimiter'))
          : virtualMailbox(configuration, parsed);
      return withMailbox(changed, mailbox);
    })();
  }

  function classify(address: string): Maybe<AddressClass> {
    const configuration = options.configuration();
    return configuration.text('postrider_profile') === 'sink' ? 'local' : classOf(configuration, parse(address));
  }

  function recipientKnown(address: string): Maybe<boolean> {
    const configuration = options.configuration();
    if (configuration.text('postrider_profile') === 'sink') return true;
    const parsed = parse(address);
    const known = (kind: AddressClass): Maybe<boolean> => {
      if (kind === 'virtual') return virtualKnown(configuration, address, parsed);
      if (kind === 'virtual-alias') return false;
      if (kind === 'relay') {
        const maps = configuration.list('relay_recipient_maps');
        if (maps.length === 0) return true;
        const found = find(maps, addressKeys(configuration, address, parsed, true));
        return found instanceof Promise ? found.then((value) => value !== undefined) : found !== undefined;
      }
      if (kind === 'default') return true;
      const user = localUser(configuration, parsed.local);
      return user instanceof Promise ? user.then((name) => name !== undefined) : user !== undefined;
    };
    const kind = classOf(configuration, parsed);
    return kind instanceof Promise ? kind.then(known) : known(kind);
  }

  function localName(address: string): Maybe<string | undefined> {
    const configuration = options.configuration();
    const parsed = parse(address);
    const name = (kind: AddressClass): Maybe<string | undefined> =>
      kind === 'local' ? localUser(configuration, parsed.local) : undefined;
    const kind = classOf(configuration, parsed);
    return kind instanceof Promise ? kind.then(name) : name(kind);
  }

  return { resolve, classify, recipientKnown, localName };
}

function sinkRoute(
  configuration: Configuration,
  address: string,
  message: Pick<QueuedMessage, 'envelope'> | undefined,
): Route {
  const user = message?.envelope.saslUser;
  const byUser = user !== undefined && user !== '' && configuration.text('postrider_sink_mailbox') !== 'recipient';
  return { transport: 'virtual', nexthop: 'sink', mailbox: byUser ? user : address };
}

/** Splits at the last `@`: what stands before it may be quoted and hold others. */
function parse(address: string): Parsed {
  const at = address.lastIndexOf('@');
  if (at === -1) return { local: address, domain: undefined };
  const domain = address
    .slice(at + 1)
    .toLowerCase()
    .replace(/\.$/, '');
  return { local: address.slice(0, at), domain: domain === '' ? undefined : domain };
}

function unquote(local: string): string {
  if (local.length < 2 || !local.startsWith('"') || !local.endsWith('"')) return local;
  return local.slice(1, -1).replace(/\\(.)/gs, '$1');
}

/** `ada+tag` → `ada`. A name that begins with the delimiter, and owner-… with `-`, are left whole (split_addr(3)). */
function withoutExtension(local: string, delimiters: string): string {
  const lower = local.toLowerCase();
  if (['mailer-daemon', 'double-bounce'].includes(lower)) return local;
  for (let i = 1; i < local.length; i++) {
    const char = local.charAt(i);
    if (!delimiters.includes(char)) continue;
    if (char === '-' && (lower.startsWith('owner-') || lower.endsWith('-request'))) continue;
    return local.slice(0, i);
  }
  return local;
}

/** user+ext@domain, user@domain, then the domain and, for transport(5), `.parents`; for other maps `@domain`. */
function addressKeys(configuration: Configuration, address: string, parsed: Parsed, mailboxes: boolean): string[] {
  const full = address.toLowerCase();
  const domain = parsed.domain ?? configuration.text('myorigin').toLowerCase();
  const base = withoutExtension(parsed.local, configuration.text('recipient_delimiter')).toLowerCase();
  const keys = [parsed.domain === undefined ? `${full}@${domain}` : full];
  if (`${base}@${domain}` !== keys[0]) keys.push(`${base}@${domain}`);
  if (mailboxes) keys.push(`@${domain}`);
  else keys.push(domain, ...parentsOf(domain).map((parent) => `.${parent}`));
  return keys;
}

function virtualMailbox(configuration: Configuration, { local, domain }: Parsed): string {
  return `${withoutExtension(unquote(local), configuration.text('recipient_delimiter'))}@${domain ?? ''}`;
}

function parentsOf(domain: string): string[] {
  const parents: string[] = [];
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1))
    parents.push(domain.slice(dot + 1));
  return parents;
}

function relayParents(configuration: Configuration): boolean {
  return configuration.list('parent_domain_matches_subdomains').includes('relay_domains');
}

/** `transport:nexthop`, each half optional (transport(5)); `otherwise` is the next hop when none is written. */
function transportOf(value: string, transport: string, otherwise: string): Route {
  return applyTransport(value, { transport, nexthop: otherwise }, otherwise);
}

function applyTransport(value: string, route: Route, domain: string): Route {
  const colon = value.indexOf(':');
  const name = (colon === -1 ? value : value.slice(0, colon)).trim();
  const nexthop = colon === -1 ? '' : value.slice(colon + 1).trim();
  if (name === '' && nexthop === '') return route;
  if (name === '') return { ...route, nexthop };
  // A transport without a next hop goes to the recipient's domain, whatever relayhost says.
  const plain: Route = { transport: name, nexthop: nexthop === '' ? domain : nexthop };
  if (name === 'error' || name === 'retry' || name === 'discard') return { transport: name, nexthop };
  return plain;
}

function withMailbox(route: Route, mailbox: string): Route {
  return route.transport === 'local' || route.transport === 'virtual' ? { ...route, mailbox } : route;
}

function ownAddresses(configuration: Configuration, interfaces: () => readonly string[]): Set<string> {
  const addresses = new Set<string>();
  for (const name of [...configuration.list('inet_interfaces'), ...configuration.list('proxy_interfaces')]) {
    if (name === 'all') for (const address of interfaces()) addresses.add(address.toLowerCase());
    else if (name === 'loopback-only' || name === 'localhost') addresses.add('127.0.0.1').add('::1');
    else addresses.add(name.replace(/^\[|\]$/g, '').toLowerCase());
  }
  return addresses;
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
