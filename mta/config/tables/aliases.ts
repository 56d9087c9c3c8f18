/**
 * aliases(5): `name: value, value …`, names folded to lower case, quoted names allowed. Values are kept as written;
 * `splitAliasValue` takes them apart. A line that is not so is reported and skipped.
 */
import { logicalLines } from '../logical-lines.ts';
import type { TableContents } from './table.ts';

export interface Aliases extends TableContents {
  readonly entries: ReadonlyMap<string, { readonly value: string; readonly line: number }>;
}

export type AliasTarget =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'include'; readonly file: string };

export function parseAliases(text: string, file: string): Aliases {
  const entries = new Map<string, { value: string; line: number }>();
  const warnings: string[] = [];
  for (const { text: logical, line, orphan } of logicalLines(text)) {
    const match = orphan ? null : /^(?:"((?:[^"\\]|\\.)*)"|([^":\s][^":]*?))\s*:\s*(\S.*)$/s.exec(logical);
    const value = match?.[3];
    if (match === null || value === undefined) {
      warnings.push(`${file}, line ${line}: need name:value pair; skipped "${logical}"`);
      continue;
    }
    const name = (match[1]?.replace(/\\(.)/g, '$1') ?? match[2] ?? '').toLowerCase();
    if (name.includes('@')) {
      warnings.push(`${file}, line ${line}: an alias name is local, without @: "${name}"`);
    } else if (entries.has(name)) {
      warnings.push(`${file}, line ${line}: duplicate entry: "${name}"`);
    } else {
      entries.set(name, { value: value.trimEnd(), line });
    }
  }
  return { entries, warnings, get: (key) => entries.get(key.toLowerCase())?.value };
}

/** Splits an alias' value at commas (quotes protect them) and says what each part is. */
export function splitAliasValue(value: string): AliasTarget[] {
  return splitAtCommas(value).map((text) => {
    const bare = /^"((?:[^"\\]|\\.)*)"$/s.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? text;
    if (bare.startsWith('|')) return { kind: 'command', command: bare.slice(1).trim() };
    if (bare.startsWith('/')) return { kind: 'file', file: bare };
    if (/^:include:/i.test(bare)) return { kind: 'include', file: bare.slice(9).trim() };
    return { kind: 'address', address: text };
  });
}

function splitAtCommas(value: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i] ?? '';
    if (char === '"') quoted = !quoted;
    if (char === ',' && !quoted) {
      parts.push(part.trim());
      part = '';
      continue;
    }
    part += char;
    if (char === '\\' && i + 1 < value.length) part += value[++i] ?? '';
  }
  return [...parts, part.trim()].filter((text) => text !== '');
}
