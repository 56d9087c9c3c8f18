/**
 * Brings a spool folder into a state the writer can work on: locked, sound, migrated, without stray body files.
 *
 * Promises: a damaged database is moved aside to `<spool>/damaged-<time>/`, never deleted, and what can still be read of
 * it is taken over; the store then works. A message whose body file is missing goes to corrupt. Each of these is a finding.
 * Fails: DurabilityError, PostriderError `conflict` (another process, a newer schema), or the file system's own error.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import type { Finding } from '../contract/server.ts';
import { syncFolderNow } from '../files/sync-folder.ts';
import { Changes } from './changes.ts';
import {
  DamagedError,
  databaseName,
  isDamage,
  migrate,
  openForWriting,
  type Db,
  type WriterPragmas,
} from './database.ts';
import { salvage } from './salvage.ts';
import { queueCodes } from './schema.ts';

export interface Spool {
  readonly db: Db;
  readonly findings: Finding[];
}

/**
 * `sweep`: remove stray body files; only at the first opening, for later the callers' files that are about to be named by
 * a message lie there too.
 */
export function openSpool(spool: string, pragmas: WriterPragmas, sweep = true, now: Date = new Date()): Spool {
  const findings: Finding[] = [];
  const bodies = path.join(spool, 'bodies');
  const file = path.join(spool, databaseName);
  mkdirSync(bodies, { recursive: true, mode: 0o700 });
  let db: Db | undefined;
  let damaged: string | undefined;
  try {
    db = openSound(file, pragmas);
  } catch (error) {
    if (!isDamage(error)) throw error;
    damaged = moveAside(spool, now);
    db = openSound(file, pragmas);
    const rescued = salvage(path.join(damaged, databaseName), db, pragmas);
    findings.push({
      level: 'error',
      code: 'queue-damaged',
      message: `The queue database was damaged and has been moved to ${damaged}. ${String(rescued)} messages were taken over from it into the new one.`,
      file: damaged,
    });
  }
  if (sweep) sweepBodies(db, bodies, damaged ?? newestDamaged(spool), findings);
  syncFolderNow(bodies);
  syncFolderNow(spool);
  return { db, findings };
}

/** Opens and checks the tables lists and scheduling stand on. Bodies are checked when read: they have checksums. */
function openSound(file: string, pragmas: WriterPragmas): Db {
  const db = openForWriting(file, pragmas);
  try {
    migrate(db, file);
    for (const table of ['messages', 'recipients', 'counters', 'reasons', 'tallies']) {
      const result = db.pragma(`quick_check(${table})`, { simple: true });
      if (result !== 'ok') throw new DamagedError(String(result));
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function moveAside(spool: string, now: Date): string {
  const stamp = now.toISOString().replace(/[:.]/g, '-');
  let folder = path.join(spool, `damaged-${stamp}`);
  for (let n = 2; existsSync(folder); n++) folder = path.join(spool, `damaged-${stamp}-${String(n)}`);
  mkdirSync(folder, { mode: 0o700 });
  // The WAL belongs to its database: together they are the evidence, and what salvage reads.
  for (const suffix of ['', '-wal', '-shm']) {
    const from = path.join(spool, databaseName + suffix);
    if (existsSync(from)) renameSync(from, path.join(folder, databaseName + suffix));
  }
  syncFolderNow(folder);
  syncFolderNow(spool);
  return folder;
}

function newestDamaged(spool: string): string | undefined {
  const name = readdirSync(spool)
    .filter((entry) => entry.startsWith('damaged-'))
    .sort()
    .at(-1);
  return name === undefined ? undefined : path.join(spool, name);
}

/**
 * Body files no message names are leftovers of a crash before the commit (or after a removal) and are removed; while
 * a damaged database is kept beside, they may be all that is left of a message, so they are moved to it instead.
 */
function sweepBodies(db: Db, bodies: string, damaged: string | undefined, findings: Finding[]): void {
  const named = new Map(
    db
      .prepare<[], { id: string; body_file: string; body_size: number; queue: number }>(
        'SELECT id, body_file, body_size, queue FROM messages WHERE body_file IS NOT NULL',
      )
      .all()
      .map((row) => [row.body_file, row]),
  );
  const present = new Set(readdirSync(bodies));
  let orphans = 0;
  for (const name of present) {
    if (named.has(name)) continue;
    orphans++;
    if (damaged === undefined) {
      unlinkSync(path.join(bodies, name));
    } else {
      mkdirSync(path.join(damaged, 'bodies'), { recursive: true, mode: 0o700 });
      renameSync(path.join(bodies, name), path.join(damaged, 'bodies', name));
    }
  }
  if (orphans > 0) {
    const fate = damaged === undefined ? 'removed' : `moved to ${path.join(damaged, 'bodies')}`;
    findings.push({
      level: damaged === undefined ? 'info' : 'warning',
      code: 'queue-orphans',
      message: `${String(orphans)} body files that no message names were ${fate}.`,
    });
  }
  const missing = [...named.values()].filter(
    (row) =>
      row.queue !== queueCodes.corrupt &&
      (!present.has(row.body_file) || statSync(path.join(bodies, row.body_file)).size !== row.body_size),
  );
  if (missing.length === 0) return;
  const changes = new Changes(db);
  db.transaction(() => {
    for (const row of missing) {
      changes.corrupt(row.id, present.has(row.body_file) ? 'body file has the wrong size' : 'body file is missing');
      changes.tally.keep();
      findings.push({
        level: 'error',
        code: 'queue-body-missing',
        message: `${row.id}: its body file ${row.body_file} is missing or has the wrong size; moved to corrupt.`,
      });
    }
    changes.tally.write();
  }).immediate();
}
