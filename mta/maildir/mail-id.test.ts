import { join, relative } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MailId } from '../contract/mail.ts';
import { decodeMailId, encodeMailId, isDigestId } from './mail-id.ts';

const segment = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 60 })
  .filter((text) => /^[^./\\\p{Cc}\ufffd][^/\\\p{Cc}\ufffd]*$/u.test(text) && text.isWellFormed());

describe('mail ids', () => {
  test('say where the message is', () => {
    fc.assert(
      fc.property(segment, fc.option(segment, { nil: '' }), segment, (directory, folder, unique) => {
        const location = { directory, folder, unique };
        const id = encodeMailId(location);
        expect(MailId.safeParse(id).success).toBe(true);
        if (!isDigestId(id)) expect(decodeMailId(id)).toEqual(location);
      }),
    );
  });

  test('are never longer than the contract allows', () => {
    const id = encodeMailId({ directory: 'd'.repeat(200), folder: 'f'.repeat(250), unique: 'u'.repeat(250) });
    expect(isDigestId(id)).toBe(true);
    expect(decodeMailId(id)).toBeUndefined();
  });

  test.each([
    '../../etc/passwd',
    'a/../b',
    '../a/x',
    'a//..',
    'a/./x',
    'a/../x',
    'a/..x/u',
    '.hidden//x',
    'a//.hidden',
    'a//b/c',
    'a//b\0c',
    'a\\..\\b//x',
    'a/..\\..\\x/u',
    'a/b',
    'a',
    '',
    '//',
    'a//',
    '//a',
  ])('%j is refused', (text) => {
    expect(decodeMailId(Buffer.from(text).toString('base64url'))).toBeUndefined();
  });

  test('made-up ids never lead out of the root', () => {
    const hostile = fc.array(fc.constantFrom('.', '..', '/', '\\', 'a', '\0', ':', '~', '%2e', '\n'), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          hostile.map((parts) => Buffer.from(parts.join('')).toString('base64url')),
          fc.string(),
        ),
        (id) => {
          const location = decodeMailId(id);
          if (location === undefined) return;
          const path = join(
            '/root',
            location.directory,
            location.folder === '' ? '' : `.${location.folder}`,
            'new',
            location.unique,
          );
          const parts = relative('/root', path).split('/');
          expect(parts).not.toContain('..');
          expect(parts).toHaveLength(location.folder === '' ? 3 : 4);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('only the spelling that we give is an id', () => {
    const id = encodeMailId({ directory: 'ada', folder: '', unique: '1.x' });
    expect(decodeMailId(`${id}=`)).toBeUndefined();
    expect(decodeMailId(` ${id}`)).toBeUndefined();
    expect(decodeMailId(Buffer.from([0x61, 0x2f, 0x2f, 0xff]).toString('base64url'))).toBeUndefined();
  });
});
