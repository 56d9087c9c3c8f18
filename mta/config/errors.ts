/**
 * What is thrown when a configuration file cannot be used. The message says what is wrong and what to write instead;
 * `file` and `line` say where. The caller keeps the configuration it has.
 */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError';
  readonly file: string;
  readonly line: number | undefined;
  /** What is wrong and its remedy, without the place. */
  readonly reason: string;

  constructor(file: string, line: number | undefined, reason: string, cause?: unknown) {
    super(
      `${file}${line === undefined ? '' : `, line ${line}`}: ${reason}`,
      cause === undefined ? undefined : { cause },
    );
    this.file = file;
    this.line = line;
    this.reason = reason;
  }
}
