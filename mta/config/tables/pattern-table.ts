/**
 * regexp_table(5) and pcre_table(5): `/pattern/flags value`, `!/pattern/`, `if`/`endif`, `$1` in the value; the first
 * match counts. Patterns run as JavaScript's: POSIX classes are translated, what JavaScript lacks (possessive
 * quantifiers, recursion) is reported and skipped.
 */
import { logicalLines } from '../logical-lines.ts';
import { longestKey, type TableContents } from './table.ts';

interface Rule {
  readonly kind: 'rule' | 'if';
  readonly pattern: RegExp;
  readonly negated: boolean;
  readonly value: string;
  readonly body: Rule[];
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
};

export function parsePatternTable(text: string, file: string, dialect: 'regexp' | 'pcre'): TableContents {
  const warnings: string[] = [];
  const top: Rule[] = [];
  const open: Rule[][] = [top];
  for (const { text: logical, line, orphan } of logicalLines(text)) {
    const warn = (reason: string): void => {
      warnings.push(`${file}, line ${line}: ${reason}; skipped "${logical}"`);
    };
    if (orphan) {
      warn('a continuation of nothing');
      continue;
    }
    if (/^endif\b/i.test(logical)) {
      if (open.length === 1) warn('endif without if');
      else open.pop();
      continue;
    }
    const conditional = /^if(?=[\s!/])\s*/i.exec(logical);
    const parsed = readPattern(logical.slice(conditional?.[0].length ?? 0), dialect);
    if (typeof parsed === 'string') {
      warn(parsed);
      // Keeps if and endif paired: a condition that cannot be read never holds.
      if (conditional !== null) open.push([]);
      continue;
    }
    const rule: Rule = { kind: conditional === null ? 'rule' : 'if', ...parsed, body: [] };
    if (rule.kind === 'rule' && rule.value === '') {
      warn('no value after the pattern');
      continue;
    }
    if (rule.kind === 'rule' && rule.negated && /\$[{(]?\d/.test(rule.value)) {
      warn('a pattern after ! has no $1 to put into the value');
      continue;
    }
    open.at(-1)?.push(rule);
    if (rule.kind === 'if') open.push(rule.body);
  }
  if (open.length > 1) warnings.push(`${file}: an if has no endif`);
  return { warnings, get: (key) => (key.length > longestKey ? undefined : run(top, key)) };
}

function run(rules: readonly Rule[], key: string): string | undefined {
  for (const rule of rules) {
    const match = rule.pattern.exec(key);
    if ((match !== null) === rule.negated) continue;
    if (rule.kind === 'if') {
      const value = run(rule.body, key);
      if (value !== undefined) return value;
      continue;
    }
    return rule.value.replace(/\$(?:\$|(\d+)|\{(\d+)\}|\((\d+)\))/g, (whole, ...groups: (string | undefined)[]) => {
      if (whole === '$$') return '$';
      return match?.[Number(groups[0] ?? groups[1] ?? groups[2])] ?? '';
    });
  }
  return undefined;
}

function readPattern(
  text: string,
  dialect: 'regexp' | 'pcre',
): { pattern: RegExp; negated: boolean; value: string } | string {
  const negated = text.startsWith('!');
  const rest = negated ? text.slice(1).trimStart() : text;
  const delimiter = rest[0];
  if (delimiter === undefined || /[A-Za-z0-9\s]/.test(delimiter)) return 'no /pattern/';
  let end = 1;
  while (end < rest.length && rest[end] !== delimiter) end += rest[end] === '\\' ? 2 : 1;
  if (end >= rest.length) return `no closing "${delimiter}"`;
  const source = rest.slice(1, end);
  const after = /^(\S*)(?:\s+(.*))?$/s.exec(rest.slice(end + 1));
  const letters = after?.[1] ?? '';
  const flags = new Set(dialect === 'pcre' ? ['i', 's'] : ['i']);
  for (const letter of letters) {
    if (dialect === 'regexp' && letter === 'x') continue;
    if (!(dialect === 'pcre' ? 'imsxAEUX' : 'im').includes(letter)) return `unknown flag "${letter}"`;
    if ('xAEUX'.includes(letter)) return `the flag "${letter}" is not available`;
    if (!flags.delete(letter)) flags.add(letter);
  }
  try {
    return {
      pattern: new RegExp(translate(source, delimiter), [...flags].sort().join('')),
      negated,
      value: after?.[2]?.trimEnd() ?? '',
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function translate(source: string, delimiter: string): string {
  let plain = '';
  for (let i = 0; i < source.length; i++) {
    if (source[i] === '\\' && source[i + 1] === delimiter) plain += /[A-Za-z0-9]/.test(delimiter) ? '' : '\\';
    else if (source[i] === '\\') plain += source[i++] ?? '';
    plain += source[i] ?? '';
  }
  return plain.replace(/\[:(\w+):\]/g, (whole, name: string) => posixClasses[name] ?? whole);
}
