/**
 * Pages, totals and groups of the queue, for people who browse it.
 *
 * Promises: keyset paging, never OFFSET: a page costs the same wherever it is, and a message that stays is neither shown
 * twice nor skipped while others come and go. Each queue is read by its own index and the queues are merged here.
 * Fails: PostriderError `bad-input` for a filter or cursor that is none.
 */
import type { Statement } from 'better-sqlite3';
import { badInput } from '../contract/errors.ts';
import type { QueueEntry, QueueGroup } from '../contract/mail.ts';
import type { Db } from './database.ts';
import { messageColumns, toEntry, type MessageRow } from './rows.ts';
import { queueCodes, senderKey } from './schema.ts';
import { compileTerms, joined, type Param, type Selection } from './selection.ts';
import type { Term } from './terms.ts';
import type { FlatListQuery } from './wire.ts';

const recipientsShown = 3;

interface SortSpec {
  readonly key: string;
  readonly tie: 'm.seq' | 'm.id';
}

/** `due` is by (next_attempt, id), the others end in seq, which every index carries. */
const sorts: Readonly<Record<FlatListQuery['sort'], SortSpec>> = {
  arrival: { key: 'm.arrival', tie: 'm.seq' },
  nextAttempt: { key: 'm.next_attempt', tie: 'm.id' },
  size: { key: 'm.size', tie: 'm.seq' },
  sender: { key: senderKey, tie: 'm.seq' },
};

type Key = string | number;
type SortedRow = MessageRow & { readonly sort_key: Key; readonly tie_key: Key };

