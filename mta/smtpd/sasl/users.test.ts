import { mkdtemp, readFile, rm, stat, writeFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSaslUsers, splitLogin } from './users.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postrider-sasl-'));
  file = join(folder, 'sasl', 'users');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fast = { iterations: 4096 };

describe('SASL users', () => {
  test('a user that was set can log in with that password only', async () => {
    const users = openSaslUsers(file, fast);
    expect(await users.verify('bob', 'example.org', 'secret')).toBe(false);
    await users.set('bob', 'example.org', 'secret', { create: true });
    expect(await users.verify('bob', 'example.org', 'secret')).toBe(true);
    expect(await users.verify('bob', 'EXAMPLE.org', 'secret')).toBe(true);
    expect(await users.verify('bob', 'example.org', 'Secret')).toBe(false);
    expect(await users.verify('bob', 'example.net', 'secret')).toBe(false);
    expect(await users.verify('bob', 'example.org', '')).toBe(false);
  });

  test('the file is private and holds no password', async () => {
    const users = openSaslUsers(file, fast);
    await users.set('bob', 'example.org', 'correct horse', { create: true });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    expect(text).not.toContain('correct');
    expect(text).not.toContain(Buffer.from('correct horse').toString('base64'));
    expect(await readdir(join(folder, 'sasl'))).toEqual(['users']);
  });

  test('without create, an unknown user is not added', async () => {
    const users = openSaslUsers(file, fast);
    await expect(users.set('bob', 'r', 'x', { create: false })).rejects.toMatchObject({ code: 'not-found' });
    expect(await users.list()).toEqual([]);
    await users.set('bob', 'r', 'x', { create: true });
    await users.set('bob', 'r', 'y', { create: false });
    expect(await users.verify('bob', 'r', 'y')).toBe(true);
    expect(await users.verify('bob', 'r', 'x')).toBe(false);
  });

  test('list is sorted; remove says whether there was one', async () => {
    const users = openSaslUsers(file, fast);
    await users.set('carol', 'b', 'x', { create: true });
    await users.set('alice', 'z', 'x', { create: true });
    await users.set('alice', 'a', 'x', { create: true });
    expect(await users.list()).toEqual([
      { user: 'alice', realm: 'a' },
      { user: 'alice', realm: 'z' },
      { user: 'carol', realm: 'b' },
    ]);
    expect(await users.remove('alice', 'a')).toBe(true);
    expect(await users.remove('alice', 'a')).toBe(false);
    expect(await users.list()).toHaveLength(2);
  });

  test('two programs changing at once lose nothing, and each sees the other', async () => {
    const one = openSaslUsers(file, fast);
    const two = openSaslUsers(file, fast);
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 ? one : two).set(`user${n}`, 'r', `pw${n}`, { create: true })),
    );
    expect(await one.list()).toHaveLength(10);
    expect(await two.verify('user2', 'r', 'pw2')).toBe(true);
    expect(await two.verify('user3', 'r', 'pw3')).toBe(true);
  });

  test('names that would break the file or a log line are refused by field', async () => {
    const users = openSaslUsers(file, fast);
    for (const user of ['', 'a\nb', 'a\0b', 'x'.repeat(256)]) {
      await expect(users.set(user, 'r', 'x', { create: true })).rejects.toMatchObject({ field: 'user' });
    }
    await expect(users.set('a', 'r\r', 'x', { create: true })).rejects.toMatchObject({ field: 'realm' });
    await expect(users.set('a', 'r', '', { create: true })).rejects.toMatchObject({ field: 'password' });
  });

  test('names of object properties are just names', async () => {
    const users = openSaslUsers(file, fast);
    for (const user of ['__proto__', 'constructor', 'toString']) {
      expect(await users.verify(user, 'r', 'x')).toBe(false);
      await users.set(user, 'r', 'x', { create: true });
      expect(await users.verify(user, 'r', 'x')).toBe(true);
    }
  });

  test('a damaged file is named with its line', async () => {
    const users = openSaslUsers(file, fast);
    await users.set('bob', 'r', 'x', { create: true });
    await writeFile(file, `${await readFile(file, 'utf8')}{"user":"broken"\n`);
    await expect(users.verify('bob', 'r', 'x')).rejects.toThrow(/users, line 2/);
  });

  test('splitLogin', () => {
    expect(splitLogin('bob', 'mail.example.org')).toEqual({ user: 'bob', realm: 'mail.example.org' });
    expect(splitLogin('bob@example.org', 'x')).toEqual({ user: 'bob', realm: 'example.org' });
    expect(splitLogin('@x', 'r')).toEqual({ user: '@x', realm: 'r' });
  });
});
