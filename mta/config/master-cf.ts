/**
 * master.cf, parsed (master(5)): eight columns, continuation lines, `-o name=value`, `-o { name = value }`.
 * Throws ConfigurationError naming the column, what stands there and what may.
 */
import type { Finding } from '../contract/server.ts';
import type { MasterService } from './configuration.ts';
import { ConfigurationError } from './errors.ts';
import { settingLines } from './logical-lines.ts';
import { lookalikeHint } from './lookalikes.ts';
import { splitNameValue } from './main-cf.ts';

export interface ParsedService extends MasterService {
  /** The first eight columns as written. */
  readonly columns: readonly string[];
}

export interface MasterCf {
  readonly services: readonly ParsedService[];
  readonly findings: readonly Finding[];
}

const types = ['inet', 'unix', 'fifo', 'unix-dgram', 'pass'] as const;

export function parseMasterCf(text: string, file: string): MasterCf {
  const services: ParsedService[] = [];
  const findings: Finding[] = [];
  const seen = new Map<string, number>();
  for (const { text: logical, line } of settingLines(text, file, findings)) {
    const service = parseService(logical, file, line);
    const key = `${service.service}/${service.type}`;
    const earlier = seen.get(key);
    if (earlier !== undefined) {
      throw new ConfigurationError(
        file,
        line,
        `the service "${service.service}" of type ${service.type} is already on line ${earlier}; remove one, or listen on another address or port`,
      );
    }
    seen.set(key, line);
    services.push(service);
  }
  return { services, findings };
}

function parseService(text: string, file: string, line: number): ParsedService {
  const fail = (reason: string): never => {
    throw new ConfigurationError(file, line, reason);
  };
  const words = splitWords(text, file, line);
  const [service, type, isPrivate, unprivileged, chroot, wakeup, maxproc, command, ...rest] = words;
  if (command === undefined) {
    return fail(
      `bad field count: ${words.length} of 8 columns in "${text}"; a service has service type private unpriv chroot wakeup maxproc command.${lookalikeHint(text)}`,
    );
  }
  const flag = (value: string | undefined, column: string, fallback: boolean): boolean => {
    if (value === 'y') return true;
    if (value === 'n') return false;
    if (value === '-') return fallback;
    return fail(`invalid ${column} field "${value}" in "${text}"; write y, n or -.${lookalikeHint(value ?? '')}`);
  };
  if (!isOneOf(types, type)) {
    return fail(
      `invalid type field "${type}" in "${text}"; write one of ${types.join(', ')}.${lookalikeHint(type ?? '')}`,
    );
  }
  if (service === undefined || !/^[\x21-\x7e]+$/.test(service)) {
    return fail(
      `invalid service field "${service}" in "${text}"; use ASCII characters.${lookalikeHint(service ?? '')}`,
    );
  }
  if (type === 'inet') checkInetService(service, fail);
  if (wakeup === undefined || !/^(-|\d+\??)$/.test(wakeup)) {
    return fail(
      `invalid wakeup_time field "${wakeup}" in "${text}"; write a number of seconds, with a ? after it if wanted, or -.${lookalikeHint(wakeup ?? '')}`,
    );
  }
  if (maxproc === undefined || !/^(-|\d+)$/.test(maxproc)) {
    return fail(
      `invalid process_limit field "${maxproc}" in "${text}"; write a number of processes or -.${lookalikeHint(maxproc ?? '')}`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(command)) {
    return fail(`invalid command field "${command}" in "${text}"; use ASCII characters.${lookalikeHint(command)}`);
  }
  return {
    service,
    type,
    private: flag(isPrivate, 'private', true),
    unprivileged: flag(unprivileged, 'unprivileged', true),
    // Since Postfix 3.0 and compatibility level 1, `-` means no.
    chroot: flag(chroot, 'chroot', false),
    wakeup,
    maxproc,
    command,
    ...parseArguments(rest, command, file, line),
    line,
    columns: words.slice(0, 8),
  };
}

/** `smtp`, `2525`, `127.0.0.1:25`, `[::1]:25`, `host:smtp`. */
function checkInetService(service: string, fail: (reason: string) => never): void {
  const port = /^(?:\[[^\]]*\]|[^:[\]]*):([^:]*)$/.exec(service)?.[1] ?? service;
  if (/[:[\]]/.test(port) || port === '') {
    fail(`invalid service field "${service}"; write a port or address:port, with an IPv6 address in [ ]`);
  }
  if (/^\d+$/.test(port) && Number(port) > 65_535) {
    fail(`invalid service field "${service}": port ${port} does not exist; ports end at 65535`);
  }
}

function parseArguments(
  rest: readonly string[],
  command: string,
  file: string,
  line: number,
): Pick<MasterService, 'arguments' | 'overrides'> {
  const overrides = new Map<string, string>();
  // pipe(8)'s and spawn(8)'s own arguments are not options.
  const hasOptions = command !== 'pipe' && command !== 'spawn';
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] ?? '';
    if (!word.startsWith('-o')) {
      const hint = lookalikeHint(word.slice(0, 1));
      if (hasOptions && hint !== '') {
        throw new ConfigurationError(file, line, `"${word}" is not an option.${hint}`);
      }
      continue;
    }
    const option = word === '-o' ? rest[++i] : word.slice(2);
    if (option === undefined) {
      throw new ConfigurationError(file, line, 'nothing follows "-o"; write -o name=value');
    }
    const inside = /^\{(.*)\}$/s.exec(option)?.[1] ?? option;
    const { name, value } = splitNameValue(inside.trim(), file, line);
    overrides.set(name, value);
  }
  return { arguments: rest, overrides };
}

/** Words at white space; `{ … }` is one word. */
function splitWords(text: string, file: string, line: number): string[] {
  const words: string[] = [];
  let i = 0;
  while (i < text.length) {
    if (/[ \t]/.test(text[i] ?? '')) {
      i++;
      continue;
    }
    const start = i;
    if (text[i] === '{') {
      let depth = 0;
      for (; i < text.length; i++) {
        if (text[i] === '{') depth++;
        else if (text[i] === '}' && --depth === 0) break;
      }
      if (depth > 0) throw new ConfigurationError(file, line, `missing '}' in "${text.slice(start)}"`);
      i++;
    }
    while (i < text.length && !/[ \t]/.test(text[i] ?? '')) i++;
    words.push(text.slice(start, i));
  }
  return words;
}

function isOneOf<T extends string>(values: readonly T[], value: string | undefined): value is T {
  return value !== undefined && (values as readonly string[]).includes(value);
}
