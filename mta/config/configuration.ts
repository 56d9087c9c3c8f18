/**
 * What the rest of the MTA sees of main.cf and master.cf: effective values, already expanded and typed.
 *
 * Promises: immutable; a reload makes a new Configuration and swaps it whole. A getter of a parameter that is not in
 * the parameter table throws (a programming error); a value that does not fit its type was refused when it was loaded.
 */
import type { Finding } from '../contract/server.ts';

export interface MasterService {
  /** First column as written: `smtp`, `127.0.0.1:1025`, `submission`. */
  readonly service: string;
  readonly type: 'inet' | 'unix' | 'fifo' | 'unix-dgram' | 'pass';
  readonly private: boolean;
  readonly unprivileged: boolean;
  readonly chroot: boolean;
  readonly wakeup: string;
  readonly maxproc: string;
  /** `smtpd`, `smtp`, `local`, … */
  readonly command: string;
  readonly arguments: readonly string[];
  /** From `-o name=value`. */
  readonly overrides: ReadonlyMap<string, string>;
  readonly line: number;
}

export interface Configuration {
  /** The folder that holds main.cf and master.cf. */
  readonly folder: string;
  readonly services: readonly MasterService[];
  readonly findings: readonly Finding[];

  /** Whether main.cf (or an override) names the parameter. */
  isSet(name: string): boolean;
  /** Effective value after $expansion; '' when empty. */
  text(name: string): string;
  /** Split at white space and commas, Postfix's way; braces keep a token together. */
  list(name: string): readonly string[];
  bool(name: string): boolean;
  int(name: string): number;
  /** A Postfix time value (`300s`, `5d`), in milliseconds. */
  time(name: string): number;
  /** Expands `$name` in a value that is not a parameter of its own. */
  expand(value: string): string;
  /** The same configuration as seen by one service, with its -o overrides. */
  forService(service: MasterService): Configuration;
}
