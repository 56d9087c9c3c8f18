/**
 * The exchange of AUTH PLAIN (RFC 4616) and AUTH LOGIN: base64 in, credentials out.
 * Pure and linear; a malformed or aborted exchange is an error reply in Postfix's words.
 */
export interface Credentials {
  readonly method: 'PLAIN' | 'LOGIN';
  readonly user: string;
  readonly password: string;
}

export type AuthStep =
  | { readonly kind: 'challenge'; readonly reply: string }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }
  | { readonly kind: 'error'; readonly reply: string };

export const authMethods = ['PLAIN', 'LOGIN'] as const;

const malformed: AuthStep = { kind: 'error', reply: '535 5.7.8 Error: authentication failed: bad protocol / cancel' };
const aborted: AuthStep = { kind: 'error', reply: '501 5.7.0 Authentication aborted' };

/** The prompts every client knows: `Username:` and `Password:`. */
const askUser: AuthStep = { kind: 'challenge', reply: '334 VXNlcm5hbWU6' };
const askPassword: AuthStep = { kind: 'challenge', reply: '334 UGFzc3dvcmQ6' };

export class AuthExchange {
  readonly method: 'PLAIN' | 'LOGIN';
  #user: string | undefined;

  constructor(method: 'PLAIN' | 'LOGIN') {
    this.method = method;
  }

  /** `initial`: the initial response (RFC 4954 §4); `=` stands for an empty one. */
  start(initial: string | undefined): AuthStep {
    if (initial === undefined) return this.method === 'PLAIN' ? { kind: 'challenge', reply: '334 ' } : askUser;
    return this.next(initial === '=' ? '' : initial);
  }

  next(line: string): AuthStep {
    if (line === '*') return aborted;
    const text = decode(line);
    if (text === undefined) return malformed;
    if (this.method === 'PLAIN') return plain(text);
    if (this.#user === undefined) {
      if (!isUserName(text)) return malformed;
      this.#user = text;
      return askPassword;
    }
    if (text.includes('\0')) return malformed;
    return { kind: 'credentials', credentials: { method: 'LOGIN', user: this.#user, password: text } };
  }
}

function plain(text: string): AuthStep {
  const [authorise, authenticate, password, ...more] = text.split('\0');
  if (authorise === undefined || authenticate === undefined || password === undefined || more.length > 0) {
    return malformed;
  }
  // Some clients give the user as authorisation identity only.
  const user = authenticate === '' ? authorise : authenticate;
  // Nobody may act for somebody else.
  if (!isUserName(user) || (authorise !== '' && authorise !== user)) return malformed;
  return { kind: 'credentials', credentials: { method: 'PLAIN', user, password } };
}

function isUserName(text: string): boolean {
  return text !== '' && text.length <= 255 && !/[\p{Cc}\u2028\u2029]/u.test(text);
}

function decode(text: string): string | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
}
