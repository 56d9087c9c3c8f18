/**
 * Configuration over parsed files: looks a parameter up in the -o overrides, main.cf, what the machine tells, and the
 * table, expands and types it. Immutable; every value is expanded once.
 */
import { hostname as systemHostname } from 'node:os';
import type { Finding } from '../contract/server.ts';
import type { Configuration, MasterService } from './configuration.ts';
import { expand, type ExpansionSource } from './expand.ts';
import type { Setting } from './main-cf.ts';
import { defaultNetworks } from './networks.ts';
import { findParameter, type Parameter, type ParameterType } from './parameters.ts';
import { parseBool, parseInteger, parseTime, splitList, typeProblem } from './values.ts';

/** What the configuration takes from its surroundings. */
export interface Facts {
  /** The system's host name; os.hostname() when absent. */
  readonly hostname?: string | undefined;
  readonly dataFolder: string;
}

export interface ParsedFiles {
  readonly folder: string;
  readonly settings: ReadonlyMap<string, Setting>;
  readonly services: readonly MasterService[];
}

/** Parameters whose `$` is left for the moment of use (`$recipient`, `$rbl_domain`), or is a plain character. */
const rawParameters: ReadonlySet<string> = new Set([
  'command_execution_directory',
  'command_expansion_filter',
  'default_rbl_reply',
  'execution_directory_expansion_filter',
  'forward_expansion_filter',
  'forward_path',
  'luser_relay',
  'mailbox_command',
  'postscreen_expansion_filter',
  'smtpd_expansion_filter',
  'smtpd_reject_footer',
]);

export class EffectiveConfiguration implements Configuration, ExpansionSource {
  readonly folder: string;
  readonly services: readonly MasterService[];
  readonly findings: readonly Finding[];
  readonly #files: ParsedFiles;
  readonly #facts: Facts;
  readonly #overrides: ReadonlyMap<string, string>;
  readonly #service: MasterService | undefined;
  readonly #transports: ReadonlySet<string>;
  readonly #expanded = new Map<string, string>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #forService = new WeakMap<MasterService, EffectiveConfiguration>();
  #derivingDomain = false;
  #classes: ReadonlySet<string> | undefined;

  constructor(
    files: ParsedFiles,
    facts: Facts,
    findings: readonly Finding[] = [],
    overrides: ReadonlyMap<string, string> = new Map(),
    service?: MasterService,
  ) {
    this.folder = files.folder;
    this.services = files.services;
    this.findings = findings;
    this.#files = files;
    this.#facts = facts;
    this.#overrides = overrides;
    this.#service = service;
    this.#transports = new Set(files.services.filter(({ type }) => type !== 'inet').map(({ service: name }) => name));
  }

  /** The table's entry, or one for a restriction class; undefined for a name that nothing defines. */
  parameter(name: string): Parameter | undefined {
    const known = findParameter(name, this.#transports);
    if (known !== undefined) return known;
    if (name === 'smtpd_restriction_classes') return undefined;
    this.#classes ??= new Set(this.list('smtpd_restriction_classes'));
    return this.#classes.has(name) ? { name, type: 'list', fallback: '', area: 'smtpd', used: true } : undefined;
  }

  /** The unexpanded value that counts; undefined for a name that nothing defines. */
  value(name: string): string | undefined {
    return (
      this.#overrides.get(name) ??
      this.#files.settings.get(name)?.value ??
      this.#fact(name) ??
      this.parameter(name)?.fallback
    );
  }

  /** The unexpanded default: what counts when no file names the parameter. */
  fallback(name: string): string | undefined {
    return this.#fact(name) ?? this.parameter(name)?.fallback;
  }

  isSet(name: string): boolean {
    return this.#overrides.has(name) || this.#files.settings.has(name);
  }

  text(name: string): string {
    const known = this.#expanded.get(name);
    if (known !== undefined) return known;
    if (this.parameter(name) === undefined) throw new Error(`${name} is not in the parameter table`);
    const raw = this.value(name) ?? '';
    const value = rawParameters.has(name) ? raw : expand(raw, this, [name]);
    this.#expanded.set(name, value);
    return value;
  }

  list(name: string): readonly string[] {
    let known = this.#lists.get(name);
    if (known === undefined) this.#lists.set(name, (known = Object.freeze(splitList(this.text(name)))));
    return known;
  }

  bool(name: string): boolean {
    return this.#typed(name, ['bool'], parseBool);
  }

  int(name: string): number {
    return this.#typed(name, ['int', 'size'], parseInteger);
  }

  time(name: string): number {
    return this.#typed(name, ['time'], (value) => parseTime(value, this.timeUnit(name)));
  }

  /** The unit of a bare number: the one that the default ends with. */
  timeUnit(name: string): string {
    const fallback = expand(this.parameter(name)?.fallback ?? '', this);
    return /[smhdw]$/i.exec(fallback)?.[0].toLowerCase() ?? 's';
  }

  expand(value: string): string {
    return expand(value, this);
  }

  forService(service: MasterService): EffectiveConfiguration {
    let known = this.#forService.get(service);
    if (known === undefined) {
      known = new EffectiveConfiguration(
        this.#files,
        this.#facts,
        this.findings,
        new Map([...this.#overrides, ...service.overrides]),
        service,
      );
      this.#forService.set(service, known);
    }
    return known;
  }

  /** The type of a parameter and whether its effective value fits; for the loader, which refuses what does not. */
  problem(name: string): string | undefined {
    const type = this.parameter(name)?.type;
    return type === undefined ? undefined : typeProblem(type, this.text(name));
  }

  #typed<T>(name: string, types: readonly ParameterType[], parse: (value: string) => T | undefined): T {
    const type = this.parameter(name)?.type;
    if (type === undefined || !types.includes(type)) throw new Error(`${name} is not of type ${types.join(' or ')}`);
    const value = parse(this.text(name));
    if (value === undefined) throw new Error(`${name} has the value "${this.text(name)}", which no check refused`);
    return value;
  }

  /** Defaults that the machine decides. */
  #fact(name: string): string | undefined {
    switch (name) {
      case 'config_directory':
        return this.folder;
      case 'postrider_data':
        return this.#facts.dataFolder;
      case 'process_id':
        return String(process.pid);
      case 'process_name':
        return this.#service?.command ?? 'postrider';
      case 'service_name':
        return this.#service?.service ?? '';
      case 'myhostname':
        return this.#hostname();
      case 'mydomain':
        return this.#domain();
      case 'mynetworks':
        return defaultNetworks(
          this.text('mynetworks_style'),
          this.list('inet_interfaces'),
          this.list('inet_protocols'),
        );
      default:
        return undefined;
    }
  }

  /** postconf(5), myhostname: the system's name, with mydomain when it has no dot. */
  #hostname(): string {
    const name = this.#facts.hostname ?? systemHostname();
    if (name.includes('.')) return name;
    return this.isSet('mydomain') ? `${name}.$mydomain` : `${name}.localdomain`;
  }

  /** postconf(5), mydomain: myhostname less its first part. */
  #domain(): string {
    // `myhostname = mail.$mydomain` alone would ask for itself.
    if (this.#derivingDomain) return 'localdomain';
    this.#derivingDomain = true;
    try {
      const name = expand(this.value('myhostname') ?? '', this);
      const dot = name.indexOf('.');
      return dot === -1 ? 'localdomain' : name.slice(dot + 1);
    } finally {
      this.#derivingDomain = false;
    }
  }
}
