/**
 * Who may use browser mode: whoever exchanged a one-time token for a session cookie, under an exact host name.
 *
 * Promises: one token is valid at a time; using it makes the next. Secrets are compared by hash, in constant time.
 * Sessions live as long as the process; the oldest ends when there are too many.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { networkInterfaces } from 'node:os';

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export class Access {
  /** Cookies know no ports: two servers on one machine need two names. */
  readonly cookieName: string;
  readonly #sessionLimit: number;
  readonly #onNewToken: (token: string) => void;
  #token = newSecret();
  #tokenDigest = digest(this.#token);
  readonly #sessions: Buffer[] = [];

  /** `onNewToken` is told the next token once the last is used. */
  constructor(options: { port: number; sessions?: number; onNewToken?: (token: string) => void }) {
    this.cookieName = `postrider-${options.port}`;
    this.#sessionLimit = options.sessions ?? 100;
    this.#onNewToken = options.onNewToken ?? (() => undefined);
  }

  /** The one valid token, 32 random bytes as base64url. */
  get token(): string {
    return this.#token;
  }

  /** The value of Set-Cookie for a good token, once; else undefined. */
  exchange(token: string): string | undefined {
    if (!timingSafeEqual(digest(token), this.#tokenDigest)) return undefined;
    this.#token = newSecret();
    this.#tokenDigest = digest(this.#token);
    const session = newSecret();
    this.#sessions.push(digest(session));
    if (this.#sessions.length > this.#sessionLimit) this.#sessions.shift();
    this.#onNewToken(this.#token);
    return `${this.cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** Whether a Cookie header carries a live session. */
  admits(cookieHeader: string | undefined): boolean {
    let admitted = false;
    for (const pair of (cookieHeader ?? '').split(';')) {
      const equals = pair.indexOf('=');
      if (equals === -1 || pair.slice(0, equals).trim() !== this.cookieName) continue;
      const given = digest(pair.slice(equals + 1).trim());
      for (const session of this.#sessions) if (timingSafeEqual(session, given)) admitted = true;
    }
    return admitted;
  }
}

export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(?:\.\d{1,3}){3}$/.test(address);
}

/** `[::1]:8025`, `127.0.0.1:8025` */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * The Host headers to answer to. A name that an attacker's DNS could point here is never among them: loopback names,
 * the address that is bound (all of the machine's own when that is a wildcard), and what the administrator adds.
 */
export function allowedHosts(address: string, port: number, extra: readonly string[] = []): Set<string> {
  const wildcard = address === '0.0.0.0' || address === '::';
  const names = new Set([address]);
  if (wildcard) {
    for (const list of Object.values(networkInterfaces())) for (const { address: own } of list ?? []) names.add(own);
  }
  if (wildcard || isLoopback(address)) for (const name of ['localhost', '127.0.0.1']) names.add(name);
  if (wildcard || address === '::1') names.add('::1');
  const hosts = new Set(extra.map((host) => host.toLowerCase()));
  for (const name of names) {
    hosts.add(hostPort(name, port).toLowerCase());
    if (port === 80) hosts.add(hostPort(name, port).toLowerCase().slice(0, -3));
  }
  return hosts;
}

/** Whether an Origin header names the very page that the Host header serves. */
export function sameOrigin(origin: string | undefined, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}
