import { describe, expect, it } from 'vitest';
import { formatEndpoint, isLoopback, parseEndpoint } from './endpoint.ts';

describe('parseEndpoint', () => {
  it.each([
    ['127.0.0.1:1025', { host: '127.0.0.1', port: 1025 }],
    ['[::1]:smtps', { host: '::1', port: 465 }],
    ['smtp', { host: undefined, port: 25 }],
    [':0', { host: undefined, port: 0 }],
    ['localhost:submission', { host: 'localhost', port: 587 }],
  ])('%s', async (text, endpoint) => {
    expect(await parseEndpoint(text, '--smtp')).toEqual(endpoint);
  });
  it.each(['127.0.0.1:70000', '::1:25', 'a b', 'nosuchservice-x', '127.0.0.1—25'])('refuses %s', async (text) => {
    await expect(parseEndpoint(text, '--smtp')).rejects.toMatchObject({ code: 'bad-input', field: '--smtp' });
  });
});

it('knows loopback and writes addresses', () => {
  expect(['127.0.0.1', '::1', '127.9.9.9', '::ffff:127.0.0.1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '1.127.0.1'].some(isLoopback)).toBe(false);
  expect(formatEndpoint({ host: '::1', port: 25 })).toBe('[::1]:25');
});
