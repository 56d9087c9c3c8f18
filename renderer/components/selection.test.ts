import { describe, expect, it } from 'vitest';
import { emptySelection, extendTo, move, selectAll, selectOne, toggle, withoutGone } from './selection.ts';

const rows = ['a', 'b', 'c', 'd', 'e'];

describe('moving', () => {
  it('starts at the first row, or the last when going up', () => {
    expect(move(emptySelection, rows, 'next', false).focus).toBe('a');
    expect(move(emptySelection, rows, 'previous', false).focus).toBe('e');
  });
  it('stays inside the list', () => {
    expect(move(selectOne('e'), rows, 'next', false).focus).toBe('e');
    expect(move(selectOne('b'), rows, -10, false).focus).toBe('a');
    expect(move(selectOne('b'), [], 'next', false)).toEqual(emptySelection);
  });
  it('extends from the anchor, and shrinks on the way back', () => {
    let at = move(selectOne('b'), rows, 'next', true);
    at = move(at, rows, 'next', true);
    expect([...at.keys]).toEqual(['b', 'c', 'd']);
    at = move(at, rows, 'previous', true);
    expect([...at.keys]).toEqual(['b', 'c']);
    expect(at.anchor).toBe('b');
    expect([...extendTo(at, rows, 'a').keys]).toEqual(['a', 'b']);
  });
});

describe('the set', () => {
  it('toggles', () => {
    const two = toggle(selectOne('a'), 'c');
    expect([...two.keys]).toEqual(['a', 'c']);
    expect([...toggle(two, 'a').keys]).toEqual(['c']);
  });
  it('means everything only when more match than are loaded', () => {
    expect(selectAll(emptySelection, rows, 5).everything).toBe(false);
    expect(selectAll(emptySelection, rows, 1258).everything).toBe(true);
    expect(move(selectAll(emptySelection, rows, 1258), rows, 'next', false).everything).toBe(false);
  });
});

describe('when rows go', () => {
  it('focuses the follower, else the one before', () => {
    expect(withoutGone(selectOne('c'), rows, ['a', 'b', 'd', 'e']).focus).toBe('d');
    expect(withoutGone(selectOne('e'), rows, ['a', 'b', 'c', 'd']).focus).toBe('d');
    expect(withoutGone(selectOne('a'), rows, [])).toEqual(emptySelection);
  });
  it('keeps what is left of a range', () => {
    const range = extendTo(selectOne('b'), rows, 'd');
    const left = withoutGone(range, rows, ['a', 'b', 'd', 'e']);
    expect([...left.keys]).toEqual(['b', 'd']);
    expect(left.focus).toBe('d');
  });
  it('is the same object when nothing selected went', () => {
    const one = selectOne('b');
    expect(withoutGone(one, rows, ['b', 'c'])).toBe(one);
  });
});
