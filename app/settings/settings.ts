/**
 * The settings file: one JSON object, shared by the window and the command line, edited by people too.
 *
 * Promises: a change is written whole or not at all (temporary file, fsync, rename), one after the other; members that
 * this version does not know are kept. A file that is no JSON object is moved aside, never overwritten, and reported;
 * a member with a value that does not fit is reported, left in the file, and its default used.
 */
import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Unsubscribe } from '#mta/contract/contract.ts';
import { badInput, errorMessage, PostriderError } from '#mta/contract/errors.ts';
import { makeFolder } from '#mta/files/make-folder.ts';
import { writeWhole } from '#mta/files/write-whole.ts';
import { Preferences, PreferencesPatch } from '../contract/api.ts';

type Json = Record<string, unknown>;

export interface PreferenceStore {
  get(): Preferences;
  /** Throws `bad-input` naming the field, `unavailable` when the file cannot be written: then nothing has changed. */
  set(patch: PreferencesPatch): Promise<Preferences>;
  onChange(listener: (preferences: Preferences) => void): Unsubscribe;
}

export function settingsFile(dataFolder: string): string {
  return path.join(dataFolder, 'settings.json');
}

export class Settings implements PreferenceStore {
  readonly file: string;
  /** What was wrong with the file when it was read, in words for a person. */
  readonly problems: readonly string[];
  #content: Json;
  #writing: Promise<unknown> = Promise.resolve();
  readonly #listeners = new Set<(preferences: Preferences) => void>();

  private constructor(file: string, content: Json, problems: readonly string[]) {
    this.file = file;
    this.#content = content;
    this.problems = problems;
  }

  /** A file that is not there means defaults. Throws only when the file exists and cannot be read. */
  static async open(file: string): Promise<Settings> {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      // ENOTDIR: the data folder is a file; the MTA says so, with the remedy.
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return new Settings(file, {}, []);
      throw new PostriderError('unavailable', `${file} cannot be read: ${errorMessage(error)}`, { cause: error });
    }
    const content = parse(text);
    if (typeof content === 'string') {
      const aside = `${file}.broken-${Date.now()}`;
      await rename(file, aside);
      return new Settings(file, {}, [`${file} is broken (${content}). It was moved to ${aside}; defaults are used.`]);
    }
    const { problems } = readPreferences(content);
    return new Settings(
      file,
      content,
      problems.map((problem) => `${file}: ${problem}; the default is used`),
    );
  }

  get(): Preferences {
    return readPreferences(this.#content).preferences;
  }

  set(patch: PreferencesPatch): Promise<Preferences> {
    const checked = PreferencesPatch.safeParse(patch);
    if (!checked.success) {
      const issue = checked.error.issues[0];
      const field = issue?.path.join('.') ?? '';
      return Promise.reject(badInput(field, `${field}: ${issue?.message ?? 'invalid'}`));
    }
    const wanted = Object.fromEntries(Object.entries(checked.data).filter(([, value]) => value !== undefined));
    const change = this.#writing.then(async () => {
      const next = { ...this.#content, preferences: { ...asObject(this.#content['preferences']), ...wanted } };
      await replaceFile(this.file, `${JSON.stringify(next, null, 2)}\n`);
      this.#content = next;
      const preferences = this.get();
      for (const listener of this.#listeners) listener(preferences);
      return preferences;
    });
    this.#writing = change.catch(() => undefined);
    return change;
  }

  onChange(listener: (preferences: Preferences) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The object, or what is wrong. */
function parse(text: string): Json | string {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Json)
      : 'it is not a JSON object';
  } catch (error) {
    return errorMessage(error);
  }
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function readPreferences(content: Json): { preferences: Preferences; problems: string[] } {
  const given = asObject(content['preferences']);
  const problems: string[] = [];
  const fitting: Json = {};
  for (const [name, schema] of Object.entries(Preferences.shape)) {
    const parsed = schema.safeParse(given[name]);
    if (parsed.success) fitting[name] = parsed.data;
    else problems.push(`preferences.${name} is ${JSON.stringify(given[name])}`);
  }
  return { preferences: Preferences.parse(fitting), problems };
}

/**
 * Whole or not at all, for this user only. Throws `unavailable` with the old file in place.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  try {
    await makeFolder(path.dirname(file));
    await writeWhole(file, text);
  } catch (error) {
    throw new PostriderError('unavailable', `${file} cannot be written: ${errorMessage(error)}`, { cause: error });
  }
}