export class Listing {
  readonly #db: Db;
  readonly #statements = new Map<string, Statement<Param[]>>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** Everything of one answer is read from one snapshot. */
  list(query: FlatListQuery): { entries: QueueEntry[]; cursor?: string | undefined; total: number } {
    return this.#snapshot(() => {
      const selection = this.select(query.filter, query.active);
      const sort = sorts[query.sort];
      const after = query.cursor === undefined ? undefined : parseCursor(query.cursor, query.sort);
      const compare = comparator(query.descending);
      const rows = selection.queues
        .flatMap((queue) => this.#page(queue, selection, sort, query.descending, after, query.limit + 1))
        .sort(compare);
      const shown = rows.slice(0, query.limit);
      const last = shown.at(-1);
      return {
        entries: shown.map((row) => toEntry(row, this.#recipients(row.seq))),
        cursor: rows.length > shown.length && last !== undefined ? formatCursor(query.sort, last) : undefined,
        total: this.total(selection),
      };
    });
  }

  select(filter: readonly Term[], active: readonly string[]): Selection {
    return compileTerms(filter, {
      active,
      reasonId: (key) =>
        this.#all<{ reason_id: number }>('SELECT reason_id FROM reasons WHERE key = ?', [key])[0]?.reason_id,
    });
  }

  /** Exact. From the counters where the filter allows, else counted. */
  total(selection: Selection): number {
    let total = 0;
    const { sql, params } = joined(selection.where);
    for (const queue of selection.queues) {
      if (selection.where.length === 0) {
        total += this.#number('SELECT n FROM counters WHERE queue = ?', [queue]);
      } else if (selection.tallied !== undefined && queue !== queueCodes.incoming) {
        total += this.#number(`SELECT coalesce(sum(n), 0) AS n FROM tallies m WHERE m.queue = ?${sql}`, [
          queue,
          ...params,
        ]);
      } else {
        total += this.#number(`SELECT count(*) AS n FROM messages m WHERE ${inQueue(queue)}${sql}`, params);
      }
    }
    return total;
  }

  /** How many match, and the newest message now: what an action by filter starts from. */
  count(filter: readonly Term[], active: readonly string[]): { total: number; upTo: number } {
    return this.#snapshot(() => ({
      total: this.total(this.select(filter, active)),
      upTo: this.#number('SELECT coalesce(max(seq), 0) AS n FROM messages', []),
    }));
  }

  /** Ids that match, in storage order, between two message numbers: the chunks of an action. */
  ids(
    filter: readonly Term[],
    active: readonly string[],
    after: number,
    upTo: number,
    limit: number,
  ): { seq: number; id: string }[] {
    const selection = this.select(filter, active);
    const { sql, params } = joined(selection.where);
    return this.#all<{ seq: number; id: string }>(
      `SELECT m.seq, m.id FROM messages m NOT INDEXED WHERE m.seq > ? AND m.seq <= ?
       AND m.queue IN (${selection.queues.join(', ')})${sql} ORDER BY m.seq LIMIT ?`,
      [after, upTo, ...params, limit],
    );
  }

  groups(
    by: 'reason' | 'destination',
    filter: readonly Term[],
    limit: number,
    active: readonly string[],
  ): QueueGroup[] {
    return this.#snapshot(() => {
      const selection = this.select(filter, active);
      const column = by === 'reason' ? 'reason_id' : 'domain';
      const groups = new Map<Key, { count: number; domains: Set<string>; queues: Set<number> }>();
      for (const row of this.#groupRows(selection, by)) {
        let group = groups.get(row.key);
        if (group === undefined) groups.set(row.key, (group = { count: 0, domains: new Set(), queues: new Set() }));
        group.count += row.n;
        group.domains.add(row.domain);
        group.queues.add(row.queue);
      }
      return [...groups]
        .sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1))
        .slice(0, limit)
        .map(([key, group]) => this.#describe(by, column, key, group, selection));
    });
  }

  #groupRows(
    selection: Selection,
    by: 'reason' | 'destination',
  ): { queue: number; key: Key; domain: string; n: number }[] {
    const { sql, params } = joined(selection.where);
    const key = by === 'reason' ? 'm.reason_id' : 'm.domain';
    // Mail without a reason has no group by reason; mail for a bare name has none by destination.
    const some = by === 'reason' ? ' AND m.reason_id <> 0' : ` AND m.domain <> ''`;
    return selection.queues.flatMap((queue) => {
      const fromTallies = selection.tallied !== undefined && queue !== queueCodes.incoming;
      return this.#all<{ queue: number; key: Key; domain: string; n: number }>(
        `SELECT m.queue, ${key} AS key, m.domain, ${fromTallies ? 'sum(m.n)' : 'count(*)'} AS n
         FROM ${fromTallies ? 'tallies' : 'messages'} m WHERE ${inQueue(queue)}${some}${sql} GROUP BY 2, 3`,
        params,
      );
    });
  }

  #describe(
    by: 'reason' | 'destination',
    column: string,
    key: Key,
    group: { count: number; domains: Set<string>; queues: Set<number> },
    selection: Selection,
  ): QueueGroup {
    const { sql, params } = joined(selection.where);
    let oldest = Infinity;
    let next = Infinity;
    let example: { reason: string | null; dsn: string | null } | undefined;
    for (const queue of group.queues) {
      const where = `FROM messages m WHERE ${inQueue(queue)} AND m.${column} = ?${sql}`;
      const first = this.#all<{ arrival: number; reason: string | null; dsn: string | null }>(
        `SELECT m.arrival, m.reason, m.dsn ${where} ORDER BY m.arrival LIMIT 1`,
        [key, ...params],
      )[0];
      if (first !== undefined && first.arrival < oldest) {
        oldest = first.arrival;
        example = first;
      }
      if (queue !== queueCodes.deferred) continue;
      const due = this.#all<{ n: number }>(`SELECT m.next_attempt AS n ${where} ORDER BY m.next_attempt LIMIT 1`, [
        key,
        ...params,
      ])[0];
      if (due !== undefined) next = Math.min(next, due.n);
    }
    return {
      key: by === 'reason' ? this.#text('SELECT key AS text FROM reasons WHERE reason_id = ?', key) : String(key),
      example: example?.reason ?? undefined,
      dsn: example?.dsn ?? undefined,
      count: group.count,
      destinations: group.domains.size,
      oldest: Number.isFinite(oldest) ? oldest : 0,
      nextAttempt: Number.isFinite(next) ? next : undefined,
    };
  }

  #page(
    queue: number,
    selection: Selection,
    sort: SortSpec,
    descending: boolean,
    after: readonly [Key, Key] | undefined,
    limit: number,
  ): SortedRow[] {
    const { sql, params } = joined(selection.where);
    const direction = descending ? 'DESC' : 'ASC';
    const beyond = after === undefined ? '' : ` AND (${sort.key}, ${sort.tie}) ${descending ? '<' : '>'} (?, ?)`;
    return this.#all<SortedRow>(
      `SELECT ${messageColumns}, ${sort.key} AS sort_key, ${sort.tie} AS tie_key FROM messages m
       WHERE ${inQueue(queue)}${beyond}${sql} ORDER BY ${sort.key} ${direction}, ${sort.tie} ${direction} LIMIT ?`,
      [...(after ?? []), ...params, limit],
    );
  }

  #recipients(seq: number): string[] {
    return this.#all<{ address: string }>('SELECT address FROM recipients WHERE seq = ? ORDER BY idx LIMIT ?', [
      seq,
      recipientsShown,
    ]).map(({ address }) => address);
  }

  #snapshot<T>(read: () => T): T {
    return this.#db.transaction(read).deferred();
  }

  #all<T>(sql: string, params: readonly Param[]): T[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      // The texts differ by filter shape only; a bound all the same.
      if (this.#statements.size >= 200) this.#statements.clear();
      this.#statements.set(sql, (statement = this.#db.prepare<Param[]>(sql)));
    }
    return statement.all(...params) as T[];
  }

  #number(sql: string, params: readonly Param[]): number {
    return this.#all<{ n: number }>(sql, params)[0]?.n ?? 0;
  }

  #text(sql: string, key: Key): string {
    return this.#all<{ text: string }>(sql, [key])[0]?.text ?? '';
  }
}

