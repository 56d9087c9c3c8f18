/**
 * The SASL users of the SMTP server: one JSON object a line in `<data>/sasl/users`, mode 0600.
 *
 * Promises: only SCRAM-SHA-256 verifiers are kept, never a password. A change is written beside the file, synced and
 * renamed, under a lock file, so that neither a crash nor two programs at once lose or tear an entry. A file changed by
 * another program is read again at the next call. An unknown user costs as much time as a wrong password.
 * Fails: `bad-input` for a name or password that cannot be stored, `not-found` when a user to change is not there,
 * `conflict` when another program holds the lock, `internal` with file and line when the file is damaged.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { badInput, PostriderError } from '../../contract/errors.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { writeWhole } from '../../files/write-whole.ts';
import { checkPassword, defaultIterations, makeVerifier, type ScramVerifier } from './scram.ts';

export interface SaslUser {
  readonly user: string;
  readonly realm: string;
}

export interface SaslUsers {
  /** Sorted by user, then realm. */
  list(): Promise<SaslUser[]>;
  /** Sets a password. `create` adds the user when it is not there; without it, that is `not-found`. */
  set(user: string, realm: string, password: string, options: { create: boolean }): Promise<void>;
  /** False when there was no such user. */
  remove(user: string, realm: string): Promise<boolean>;
  verify(user: string, realm: string, password: string): Promise<boolean>;
}

const base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/);
const Entry = z.object({
  user: z.string().min(1),
  realm: z.string(),
  mechanism: z.literal('SCRAM-SHA-256'),
  salt: base64,
  iterations: z.number().int().min(1).max(10_000_000),
  storedKey: base64,
  serverKey: base64,
});
type Entry = z.output<typeof Entry>;

/** How long a writer waits for another one, and after how long a lock left behind by a crash is taken over. */
const lockWait = 5000;
const lockAge = 30_000;

/** A code point test, because a pattern may not hold control characters. */
function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}

function checkName(field: string, value: string, allowEmpty: boolean): void {
  if (!allowEmpty && value === '') throw badInput(field, `${field} must not be empty`);
  if (value.length > 255) throw badInput(field, `${field} is longer than 255 characters`);
  if (hasControl(value)) throw badInput(field, `${field} must not hold control characters`);
}

/**
 * Splits what a person or a client gave as a login into user and realm: `bob@example.org` → bob, example.org; a bare
 * name gets `defaultRealm` (smtpd_sasl_local_domain, or $myhostname when that is empty).
 */
export function splitLogin(login: string, defaultRealm: string): SaslUser {
  const at = login.lastIndexOf('@');
  return at > 0 ? { user: login.slice(0, at), realm: login.slice(at + 1) } : { user: login, realm: defaultRealm };
}

/** Opens the users kept in `file`, which need not exist yet. */
export function openSaslUsers(file: string, options: { iterations?: number | undefined } = {}): SaslUsers {
  const iterations = options.iterations ?? defaultIterations;
  let entries = new Map<string, Entry>();
  let stamp = '';
  let changes: Promise<unknown> = Promise.resolve();
  /** Stands in for users that do not exist. Nobody knows its password. */
  let dummy: Promise<ScramVerifier> | undefined;

  const key = (user: string, realm: string): string => `${user}\0${realm.toLowerCase()}`;

  async function refresh(): Promise<void> {
    const found = await stat(file, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    const now = found === undefined ? 'absent' : `${found.ino}:${found.size}:${found.mtimeNs}`;
    if (now === stamp) return;
    entries = found === undefined ? new Map() : parse(await readFile(file, 'utf8'));
    stamp = now;
  }

  function parse(text: string): Map<string, Entry> {
    const found = new Map<string, Entry>();
    for (const [index, line] of text.split('\n').entries()) {
      if (line.trim() === '') continue;
      let parsed: Entry;
      try {
        parsed = Entry.parse(JSON.parse(line));
      } catch {
        throw new PostriderError('internal', `${file}, line ${index + 1}: not a SASL user entry; remove the line`);
      }
      found.set(key(parsed.user, parsed.realm), parsed);
    }
    return found;
  }

  async function lock(): Promise<() => Promise<void>> {
    const path = `${file}.lock`;
    await makeFolder(dirname(file));
    for (const start = Date.now(); ;) {
      try {
        const handle = await open(path, 'wx', 0o600);
        await handle.close();
        return () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const age = await stat(path).then(
        (found) => Date.now() - found.mtimeMs,
        () => 0,
      );
      if (age > lockAge) await rm(path, { force: true });
      else if (Date.now() - start > lockWait) {
        throw new PostriderError('conflict', `${path} is held by another program; try again`);
      } else await sleep(20);
    }
  }

  function save(next: ReadonlyMap<string, Entry>): Promise<void> {
    return writeWhole(file, [...next.values()].map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  }

  /** Runs one read-change-write after the other; `edit` returns false when nothing changed. */
  function change(edit: (next: Map<string, Entry>) => boolean): Promise<boolean> {
    const run = async (): Promise<boolean> => {
      const unlock = await lock();
      try {
        await refresh();
        const next = new Map(entries);
        if (!edit(next)) return false;
        await save(next);
        await refresh();
        return true;
      } finally {
        await unlock();
      }
    };
    const result = changes.then(run, run);
    changes = result.catch(() => undefined);
    return result;
  }

  return {
    async list() {
      await refresh();
      return [...entries.values()]
        .map(({ user, realm }) => ({ user, realm }))
        .sort((a, b) => (a.user === b.user ? compare(a.realm, b.realm) : compare(a.user, b.user)));
    },

    async set(user, realm, password, { create }) {
      checkName('user', user, false);
      checkName('realm', realm, true);
      if (password === '') throw badInput('password', 'the password must not be empty');
      if (password.includes('\0')) throw badInput('password', 'the password must not hold a NUL character');
      const verifier = await makeVerifier(password, iterations);
      await change((next) => {
        const at = key(user, realm);
        if (!create && !next.has(at)) throw new PostriderError('not-found', `no SASL user ${user}@${realm}`);
        next.set(at, { user, realm, mechanism: 'SCRAM-SHA-256', ...verifier });
        return true;
      });
    },

    remove: (user, realm) => change((next) => next.delete(key(user, realm))),

    async verify(user, realm, password) {
      await refresh();
      const entry = entries.get(key(user, realm));
      if (entry !== undefined) return checkPassword(password, entry);
      dummy ??= makeVerifier(randomBytes(32).toString('hex'), iterations);
      await checkPassword(password, await dummy);
      return false;
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
