/** The client's side of AUTH: PLAIN, LOGIN, CRAM-MD5 (RFC 4954, 4616, 2195). The password goes nowhere but to the peer. */
import { createHmac } from 'node:crypto';
import type { Connection } from './connection.ts';
import type { Reply } from './reply.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** `user:password`, as smtp_sasl_password_maps has it. */
export function parseCredentials(value: string): Credentials {
  const colon = value.indexOf(':');
  return colon === -1
    ? { user: value, password: '' }
    : { user: value.slice(0, colon), password: value.slice(colon + 1) };
}

/** The best mechanism both sides have; `noplaintext` rules out those that send the password itself. */
export function chooseMechanism(
  offered: string,
  options: readonly string[],
): 'PLAIN' | 'LOGIN' | 'CRAM-MD5' | undefined {
  const mechanisms = new Set(offered.toUpperCase().split(/[\s=]+/));
  if (mechanisms.has('CRAM-MD5')) return 'CRAM-MD5';
  if (options.includes('noplaintext')) return undefined;
  if (mechanisms.has('PLAIN')) return 'PLAIN';
  return mechanisms.has('LOGIN') ? 'LOGIN' : undefined;
}

/** The server's last word: 235 when it believes us. */
export async function authenticate(
  connection: Connection,
  mechanism: 'PLAIN' | 'LOGIN' | 'CRAM-MD5',
  { user, password }: Credentials,
  timeout: number,
): Promise<Reply> {
  const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  const doing = 'performing SASL authentication';
  if (mechanism === 'PLAIN') {
    return connection.command(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`, timeout, doing);
  }
  let reply = await connection.command(`AUTH ${mechanism}`, timeout, doing);
  if (reply.code !== 334) return reply;
  if (mechanism === 'CRAM-MD5') {
    const challenge = Buffer.from((reply.lines[0] ?? '').slice(4), 'base64');
    const digest = createHmac('md5', password).update(challenge).digest('hex');
    return connection.command(base64(`${user} ${digest}`), timeout, doing);
  }
  reply = await connection.command(base64(user), timeout, doing);
  return reply.code === 334 ? connection.command(base64(password), timeout, doing) : reply;
}
