/**
 * Keeps the promise that a parameter which does nothing is shown as "not used by this server", and one that does
 * something is not: the names in parameters/honoured.ts are those that the code outside mta/config reads.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { parameters } from './parameters.ts';

/** Read by mta/config itself, for the defaults and the meaning of others. */
const throughDefaults = new Set([
  'compatibility_level',
  'config_directory',
  'default_database_type',
  'default_destination_concurrency_limit',
  'default_destination_recipient_limit',
  'home_mailbox',
  'initial_destination_concurrency',
  'mynetworks_style',
  'postrider_data',
  'process_id',
  'process_name',
  'service_name',
  'smtpd_restriction_classes',
  'smtpd_sasl_security_options',
  'stress',
]);

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return file === configFolder ? [] : sources(file);
    return /(?<!\.test|\.d)\.ts$/.test(entry.name) ? [readFileSync(file, 'utf8')] : [];
  });
}
const configFolder = import.meta.dirname;

it('marks as used exactly the parameters that are read', () => {
  const read = new Set(throughDefaults);
  for (const text of sources(path.dirname(configFolder))) {
    for (const [, name = ''] of text.matchAll(/['"`]([a-zA-Z0-9_]+)['"`]/g)) if (parameters.has(name)) read.add(name);
  }
  const own = [...parameters.values()].filter(({ area }) => area !== 'transport');
  const idle = own.filter(({ used, name }) => used && !read.has(name)).map(({ name }) => name);
  const unmarked = own.filter(({ used, name }) => !used && read.has(name)).map(({ name }) => name);
  expect({ 'marked in honoured.ts, but nothing reads them': idle, 'read, but not in honoured.ts': unmarked }).toEqual({
    'marked in honoured.ts, but nothing reads them': [],
    'read, but not in honoured.ts': [],
  });
});
