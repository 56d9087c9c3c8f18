import { describe, expect, it, vi } from 'vitest';
import { coalesce } from './coalesce.ts';
import { fraction } from './progress.ts';
import { formatRoute, parseRoute } from './route.ts';

describe('routes', () => {
  it('survives the way through the address', () => {
    const hash = formatRoute({
      server: 'local',
      page: 'inbox',
      rest: ['a/b@c.test', 'id?#%'],
      query: { q: 'from:ada "x y"', folder: '' },
    });
    const route = parseRoute(hash);
    expect(route).toMatchObject({ server: 'local', page: 'inbox', rest: ['a/b@c.test', 'id?#%'] });
    expect([...route.query]).toEqual([['q', 'from:ada "x y"']]);
  });
  it('reads anything', () => {
    expect(parseRoute('')).toMatchObject({ server: undefined, page: undefined, rest: [] });
    expect(parseRoute('#/%E0%A4%A/inbox').server).toBe('%E0%A4%A');
  });
});

describe('progress', () => {
  it('is a fraction only when the total is known', () => {
    expect(fraction(undefined)).toBeUndefined();
    expect(fraction({ done: 3 })).toBeUndefined();
    expect(fraction({ done: 3, total: 0 })).toBeUndefined();
    expect(fraction({ done: 3, total: 12 })).toBe(0.25);
    expect(fraction({ done: 30, total: 12 })).toBe(1);
  });
});

describe('coalesce', () => {
  it('runs once more after requests that came meanwhile, and never two at a time', async () => {
    vi.useFakeTimers();
    try {
      let running = 0;
      let most = 0;
      let calls = 0;
      const refresh = coalesce(async () => {
        calls++;
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 50));
        running--;
      }, 100);
      refresh.request();
      refresh.request();
      await vi.advanceTimersByTimeAsync(10);
      refresh.request();
      refresh.request();
      await vi.advanceTimersByTimeAsync(1000);
      expect([calls, most]).toEqual([2, 1]);
      const settled = refresh.settled();
      await vi.advanceTimersByTimeAsync(200);
      await settled;
      expect(calls).toBe(3);
      refresh.stop();
      refresh.request();
      await vi.advanceTimersByTimeAsync(500);
      expect(calls).toBe(3);
    } finally {
      vi.useRealTimers();
    }
  });
});
