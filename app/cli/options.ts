/** Options that several commands share: where the data is, HOST:PORT, lists. */
import path from 'node:path';
import { InvalidArgumentError, Option } from 'commander';

/** The sysexits(3) codes this program ends with. */
export const exitCode = { ok: 0, usage: 64, unavailable: 69, software: 70, temporary: 75, denied: 77 } as const;

export function dataOption(): Option {
  return new Option('--data <dir>', 'data folder; by default in the usual place of this platform')
    .env('POSTRIDER_DATA')
    .argParser((value) => path.resolve(value));
}

export interface HostPort {
  host: string;
  port: number;
}

/** `127.0.0.1:8025`, `[::1]:8025`, `:8025` or `8025`; without a host, 127.0.0.1. Port 0 means any free one. */
export function parseHostPort(value: string): HostPort {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]*)):)?(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError(`"${value}" is not HOST:PORT; write for example 127.0.0.1:8025 or [::1]:8025.`);
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '127.0.0.1' : host, port };
}

/** Collects a repeated option; one value may hold several, separated by commas (as the environment variable must). */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), ...value.split(',').map((item) => item.trim())].filter((item) => item !== '');
}
