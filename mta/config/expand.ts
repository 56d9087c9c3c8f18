/**
 * $expansion of parameter values (postconf(5)): `$name`, `${name}`, `$(name)`, `$$`, `${name?text}`, `${name:text}`,
 * `${name?{a}:{b}}` and `${{left} op {right}?{a}:{b}}`.
 *
 * Promises: ends, whatever the values say. Throws ExpansionError for a reference that cannot be read, or a parameter
 * that refers to itself.
 */
export class ExpansionError extends Error {
  override name = 'ExpansionError';
}

export interface ExpansionSource {
  /** The unexpanded value; undefined for a name that nothing defines. */
  value(name: string): string | undefined;
  /** Told of each name that is used though nothing defines it; it expands to ''. */
  undefinedName?(name: string): void;
}

/** Expansions one inside the other, as Postfix limits them. */
const deepest = 100;
/** Characters of one result: a handful of parameters that each repeat the next can otherwise fill the memory. */
const longest = 1_000_000;

/** Expands `text`. `path` are the names being expanded, outermost first. */
export function expand(text: string, source: ExpansionSource, path: readonly string[] = []): string {
  if (!text.includes('$')) return text;
  if (path.length > deepest) throw new ExpansionError(`too many parameters inside each other: ${path.join(' → ')}`);
  let result = '';
  let at = 0;
  for (;;) {
    const dollar = text.indexOf('$', at);
    result += text.slice(at, dollar === -1 ? text.length : dollar);
    if (result.length > longest) throw new ExpansionError(`the value grows beyond ${longest} characters`);
    if (dollar === -1) return result;
    const next = text[dollar + 1];
    if (next === '$') {
      result += '$';
      at = dollar + 2;
    } else if (next === '{' || next === '(') {
      const end = closing(text, dollar + 1, next);
      if (end === -1) throw new ExpansionError(`truncated macro reference: "${text.slice(dollar)}"`);
      result += reference(text.slice(dollar + 2, end), source, path);
      at = end + 1;
    } else {
      const name = /^[A-Za-z0-9_]+/.exec(text.slice(dollar + 1, dollar + 257))?.[0];
      if (name === undefined) {
        throw new ExpansionError(
          `a "$" must be followed by a parameter name in "${text.slice(dollar, dollar + 40)}"; write $$ for a plain dollar sign`,
        );
      }
      result += named(name, source, path);
      at = dollar + 1 + name.length;
    }
  }
}

/** The names that `text` refers to, directly. For "is this parameter used by another?". */
export function references(text: string): string[] {
  return [...text.matchAll(/\$[{(]?([A-Za-z0-9_]+)/g)].flatMap((match) => match[1] ?? []);
}

function named(name: string, source: ExpansionSource, path: readonly string[]): string {
  if (path.includes(name)) {
    throw new ExpansionError(`the parameter refers to itself: ${[...path, name].join(' → ')}`);
  }
  const value = source.value(name);
  if (value === undefined) {
    source.undefinedName?.(name);
    return '';
  }
  return expand(value, source, [...path, name]);
}

/** What stands between the braces. */
function reference(inside: string, source: ExpansionSource, path: readonly string[]): string {
  const body = inside.trimStart();
  if (body.startsWith('{')) return comparison(body, source, path);
  const name = /^[A-Za-z0-9_.-]+/.exec(body)?.[0];
  if (name === undefined) throw new ExpansionError(`no parameter name in "\${${inside}}"`);
  const rest = body.slice(name.length).trimStart();
  if (rest === '') return named(name, source, path);
  const operator = rest[0];
  if (operator !== '?' && operator !== ':') {
    throw new ExpansionError(`"${rest}" in "\${${inside}}" is not understood; after a name comes ? or :`);
  }
  const value = source.value(name);
  const present = value !== undefined && value !== '' && named(name, source, path) !== '';
  return choose(rest, present, source, path, inside);
}

/** `{left} op {right}?{a}:{b}` */
function comparison(body: string, source: ExpansionSource, path: readonly string[]): string {
  const left = braced(body);
  const operator = /^\s*(<=level|<level|==level|!=level|>=level|>level|==|!=|<=|>=|<|>)\s*/.exec(left.rest);
  if (operator?.[1] === undefined) {
    throw new ExpansionError(
      `no comparison operator in "\${${body}}"; known are == != < <= >= > and the same with "level"`,
    );
  }
  const right = braced(left.rest.slice(operator[0].length));
  const holds = compare(expand(left.text, source, path), operator[1], expand(right.text, source, path));
  const rest = right.rest.trimStart();
  if (rest === '') return holds ? 'bool:true' : '';
  return choose(rest, holds, source, path, body);
}

/** `?{a}:{b}`, `?text`, `:text`, `?{a}`, `:{b}`. */
function choose(rest: string, holds: boolean, source: ExpansionSource, path: readonly string[], whole: string): string {
  const wanted = rest.startsWith('?') ? holds : !holds;
  const body = rest.slice(1);
  if (!body.trimStart().startsWith('{')) return wanted ? expand(body, source, path) : '';
  const first = braced(body.trimStart());
  const after = first.rest.trim();
  if (after === '') return wanted ? expand(first.text, source, path) : '';
  if (!rest.startsWith('?') || !after.startsWith(':')) {
    throw new ExpansionError(`"${after}" in "\${${whole}}" is not understood; write \${name?{a}:{b}}`);
  }
  if (wanted) return expand(first.text, source, path);
  const second = after.slice(1).trimStart();
  return expand(second.startsWith('{') ? braced(second).text : second, source, path);
}

/** `{text} rest`; the braces nest. */
function braced(text: string): { text: string; rest: string } {
  const end = text.startsWith('{') ? closing(text, 0, '{') : -1;
  if (end === -1) throw new ExpansionError(`"{" or "}" is missing in "${text}"`);
  return { text: text.slice(1, end).trim(), rest: text.slice(end + 1) };
}

function closing(text: string, open: number, brace: '{' | '('): number {
  const close = brace === '{' ? '}' : ')';
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === brace) depth++;
    else if (text[i] === close && --depth === 0) return i;
  }
  return -1;
}

function compare(left: string, operator: string, right: string): boolean {
  const level = operator.endsWith('level');
  const order = level ? compareLevels(left, right) : compareValues(left, right);
  switch (level ? operator.slice(0, -5) : operator) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    default:
      return order >= 0;
  }
}

/** Numbers when both are, else texts. */
function compareValues(left: string, right: string): number {
  if (/^\d+$/.test(left) && /^\d+$/.test(right)) return Number(left) - Number(right);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Compatibility levels: `2`, `3.6`, `3.6.1`. */
function compareLevels(left: string, right: string): number {
  const parse = (level: string): number[] => {
    if (!/^\d+(\.\d+){0,2}$/.test(level)) {
      throw new ExpansionError(`"${level}" is not a compatibility level; write one like 2 or 3.6`);
    }
    return level.split('.').map(Number);
  };
  const a = parse(left);
  const b = parse(right);
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
