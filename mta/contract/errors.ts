/**
 * The errors that cross a wire: `{code, message, field?}`. Anything else a handler throws arrives as `internal`,
 * with its message but never its stack.
 */
export const errorCodes = [
  /** The input does not fit the schema or breaks a rule; `field` names the culprit. */
  'bad-input',
  /** The thing asked for does not exist (any more). */
  'not-found',
  /** It exists, but not in a state that allows this. */
  'conflict',
  /** This server cannot do that; its capabilities say so. */
  'unsupported',
  /** The other side is not there: the server is down or the connection is lost. Trying again may help. */
  'unavailable',
  /** The caller cancelled. */
  'cancelled',
  /** The caller may not. */
  'denied',
  /** A fault of ours. */
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export class PostriderError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, options: { field?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PostriderError';
    this.code = code;
    this.field = options.field;
  }
}

export function badInput(field: string, message: string): PostriderError {
  return new PostriderError('bad-input', message, { field });
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
