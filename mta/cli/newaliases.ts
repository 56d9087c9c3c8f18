/**
 * newaliases(1): this server reads the alias files themselves, so there is nothing to build; their syntax is checked,
 * with postalias' warnings. Exit 1 when a file cannot be read.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { loadConfiguration } from '../config/load.ts';
import { parseAliases } from '../config/tables/aliases.ts';
import { errorMessage } from '../contract/errors.ts';
import { exitCodes, Fatal, guarded, takeData, write, type Run } from './io.ts';

export const run: Run = (argv, io) =>
  guarded('newaliases', io, async () => {
    const data = takeData(argv, io.env).data();
    const configuration = await loadConfiguration(path.join(data, 'etc'), { dataFolder: data });
    for (const spec of configuration.list('alias_database')) {
      const file = path.resolve(configuration.folder, spec.slice(spec.indexOf(':') + 1));
      const text = await readFile(file, 'utf8').catch((error: unknown) => {
        throw new Fatal(exitCodes.failure, `open ${file}: ${errorMessage(error)}`);
      });
      for (const warning of parseAliases(text, file).warnings) {
        await write(io.stderr, `newaliases: warning: ${warning}\n`);
      }
    }
    return exitCodes.ok;
  });
