/**
 * The text that postmap(1) reads: `key white-space value`, keys folded to lower case. A key in double quotes may hold
 * white space. A line that is not so is skipped with a warning; the first of two equal keys counts.
 */
import { logicalLines } from '../logical-lines.ts';
import type { TableContents } from './table.ts';

export function parseTextTable(text: string, file: string): TableContents {
  const entries = new Map<string, string>();
  const warnings: string[] = [];
  for (const { text: logical, line, orphan } of logicalLines(text)) {
    const match = orphan ? null : /^(?:"((?:[^"\\]|\\.)*)"|(\S+))\s+(\S.*)$/s.exec(logical);
    const value = match?.[3];
    if (match === null || value === undefined) {
      warnings.push(`${file}, line ${line}: expected format: key whitespace value; skipped "${logical}"`);
      continue;
    }
    const key = (match[1]?.replace(/\\(.)/g, '$1') ?? match[2] ?? '').toLowerCase();
    if (entries.has(key)) warnings.push(`${file}, line ${line}: duplicate entry: "${key}"`);
    else entries.set(key, value.trimEnd());
  }
  return { get: (key) => entries.get(key.toLowerCase()), warnings };
}
