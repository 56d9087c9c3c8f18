/**
 * A filter over log lines as a test function, and as words that a block of the file must hold for any line in it to fit.
 *
 * Promises: linear; throws `bad-input` (field `filter`) for a field the log does not have and for a value it cannot read.
 */
import { badInput } from '../contract/errors.ts';
import { logFields, parseMoment, type Filter, type FilterTerm } from '../contract/filter.ts';
import { LogLevel } from '../contract/mail.ts';
import type { ParsedLogLine } from './parse.ts';

export interface LogFilter {
  /** Whether a line fits. */
  matches(line: ParsedLogLine): boolean;
  /** Lower-case strings; a fitting line holds each of them, in any case. */
  readonly words: readonly string[];
  /** A fitting line holds each of these, exactly. */
  readonly exact: readonly string[];
  /** A fitting line holds one of these, exactly; when empty it need not. */
  readonly oneOf: readonly string[];
  /** No fitting line is older than this. */
  readonly after: number;
  /** No fitting line is this young. */
  readonly before: number;
}

type Test = (line: ParsedLogLine) => boolean;

/** `now` is what durations (`after:1h`) count back from. */
export function compileLogFilter(filter: Filter, now: number): LogFilter {
  const tests: Test[] = [];
  const words: string[] = [];
  const exact: string[] = [];
  let oneOf: string[] = [];
  let after = Number.NEGATIVE_INFINITY;
  let before = Number.POSITIVE_INFINITY;
  for (const term of filter) {
    const test = compileTerm(term, now);
    tests.push(term.not ? (line) => !test(line) : test);
    if (term.not) continue;
    if (term.field === 'text' || term.field === 'service') words.push(term.value.toLowerCase());
    if (term.field === 'id') exact.push(term.value);
    if (term.field === 'level') oneOf = levelMarks(term.value);
    if (term.field === 'after') after = Math.max(after, moment(term, now));
    if (term.field === 'before') before = Math.min(before, moment(term, now));
  }
  return { matches: (line) => tests.every((test) => test(line)), words, exact, oneOf, after, before };
}

function compileTerm(term: FilterTerm, now: number): Test {
  const { field, value } = term;
  switch (field) {
    case 'text': {
      const word = value.toLowerCase();
      return (line) => line.text.toLowerCase().includes(word) || line.process.toLowerCase().includes(word);
    }
    case 'id':
      return (line) => line.queueId === value;
    case 'service': {
      // `smtpd` is postfix/smtpd and postfix/submission/smtpd; `submission/smtpd` and the whole name are exact.
      const name = value.toLowerCase();
      return ({ process }) => {
        const whole = process.toLowerCase();
        return whole === name || whole.endsWith(`/${name}`);
      };
    }
    case 'level': {
      const level = LogLevel.safeParse(value.toLowerCase());
      if (!level.success) {
        throw badInput('filter', `level:${value}: no such level. Use one of ${LogLevel.options.join(', ')}.`);
      }
      // This level and worse: whoever asks for warnings wants errors too.
      const least = LogLevel.options.indexOf(level.data);
      return (line) => LogLevel.options.indexOf(line.level) >= least;
    }
    case 'after': {
      const time = moment(term, now);
      return (line) => line.time >= time;
    }
    case 'before': {
      const time = moment(term, now);
      return (line) => line.time < time;
    }
    default:
      throw badInput('filter', `${field}: the log has no such field. It has ${logFields.join(', ')}.`);
  }
}

/** How lines of that level and worse begin; none when all lines are of it. */
function levelMarks(level: string): string[] {
  const least = LogLevel.options.findIndex((option) => option === level.toLowerCase());
  return least <= 0 ? [] : LogLevel.options.slice(least).map((option) => `${option}: `);
}

function moment({ field, value }: FilterTerm, now: number): number {
  const time = parseMoment(value, now);
  if (time === undefined) {
    throw badInput('filter', `${field}:${value}: not a time. Write a date like 2026-11-14, or a duration like 2h.`);
  }
  return time;
}
