import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldMailbox, mailboxFolder, mailboxOfFolder } from './mailbox-name.ts';

test.each([
  ['ada@example.org', 'ada@example.org'],
  ['Ada@Example.ORG', 'ada@example.org'],
  ['ada+tag@example.org', 'ada+tag@example.org'],
  ['.hidden', '%2Ehidden'],
  ['..', '%2E.'],
  ['.', '%2E'],
  ['../../etc/passwd', '%2E.%2F..%2Fetc%2Fpasswd'],
  ['a/b\\c:d', 'a%2Fb%5Cc%3Ad'],
  ['a%2Fb', 'a%252fb'],
  ['', '%'],
  ['grüße@例え.jp', 'gr%C3%BC%C3%9Fe@%E4%BE%8B%E3%81%88.jp'],
  ['nul\0', 'nul%00'],
])('%j lives in %j', (name, folder) => {
  expect(mailboxFolder(name)).toBe(folder);
  expect(mailboxOfFolder(folder)).toBe(foldMailbox(name));
});

test('any name gives one safe path component, and comes back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 400 })), (name) => {
      const folder = mailboxFolder(name);
      expect(folder).toMatch(/^[A-Za-z0-9_\-+@=%][A-Za-z0-9_\-+@=%.~]{0,199}$/);
      if (!folder.includes('%~')) expect(mailboxOfFolder(folder)).toBe(foldMailbox(name));
      else expect(mailboxOfFolder(folder)).toBe(folder);
    }),
    { numRuns: 2000 },
  );
});

test('different names never share a folder, not even long ones', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      expect(mailboxFolder(a) === mailboxFolder(b)).toBe(foldMailbox(a) === foldMailbox(b));
    }),
  );
  const long = 'x'.repeat(300);
  expect(mailboxFolder(`${long}1`)).not.toBe(mailboxFolder(`${long}2`));
  expect(mailboxFolder('é'.repeat(200)).length).toBeLessThanOrEqual(200);
});

test.each(['.Sent', 'Upper', 'a/b', 'a%zz', 'a%2', '%41', 'a%C3', ''])('folder %j is nobody’s', (folder) => {
  expect(mailboxOfFolder(folder)).toBeUndefined();
});
