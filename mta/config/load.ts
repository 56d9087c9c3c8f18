/**
 * Reads main.cf and master.cf into a Configuration.
 *
 * Promises: what it returns is usable: every value fits its type, every $expansion ends. Throws ConfigurationError
 * with file, line, what is wrong and the remedy; the caller keeps the configuration it has. What is only odd
 * (duplicates, unknown names, parameters that this server does not act on) becomes a finding.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage } from '../contract/errors.ts';
import type { Finding } from '../contract/server.ts';
import type { Configuration } from './configuration.ts';
import { EffectiveConfiguration, type Facts, type ParsedFiles } from './effective.ts';
import { ConfigurationError } from './errors.ts';
import { ExpansionError, references } from './expand.ts';
import { lookalikeHint } from './lookalikes.ts';
import { parseMainCf, type Setting } from './main-cf.ts';
import { parseMasterCf } from './master-cf.ts';
import { networkProblem } from './networks.ts';
import { parameters } from './parameters.ts';

export type { Facts } from './effective.ts';

/** `facts.dataFolder` is the folder above `etcFolder` when absent. */
export async function loadConfiguration(etcFolder: string, facts?: Facts): Promise<Configuration> {
  const mainFile = path.join(etcFolder, 'main.cf');
  const masterFile = path.join(etcFolder, 'master.cf');
  // One after the other: where both are missing, the error always names the same one.
  const mainText = await readText(mainFile);
  const masterText = await readText(masterFile);
  const { configuration, findings } = checkFiles(
    etcFolder,
    mainText,
    masterText,
    facts ?? { dataFolder: path.dirname(path.resolve(etcFolder)) },
  );
  return configuration.withFindings(findings);
}

export interface Loaded {
  readonly configuration: CheckedConfiguration;
  readonly findings: readonly Finding[];
}

/** Pure: the two texts as they would be loaded from `etcFolder`. For checking an edit before it is written. */
export function checkFiles(etcFolder: string, mainText: string, masterText: string, facts: Facts): Loaded {
  const mainFile = path.join(etcFolder, 'main.cf');
  const masterFile = path.join(etcFolder, 'master.cf');
  const main = parseMainCf(mainText, mainFile);
  const master = parseMasterCf(masterText, masterFile);
  const files: ParsedFiles = { folder: etcFolder, settings: main.settings, services: master.services };
  const configuration = new CheckedConfiguration(files, facts);
  const findings: Finding[] = [...main.findings, ...master.findings];

  for (const setting of main.settings.values()) check(configuration, setting, mainFile, undefined);
  for (const name of ['myhostname', 'mydomain', 'myorigin', 'mynetworks']) {
    const line = main.settings.get(name)?.line;
    checkMeaning(configuration, name, mainFile, line);
  }
  for (const service of master.services) {
    const view = configuration.forService(service);
    for (const [name, value] of service.overrides)
      check(view, { name, value, line: service.line }, masterFile, service);
  }

  const unused = findUnused(configuration, files);
  const unusedNames = new Set(unused.map(({ name }) => name));
  for (const { name, value, line, file } of unused) {
    const near = closest(name);
    findings.push({
      level: 'warning',
      code: 'unknown-parameter',
      message: `unused parameter: ${name}=${value}; no parameter has this name. It is kept, and not used by this server.${near === undefined ? '' : ` Did you mean ${near}?`}`,
      file,
      line,
    });
  }
  for (const { name, line } of main.settings.values()) {
    if (unusedNames.has(name) || configuration.parameter(name)?.used !== false) continue;
    findings.push({
      level: 'info',
      code: 'parameter-not-used',
      message: `${name} is a Postfix parameter that this server does not act on; it is kept, and not used by this server.`,
      file: mainFile,
      line,
    });
  }
  findings.push(...risks(configuration, masterFile));
  return { configuration, findings };
}

/** An EffectiveConfiguration whose values were checked; the loader adds what it found. */
class CheckedConfiguration extends EffectiveConfiguration {
  readonly #files: ParsedFiles;
  readonly #facts: Facts;

