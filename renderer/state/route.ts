/** The address of a page inside the window, as the URL's hash: `#/local/inbox/orders/ID?q=from:ada`. Pure. */
export interface Route {
  readonly server: string | undefined;
  readonly page: string | undefined;
  /** What follows the page, decoded. */
  readonly rest: readonly string[];
  readonly query: ReadonlyMap<string, string>;
}

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [server, page, ...rest] = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  return { server, page, rest, query: new Map(new URLSearchParams(search)) };
}

export function formatRoute(route: {
  server: string;
  page: string;
  rest?: readonly string[];
  query?: Readonly<Record<string, string | undefined>>;
}): string {
  const path = [route.server, route.page, ...(route.rest ?? [])].map(encodeURIComponent).join('/');
  const search = new URLSearchParams(
    Object.entries(route.query ?? {}).flatMap(([key, value]) =>
      value === undefined || value === '' ? [] : [[key, value] as [string, string]],
    ),
  ).toString();
  return `#/${path}${search === '' ? '' : `?${search}`}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
