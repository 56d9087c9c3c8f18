/**
 * One log line, taken apart for reading: what stands out in it and what it says of a delivery. Pure and linear.
 */
import { parseDuration, type Filter } from '#mta/contract/filter.ts';
import type { LogLine } from '#mta/contract/mail.ts';

export type Tone = 'ok' | 'warn' | 'bad';

export interface Segment {
  readonly kind: 'text' | 'id' | 'status' | 'code';
  readonly text: string;
  readonly tone?: Tone;
}

const tones: Readonly<Record<string, Tone>> = {
  sent: 'ok',
  deliverable: 'ok',
  deferred: 'warn',
  bounced: 'bad',
  undeliverable: 'bad',
  expired: 'bad',
};

const marks =
  /\bstatus=([a-z-]+)|\bdsn=([245]\.\d{1,3}\.\d{1,3})|\b([245]\d\d [245]\.\d{1,3}\.\d{1,3})\b|\breject\b|: NOQUEUE\b/g;

/** The text in segments; joined they are the text again. */
export function segmentsOf({ text, queueId }: Pick<LogLine, 'text' | 'queueId'>): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  if (queueId !== undefined && text.startsWith(`${queueId}:`)) {
    segments.push({ kind: 'id', text: queueId });
    at = queueId.length;
  }
  for (const match of text.matchAll(marks)) {
    const status = match[1];
    const code = match[2] ?? match[3];
    const word = status ?? code;
    if (word === undefined || match.index < at) continue;
    const start = match.index + match[0].length - word.length;
    if (start > at) segments.push({ kind: 'text', text: text.slice(at, start) });
    if (status !== undefined) segments.push({ kind: 'status', text: status, tone: tones[status] ?? 'warn' });
    else
      segments.push({
        kind: 'code',
        text: word,
        tone: word.startsWith('2') ? 'ok' : word.startsWith('4') ? 'warn' : 'bad',
      });
    at = start + word.length;
  }
  if (at < text.length) segments.push({ kind: 'text', text: text.slice(at) });
  return segments;
}

/** `postfix/submission/smtpd` → `submission/smtpd`. */
export function serviceOf(process: string): string {
  const slash = process.indexOf('/');
  return slash === -1 ? process : process.slice(slash + 1);
}

/**
 * Whether a line that just came in belongs to the filter: the rules of `log.search`, for lines that no search returned.
 * A term whose value cannot be read matches nothing, as the server's answer to it is an error.
 */
export function matches(line: LogLine, filter: Filter, now: number): boolean {
  return filter.every((term) => {
    const value = term.value.toLowerCase();
    const hit = ((): boolean => {
      switch (term.field) {
        case 'id':
          return line.queueId?.toLowerCase() === value || line.text.toLowerCase().includes(value);
        case 'service':
          return serviceOf(line.process).toLowerCase().includes(value);
        case 'level':
          return line.level === value;
        case 'after':
        case 'before': {
          const span = parseDuration(value);
          const time = span === undefined ? Date.parse(value) : now - span;
          return Number.isNaN(time) ? false : term.field === 'after' ? line.time >= time : line.time < time;
        }
        default:
          return line.text.toLowerCase().includes(value) || line.process.toLowerCase().includes(value);
      }
    })();
    return hit !== term.not;
  });
}

/** As it stands in the file, without the date. */
export function plainText(line: LogLine): string {
  return `${line.process}[${line.pid}]: ${line.text}`;
}
