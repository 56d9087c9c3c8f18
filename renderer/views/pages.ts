/** All pages, in the order of the sidebar. */
import type { ServerSession } from '../state/server.svelte.ts';
import type { Page } from './page.ts';

const modules = import.meta.glob<{ page: Page }>('./*/page.ts', { eager: true });

export const pages: readonly Page[] = Object.values(modules)
  .map(({ page }) => page)
  .sort((a, b) => a.order - b.order);

/** The pages this server has; all of them until its capabilities are known. */
export function pagesOf(server: ServerSession): readonly Page[] {
  return pages.filter(
    ({ capability }) => capability === undefined || server.overview === undefined || server.has(capability),
  );
}

/** Where a server opens. */
export function homePage(server: ServerSession): Page | undefined {
  const profile = server.overview?.profile ?? 'sink';
  const list = pagesOf(server);
  return list.find((page) => page.home?.includes(profile) === true) ?? list[0];
}
