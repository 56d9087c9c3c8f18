/**
 * All that the log tells of one message, oldest first.
 *
 * Promises: stops at the line that made the message (its client, or the user who handed it in), so that an earlier
 * message that had the same short queue id is not mixed in; bounded by `limit` and by the search's budget.
 */
import type { LogLine } from '../contract/mail.ts';
import { searchLog, type LogSearchOptions } from './search.ts';

export interface LogTrace {
  lines: LogLine[];
  /** The message's first line is among them. */
  complete: boolean;
}

/** smtpd(8) and pickup(8) write these first; a bounce is made by cleanup(8) and begins with its message-id. */
const birth = /: (?:client=|uid=)/;

export async function traceQueueId(
  file: string,
  queueId: string,
  limit = 1000,
  options: LogSearchOptions = {},
): Promise<LogTrace> {
  const page = await searchLog(file, { filter: [{ field: 'id', value: queueId, not: false }], limit }, options);
  const first = page.lines.findIndex((line) => birth.test(line.text));
  const lines = first === -1 ? page.lines : page.lines.slice(0, first + 1);
  return { lines: lines.reverse(), complete: first !== -1 };
}
