/**
 * One SMTP listener: accepts connections, runs a Session on each, closes in an orderly way.
 *
 * Promises: `listen` rejects when the port cannot be had and may be called again; `close` stops accepting, lets the
 * command or message in hand finish for `postrider_shutdown_time_limit` at most, says 421 to the others, and resolves
 * when no socket is left. A reconfiguration holds for the sessions that begin after it.
 */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SMTPServer } from 'smtp-server';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { Intake } from '../cleanup/intake.ts';
import type { Configuration, MasterService } from '../config/configuration.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import { createClientCounts, type ClientCounts } from './clients.ts';
import { Connection } from './connection.ts';
import { createPeerNames, type PeerNames } from './peer-name.ts';
import type { SaslUsers } from './sasl/users.ts';
import { Session } from './session.ts';
import { readSettings, type Settings } from './settings.ts';
import type { TlsMaterial } from './tls.ts';

export interface SmtpServerOptions {
  readonly service: MasterService;
  /** As the service sees it (`forService`). */
  readonly configuration: Configuration;
  readonly log: MailLog;
  readonly intake: Intake;
  /** Absent: nobody can log in, except where AUTH takes anybody. */
  readonly users?: SaslUsers | undefined;
  /** From `openTls`; absent: no STARTTLS, no wrapper mode. */
  readonly tls?: TlsMaterial | undefined;
  /** Whether mail for this address, of a domain that is ours, can be delivered. Throwing means 451. */
  readonly recipientKnown: (address: string) => boolean | Promise<boolean>;
  /** A client, recipient or message was refused. */
  readonly onRejected?: (() => void) | undefined;
  /** A session began (+1) or ended (-1). */
  readonly onSession?: ((delta: 1 | -1) => void) | undefined;
  /** Shared by the listeners of one MTA; absent: this listener's own. */
  readonly clients?: ClientCounts | undefined;
  readonly peerNames?: PeerNames | undefined;
}

export interface SmtpServer {
  listen(host: string, port: number): Promise<{ address: string; port: number }>;
  close(): Promise<void>;
  reconfigure(configuration: Configuration, tls?: TlsMaterial): void;
}

/** How often deadlines are looked at. */
const sweep = 500;

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  const { log, service, intake, users } = options;
  const clients = options.clients ?? createClientCounts();
  const peerNames = options.peerNames ?? createPeerNames();
  let tls = options.tls;
  let grace = options.configuration.time('postrider_shutdown_time_limit');
  let settings: Settings = readSettings(options.configuration, service.service, tls);
  const sessions = new Map<Connection, Session>();
  let timer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  class Listener extends SMTPServer {
    /** The library would make its own connection here. */
    override connect(socket: Socket | TLSSocket, socketOptions?: SMTPConnectionOptions): void {
      const connection = new Connection(this, socket, socketOptions, (connection) => {
        const session = new Session(connection, {
          settings,
          log,
          intake,
          users,
          peerNames,
          clients,
          recipientKnown: options.recipientKnown,
          onRejected: () => options.onRejected?.(),
          onSession: (delta) => {
            if (delta < 0) sessions.delete(connection);
            options.onSession?.(delta);
          },
        });
        sessions.set(connection, session);
        return session;
      });
      this.connections.add(connection);
      const { input } = connection;
      if (input !== undefined) input.lineLimit = settings.lineLimit;
      timer ??= setInterval(look, sweep).unref();
      connection.init();
    }
  }

  const listener = new Listener({
    // The library's own log, commands and certificate are not used; see Connection and Session.
    logger: false,
    secure: settings.wrapper,
    ...(tls === undefined ? {} : { key: tls.key, cert: tls.cert }),
    minVersion: 'TLSv1.2',
    // A client that closes its side after QUIT still gets its replies.
    allowHalfOpen: true,
    // Before the session begins: the time for the TLS handshake in wrapper mode.
    socketTimeout: Math.max(1000, settings.timeout),
    disableReverseLookup: true,
  });
  // Handshakes that fail in wrapper mode arrive here; a port that cannot be had arrives at `listen` as well.
  listener.on('error', (error: Error) => {
    if (listener.server.listening) log.line(settings.logName, `warning: ${errorMessage(error)}`, 'warning');
  });

  function look(): void {
    const now = performance.now();
    for (const connection of sessions.keys()) connection.checkDeadline(now);
    if (sessions.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  }

  async function close(): Promise<void> {
    const { server } = listener;
    const closed = server.listening ? once(server, 'close') : undefined;
    if (closed !== undefined) server.close();
    // Handshakes have no command in hand.
    for (const socket of listener._pendingSockets.values()) socket.destroy();
    for (const session of [...sessions.values()]) session.stop();
    const late = setTimeout(() => {
      for (const connection of listener.connections) (connection as Connection).destroy();
      for (const connection of sessions.keys()) connection.destroy();
    }, grace);
    late.unref();
    await closed;
    clearTimeout(late);
    clearInterval(timer);
    timer = undefined;
  }

  return {
    async listen(host, port) {
      const { server } = listener;
      await new Promise<void>((resolve, reject) => {
        const failed = (error: Error): void => reject(error);
        server.once('error', failed);
        server.listen({ host, port, backlog: 511 }, () => {
          server.removeListener('error', failed);
          resolve();
        });
      });
      const address = server.address() as AddressInfo;
      return { address: address.address, port: address.port };
    },

    close: () => (closing ??= close()),

    reconfigure(configuration, newTls) {
      if (newTls !== undefined) {
        tls = newTls;
        listener.updateSecureContext({ key: tls.key, cert: tls.cert });
      }
      settings = readSettings(configuration, service.service, tls);
      grace = configuration.time('postrider_shutdown_time_limit');
    },
  };
}
