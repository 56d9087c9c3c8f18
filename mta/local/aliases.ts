/**
 * Alias expansion (aliases(5)) for the local agent: plain addresses. Commands, files and :include: are refused by name.
 * Promises: ends, whatever the table holds: a name is expanded once, at most `limit` addresses come out.
 */
import { splitAliasValue } from '../config/tables/aliases.ts';

/** The right-hand side for a lower-case local name, or undefined. */
export type AliasLookup = (name: string) => string | undefined | Promise<string | undefined>;

export type Expansion =
  | { readonly kind: 'none' }
  /** `mailboxes`: local names that have no alias of their own (any more). `forward`: addresses elsewhere. */
  | { readonly kind: 'expanded'; readonly mailboxes: readonly string[]; readonly forward: readonly string[] }
  | { readonly kind: 'error'; readonly dsn: string; readonly reason: string };

export interface ExpandOptions {
  readonly lookup: AliasLookup;
  /** The local name of an address that this server holds; undefined for one elsewhere. */
  readonly localName: (address: string) => string | undefined | Promise<string | undefined>;
  /** Most addresses that one alias may give (duplicate_filter_limit's default). */
  readonly limit?: number | undefined;
}

export async function expandAliases(name: string, options: ExpandOptions): Promise<Expansion> {
  const limit = options.limit ?? 1000;
  const first = await options.lookup(name.toLowerCase());
  if (first === undefined) return { kind: 'none' };
  const mailboxes = new Set<string>();
  const forward = new Set<string>();
  const seen = new Set([name.toLowerCase()]);
  const waiting: { name: string; value: string }[] = [{ name, value: first }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const target of splitAliasValue(next.value)) {
      if (target.kind !== 'address') {
        return {
          kind: 'error',
          dsn: '4.3.5',
          reason: `alias ${next.name}: delivery to a ${target.kind} is not available`,
        };
      }
      if (mailboxes.size + forward.size >= limit) {
        return { kind: 'error', dsn: '5.4.6', reason: `alias ${name} expands to more than ${limit} addresses` };
      }
      // A backslash before a name stops further expansion.
      const literal = target.address.startsWith('\\');
      const address = bare(literal ? target.address.slice(1) : target.address);
      const local = address.includes('@') ? await options.localName(address) : address;
      if (local === undefined) {
        forward.add(address);
        continue;
      }
      const folded = local.toLowerCase();
      // An alias that names itself means the mailbox of that name.
      const value = literal || seen.has(folded) ? undefined : await options.lookup(folded);
      if (value === undefined) {
        if (folded === next.name.toLowerCase() || !seen.has(folded) || literal) mailboxes.add(local);
        continue;
      }
      seen.add(folded);
      waiting.push({ name: local, value });
    }
  }
  if (mailboxes.size + forward.size === 0) {
    return { kind: 'error', dsn: '5.4.6', reason: `alias ${name} leads to no address` };
  }
  return { kind: 'expanded', mailboxes: [...mailboxes], forward: [...forward] };
}

/** `<ada@example.org>` → `ada@example.org` */
function bare(address: string): string {
  return address.startsWith('<') && address.endsWith('>') ? address.slice(1, -1) : address;
}