  constructor(files: ParsedFiles, facts: Facts, findings: readonly Finding[] = []) {
    super(files, facts, findings);
    this.#files = files;
    this.#facts = facts;
  }

  withFindings(findings: readonly Finding[]): CheckedConfiguration {
    return new CheckedConfiguration(this.#files, this.#facts, findings);
  }
}

/** The text of a configuration file; what cannot be read is a ConfigurationError in postconf's words. */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConfigurationError(
      file,
      undefined,
      missing
        ? 'open: No such file or directory; start the server once to have a first one written, or name another folder with --data'
        : `cannot be read: ${errorMessage(error)}; make it readable for the user that runs the server`,
      error,
    );
  }
}

function check(configuration: EffectiveConfiguration, { name, line }: Setting, file: string, service: unknown): void {
  const parameter = configuration.parameter(name);
  try {
    // A name of the user's own is expanded too: a later reference to it would fail the same way.
    const value = parameter === undefined ? configuration.expand(`\${${name}}`) : configuration.text(name);
    const problem = parameter === undefined ? undefined : configuration.problem(name);
    if (problem !== undefined) {
      throw new ConfigurationError(file, line, `${name}: "${value}" ${problem}.${lookalikeHint(value)}`);
    }
  } catch (error) {
    if (error instanceof ExpansionError) throw new ConfigurationError(file, line, `${name}: ${error.message}`, error);
    throw error;
  }
  if (service !== undefined || !derived.has(name)) checkMeaning(configuration, name, file, line);
}

const derived: ReadonlySet<string> = new Set(['myhostname', 'mydomain', 'myorigin', 'mynetworks']);

/** What a few values must mean, beyond their type. */
function checkMeaning(
  configuration: EffectiveConfiguration,
  name: string,
  file: string,
  line: number | undefined,
): void {
  const fail = (reason: string): never => {
    throw new ConfigurationError(file, line, `${name}: ${reason}`);
  };
  const oneOf = (...values: string[]): void => {
    const value = configuration.text(name);
    if (!values.includes(value)) fail(`"${value}" is not known; write one of ${values.join(', ')}`);
  };
  switch (name) {
    case 'myhostname':
    case 'mydomain': {
      const value = configuration.text(name);
      if (!isHostName(value)) {
        fail(
          `"${value}" is not a host name; write letters, digits, - and dots, like mail.example.com.${lookalikeHint(value)}`,
        );
      }
      return;
    }
    case 'mynetworks':
    case 'smtpd_forbid_bare_newline_exclusions':
    case 'smtpd_client_event_limit_exceptions': {
      for (const token of configuration.list(name)) {
        const problem = networkProblem(token);
        if (problem !== undefined) fail(`${problem}.${lookalikeHint(token)}`);
      }
      return;
    }
    case 'mynetworks_style':
      return oneOf('class', 'subnet', 'host');
    case 'postrider_profile':
      return oneOf('sink', 'server');
    case 'postrider_sink_mailbox':
      return oneOf('sasl', 'recipient');
    case 'inet_protocols':
      for (const protocol of configuration.list(name)) {
        if (!['all', 'ipv4', 'ipv6'].includes(protocol)) fail(`"${protocol}" is not known; write all, ipv4 or ipv6`);
      }
      return;
    case 'smtpd_tls_security_level': {
      const value = configuration.text(name);
      if (value !== '') oneOf('none', 'may', 'encrypt');
      return;
    }
    case 'smtp_tls_security_level': {
      const value = configuration.text(name);
      if (value !== '') oneOf('none', 'may', 'encrypt', 'dane', 'dane-only', 'fingerprint', 'verify', 'secure');
      return;
    }
    case 'smtpd_forbid_bare_newline':
      return oneOf('yes', 'no', 'normalize', 'note', 'reject');
    default:
      return;
  }
}

