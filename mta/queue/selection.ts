/**
 * A checked filter as SQL over `messages m`. Runs in the reading threads.
 *
 * Promises: values are always bound, never spliced. What the terms mean is said in terms.ts.
 */
import { queueCodes } from './schema.ts';
import type { Term } from './terms.ts';

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
  readonly active: readonly string[];
  /** The number of a reason key that exists, for `reason:` given a group's key. */
  reasonId(key: string): number | undefined;
}

type QueueTerm = Extract<Term, { field: 'queue' }>;
type OtherTerm = Exclude<Term, QueueTerm>;

interface Clause extends Condition {
  readonly tallied: boolean;
}

export function compileTerms(filter: readonly Term[], context: SelectionContext): Selection {
  const all = Object.values(queueCodes) as number[];
  let queues = all;
  const terms: Clause[] = [];
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
  term: QueueTerm,
  all: number[],
  active: readonly string[],
): { codes: number[]; condition?: Condition } {
  const name = term.queue;
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

function compileTerm(term: OtherTerm, context: SelectionContext): Clause {
  switch (term.field) {
    case 'older':
      return condition('m.arrival <= ?', term.number);
    case 'newer':
      return condition('m.arrival >= ?', term.number);
    case 'larger':
      return condition('m.size > ?', term.number);
    case 'smaller':
      return condition('m.size < ?', term.number);
    case 'from':
      if (term.value === '<>') return condition(`m.sender = ''`);
      return condition(`m.sender LIKE ? ESCAPE '\\'`, like(term.value));
    case 'to':
      return condition(recipientContains, like(term.value));
    case 'reason': {
      const id = context.reasonId(term.value);
      if (id !== undefined) return { sql: 'm.reason_id = ?', params: [id], tallied: true };
      return condition(reasonContains, like(term.value));
    }
    case 'domain':
      return { sql: 'm.domain = ?', params: [term.value.toLowerCase()], tallied: true };
    case 'id':
      return condition('m.id >= ? AND m.id < ?', term.value, `${term.value}\u{10FFFF}`);
    case 'text': {
      const contains = like(term.value);
      return condition(
        `m.sender LIKE ? ESCAPE '\\' OR ${reasonContains} OR m.id LIKE ? ESCAPE '\\' OR ${recipientContains}`,
        contains,
        contains,
        contains,
        contains,
      );
    }
  }
}

const reasonContains = `coalesce(m.reason LIKE ? ESCAPE '\\', 0)`;
const recipientContains = `EXISTS (SELECT 1 FROM recipients r WHERE r.seq = m.seq AND r.address LIKE ? ESCAPE '\\')`;

function condition(sql: string, ...params: Param[]): Clause {
  return { sql, params, tallied: false };
}

function like(value: string): string {
  return `%${value.replace(/[\\%_]/g, '\\$&')}%`;
}

/** Conditions joined by AND, with a leading ` AND`, and their parameters in order. */
export function joined(conditions: readonly Condition[]): { sql: string; params: Param[] } {
  return {
    sql: conditions.map(({ sql }) => ` AND (${sql})`).join(''),
    params: conditions.flatMap(({ params }) => params),
  };
}
