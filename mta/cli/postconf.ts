/**
 * postconf(1): shows (-n set, -d defaults, -x expanded, -h values, -H names, -f folded; -M, -F, -P for master.cf) and
 * edits (-e or name=value, -X, -#) the configuration. Works on the files, whether the server runs or not; warnings go
 * to stderr in Postfix's words and do not change the exit code.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { commentOutMainCf, editMainCf, writeFileAtomically } from '../config/edit.ts';
import { EffectiveConfiguration } from '../config/effective.ts';
import { ConfigurationError } from '../config/errors.ts';
import { ExpansionError } from '../config/expand.ts';
import { checkFiles, findUnused, readText } from '../config/load.ts';
import { parseMainCf, splitNameValue, type MainCf } from '../config/main-cf.ts';
import { parseMasterCf, type MasterCf } from '../config/master-cf.ts';
import { parameters } from '../config/parameters.ts';
import { tableTypes } from '../config/tables.ts';
import { readArguments } from './arguments.ts';
import { exitCodes, Fatal, guarded, write, type CliIo, type Run } from './io.ts';
import { fold, printMaster, printMasterFields, printMasterParameters } from './postconf-master.ts';

const usage =
  'usage: postconf [-c config_dir] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)] [-H (no values)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)] [-P (master.cf parameters)] [-v (verbose)] [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]';
const command = { name: 'postconf', letters: 'c:defFhHmMno:pPvxX#', usage };

export const run: Run = (argv, io) =>
  guarded('postconf', io, async () => {
    const { data, options, operands, given } = await readArguments(command, argv, io);
    oneOf(given, ['d', 'n']);
    oneOf(given, ['e', 'X', '#']);
    oneOf(given, ['F', 'M', 'P', 'm']);
    if (given.has('m')) {
      await write(io.stdout, `${tableTypes.join('\n')}\n`);
      return exitCodes.ok;
    }
    const named = options.findLast(({ letter }) => letter === 'c')?.value;
    const folder = named ?? path.join(data(), 'etc');
    const dataFolder = named === undefined ? data() : path.dirname(path.resolve(named));
    const overrides = new Map(options.flatMap(({ letter, value }) => (letter === 'o' ? [nameValue(value)] : [])));

    const master = given.has('F') || given.has('M') || given.has('P');
    const editing = ['e', 'X', '#'].find((letter) => given.has(letter));
    const implied = editing === undefined && !master && !given.has('d') && operands.some((word) => word.includes('='));
    if (editing !== undefined || implied) {
      if (master) throw new Fatal(exitCodes.failure, 'master.cf is not edited by this command: use an editor');
      await edit(folder, dataFolder, editing ?? 'e', operands, io);
      return exitCodes.ok;
    }
    const files = await read(folder, given.has('d'));
    await warn(
      io,
      [...files.main.findings, ...files.master.findings].map(
        ({ file, line, message }) => `${file}, line ${line}: ${message}`,
      ),
    );
    const parsed = { folder, settings: files.main.settings, services: files.master.services };
    const configuration = new EffectiveConfiguration(parsed, { dataFolder }, [], overrides);
    const unused = findUnused(configuration, parsed);
    if (master) {
      await showMaster(files.master, given, operands, io);
    } else {
      const own = [...files.main.settings.keys(), ...overrides.keys()];
      await showMain(configuration, own, new Set(unused.map(({ name }) => name)), { given, names: operands }, io);
    }
    if (!given.has('d')) {
      const values = [...files.main.settings.values()].filter(
        (setting) => !unused.some(({ name }) => name === setting.name),
      );
      await warn(io, [
        ...undefinedNames(
          configuration,
          values.map(({ value }) => value),
        ).map((name) => `${path.join(folder, 'main.cf')}: undefined parameter: ${name}`),
        ...unused
          .filter(({ file }) => !master || file.endsWith('master.cf'))
          .map(({ file, name, value }) => `${file}: unused parameter: ${name}=${value}`),
      ]);
    }
    return exitCodes.ok;
  });

interface Files {
  readonly main: MainCf;
  readonly master: MasterCf;
}

/** `-d` does not need the files. */
async function read(folder: string, defaults: boolean): Promise<Files> {
  const text = async (name: string): Promise<string> => {
    try {
      return await readText(path.join(folder, name));
    } catch (error) {
      if (defaults || (name === 'master.cf' && (await exists(folder, 'main.cf')))) return '';
      if (error instanceof ConfigurationError && (error.cause as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new Fatal(exitCodes.failure, `open ${error.file}: No such file or directory`);
      }
      throw error;
    }
  };
  const mainText = defaults ? '' : await text('main.cf');
  const masterText = await text('master.cf');
  return {
    main: parseMainCf(mainText, path.join(folder, 'main.cf')),
    master: parseMasterCf(masterText, path.join(folder, 'master.cf')),
  };
}

function exists(folder: string, name: string): Promise<boolean> {
  return readFile(path.join(folder, name)).then(
    () => true,
    () => false,
  );
}

interface Request {
  readonly given: ReadonlySet<string>;
  readonly names: readonly string[];
}

/** `own` are the names that main.cf or -o set; `unused` those of them that nothing knows or refers to. */
async function showMain(
  configuration: EffectiveConfiguration,
  own: readonly string[],
  unused: ReadonlySet<string>,
  { given, names }: Request,
  io: CliIo,
): Promise<void> {
  const defaults = given.has('d');
  const known = (name: string): boolean =>
    configuration.parameter(name) !== undefined || (own.includes(name) && !unused.has(name));
  const all = [...parameters.keys(), ...own.filter((name) => !parameters.has(name) && known(name))];
  const chosen = names.length > 0 ? names.filter(known) : [...new Set(all)].sort();
  let text = '';
  for (const name of chosen) {
    if (given.has('n') && !configuration.isSet(name)) continue;
    const raw = (defaults ? configuration.fallback(name) : configuration.value(name)) ?? '';
    // Printed word by word, as Postfix does.
    const value = (given.has('x') && !isRaw(configuration, name) ? expanded(configuration, raw) : raw)
      .replace(/[ \t\r\n]+/g, ' ')
      .trim();
    if (given.has('H')) text += `${name}\n`;
    else if (given.has('h')) text += `${value}\n`;
    else
      text += given.has('f')
        ? fold(`${name} =${value === '' ? '' : ` ${value}`}`)
        : `${name} =${value === '' ? '' : ` ${value}`}\n`;
  }
  await write(io.stdout, text);

  await warn(
    io,
    names.filter((name) => !known(name)).map((name) => `${name}: unknown parameter`),
  );
}

/** Parameters whose `$` is not for postconf to expand keep it: the configuration gives them back as they are. */
function isRaw(configuration: EffectiveConfiguration, name: string): boolean {
  try {
    return configuration.parameter(name) !== undefined && configuration.text(name) === configuration.value(name);
  } catch (error) {
    if (error instanceof ExpansionError) return false;
    throw error;
  }
}

function expanded(configuration: EffectiveConfiguration, raw: string): string {
  try {
    return configuration.expand(raw);
  } catch (error) {
    if (error instanceof ExpansionError) throw new Fatal(exitCodes.failure, `macro processing error: ${error.message}`);
    throw error;
  }
}

/** Names that set values refer to and that nothing defines. */
function undefinedNames(configuration: EffectiveConfiguration, values: readonly string[]): string[] {
  const missing = new Set<string>();
  for (const value of values) {
    for (const [, name = ''] of value.matchAll(/\$[{(]?([A-Za-z0-9_]+)(?![A-Za-z0-9_?:])/g)) {
      if (configuration.value(name) === undefined) missing.add(name);
    }
  }
  return [...missing];
}

async function showMaster(
  master: MasterCf,
  given: ReadonlySet<string>,
  patterns: readonly string[],
  io: CliIo,
): Promise<void> {
  const print = given.has('M') ? printMaster : given.has('F') ? printMasterFields : printMasterParameters;
  const { text, unmatched } = print(master.services, patterns, {
    fold: given.has('f'),
    names: !given.has('h'),
    values: !given.has('H'),
  });
  await write(io.stdout, text);
  await warn(
    io,
    unmatched.map((pattern) => `unmatched request: "${pattern}"`),
  );
}

async function edit(
  folder: string,
  dataFolder: string,
  mode: string,
  words: readonly string[],
  io: CliIo,
): Promise<void> {
  const file = path.join(folder, 'main.cf');
  if (words.length === 0) {
    throw new Fatal(
      exitCodes.failure,
      mode === 'e' ? '-e requires name=value argument' : `-${mode} requires name argument`,
    );
  }
  if (words.some((word) => /[\r\n]/.test(word))) {
    throw new Fatal(exitCodes.failure, '-e, -X, or -# accepts no multi-line input');
  }
  const before = await readText(file).catch((error: unknown) => {
    if (error instanceof ConfigurationError)
      throw new Fatal(exitCodes.failure, `open ${file} for reading: ${error.reason}`);
    throw error;
  });
  const changes = new Map<string, string | null>();
  for (const word of words) {
    if (mode === 'e') {
      const [name, value] = nameValue(word);
      changes.set(name, value);
    } else {
      if (word.includes('=')) throw new Fatal(exitCodes.failure, `-X or -# requires names without value: "${word}"`);
      changes.set(word, null);
    }
  }
  const after = mode === '#' ? commentOutMainCf(before, new Set(changes.keys())) : editMainCf(before, changes);
  const counts = new Map<string, number>();
  for (const [, name = ''] of before.matchAll(/^([^\s#=]+)\s*=/gm)) counts.set(name, (counts.get(name) ?? 0) + 1);
  await warn(
    io,
    [...changes.keys()]
      .filter((name) => (counts.get(name) ?? 0) > 1)
      .map((name) => `${file}: multiple entries for "${name}"`),
  );
  await writeFileAtomically(file, after);
  // Postfix writes what it is told; that the server would refuse it is worth a word at once.
  const masterText = await readFile(path.join(folder, 'master.cf'), 'utf8').catch(() => '');
  try {
    checkFiles(folder, after, masterText, { dataFolder });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    await warn(io, [`${error.message} The server keeps its present configuration until this is mended.`]);
  }
}

function nameValue(word: string): [string, string] {
  try {
    const { name, value } = splitNameValue(word, 'main.cf');
    return [name, value];
  } catch (error) {
    if (error instanceof ConfigurationError) throw new Fatal(exitCodes.failure, error.reason);
    throw error;
  }
}

function oneOf(given: ReadonlySet<string>, letters: readonly string[]): void {
  const both = letters.filter((letter) => given.has(letter));
  if (both.length > 1)
    throw new Fatal(exitCodes.failure, `specify one of ${both.map((letter) => `-${letter}`).join(' ')}`);
}

async function warn(io: CliIo, messages: readonly string[]): Promise<void> {
  for (const message of messages) await write(io.stderr, `postconf: warning: ${message}\n`);
}