function isHostName(value: string): boolean {
  return (
    value.length <= 255 &&
    value.split('.').every((label) => /^[\p{L}\p{N}_]([\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?$/u.test(label)) &&
    !/[\uff00-\uffef]/.test(value)
  );
}

/** Settings that nothing uses: no parameter has that name, and no value refers to it. */
export function findUnused(configuration: EffectiveConfiguration, files: ParsedFiles): (Setting & { file: string })[] {
  const mainFile = path.join(files.folder, 'main.cf');
  const masterFile = path.join(files.folder, 'master.cf');
  const all: (Setting & { file: string })[] = [
    ...[...files.settings.values()].map((setting) => ({ ...setting, file: mainFile })),
    ...files.services.flatMap(({ overrides, line }) =>
      [...overrides].map(([name, value]) => ({ name, value, line, file: masterFile })),
    ),
  ];
  const used = new Set<string>();
  const queue = all.filter(({ name }) => configuration.parameter(name) !== undefined).map(({ value }) => value);
  for (const service of files.services) queue.push(...service.arguments);
  for (const { fallback } of parameters.values()) queue.push(fallback);
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    for (const name of references(value)) {
      if (used.has(name)) continue;
      used.add(name);
      for (const setting of all) if (setting.name === name) queue.push(setting.value);
    }
  }
  // A `name_time_limit` and the like of a service that master.cf no longer has is unused as well.
  return all.filter(({ name }) => configuration.parameter(name) === undefined && !used.has(name));
}

/** The known name that differs least, when it differs little. */
function closest(name: string): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.floor(name.length / 3)) + 1;
  for (const known of parameters.keys()) {
    if (Math.abs(known.length - name.length) >= least) continue;
    const distance = editDistance(name, known, least);
    if (distance < least) {
      least = distance;
      best = known;
    }
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length] ?? limit;
}

/** Settings that are allowed and that a person should know of. */
function risks(configuration: EffectiveConfiguration, masterFile: string): Finding[] {
  const findings: Finding[] = [];
  const home = configuration.text('home_mailbox');
  if (home !== '' && !home.endsWith('/')) {
    findings.push({
      level: 'warning',
      code: 'mbox-not-available',
      message: `home_mailbox = ${home} names an mbox file; this server delivers into Maildirs only. Write home_mailbox = Maildir/`,
    });
  }
  // Anonymous logins are never offered; the other options are not there to be kept.
  const missing = configuration.list('smtpd_sasl_security_options').filter((option) => option !== 'noanonymous');
  if (missing.length > 0) {
    findings.push({
      level: 'warning',
      code: 'sasl-option-not-available',
      message: `smtpd_sasl_security_options: ${missing.join(', ')} is not available on this server; to keep passwords off connections without TLS, set smtpd_tls_auth_only = yes.`,
    });
  }
  if (configuration.text('postrider_profile') === 'sink') {
    for (const service of configuration.services) {
      if (service.type !== 'inet' || service.command !== 'smtpd') continue;
      const host = /^\[?([^\]]*?)\]?:[^:]*$/.exec(service.service)?.[1];
      const loopback =
        host === undefined || host === ''
          ? configuration.list('inet_interfaces').every((name) => name === 'loopback-only' || isLoopback(name))
          : isLoopback(host);
      if (loopback) continue;
      findings.push({
        level: 'warning',
        code: 'bound-beyond-loopback',
        message: `${service.service}: this sink takes mail from everyone who can reach it. Listen on 127.0.0.1 unless you mean that.`,
        file: masterFile,
        line: service.line,
      });
    }
  } else {
    if (configuration.list('mynetworks').some((network) => /\/0$/.test(network) && !network.startsWith('!'))) {
      findings.push({
        level: 'warning',
        code: 'mynetworks-everyone',
        message:
          'mynetworks has a network of length 0: everyone may relay through this server. Name your own networks only.',
      });
    }
    if (configuration.bool('postrider_sasl_accept_any')) {
      findings.push({
        level: 'warning',
        code: 'sasl-accept-any',
        message:
          'postrider_sasl_accept_any is yes: every user name and password is accepted, and whoever authenticates may relay. Remove it from main.cf.',
      });
    }
  }
  return findings;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
