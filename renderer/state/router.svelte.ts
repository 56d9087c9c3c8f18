/** Where the person is: the URL's hash as state. Back and forward work as in any browser. */
import { formatRoute, parseRoute, type Route } from './route.ts';

class Router {
  route = $state.raw<Route>(parseRoute(''));

  start(): () => void {
    const read = (): void => {
      this.route = parseRoute(window.location.hash);
    };
    read();
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }

  /** Goes to a page. `replace` leaves no step to go back to: for selections inside a page. */
  go(
    server: string,
    page: string,
    rest: readonly string[] = [],
    options: { query?: Readonly<Record<string, string | undefined>>; replace?: boolean } = {},
  ): void {
    const hash = formatRoute({ server, page, rest, ...(options.query === undefined ? {} : { query: options.query }) });
    if (hash === window.location.hash) return;
    if (options.replace === true) {
      window.history.replaceState(null, '', hash);
      this.route = parseRoute(hash);
    } else {
      window.location.hash = hash;
      // At once: the event comes later, and what happens until then must not see the old place.
      this.route = parseRoute(hash);
    }
  }
}
export const router = new Router();
