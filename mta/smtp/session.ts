/**
 * An SMTP session with one host: greeting, EHLO, STARTTLS, AUTH, then any number of messages.
 *
 * Promises: `open` gives a session ready for MAIL or rejects with ConnectionError. `send` answers for every recipient
 * and never rejects. TLS by smtp_tls_security_level: with `may` a failed handshake is told apart (TlsFailure), so that
 * the caller may go on without TLS.
 */
import { readFile } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';
import { Connection, ConnectionError, peerText, type Peer } from './connection.ts';
import type { Capabilities } from './envelope-commands.ts';
import { replyDsn } from './outcomes.ts';
import type { Reply } from './reply.ts';
import { authenticate, chooseMechanism, type Credentials } from './sasl.ts';

export class TlsFailure extends ConnectionError {
  override name = 'TlsFailure';
}

export interface SessionOptions {
  readonly configuration: Configuration;
  /** The next hop's own name: what a certificate is checked against at level `secure`. */
  readonly nexthop: string;
  readonly credentials?: Credentials | undefined;
  /** Go on without TLS though the server offers it: the handshake failed before. */
  readonly withoutTls?: boolean | undefined;
  readonly onTls?: ((text: string) => void) | undefined;
}

export interface Session {
  readonly connection: Connection;
  readonly peer: Peer;
  readonly capabilities: Capabilities;
  readonly openedAt: number;
  /** Messages sent on it. */
  uses: number;
}

type TlsLevel = 'none' | 'may' | 'encrypt' | 'verify' | 'secure';

export async function openSession(peer: Peer, options: SessionOptions): Promise<Session> {
  const { configuration } = options;
  const level = tlsLevel(configuration);
  const local = configuration.text('smtp_bind_address');
  const connection = await Connection.open(peer, configuration.time('smtp_connect_timeout'), {
    localAddress: local === '' ? undefined : local,
  });
  try {
    if (configuration.bool('smtp_tls_wrappermode')) await startTls(connection, level, options);
    const greeting = await connection.reply(
      configuration.time('smtp_helo_timeout'),
      'receiving the initial server greeting',
    );
    if (greeting.code !== 220) throw refused(peer, greeting);
    let capabilities = await hello(connection, peer, configuration, /\bESMTP\b/i.test(greeting.text));
    if (level !== 'none' && !connection.secure && options.withoutTls !== true) {
      const started = capabilities.has('STARTTLS') && (await offerTls(connection, level, options));
      if (started) capabilities = await hello(connection, peer, configuration, true);
      else if (level !== 'may') {
        throw new ConnectionError('4.7.4', `TLS is required, but was not offered by host ${peerText(peer)}`);
      }
    }
    if (options.credentials !== undefined) await logIn(connection, capabilities, options, options.credentials);
    return { connection, peer, capabilities, openedAt: performance.now(), uses: 0 };
  } catch (error) {
    if (error instanceof TlsFailure || connection.dead) connection.destroy();
    else connection.quit();
    throw error;
  }
}

/** smtp_tls_security_level, with the parameters it replaced (smtp_use_tls, smtp_enforce_tls). */
function tlsLevel(configuration: Configuration): TlsLevel {
  const level = configuration.text('smtp_tls_security_level');
  switch (level) {
    case 'none':
    case 'may':
    case 'encrypt':
    case 'verify':
    case 'secure':
      return level;
    case '':
      if (configuration.bool('smtp_enforce_tls')) return 'encrypt';
      return configuration.bool('smtp_use_tls') ? 'may' : 'none';
    case 'dane':
      return 'may';
    default:
      // Never weaker than what was asked for.
      throw new ConnectionError('4.7.5', `smtp_tls_security_level = ${level} is not available on this server`);
  }
}

