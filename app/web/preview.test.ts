import { expect, test } from 'vitest';
import { previewHeaders, PreviewStore } from './preview.ts';

test('a preview is handed out once', () => {
  const store = new PreviewStore();
  const id = store.put('<p>hello</p>', { remoteContent: true });
  expect(id).toMatch(/^[\w-]{43}$/);
  expect(store.take(id)).toEqual({ html: '<p>hello</p>', remoteContent: true });
  expect(store.take(id)).toBeUndefined();
  expect(store.take('__proto__')).toBeUndefined();
});

test('the oldest goes when there are too many, and all go in time', () => {
  let now = 0;
  const store = new PreviewStore({ entries: 2, maxAge: 1000, now: () => now });
  const [first, second, third] = [store.put('1'), store.put('2'), store.put('3')];
  expect(store.take(first)).toBeUndefined();
  expect(store.take(second)?.html).toBe('2');
  now = 1000;
  expect(store.take(third)).toBeUndefined();
});

test('only images come from elsewhere, and only when asked for', () => {
  const closed = previewHeaders({ remoteContent: false })['content-security-policy'] ?? '';
  const open = previewHeaders({ remoteContent: true })['content-security-policy'] ?? '';
  expect(closed).toContain('sandbox;');
  expect(closed).not.toContain('http');
  expect(open.split('; ').filter((directive) => directive.includes('http'))).toEqual(['img-src data: https: http:']);
  for (const policy of [closed, open]) expect(policy).not.toMatch(/script-src|allow-/);
});
