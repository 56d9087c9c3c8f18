/** master.cf in the formats of `postconf -M`, `-F` and `-P`. Pure. */
import type { ParsedService } from '../config/master-cf.ts';

export interface MasterFormat {
  readonly fold: boolean;
  readonly names: boolean;
  readonly values: boolean;
}

export interface MasterText {
  readonly text: string;
  /** Patterns that no service matches. */
  readonly unmatched: readonly string[];
}

/** Where the columns begin, when those before leave room. */
const positions = [0, 11, 17, 25, 33, 41, 49, 57];
/** Columns of a folded line. Postfix folds master.cf one column earlier than main.cf. */
const lineLimit = 80;
const fieldNames = ['service', 'type', 'private', 'unprivileged', 'chroot', 'wakeup', 'process_limit', 'command'];

/** `-M`: the lines, in columns. Patterns are `service` or `service/type`, `*` matches all. */
export function printMaster(
  services: readonly ParsedService[],
  patterns: readonly string[],
  format: MasterFormat,
): MasterText {
  return select(services, patterns, 2, (service) => {
    let line = '';
    for (const [index, column] of service.columns.entries()) {
      line = (index === 0 ? '' : `${line} `).padEnd(positions[index] ?? 0) + column;
    }
    const words = argumentWords(service.arguments);
    if (!format.fold) return `${[line, ...words.map((word) => word.join(' '))].join(' ')}\n`;
    return foldWords(line, words);
  });
}

/** `-F`: one field a line. */
export function printMasterFields(
  services: readonly ParsedService[],
  patterns: readonly string[],
  format: MasterFormat,
): MasterText {
  return select(services, patterns, 3, (service, field) => {
    const values = service.columns.map((column, index) =>
      index === 7 ? [column, ...argumentWords(service.arguments).flat()].join(' ') : column,
    );
    return fieldNames
      .map((name, index) => [name, values[index] ?? ''] as const)
      .filter(([name]) => field === '*' || field === name)
      .map(([name, value]) => line(`${service.service}/${service.type}/${name}`, value, format))
      .join('');
  });
}

/** `-P`: the -o parameters. */
export function printMasterParameters(
  services: readonly ParsedService[],
  patterns: readonly string[],
  format: MasterFormat,
): MasterText {
  return select(services, patterns, 3, (service, parameter) =>
    [...service.overrides]
      .filter(([name]) => parameter === '*' || parameter === name)
      .map(([name, value]) => line(`${service.service}/${service.type}/${name}`, value, format))
      .join(''),
  );
}

/** `name = value` broken at spaces to at most 80 columns, continued by four spaces. */
export function fold(text: string): string {
  const [first = '', ...rest] = text.split(' ');
  return foldWords(
    first,
    rest.map((word) => [word]),
    false,
  );
}

function line(name: string, value: string, format: MasterFormat): string {
  if (!format.values) return `${name}\n`;
  if (!format.names) return `${value}\n`;
  return `${name} =${value === '' ? '' : ` ${value}`}\n`;
}

function foldWords(start: string, words: readonly (readonly string[])[], master = true): string {
  let result = '';
  let current = start;
  for (const word of words) {
    const text = word.join(' ');
    const apart = master && word[0] === '-o';
    if (apart || current.length + 1 + text.length > (master ? lineLimit - 1 : lineLimit)) {
      result += `${current}\n`;
      current = `    ${text}`;
    } else {
      current += ` ${text}`;
    }
  }
  return `${result}${current}\n`;
}

/** `-o name=value` as one; a value with spaces in braces, as postconf prints it. */
function argumentWords(words: readonly string[]): string[][] {
  const result: string[][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word !== '-o' || i + 1 >= words.length) {
      result.push([word]);
      continue;
    }
    const option = words[++i] ?? '';
    const inside = /^\{(.*)\}$/s.exec(option)?.[1];
    const plain = inside?.trim().replace(/\s*=\s*/, '=');
    result.push(['-o', plain === undefined ? option : /\s/.test(plain) ? `{${plain}}` : plain]);
  }
  return result;
}

function select(
  services: readonly ParsedService[],
  patterns: readonly string[],
  depth: number,
  print: (service: ParsedService, last: string) => string,
): MasterText {
  if (patterns.length === 0) return { text: services.map((service) => print(service, '*')).join(''), unmatched: [] };
  const unmatched: string[] = [];
  let text = '';
  for (const pattern of patterns) {
    // A service name may hold a slash in neither inet nor unix services that this server has.
    const [name = '*', type = '*', last = '*', ...more] = pattern.split('/');
    const printed = services
      .filter((service) => (name === '*' || name === service.service) && (type === '*' || type === service.type))
      .map((service) => print(service, last))
      .join('');
    const tooDeep = more.length > 0 || (depth === 2 && last !== '*');
    if (printed === '' || tooDeep) unmatched.push(pattern);
    else text += printed;
  }
  return { text, unmatched };
}
