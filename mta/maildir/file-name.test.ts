import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMaildirName, switchFlag, withFlags } from './file-name.ts';

describe('parseMaildirName', () => {
  test.each([
    [
      '1700000000.M123456P42R1f.host,S=2048:2,FS',
      { unique: '1700000000.M123456P42R1f.host,S=2048', flags: 'FS', time: 1_700_000_000_123, size: 2048 },
    ],
    [
      '1700000000.M1P2Q3.host',
      { unique: '1700000000.M1P2Q3.host', flags: '', time: 1_700_000_000_000, size: undefined },
    ],
    [
      '1700000000.V801I1f2M999999.host,S=9,W=10:2,',
      { unique: '1700000000.V801I1f2M999999.host,S=9,W=10', flags: '', time: 1_700_000_000_999, size: 9 },
    ],
    ['1700000000.x;2,S', { unique: '1700000000.x', flags: 'S', time: 1_700_000_000_000, size: undefined }],
    [
      '1700000000.M1234567P1.host,S=1x',
      { unique: '1700000000.M1234567P1.host,S=1x', flags: '', time: 1_700_000_000_000, size: undefined },
    ],
    ['1700000000.Mailhost', { unique: '1700000000.Mailhost', flags: '', time: 1_700_000_000_000, size: undefined }],
    ['17x.M1.host,S=', { unique: '17x.M1.host,S=', flags: '', time: undefined, size: undefined }],
    ['draft', { unique: 'draft', flags: '', time: undefined, size: undefined }],
    ['1700000000.x:1,odd', { unique: '1700000000.x', flags: '', time: 1_700_000_000_000, size: undefined }],
  ])('%s', (name, expected) => {
    expect(parseMaildirName(name)).toEqual(expected);
  });

  test.each(['', '.nfs0001', ':2,S', 'a\ufffdb', 'x'.repeat(256)])('%j is no message', (name) => {
    expect(parseMaildirName(name)).toBeUndefined();
  });
});

test('flags are set sorted, and letters of others stay', () => {
  expect(withFlags('a:2,Tx', 'TxS', ':')).toBe('a:2,STx');
  expect(withFlags('a', 'S', ':')).toBe('a:2,S');
  expect(withFlags('a', 'S', ';')).toBe('a;2,S');
  expect(withFlags('a;2,F', 'FS', ':')).toBe('a;2,FS');
  expect(switchFlag('FS', 'S', false)).toBe('F');
  expect(switchFlag('F', 'S', true)).toBe('FS');
});

test('whatever the flags, the unique part stays and the flags read back', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-zA-Z.,=]{1,60}$/), fc.stringMatching(/^[A-Za-z]{0,10}$/), (unique, flags) => {
      fc.pre(!unique.startsWith('.'));
      const parsed = parseMaildirName(withFlags(unique, flags, ':'));
      expect(parsed?.unique).toBe(unique);
      expect(parsed?.flags).toBe([...new Set(flags)].sort().join(''));
    }),
  );
});
