/**
 * The smtp and relay delivery agents (smtp(8)): to the hosts of a next hop, one after another until one decides.
 *
 * Sessions are kept for smtp_connection_cache_time_limit and used again for the same next hop; a kept session that
 * breaks before the message was begun costs nothing but a new connection. Promises: an outcome for every recipient, no
 * rejection; `destinationFailed` only when no host of the next hop could be spoken to.
 */
import type { Configuration } from '../config/configuration.ts';
import type { MailLog } from '../maillog/log.ts';
import type { DeliveryAgent, DeliveryOutcome, DeliveryRequest } from '../qmgr/agent.ts';
import type { QueuedRecipient } from '../queue/store.ts';
import { ConnectionError, peerText, type Peer } from './connection.ts';
import { findHosts, HostError, parseNexthop, systemDns, type Dns, type Nexthop } from './hosts.ts';
import type { Verdict } from './outcomes.ts';
import { parseCredentials, type Credentials } from './sasl.ts';
import { SessionCache } from './session-cache.ts';
import { openSession, TlsFailure, type Session } from './session.ts';
import { sendMessage, type TransactionResult } from './transaction.ts';

export interface SmtpAgentOptions {
  readonly configuration: () => Configuration;
  readonly log: MailLog;
  readonly dns?: Dns | undefined;
  /** For smtp_sasl_password_maps. */
  readonly lookup?: ((map: string, key: string) => string | undefined | Promise<string | undefined>) | undefined;
  /** This host's addresses, for inet_interfaces = all. */
  readonly ownAddresses?: (() => readonly string[]) | undefined;
}

/** What is known of a recipient so far; the last host's word counts. */
interface Answer {
  readonly verdict: Verdict;
  readonly peer: Peer | undefined;
  readonly uses: number;
}

export function createSmtpAgent(options: SmtpAgentOptions): DeliveryAgent {
  const dns = options.dns ?? systemDns(options.configuration);
  const cache = new SessionCache();
  let closing = false;

  async function deliver(request: DeliveryRequest): Promise<DeliveryOutcome[]> {
    const delivery = new Delivery(request, options, dns, cache);
    const outcomes = await delivery.run();
    if (closing) cache.close();
    return outcomes;
  }

  return {
    deliver,
    close: () => {
      closing = true;
      cache.close();
      return Promise.resolve();
    },
  };
}

function hostKey({ address, port }: Peer): string {
  return `${address} ${port}`;
}

class Delivery {
  readonly #request: DeliveryRequest;
  readonly #options: SmtpAgentOptions;
  readonly #configuration: Configuration;
  readonly #dns: Dns;
  readonly #cache: SessionCache;
  readonly #key: string;
  readonly #started = performance.now();
  #connection = 0;
  #spokeTo = false;
  #open: QueuedRecipient[];
  /** Hosts that have answered for what is left: a kept session's need not be asked again. */
  readonly #asked = new Set<string>();
  readonly #answers = new Map<QueuedRecipient, Answer>();

  constructor(request: DeliveryRequest, options: SmtpAgentOptions, dns: Dns, cache: SessionCache) {
    this.#request = request;
    this.#options = options;
    this.#configuration = options.configuration();
    this.#dns = dns;
    this.#cache = cache;
    this.#open = [...request.recipients];
    this.#key = `${request.route.transport}\0${request.route.nexthop.toLowerCase()}`;
  }

  async run(): Promise<DeliveryOutcome[]> {
    try {
      await this.#useKept();
      if (this.#open.length > 0) await this.#useHosts();
    } catch (error) {
      const dsn = error instanceof HostError || error instanceof ConnectionError ? error.dsn : '4.3.0';
      const reason = error instanceof Error ? error.message : String(error);
      this.#answerAll({ state: dsn.startsWith('5') ? 'bounced' : 'deferred', dsn, reason, tryNext: false }, undefined);
    }
    return this.#request.recipients.map((recipient) => this.#outcome(recipient));
  }

  /** A session from an earlier message, as long as there is one that works. */
  async #useKept(): Promise<void> {
    for (;;) {
      const session = this.#cache.take(this.#key);
      if (session === undefined) return;
      const result = await this.#send(session);
      if (!result.lostEarly) return;
    }
  }

