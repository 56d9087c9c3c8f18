import { describe, expect, it } from 'vitest';
import { mergeHead } from './merge.ts';

const of = (ids: string) => [...ids].map((id) => ({ id }));
const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id).join('');

describe('a fresh head', () => {
  it('puts arrivals in front and keeps what lies below', () => {
    const merged = mergeHead({ items: of('abcdef'), cursor: 'f' }, { items: of('xyab'), cursor: 'b' });
    expect(ids(merged.items)).toBe('xyabcdef');
    expect(merged).toMatchObject({ cursor: 'f', arrived: 2 });
  });
  it('drops what vanished in its stretch, not below', () => {
    const merged = mergeHead({ items: of('abcdef'), cursor: 'f' }, { items: of('acd'), cursor: 'd' });
    expect(ids(merged.items)).toBe('acdef');
    expect(merged.arrived).toBe(0);
  });
  it('is the whole list when it is complete', () => {
    const merged = mergeHead({ items: of('abc'), cursor: 'c' }, { items: of('b'), cursor: undefined });
    expect(ids(merged.items)).toBe('b');
    expect(merged.cursor).toBeUndefined();
  });
  it('replaces the list when it does not reach it', () => {
    const merged = mergeHead({ items: of('abc'), cursor: 'c' }, { items: of('wxyz'), cursor: 'z' });
    expect(ids(merged.items)).toBe('wxyz');
    expect(merged).toMatchObject({ cursor: 'z', arrived: 4 });
  });
  it('goes on where the head ends when it covers all that was shown', () => {
    const merged = mergeHead({ items: of('ab'), cursor: 'b' }, { items: of('abcd'), cursor: 'd' });
    expect(merged).toMatchObject({ cursor: 'd', arrived: 2 });
  });
});
