/** An error as the command line tells it: one line on stderr and a sysexits(3) code. */
import { errorMessage, PostriderError, type ErrorCode } from '#mta/contract/errors.ts';
import { exitCode } from './options.ts';

const codes: Readonly<Record<ErrorCode, number>> = {
  'bad-input': exitCode.usage,
  'not-found': exitCode.unavailable,
  conflict: exitCode.unavailable,
  unsupported: exitCode.unavailable,
  unavailable: exitCode.unavailable,
  cancelled: exitCode.temporary,
  denied: exitCode.denied,
  internal: exitCode.software,
};

/** Writes it and returns the code to end with. */
export function complain(error: unknown): number {
  process.stderr.write(`postrider: ${errorMessage(error)}\n`);
  if (error instanceof PostriderError) return codes[error.code];
  return (error as NodeJS.ErrnoException).code?.startsWith('E') === true ? exitCode.unavailable : exitCode.software;
}
