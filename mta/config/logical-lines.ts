/**
 * Postfix's logical lines, shared by main.cf, master.cf and lookup tables: a line that starts with white space
 * continues the one before; empty lines and lines whose first other character is `#` are skipped, also in between
 * (postconf(5), "main.cf file format"). Never fails.
 */
import type { Finding } from '../contract/server.ts';

export interface LogicalLine {
  /** Pieces joined by one space, without leading or trailing white space. */
  readonly text: string;
  /** Number of its first line, from 1. */
  readonly line: number;
  /** It starts with white space and there is nothing to continue: not a logical line at all. */
  readonly orphan: boolean;
}

export function logicalLines(text: string): LogicalLine[] {
  const result: LogicalLine[] = [];
  let pieces: string[] = [];
  let first = 0;
  let orphan = false;
  const flush = (): void => {
    if (pieces.length > 0) result.push({ text: pieces.join(' '), line: first, orphan });
    pieces = [];
  };
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const trimmed = trim(line);
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (/^[ \t\r\f\v]/.test(line)) {
      if (pieces.length === 0) {
        first = index + 1;
        orphan = true;
      }
      pieces.push(trimmed);
      continue;
    }
    flush();
    orphan = false;
    first = index + 1;
    pieces.push(trimmed);
  }
  flush();
  return result;
}

/** The lines of main.cf or master.cf; those that continue nothing are passed over, as Postfix does, and put in `findings`. */
export function* settingLines(text: string, file: string, findings: Finding[]): Generator<LogicalLine> {
  for (const logical of logicalLines(text)) {
    if (!logical.orphan) {
      yield logical;
      continue;
    }
    findings.push({
      level: 'warning',
      code: 'orphan-continuation',
      message: `logical line must not start with whitespace: "${logical.text}"`,
      file,
      line: logical.line,
    });
  }
}

/** Only ASCII white space: an ideographic space is a character like any other, and is reported as such. */
function trim(text: string): string {
  return text.replace(/^[ \t\r\f\v]+/, '').replace(/[ \t\r\f\v]+$/, '');
}
