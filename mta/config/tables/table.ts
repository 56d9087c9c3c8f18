/** What every lookup table is to its users (postfix DATABASE_README): a question and at most one answer. */
export interface LookupTable {
  /** `type:name` as configured. */
  readonly spec: string;
  /** The value of `key`, or undefined. Rejects with ConfigurationError when the table cannot be read (any more). */
  lookup(key: string): Promise<string | undefined>;
  /** Lines that were skipped because they cannot be read; with file and line. */
  readonly warnings: readonly string[];
}

/** A table's contents, once read. */
export interface TableContents {
  get(key: string): string | undefined;
  readonly warnings: readonly string[];
}

/** Keys longer than this are in no table: a pattern is never run over more (bytes of an SMTP command line). */
export const longestKey = 4096;
