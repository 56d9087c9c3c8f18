import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkFiles } from './load.ts';
import { parseAliases, splitAliasValue } from './tables/aliases.ts';
import { parseCidrTable } from './tables/cidr-table.ts';
import { openTable } from './tables.ts';
import { parsePatternTable } from './tables/pattern-table.ts';
import { parseTextTable } from './tables/text-table.ts';

let folder: string;
const configuration = () => checkFiles(folder, '', '', { dataFolder: folder, hostname: 'h.example' }).configuration;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tables-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('files', () => {
  it('reads a transport table, folds keys, and sees a change', async () => {
    const file = path.join(folder, 'transport');
    await writeFile(file, '# c\nExample.com  smtp:[mail.example.com]:2525\n.example.com\n   relay:[x]\nbroken\n');
    const table = await openTable('hash:$config_directory/transport', configuration(), { recheck: 0 });
    expect(await table.lookup('EXAMPLE.com')).toBe('smtp:[mail.example.com]:2525');
    expect(await table.lookup('.example.com')).toBe('relay:[x]');
    expect(await table.lookup('example.org')).toBeUndefined();
    expect(table.warnings).toEqual([`${file}, line 5: expected format: key whitespace value; skipped "broken"`]);
    await writeFile(file, 'example.org error:no such domain here\n');
    expect(await table.lookup('example.org')).toBe('error:no such domain here');
    await rm(file);
    expect(await table.lookup('example.org')).toBe('error:no such domain here');
  });

  it('reads alias_maps in their own syntax', async () => {
    await writeFile(path.join(folder, 'aliases'), 'root: postmaster\n"first last": a, b\n');
    const table = await openTable('hash:$config_directory/aliases', configuration());
    expect(await table.lookup('ROOT')).toBe('postmaster');
    expect(await table.lookup('first last')).toBe('a, b');
  });

  it('names a file that is not there', async () => {
    await expect(openTable('hash:later', configuration())).rejects.toThrow(/later: cannot be read for hash:later/);
  });
});

describe('tables without a file', () => {
  it.each([
    ['inline:{a=1, {b = two words}}', 'B', 'two words'],
    ['inline:{a=1}', 'c', undefined],
    ['static:yes', 'anything', 'yes'],
    ['static:{two words}', '', 'two words'],
    ['proxy:inline:{a=1}', 'a', '1'],
    ['regexp:{{/^[^A-Z]/ Bogus}}', '1', 'Bogus'],
    ['cidr:{{192.0.2.0/24 OK}}', '192.0.2.9', 'OK'],
  ])('%s', async (spec, key, value) => {
    expect(await (await openTable(spec, configuration())).lookup(key)).toBe(value);
  });

  it('asks for local users', async () => {
    const table = await openTable('proxy:unix:passwd.byname', configuration(), { knownUser: (name) => name === 'ada' });
    expect([await table.lookup('ada'), await table.lookup('bob')]).toEqual(['ada', undefined]);
  });

  it('refuses what it does not have, by name', async () => {
    await expect(openTable('ldap:/x', configuration())).rejects.toThrow('"ldap" is not a table type');
    await expect(openTable('inline:a=b', configuration())).rejects.toThrow('write inline:{');
    await expect((await openTable('fail:x', configuration())).lookup('a')).rejects.toThrow('always fails');
  });
});

describe('patterns', () => {
  const pcre = (text: string, key: string) => parsePatternTable(text, 'f', 'pcre').get(key);
  it.each([
    ['/^user(\\d+)@(.*)$/ $2-${1}$(1)', 'User12@x', 'x-1212'],
    ['/a/ 1\n/b/ 2', 'ba', '1'],
    ['/A/i OK', 'a', undefined],
    ['!/^ok/ REJECT', 'no', 'REJECT'],
    ['if /x$/\n/^a/ inside\nendif\n/./ outside', 'ax', 'inside'],
    ['if /x$/\n/^a/ inside\nendif\n/./ outside', 'bx', 'outside'],
    ['if !/x$/\n/^a/ inside\nendif', 'ax', undefined],
    ['/^[[:digit:]]+$/ number $$1', '42', 'number $1'],
    ['|a/b| slash', 'a/b', 'slash'],
  ])('%j for %s', (text, key, value) => {
    expect(pcre(text, key)).toBe(value);
  });

  it('reports what it cannot read', () => {
    const { warnings } = parsePatternTable('/(/ x\n/a/\nendif\n/a/q x\nif /b/', 'f', 'regexp');
    expect(warnings).toHaveLength(5);
    expect(warnings[1]).toContain('line 2: no value');
  });
});

describe('cidr', () => {
  it.each([
    ['192.0.2.0/24 A\n0.0.0.0/0 B', '192.0.2.1', 'A'],
    ['192.0.2.0/24 A\n0.0.0.0/0 B', '198.51.100.1', 'B'],
    ['2001:db8::/32 six', '2001:db8::1', 'six'],
    ['!192.0.2.0/24 out', '10.0.0.1', 'out'],
    ['if 10.0.0.0/8\n10.1.0.0/16 in\nendif\n0.0.0.0/0 other', '10.2.0.1', 'other'],
    ['if 10.0.0.0/8\n10.1.0.0/16 in\nendif', '10.1.9.9', 'in'],
    ['192.0.2.1 one', 'not an address', undefined],
  ])('%j for %s', (text, key, value) => {
    expect(parseCidrTable(text, 'f').get(key)).toBe(value);
  });

  it('reports host bits', () => {
    expect(parseCidrTable('192.0.2.1/24 x', 'f').warnings[0]).toContain('write 192.0.2.0/24');
  });
});

describe('aliases', () => {
  it('reads names, quoted names and targets', () => {
    const { entries, warnings } = parseAliases(
      'Root: a\nx y\n"p: q": b\nl: :include:/etc/list\nr: c\nroot: d\na@b: c\n',
      'aliases',
    );
    expect([...entries].map(([name, { value, line }]) => [name, value, line])).toEqual([
      ['root', 'a', 1],
      ['p: q', 'b', 3],
      ['l', ':include:/etc/list', 4],
      ['r', 'c', 5],
    ]);
    expect(warnings).toEqual([
      'aliases, line 2: need name:value pair; skipped "x y"',
      'aliases, line 6: duplicate entry: "root"',
      'aliases, line 7: an alias name is local, without @: "a@b"',
    ]);
  });

  it('takes a value apart', () => {
    expect(splitAliasValue('a, "b c"@x, "|/bin/prog -a, b", /var/mail/f, :include:/l')).toEqual([
      { kind: 'address', address: 'a' },
      { kind: 'address', address: '"b c"@x' },
      { kind: 'command', command: '/bin/prog -a, b' },
      { kind: 'file', file: '/var/mail/f' },
      { kind: 'include', file: '/l' },
    ]);
  });
});

describe('any text', () => {
  it('is read or reported, never a crash, by every parser', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 40 }), (text, key) => {
        parseTextTable(text, 'f').get(key);
        parseAliases(text, 'f').get(key);
        splitAliasValue(text);
        parsePatternTable(`${text}\n/x/ ${text}`, 'f', 'pcre').get(key);
        parseCidrTable(text, 'f').get(key);
      }),
    );
  });
});
