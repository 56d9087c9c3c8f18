import { expect, it } from 'vitest';
import { headerFields } from './source.ts';

it.each([
  [
    'A: 1\r\nB:\r\n  two\r\n\tthree\r\n\r\nC: no',
    [
      ['A', '1'],
      ['B', '\ntwo\nthree'],
    ],
  ],
  ['A: 1\nno field here\nB: 2', [['A', '1']]],
  ['\nA: 1', []],
  ['', []],
])('%j has its fields', (text, fields) => expect(headerFields(text)).toEqual(fields));
