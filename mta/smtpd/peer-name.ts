/**
 * The name of a client: its PTR name if that name leads back to the address, else `unknown` (smtpd_peername_lookup).
 * Promises: never throws; at most `limit` milliseconds; loopback is `localhost` without asking; answers are kept for
 * five minutes, a thousand at most; a name has host name characters only.
 */
import { promises as dns } from 'node:dns';

const keepFor = 300_000;
const keepMost = 1000;

export interface PeerNames {
  /** At once when it is known; else a promise. */
  find(address: string): string | Promise<string>;
}

type Resolver = Pick<typeof dns, 'reverse' | 'lookup'>;

export function createPeerNames(limit = 5000, resolver: Resolver = dns): PeerNames {
  const known = new Map<string, { name: string; until: number }>();

  async function ask(address: string): Promise<string> {
    const names = await resolver.reverse(address);
    const name = names[0]?.toLowerCase().replace(/\.$/, '') ?? '';
    const fits = name.length <= 253 && /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/.test(name) && !name.includes('..');
    if (!fits || /^[\d.]+$/.test(name)) return 'unknown';
    const back = await resolver.lookup(name, { all: true });
    return back.some((one) => one.address === address) ? name : 'unknown';
  }

  return {
    find(address) {
      if (address.startsWith('127.') || address === '::1') return 'localhost';
      const now = performance.now();
      const found = known.get(address);
      if (found !== undefined && found.until > now) return found.name;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<string>((resolve) => {
        timer = setTimeout(resolve, limit, 'unknown');
        timer.unref();
      });
      return Promise.race([ask(address).catch(() => 'unknown'), late]).then((name) => {
        clearTimeout(timer);
        if (known.size >= keepMost) known.clear();
        known.set(address, { name, until: performance.now() + keepFor });
        return name;
      });
    },
  };
}
