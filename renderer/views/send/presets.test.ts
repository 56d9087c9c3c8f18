import { expect, it } from 'vitest';
import { TestMessage } from '#app/contract/api.ts';
import { en } from '../../i18n/en/index.ts';
import { contentOf, fieldOf, presets, splitAddresses } from './presets.ts';

it.each([
  ['a@b.test', ['a@b.test']],
  ['a@b.test, c@d.test;e@f.test', ['a@b.test', 'c@d.test', 'e@f.test']],
  ['"Bob, Jr" <bob@b.test>，c@d.test', ['"Bob, Jr" <bob@b.test>', 'c@d.test']],
  [' , ', []],
])('%j are the addresses', (text, addresses) => expect(splitAddresses(text)).toEqual(addresses));

it.each([
  ['to.0', 'to'],
  ['from', 'from'],
  ['input.port', 'port'],
  ['selection', undefined],
  [undefined, undefined],
])('an error at %s belongs to %s', (path, field) => expect(fieldOf(path)).toBe(field));

it.each(presets)('the preset %s can be sent', (preset) => {
  const content = contentOf(preset, en.send.samples);
  expect(TestMessage.safeParse({ ...content, from: 'a@b.test', to: ['c@d.test'], host: 'h', port: 25 }).success).toBe(
    true,
  );
});