/** Says what SQLite does not infer: that the partial indexes on `queue <> 0` cover every queue but incoming. */
function inQueue(queue: number): string {
  return queue === queueCodes.incoming ? 'm.queue = 0' : `m.queue = ${String(queue)} AND m.queue <> 0`;
}

function comparator(descending: boolean): (a: SortedRow, b: SortedRow) => number {
  const sign = descending ? -1 : 1;
  return (a, b) => sign * (compareKeys(a.sort_key, b.sort_key) || compareKeys(a.tie_key, b.tie_key));
}

/** As SQLite's BINARY collation compares: by UTF-8 bytes, where JavaScript would by UTF-16 units. */
function compareKeys(a: Key, b: Key): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

/** `sort|tie|key`: opaque to callers, short enough for the contract's 200 characters. */
function formatCursor(sort: string, row: SortedRow): string {
  return `${sort}|${String(row.tie_key)}|${String(row.sort_key)}`;
}

function parseCursor(cursor: string, sort: FlatListQuery['sort']): readonly [Key, Key] {
  const [name, tie, ...rest] = cursor.split('|');
  const key = rest.join('|');
  const sortKey = sort === 'sender' ? key : Number(key);
  const tieKey = sorts[sort].tie === 'm.id' ? (tie ?? '') : Number(tie);
  const sound =
    name === sort &&
    rest.length > 0 &&
    (typeof sortKey === 'string' || (key !== '' && Number.isFinite(sortKey))) &&
    (typeof tieKey === 'string' || (tie !== '' && Number.isFinite(tieKey)));
  if (!sound) throw badInput('cursor', 'cursor: does not belong to this list; start again from the first page');
  return [sortKey, tieKey];
}