async function hello(
  connection: Connection,
  peer: Peer,
  configuration: Configuration,
  extended: boolean,
): Promise<Capabilities> {
  const name = configuration.text('smtp_helo_name');
  const timeout = configuration.time('smtp_helo_timeout');
  const ehlo = await connection.command(`EHLO ${name}`, timeout, 'performing the EHLO handshake');
  if (ehlo.code === 250) return capabilitiesOf(ehlo);
  // A server that does not know EHLO is spoken to in plain SMTP; one that said ESMTP and refuses means it.
  if (ehlo.code < 500 || (extended && ehlo.code >= 550)) throw refused(peer, ehlo);
  const helo = await connection.command(`HELO ${name}`, timeout, 'performing the HELO handshake');
  if (helo.code !== 250) throw refused(peer, helo);
  return new Map();
}

function capabilitiesOf(reply: Reply): Capabilities {
  const capabilities = new Map<string, string>();
  for (const line of reply.lines.slice(1, 101)) {
    const text = line.slice(4).trim();
    const space = text.search(/[ =]/);
    const keyword = (space === -1 ? text : text.slice(0, space)).toUpperCase();
    const rest = space === -1 ? '' : text.slice(space + 1);
    capabilities.set(keyword, keyword === 'AUTH' ? `${capabilities.get('AUTH') ?? ''} ${rest}` : rest);
  }
  return capabilities;
}

/** False when the server, at level `may`, does not want to after all. */
async function offerTls(connection: Connection, level: TlsLevel, options: SessionOptions): Promise<boolean> {
  const timeout = options.configuration.time('smtp_starttls_timeout');
  const reply = await connection.command('STARTTLS', timeout, 'sending STARTTLS');
  if (reply.code !== 220) {
    if (level === 'may') return false;
    const host = peerText(connection.peer);
    throw new ConnectionError('4.7.4', `TLS is required, but host ${host} refused to start TLS: ${reply.text}`);
  }
  await startTls(connection, level, options);
  return true;
}

async function startTls(connection: Connection, level: TlsLevel, options: SessionOptions): Promise<void> {
  const { configuration } = options;
  const file = configuration.text('smtp_tls_CAfile');
  const verify = level === 'verify' || level === 'secure';
  try {
    await connection.startTls({
      timeout: configuration.time('smtp_starttls_timeout'),
      servername: level === 'secure' ? options.nexthop : connection.peer.name,
      verify,
      ca: file === '' ? undefined : await readFile(file, 'utf8'),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new TlsFailure('4.7.5', text);
  }
  options.onTls?.(
    `${connection.authorized ? 'Trusted' : 'Untrusted'} TLS connection established to ${peerText(connection.peer)}:${connection.peer.port}: ${connection.tlsText()}`,
  );
}

async function logIn(
  connection: Connection,
  capabilities: Capabilities,
  { configuration }: SessionOptions,
  credentials: Credentials,
): Promise<void> {
  const offered = capabilities.get('AUTH');
  if (offered === undefined) return;
  const host = peerText(connection.peer);
  const options = configuration.list(
    connection.secure ? 'smtp_sasl_tls_security_options' : 'smtp_sasl_security_options',
  );
  const mechanism = chooseMechanism(offered, options);
  if (mechanism === undefined) {
    throw new ConnectionError(
      '4.7.0',
      `SASL authentication failed; cannot authenticate to server ${host}: no mechanism available`,
    );
  }
  const reply = await authenticate(connection, mechanism, credentials, configuration.time('smtp_helo_timeout'));
  if (reply.code !== 235) {
    throw new ConnectionError('4.7.0', `SASL authentication failed; server ${host} said: ${reply.text}`);
  }
}

/** A refusal before MAIL is the host's state, not the message's: it defers, 5xx too (smtp_skip_5xx_greeting). */
function refused(peer: Peer, reply: Reply): ConnectionError {
  const dsn = replyDsn(reply);
  return new ConnectionError(`4${dsn.slice(1)}`, `host ${peerText(peer)} refused to talk to me: ${reply.text}`);
}
