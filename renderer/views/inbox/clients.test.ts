import { expect, it } from 'vitest';
import { clientSettings } from './clients.ts';

it('puts the live address into every example', () => {
  for (const { code, id } of clientSettings('127.0.0.1', 1026)) {
    expect(code, id).toContain('127.0.0.1');
    expect(code, id).toContain('1026');
  }
});

it('puts an IPv6 address in brackets where a URL needs it', () => {
  const settings = clientSettings('::1', 1025);
  expect(settings.find(({ id }) => id === 'php')?.code).toContain('smtp://[::1]:1025');
  expect(settings.find(({ id }) => id === 'django')?.code).toContain('"::1"');
});
