/**
 * A filter as SQL over `messages m`: the rules of contract/filter.ts for queueFields.
 *
 * Promises: values are always bound, never spliced. Fails: PostriderError `bad-input` naming the field, for a queue,
 * duration or size that is none. Fields: `queue:` one of the five · `from:` sender contains (`<>`: the null sender) ·
 * `to:` any recipient contains · `reason:` contains, or is a group's key · `domain:` is the destination ·
 * `older:`/`newer:` time since arrival · `larger:`/`smaller:` bytes · `id:` prefix · words: sender, recipients, reason, id.
 */
import { badInput } from '../contract/errors.ts';
import { parseDuration, parseSize, type Filter, type FilterTerm } from '../contract/filter.ts';
import { queueNames, type QueueName } from '../contract/mail.ts';
import { queueCodes } from './schema.ts';

export type Param = string | number;

export interface Condition {
  readonly sql: string;
  readonly params: readonly Param[];
}

export interface Selection {
  /** Queue codes that can match. */
  readonly queues: readonly number[];
  /** All conditions but those that `queues` says already. */
  readonly where: readonly Condition[];
  /** Set when `tallies` alone can count it: every condition is on its columns. */
  readonly tallied: readonly Condition[] | undefined;
}

export interface SelectionContext {
  readonly now: number;
  readonly active: readonly string[];
  /** The number of a reason key that exists, for `reason:` given a group's key. */
  reasonId(key: string): number | undefined;
}

interface Term extends Condition {
  readonly tallied: boolean;
}

/** Whether the filter needs to know which messages are active. */
export function speaksOfQueues(filter: Filter): boolean {
  return filter.some(({ field }) => field === 'queue');
}

export function compileFilter(filter: Filter, context: SelectionContext): Selection {
  const all = Object.values(queueCodes) as number[];
  let queues = all;
  const terms: Term[] = [];
  for (const term of filter) {
    if (term.field === 'queue') {
      const { codes, condition: also } = queueTerm(term, all, context.active);
      queues = queues.filter((code) => codes.includes(code));
      if (also !== undefined) terms.push({ ...also, tallied: false });
      continue;
    }
    const positive = compileTerm(term, context);
    terms.push(term.not ? { ...positive, sql: `NOT (${positive.sql})` } : positive);
  }
  return {
    queues,
    where: terms,
    tallied: terms.every(({ tallied }) => tallied) ? terms : undefined,
  };
}

/**
 * Active messages are stored in incoming or deferred, and are in neither for the one who looks. `-queue:deferred`
 * therefore selects active ones of deferred too.
 */
function queueTerm(
  term: FilterTerm,
  all: number[],
  active: readonly string[],
): { codes: number[]; condition?: Condition } {
  const value = term.value.toLowerCase();
  const known: readonly string[] = queueNames;
  if (!known.includes(value)) {
    throw badInput('queue', `queue:${term.value} is none of ${queueNames.join(', ')}`);
  }
  const name = value as QueueName;
  const ids = JSON.stringify(active);
  const isActive = 'm.id IN (SELECT value FROM json_each(?)) AND m.queue <= 1';
  if (name === 'active') {
    if (!term.not) return { codes: [0, 1], condition: { sql: isActive, params: [ids] } };
    return active.length === 0
      ? { codes: all }
      : { codes: all, condition: { sql: `NOT (${isActive})`, params: [ids] } };
  }
  const code = queueCodes[name];
  const others = all.filter((other) => other !== code);
  if (code > 1 || active.length === 0) return { codes: term.not ? others : [code] };
  if (!term.not) return { codes: [code], condition: { sql: `NOT (${isActive})`, params: [ids] } };
  return { codes: all, condition: { sql: `m.queue <> ? OR (${isActive})`, params: [code, ids] } };
}

function compileTerm({ field, value }: FilterTerm, context: SelectionContext): Term {
  const contains = like(value);
  switch (field) {
    case 'from':
      if (value === '<>') return condition(`m.sender = ''`);
      return condition(`m.sender LIKE ? ESCAPE '\\'`, contains);
    case 'to':
      return condition(recipientContains, contains);
    case 'reason': {
      const id = context.reasonId(value);
      if (id !== undefined) return { sql: 'm.reason_id = ?', params: [id], tallied: true };
      return condition(`coalesce(m.reason LIKE ? ESCAPE '\\', 0)`, contains);
    }
    case 'domain':
      return { sql: 'm.domain = ?', params: [value.toLowerCase()], tallied: true };
    case 'older':
      return condition('m.arrival <= ?', context.now - duration(field, value));
    case 'newer':
      return condition('m.arrival >= ?', context.now - duration(field, value));
    case 'larger':
      return condition('m.size > ?', bytes(field, value));
    case 'smaller':
      return condition('m.size < ?', bytes(field, value));
    case 'id':
      return condition('m.id >= ? AND m.id < ?', value, `${value}\u{10FFFF}`);
    case 'text':
      return condition(
        `(m.sender LIKE ? ESCAPE '\\' OR coalesce(m.reason LIKE ? ESCAPE '\\', 0) OR m.id LIKE ? ESCAPE '\\' OR ${recipientContains})`,
        contains,
        contains,
        contains,
        contains,
      );
    default:
      throw badInput(field, `${field}: is not a field of the queue`);
  }
}

const recipientContains = `EXISTS (SELECT 1 FROM recipients r WHERE r.seq = m.seq AND r.address LIKE ? ESCAPE '\\')`;

function condition(sql: string, ...params: Param[]): Term {
  return { sql, params, tallied: false };
}

function like(value: string): string {
  return `%${value.replace(/[\\%_]/g, '\\$&')}%`;
}

function duration(field: string, value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw badInput(field, `${field}:${value} is not a time: write 90s, 5m, 2h, 3d or 1w`);
  return ms;
}

function bytes(field: string, value: string): number {
  const size = parseSize(value);
  if (size === undefined) throw badInput(field, `${field}:${value} is not a size: write 500, 20k, 5m or 1g`);
  return size;
}

/** Conditions joined by AND, with a leading ` AND`, and their parameters in order. */
export function joined(conditions: readonly Condition[]): { sql: string; params: Param[] } {
  return {
    sql: conditions.map(({ sql }) => ` AND (${sql})`).join(''),
    params: conditions.flatMap(({ params }) => params),
  };
}