  async #useHosts(): Promise<void> {
    const nexthop = parseNexthop(this.#request.route.nexthop, this.#configuration.text('smtp_tcp_port'));
    const hosts = await findHosts(nexthop, {
      configuration: this.#configuration,
      dns: this.#dns,
      ownAddresses: this.#options.ownAddresses,
    });
    const credentials = await this.#credentials(nexthop);
    const sessions = this.#configuration.int('smtp_mx_session_limit') || Infinity;
    let opened = 0;
    for (const peer of hosts) {
      if (this.#asked.has(hostKey(peer))) continue;
      const session = await this.#openSession(peer, nexthop, credentials);
      if (session === undefined) continue;
      opened++;
      await this.#send(session);
      if (this.#open.length === 0 || opened >= sessions) return;
    }
  }

  async #openSession(peer: Peer, nexthop: Nexthop, credentials: Credentials | undefined): Promise<Session | undefined> {
    const open = (withoutTls: boolean): Promise<Session> =>
      openSession(peer, {
        configuration: this.#configuration,
        nexthop: nexthop.host,
        credentials,
        withoutTls,
        onTls: (text) => this.#options.log.line('smtp', text),
      });
    try {
      let session: Session;
      try {
        session = await open(false);
      } catch (error) {
        if (!(error instanceof TlsFailure) || !this.#mayGoPlain()) throw error;
        session = await open(true);
      }
      this.#connection = (performance.now() - this.#started) / 1000;
      this.#spokeTo = true;
      return session;
    } catch (error) {
      const dsn = error instanceof ConnectionError ? error.dsn : '4.3.0';
      const reason = error instanceof Error ? error.message : String(error);
      this.#connection = (performance.now() - this.#started) / 1000;
      const connected = !reason.startsWith('connect to ');
      // As smtp(8): each host that fails is in the log, not only the last.
      this.#options.log.line('smtp', connected ? `${this.#request.message.id}: ${reason}` : reason);
      this.#answerAll({ state: 'deferred', dsn, reason, tryNext: true }, connected ? peer : undefined);
      return undefined;
    }
  }

  /** As Postfix: after a failed handshake, plaintext is tried once the message has waited for minimal_backoff_time. */
  #mayGoPlain(): boolean {
    if (this.#configuration.text('smtp_tls_security_level') === 'encrypt') return false;
    if (['verify', 'secure'].includes(this.#configuration.text('smtp_tls_security_level'))) return false;
    if (this.#configuration.bool('smtp_tls_wrappermode')) return false;
    return Date.now() - this.#request.message.arrival >= this.#configuration.time('minimal_backoff_time');
  }

  async #credentials(nexthop: Nexthop): Promise<Credentials | undefined> {
    const { lookup } = this.#options;
    if (lookup === undefined || !this.#configuration.bool('smtp_sasl_auth_enable')) return undefined;
    const keys = [this.#request.route.nexthop.toLowerCase(), `[${nexthop.host}]:${nexthop.port}`, nexthop.host];
    for (const key of keys) {
      for (const map of this.#configuration.list('smtp_sasl_password_maps')) {
        const value = await lookup(map, key);
        if (value !== undefined) return parseCredentials(value);
      }
    }
    return undefined;
  }

  async #send(session: Session): Promise<TransactionResult> {
    session.uses++;
    this.#spokeTo = true;
    const { message, body } = this.#request;
    const result = await sendMessage(session, this.#configuration, message, this.#open, body);
    const reused = session.uses > 1;
    if (result.lost && !(reused && result.lostEarly)) this.#spokeTo = false;
    for (const [recipient, verdict] of result.verdicts) {
      this.#answers.set(recipient, { verdict, peer: session.peer, uses: session.uses });
    }
    this.#open = this.#open.filter((recipient) => result.verdicts.get(recipient)?.tryNext !== false);
    if (result.reusable) this.#asked.add(hostKey(session.peer));
    if (result.reusable && !session.connection.dead) this.#keep(session);
    else session.connection.quit();
    return result;
  }

  #keep(session: Session): void {
    const configuration = this.#configuration;
    const time = configuration.time('smtp_connection_cache_time_limit');
    const age = performance.now() - session.openedAt;
    const most = configuration.int('smtp_connection_reuse_count_limit');
    if (
      !configuration.bool('smtp_connection_cache_on_demand') ||
      age >= configuration.time('smtp_connection_reuse_time_limit') ||
      (most > 0 && session.uses >= most)
    ) {
      session.connection.quit();
      return;
    }
    this.#cache.keep(this.#key, session, time);
  }

  #answerAll(verdict: Verdict, peer: Peer | undefined): void {
    for (const recipient of this.#open) this.#answers.set(recipient, { verdict, peer, uses: 0 });
  }

  #outcome(recipient: QueuedRecipient): DeliveryOutcome {
    const answer = this.#answers.get(recipient);
    const verdict: Verdict = answer?.verdict ?? {
      state: 'deferred',
      dsn: '4.3.0',
      reason: 'unknown mail transport error',
      tryNext: false,
    };
    const peer = answer?.peer;
    const total = (performance.now() - this.#started) / 1000;
    return {
      index: recipient.index,
      state: verdict.state,
      dsn: verdict.dsn,
      reason: verdict.reason,
      relay: peer === undefined ? 'none' : `${peerText(peer)}:${peer.port}`,
      at: Date.now(),
      connection: this.#connection,
      transmission: Math.max(0, total - this.#connection),
      ...(answer !== undefined && answer.uses > 1 ? { connectionUse: answer.uses } : {}),
      ...(this.#spokeTo || verdict.state !== 'deferred' ? {} : { destinationFailed: true }),
      ...(peer === undefined ? {} : { remoteMta: peer.name }),
      ...(verdict.diagnostic === undefined ? {} : { diagnostic: verdict.diagnostic }),
      ...(verdict.dsnPassedOn === true ? { dsnPassedOn: true } : {}),
    };
  }
}
