/**
 * The parameter table: every main.cf parameter's name, type and default, as Postfix 3.7/3.8 has them, and our own.
 *
 * Promises: immutable, built once. Defaults are texts before $expansion. Parameters that exist per transport are made
 * from the transport's name when asked for.
 */
import { addressesParameters } from './parameters/addresses.ts';
import { contentParameters } from './parameters/content.ts';
import { generalParameters } from './parameters/general.ts';
import { honoured } from './parameters/honoured.ts';
import { formerNames } from './parameters/legacy.ts';
import { localParameters } from './parameters/local.ts';
import { ownParameters } from './parameters/own.ts';
import { queueParameters } from './parameters/queue.ts';
import type { ParameterRow, ParameterType } from './parameters/row.ts';
import { servicesParameters } from './parameters/services.ts';
import { smtpParameters } from './parameters/smtp.ts';
import { smtpdParameters } from './parameters/smtpd.ts';
import { tlsParameters } from './parameters/tls.ts';
import { standardTransports, transportExceptions, transportSuffixes } from './parameters/transport.ts';

export type { ParameterType } from './parameters/row.ts';

export type ParameterArea =
  'addresses' | 'content' | 'general' | 'local' | 'own' | 'queue' | 'services' | 'smtp' | 'smtpd' | 'tls' | 'transport';

export interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
  /** Before $expansion. */
  readonly fallback: string;
  readonly area: ParameterArea;
  /** Whether this server acts on it. */
  readonly used: boolean;
  /** What it does; own parameters only. */
  readonly about?: string | undefined;
}

const areas: readonly (readonly [ParameterArea, readonly ParameterRow[]])[] = [
  ['addresses', addressesParameters],
  ['content', contentParameters],
  ['general', generalParameters],
  ['local', localParameters],
  ['own', ownParameters],
  ['queue', queueParameters],
  ['services', servicesParameters],
  ['smtp', smtpParameters],
  ['smtpd', smtpdParameters],
  ['tls', tlsParameters],
];

const usedSuffixes = /_(destination_(concurrency|recipient)_limit|initial_destination_concurrency)$/;

/** All parameters but those of transports that only master.cf knows, by name. */
export const parameters: ReadonlyMap<string, Parameter> = buildTable();

/**
 * The parameter of that name, or undefined when neither Postfix nor Postrider has it. `transports` are the service
 * names of master.cf that may carry per-transport parameters.
 */
export function findParameter(name: string, transports: ReadonlySet<string> = new Set()): Parameter | undefined {
  const known = parameters.get(name);
  if (known !== undefined) return known;
  if (formerNames.has(name)) return { name, type: 'text', fallback: '', area: 'general', used: true };
  for (const row of transportSuffixes) {
    const [suffix] = row;
    if (name.endsWith(`_${suffix}`) && transports.has(name.slice(0, -suffix.length - 1))) {
      return transportParameter(name, row);
    }
  }
  return undefined;
}

function buildTable(): Map<string, Parameter> {
  const table = new Map<string, Parameter>();
  for (const [area, rows] of areas) {
    for (const [name, type, fallback, about] of rows) {
      table.set(name, { name, type, fallback, area, used: area === 'own' || honoured.has(name), about });
    }
  }
  for (const transport of standardTransports) {
    for (const row of transportSuffixes) {
      const name = `${transport}_${row[0]}`;
      // `_time_limit` belongs to pipe and spawn services, which are never standard.
      if (row[0] !== 'time_limit') table.set(name, transportParameter(name, row));
    }
  }
  return new Map([...table].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function transportParameter(name: string, [, type, fallback]: ParameterRow): Parameter {
  return {
    name,
    type,
    fallback: transportExceptions.get(name) ?? fallback,
    area: 'transport',
    used: usedSuffixes.test(name),
  };
}
