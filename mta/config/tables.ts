/**
 * Opens lookup tables by Postfix's `type:name` (DATABASE_README): hash, btree, lmdb, dbm, cdb, sdbm and texthash read
 * the text file that postmap would; inline, static, regexp, pcre, cidr, fail, unix:passwd.byname; `proxy:` is seen
 * through.
 *
 * Promises: a changed file counts within `recheck` milliseconds, without postmap; while a file is being replaced the
 * old contents count. Throws ConfigurationError for a type that is not known or a file that cannot be read at first.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage } from '../contract/errors.ts';
import type { Configuration } from './configuration.ts';
import { ConfigurationError } from './errors.ts';
import { splitList } from './values.ts';
import { parseAliases } from './tables/aliases.ts';
import { parseCidrTable } from './tables/cidr-table.ts';
import { parsePatternTable } from './tables/pattern-table.ts';
import type { LookupTable, TableContents } from './tables/table.ts';
import { parseTextTable } from './tables/text-table.ts';

export type { LookupTable } from './tables/table.ts';

export interface TableOptions {
  /**
   * `aliases`: the file of a hash: and the like has the syntax of aliases(5). That is the default for tables that
   * alias_maps or alias_database name; `map` for all others.
   */
  readonly syntax?: 'map' | 'aliases' | undefined;
  /** Answers unix:passwd.byname: whether a local user of that name exists. */
  readonly knownUser?: ((name: string) => boolean | Promise<boolean>) | undefined;
  /** Milliseconds between looks at the file's time stamp. */
  readonly recheck?: number | undefined;
}

const textTypes: ReadonlySet<string> = new Set(['hash', 'btree', 'lmdb', 'dbm', 'cdb', 'sdbm', 'texthash']);

/** The table types that `openTable` knows, for `postconf -m`. */
export const tableTypes: readonly string[] = [
  ...textTypes,
  'cidr',
  'fail',
  'inline',
  'pcre',
  'proxy',
  'regexp',
  'static',
  'unix',
].sort();

export async function openTable(
  spec: string,
  configuration: Configuration,
  options: TableOptions = {},
): Promise<LookupTable> {
  const expanded = configuration.expand(spec).replace(/^proxy:/, '');
  const separator = expanded.indexOf(':');
  const type = separator === -1 ? configuration.text('default_database_type') : expanded.slice(0, separator);
  const name = expanded.slice(separator + 1).trim();
  const constant = (get: TableContents['get'], warnings: readonly string[] = []): LookupTable => ({
    spec,
    warnings,
    lookup: (key) => Promise.resolve(get(key)),
  });
  if (name === '') throw new ConfigurationError(spec, undefined, 'nothing follows the table type; write type:name');
  const file = path.resolve(configuration.folder, name);
  if (textTypes.has(type)) {
    const syntax = options.syntax ?? (isAliasTable(expanded, configuration) ? 'aliases' : 'map');
    const parse = syntax === 'aliases' ? parseAliases : parseTextTable;
    return fileTable(spec, file, (text) => parse(text, file), options.recheck);
  }
  switch (type) {
    case 'regexp':
    case 'pcre': {
      const inline = bracedRules(name);
      if (inline !== undefined) {
        const contents = parsePatternTable(inline, spec, type);
        return constant((key) => contents.get(key), contents.warnings);
      }
      return fileTable(spec, file, (text) => parsePatternTable(text, file, type), options.recheck);
    }
    case 'cidr': {
      const inline = bracedRules(name);
      if (inline !== undefined) {
        const contents = parseCidrTable(inline, spec);
        return constant((key) => contents.get(key), contents.warnings);
      }
      return fileTable(spec, file, (text) => parseCidrTable(text, file), options.recheck);
    }
    case 'inline': {
      const entries = inlineEntries(spec, name);
      return constant((key) => entries.get(key.toLowerCase()));
    }
    case 'static': {
      const value = /^\{(.*)\}$/s.exec(name)?.[1]?.trim() ?? name;
      return constant(() => value);
    }
    case 'fail':
      return {
        spec,
        warnings: [],
        lookup: () => Promise.reject(new ConfigurationError(spec, undefined, 'this table always fails')),
      };
    case 'unix': {
      const { knownUser } = options;
      if (name !== 'passwd.byname' || knownUser === undefined) {
        throw new ConfigurationError(spec, undefined, 'only unix:passwd.byname is available, for lists of local users');
      }
      return { spec, warnings: [], lookup: async (key) => ((await knownUser(key)) ? key : undefined) };
    }
    default:
      throw new ConfigurationError(
        spec,
        undefined,
        `"${type}" is not a table type that this server has; it has ${tableTypes.join(', ')}`,
      );
  }
}

function isAliasTable(expanded: string, configuration: Configuration): boolean {
  return ['alias_maps', 'alias_database'].some((name) =>
    configuration.list(name).some((spec) => spec.replace(/^proxy:/, '') === expanded),
  );
}

async function fileTable(
  spec: string,
  file: string,
  parse: (text: string) => TableContents,
  recheck = 100,
): Promise<LookupTable> {
  const look = async (): Promise<string> => {
    const found = await stat(file, { bigint: true });
    return `${found.ino}:${found.size}:${found.mtimeNs}`;
  };
  const read = async (): Promise<{ stamp: string; contents: TableContents }> => {
    // The stamp first: a change between the two reads the file once more, and is never missed.
    const stamp = await look();
    return { stamp, contents: parse(await readFile(file, 'utf8')) };
  };
  let current: { stamp: string; contents: TableContents };
  try {
    current = await read();
  } catch (error) {
    throw new ConfigurationError(
      file,
      undefined,
      `cannot be read for ${spec}: ${errorMessage(error)}; create the file, or take the table out of main.cf`,
      error,
    );
  }
  let checked = performance.now();
  let checking: Promise<void> | undefined;
  const refresh = async (): Promise<void> => {
    try {
      if ((await look()) !== current.stamp) current = await read();
    } catch {
      // Being replaced, or gone: what was read stays true until there is something else to read.
    } finally {
      checked = performance.now();
      checking = undefined;
    }
  };
  return {
    spec,
    get warnings() {
      return current.contents.warnings;
    },
    lookup: async (key) => {
      if (performance.now() - checked >= recheck) await (checking ??= refresh());
      return current.contents.get(key);
    },
  };
}

/** `{ {rule} {rule} }` → one rule a line; undefined when `name` is a file name. */
function bracedRules(name: string): string | undefined {
  const inside = /^\{(.*)\}$/s.exec(name)?.[1];
  return inside === undefined
    ? undefined
    : splitList(inside)
        .map((rule) => (/^\{(.*)\}$/s.exec(rule)?.[1] ?? rule).trim())
        .join('\n');
}

/** `{ key=value, {key = text with spaces} }` */
function inlineEntries(spec: string, name: string): Map<string, string> {
  const inside = /^\{(.*)\}$/s.exec(name)?.[1];
  if (inside === undefined) {
    throw new ConfigurationError(spec, undefined, 'write inline:{key=value, {key = value with spaces}}');
  }
  const entries = new Map<string, string>();
  for (const token of splitList(inside)) {
    const text = /^\{(.*)\}$/s.exec(token)?.[1] ?? token;
    const equals = text.indexOf('=');
    const key = text.slice(0, equals).trim();
    if (equals === -1 || key === '') {
      throw new ConfigurationError(spec, undefined, `"${token}" is not key=value`);
    }
    entries.set(key.toLowerCase(), text.slice(equals + 1).trim());
  }
  return entries;
}
