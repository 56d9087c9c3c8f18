/**
 * Parameter values as types. Each reader returns undefined for a text that does not fit; `typeProblem` says what
 * would. Pure.
 */
import type { ParameterType } from './parameters.ts';

const unitMilliseconds: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Splits at white space and commas; braces keep a token together (and stay part of it). */
export function splitList(value: string): string[] {
  const tokens: string[] = [];
  let token = '';
  let depth = 0;
  for (const char of value) {
    if (depth === 0 && /[\s,]/.test(char)) {
      if (token !== '') tokens.push(token);
      token = '';
      continue;
    }
    if (char === '{') depth++;
    else if (char === '}' && depth > 0) depth--;
    token += char;
  }
  if (token !== '') tokens.push(token);
  return tokens;
}

export function parseBool(value: string): boolean | undefined {
  const lower = value.toLowerCase();
  return lower === 'yes' ? true : lower === 'no' ? false : undefined;
}

export function parseInteger(value: string): number | undefined {
  if (!/^[+-]?\d{1,18}$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Milliseconds. `unit` is the one of a bare number: that of the parameter's default (postconf(5)). */
export function parseTime(value: string, unit = 's'): number | undefined {
  const match = /^(\d{1,12})([smhdw]?)$/i.exec(value);
  if (match === null) return undefined;
  const factor = unitMilliseconds[(match[2] === '' ? unit : (match[2] ?? unit)).toLowerCase()];
  const result = factor === undefined ? undefined : Number(match[1]) * factor;
  return result !== undefined && Number.isSafeInteger(result) ? result : undefined;
}

/** What is wrong with an (expanded) value of that type, with the remedy; undefined when it fits. */
export function typeProblem(type: ParameterType, value: string): string | undefined {
  switch (type) {
    case 'bool':
      return parseBool(value) === undefined ? 'is not yes or no; write one of them' : undefined;
    case 'int':
      return parseInteger(value) === undefined ? 'is not a whole number; write digits only' : undefined;
    case 'size': {
      const size = parseInteger(value);
      return size === undefined || size < 0
        ? 'is not a number of bytes; write digits only, without a unit (10 MB is 10485760)'
        : undefined;
    }
    case 'time':
      return parseTime(value) === undefined
        ? 'is not a time; write a number and one of s, m, h, d, w, like 300s or 5d'
        : undefined;
    case 'text':
    case 'list':
      return undefined;
  }
}
