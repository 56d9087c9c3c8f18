/**
 * Reads one line of a mail log, as syslog and Postfix's postlogd(8) write it.
 *
 * Promises: linear in the line's length; never throws. A line that is not a log line (a cut first line, a dump that
 * somebody pasted) gives undefined, so that a reader can pass over it.
 */
import type { LogLevel, LogLine } from '../contract/mail.ts';

/** A log line that does not know where it stands in its file. */
export type ParsedLogLine = Omit<LogLine, 'position'>;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const traditionalTime = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})? /;
const rfc3339Time = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})) /;
const processAndPid = /^([^\s[\]:]{1,128})(?:\[(\d{1,10})\])?: ?/;
const levelPrefix = /^(warning|error|fatal|panic): /;
/** Short ids are hexadecimal microseconds and inode; long ones are base 52 without vowels, with a `z` (postconf(5), enable_long_queue_ids). */
const shortQueueId = /^[0-9A-F]{6,20}(?=: )/;
const longQueueId = /^[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{10,16}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,16}(?=: )/;
const day = 86_400_000;

/**
 * Takes a line apart. `now` gives the traditional time stamp, which has no year and no zone, the year that puts it
 * nearest before `now` (a day ahead is allowed for clocks that differ); its zone is the local one.
 */
export function parseLogLine(line: string, now: Date): ParsedLogLine | undefined {
  const stamp = readTime(line, now);
  if (stamp === undefined) return undefined;
  const hostEnd = line.indexOf(' ', stamp.length);
  if (hostEnd === -1) return undefined;
  const host = line.slice(stamp.length, hostEnd);
  const tag = processAndPid.exec(line.slice(hostEnd + 1, hostEnd + 160));
  if (tag?.[1] === undefined) return undefined;
  const text = line.slice(hostEnd + 1 + tag[0].length);
  const level = levelPrefix.exec(text);
  const queueId = readQueueId(level === null ? text : text.slice(level[0].length));
  return {
    time: stamp.time,
    host,
    process: tag[1],
    pid: Number(tag[2] ?? 0),
    level: (level?.[1] as LogLevel | undefined) ?? 'info',
    ...(queueId === undefined ? {} : { queueId }),
    text,
  };
}

/** The queue id that a log text opens with (`4XyZ…: from=<…>`), if it does. */
export function readQueueId(text: string): string | undefined {
  const head = text.slice(0, 64);
  return (shortQueueId.exec(head) ?? longQueueId.exec(head))?.[0];
}

function readTime(line: string, now: Date): { time: number; length: number } | undefined {
  const head = line.slice(0, 48);
  const rfc3339 = rfc3339Time.exec(head);
  if (rfc3339?.[1] !== undefined) {
    const time = Date.parse(rfc3339[1].replace(/([+-]\d{2})(\d{2})$/, '$1:$2'));
    return Number.isNaN(time) ? undefined : { time, length: rfc3339[0].length };
  }
  const traditional = traditionalTime.exec(head);
  if (traditional === null) return undefined;
  const [all, name = '', date, hours, minutes, seconds] = traditional;
  const month = months.indexOf(name);
  if (month === -1) return undefined;
  const at = (year: number): number =>
    new Date(year, month, Number(date), Number(hours), Number(minutes), Number(seconds)).getTime();
  const year = now.getFullYear();
  const time = at(year) > now.getTime() + day ? at(year - 1) : at(year);
  return { time, length: all.length };
}
