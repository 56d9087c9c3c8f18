import { expect, test } from 'vitest';
import { desktopOptions } from './options.ts';

test('the data folder and what goes on to the mail server', () => {
  const args = ['/app', '--no-sandbox', '--data', '/d', '--smtp=127.0.0.1:0', '--smtp', '[::1]:0', '--profile', 'sink'];
  expect(desktopOptions(args)).toEqual({
    data: '/d',
    mtaArguments: ['--profile', 'sink', '--smtp', '127.0.0.1:0', '--smtp', '[::1]:0'],
  });
  expect(desktopOptions(['--remote-debugging-port=0'])).toEqual({ data: undefined, mtaArguments: [] });
});

test('an option without its value is named', () => {
  expect(() => desktopOptions(['--data'])).toThrow(expect.objectContaining({ code: 'bad-input', field: 'data' }));
  expect(() => desktopOptions(['--smtp', '--data=/d'])).toThrow(/--smtp needs a value/);
});
