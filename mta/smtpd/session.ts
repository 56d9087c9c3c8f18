/**
 * One SMTP session (RFC 5321): reads commands, keeps the state, answers in Postfix's words.
 *
 * Promises: a reply for every command, in order; 250 after DATA only when the message is durable; every refusal is in
 * the log with who, what and why; error, junk, recipient, size, time and login limits hold. Never throws for what a
 * client does.
 */
import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { IntakeError, type IncomingMessage, type Intake } from '../cleanup/intake.ts';
import { preciseNow } from '../cleanup/queue-id.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import { AuthExchange, authMethods, type AuthStep } from './auth.ts';
import type { ClientCounts } from './clients.ts';
import { CommandCounts, verbIndex, type Verb } from './command-counts.ts';
import type { Connection, Protocol } from './connection.ts';
import type { DataReader } from './data-reader.ts';
import { isOwnAddress } from './destinations.ts';
import { parseMailParameters, parseRcptParameters, type Offered } from './parameters.ts';
import { formatAddress, isInternational, parsePath, type MailAddress } from './path.ts';
import type { PeerNames } from './peer-name.ts';
import type { Decision, RestrictionContext } from './restrictions/decision.ts';
import { evaluateLists, warnTo, type RestrictionList } from './restrictions/evaluate.ts';
import { splitLogin, type SaslUsers } from './sasl/users.ts';
import type { Settings } from './settings.ts';
import { Transaction } from './transaction.ts';

/** What all sessions of a listener share. */
export interface SessionHost {
  readonly settings: Settings;
  readonly log: MailLog;
  readonly intake: Intake;
  readonly users: SaslUsers | undefined;
  readonly peerNames: PeerNames;
  readonly clients: ClientCounts;
  readonly recipientKnown: (address: string) => boolean | Promise<boolean>;
  onRejected(): void;
  onSession(delta: 1 | -1): void;
}

/** After these a client has to wait for the reply before it sends more (RFC 2920 §3.1). */
const lastInGroup = new Set<Verb>(['HELO', 'EHLO', 'STARTTLS', 'AUTH', 'DATA']);
/** Allowed before STARTTLS where TLS is required. */
const beforeTls = new Set<Verb>(['HELO', 'EHLO', 'STARTTLS', 'NOOP', 'QUIT']);
/** Commands that do no work: smtpd_junk_command_limit. */
const junk = new Set<Verb>(['HELO', 'EHLO', 'RSET', 'NOOP', 'VRFY']);
/** Whoever says this speaks HTTP (smtpd_forbidden_commands). */
const forbidden = new Set(['CONNECT', 'GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']);

type Wait = Promise<void> | undefined;

export class Session implements Protocol {
  readonly #connection: Connection;
  readonly #host: SessionHost;
  readonly #settings: Settings;
  readonly #counts = new CommandCounts();
  #name = 'unknown';
  #ready = false;
  /** A command is being worked on. */
  #busy = false;
  /** Commands were answered since the last time the client had its turn. */
  #answered = false;
  #stopping = false;
  #where = 'CONNECT';
  #helo: string | undefined;
  #extended = false;
  #saslUser: string | undefined;
  #saslMethod: string | undefined;
  #auth: AuthExchange | undefined;
  #authFailures = 0;
  #errors = 0;
  #junk = 0;
  /** The command in hand got a 4xx or 5xx reply. */
  #failed = false;
  #pipelining = false;
  #transaction: Transaction | undefined;
  #message: IncomingMessage | undefined;
  #counted = false;
  /** How it ended, when not by QUIT. */
  #reason: string | undefined;
  #quit = false;

  constructor(connection: Connection, host: SessionHost) {
    this.#connection = connection;
    this.#host = host;
    this.#settings = host.settings;
  }

  get #client(): string {
    return `${this.#name}[${this.#connection.remoteAddress}]`;
  }

  #log(text: string): void {
    this.#host.log.line(this.#settings.logName, text);
  }

  #warn(text: string): void {
    this.#host.log.line(this.#settings.logName, `warning: ${text}`, 'warning');
  }

  #reply(text: string): void {
    if (text.charCodeAt(0) >= 0x34) {
      this.#failed = true;
      // A refusal may quote the client. Its parsers let no control character through; once more costs nothing.
      this.#connection.reply(text.replace(/[\p{Cc}\u2028\u2029]/gu, '?'));
    } else this.#connection.reply(text);
  }

  // Life of the connection.

  opened(): void {
    const { clients, peerNames } = this.#host;
    const address = this.#connection.remoteAddress;
    const count = clients.connect(address);
    this.#counted = true;
    this.#host.onSession(1);
    // Who may ask costs nothing more than an address; a name only when needed.
    const name = this.#settings.peerNames ? peerNames.find(address) : 'unknown';
    if (typeof name === 'string') {
      this.#name = name;
      this.#greet(count);
      return;
    }
    void name.then((found) => {
      if (this.#connection.isOver) return;
      this.#name = found;
      this.#greet(count);
    });
  }

  #greet(count: number): void {
    const { hostname, limitExceptions, connectionsPerClient, connections, banner, timeout, atConnect } = this.#settings;
    const client = { name: this.#name, address: this.#connection.remoteAddress };
    this.#log(`connect from ${this.#client}`);
    if (connectionsPerClient > 0 && count > connectionsPerClient && !limitExceptions.has(client)) {
      this.#warn(
        `Connection concurrency limit exceeded: ${count} from ${this.#client} for service ${this.#settings.service}`,
      );
      this.#refuseConnection(`421 4.7.0 ${hostname} Error: too many connections from ${client.address}`);
      return;
    }
    if (connections > 0 && this.#host.clients.total > connections) {
      this.#warn(`all ${connections} sessions are in use: refusing ${this.#client}`);
      this.#refuseConnection(`421 4.3.2 ${hostname} Error: too many connections; try again later`);
      return;
    }
    if (this.#connection.secure) this.#logTls();
    const welcome = (): void => {
      this.#ready = true;
      this.#connection.reply(`220 ${banner}`);
      this.#connection.flush();
      this.#connection.arm(timeout);
    };
    if (atConnect.length === 0) {
      welcome();
      return;
    }
    void this.#decide(atConnect).then((decision) => {
      if (this.#connection.isOver) return;
      if (decision === undefined) {
        welcome();
        return;
      }
      this.#refuse('CONNECT', decision);
      this.#quit = true;
      this.#connection.close();
    });
  }

  #refuseConnection(reply: string): void {
    this.#quit = true;
    this.#reply(reply);
    this.#connection.close();
  }

  #logTls(): void {
    if (!this.#settings.tlsLog) return;
    this.#log(`Anonymous TLS connection established from ${this.#client}: ${this.#connection.tlsSummary ?? 'TLS'}`);
  }

  secured(): void {
    // RFC 3207 §4.2: nothing learnt before counts.
    this.#helo = undefined;
    this.#extended = false;
    this.#saslUser = undefined;
    this.#saslMethod = undefined;
    this.#auth = undefined;
    this.#transaction = undefined;
    this.#busy = false;
    const { input } = this.#connection;
    if (input !== undefined) input.lineLimit = this.#settings.lineLimit;
    this.#logTls();
    this.#connection.arm(this.#settings.timeout);
    if (this.#stopping) this.stop();
  }

  tlsFailed(error: Error): void {
    this.#warn(`SSL_accept error from ${this.#client}: ${errorMessage(error)}`);
  }

  timedOut(): void {
    this.#reason = 'timeout';
    this.#reply(`421 4.4.2 ${this.#settings.hostname} Error: timeout exceeded`);
    this.#connection.close();
  }

  ended(): void {
    this.#reason ??= 'lost connection';
    this.#connection.close();
  }

  failed(error: unknown): void {
    this.#warn(`session with ${this.#client} ended by an internal error: ${errorMessage(error)}`);
  }

  /** Asked to end: at once when nothing is in hand, else after the command or message in hand. */
  stop(): void {
    this.#stopping = true;
    if (this.#busy || this.#connection.isOver) return;
    this.#quit = true;
    this.#reply(`421 4.3.2 ${this.#settings.hostname} Service shutting down`);
    this.#connection.closeNow();
  }

  closed(): void {
    const message = this.#message;
    this.#message = undefined;
    if (!this.#quit) {
      const size =
        this.#where === 'DATA' && message !== undefined ? ` (${this.#connection.input?.reading?.size ?? 0} bytes)` : '';
      this.#log(`${this.#reason ?? 'lost connection'} after ${this.#where}${size} from ${this.#client}`);
    }
    void message?.abort();
    if (!this.#counted) return;
    this.#counted = false;
    this.#log(`disconnect from ${this.#client}${this.#counts.summary()}`);
    this.#host.clients.disconnect(this.#connection.remoteAddress);
    this.#host.onSession(-1);
  }

  idle(): void {
    if (!this.#answered || this.#busy) return;
    this.#answered = false;
    this.#connection.arm(this.#settings.timeout);
  }

  // Commands.

  line(line: Buffer, bareNewline: boolean, more: boolean): Wait {
    if (this.#connection.isOver) return undefined;
    if (!this.#ready) return this.#unsynchronised('CONNECT');
    if (bareNewline && this.#settings.rejectBareNewline) {
      this.#reason = 'bare <LF> received';
      this.#reply(`${this.#settings.bareNewlineCode} 5.5.2 ${this.#settings.hostname} Error: bare <LF> received`);
      this.#connection.close();
      return undefined;
    }
    this.#begin();
    const auth = this.#auth;
    if (auth !== undefined) return this.#finish('AUTH', this.#authStep(auth, auth.next(line.toString('latin1'))));
    if (!isUtf8(line)) {
      this.#where = 'unknown';
      this.#reply('500 5.5.2 Error: bad UTF-8 syntax');
      return this.#finish('unknown', undefined);
    }
    const text = line.toString('utf8').trimEnd();
    const space = text.search(/[ \t]/);
    const word = (space < 0 ? text : text.slice(0, space)).toUpperCase();
    const rest = space < 0 ? '' : text.slice(space + 1).trim();
    const verb: Verb = verbIndex.has(word) ? (word as Verb) : 'unknown';
    this.#where = verb === 'unknown' ? 'UNKNOWN' : verb;
    if (forbidden.has(word) || (text !== '' && !/^[a-z]/i.test(text))) {
      this.#warn(`non-SMTP command from ${this.#client}: ${text.slice(0, 100)}`);
      this.#counts.count('unknown', false);
      this.#quit = true;
      this.#reply('221 2.7.0 Error: I can break rules, too. Goodbye.');
      this.#connection.close();
      return undefined;
    }
    if (junk.has(verb) && ++this.#junk > this.#settings.junkCommands) this.#errors += 1;
    if (more && (!this.#extended || lastInGroup.has(verb)) && verb !== 'QUIT' && !this.#pipelining) {
      this.#log(`improper command pipelining after ${this.#where} from ${this.#client}`);
      this.#pipelining = true;
      if (this.#settings.forbidPipelining) return this.#unsynchronised(this.#where);
    }
    if (this.#settings.tls === 'encrypt' && !this.#connection.secure && !beforeTls.has(verb) && verb !== 'unknown') {
      this.#reply('530 5.7.0 Must issue a STARTTLS command first');
      return this.#finish(verb, undefined);
    }
    return this.#finish(verb, this.#run(verb, rest, text));
  }

  #unsynchronised(where: string): undefined {
    if (!this.#pipelining) this.#log(`improper command pipelining after ${where} from ${this.#client}`);
    this.#quit = true;
    this.#reply('554 5.5.0 Error: SMTP protocol synchronization');
    this.#connection.close();
  }

  tooLong(): Wait {
    this.#begin();
    this.#auth = undefined;
    this.#where = 'UNKNOWN';
    this.#reply('500 5.5.2 Error: line too long');
    return this.#finish('unknown', undefined);
  }

  #begin(): void {
    this.#connection.disarm();
    this.#busy = true;
    this.#answered = true;
    this.#failed = false;
  }

  #run(verb: Verb, rest: string, text: string): Wait {
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return this.#hello(verb, rest);
      case 'MAIL':
        return this.#mail(rest);
      case 'RCPT':
        return this.#rcpt(rest);
      case 'DATA':
        return this.#data(rest);
      case 'AUTH':
        return this.#startAuth(rest);
      case 'STARTTLS':
        this.#starttls(rest);
        return undefined;
      case 'RSET':
        if (rest !== '') this.#reply('501 5.5.4 Syntax: RSET');
        else {
          this.#transaction = undefined;
          this.#reply('250 2.0.0 Ok');
        }
        return undefined;
      case 'NOOP':
        this.#reply('250 2.0.0 Ok');
        return undefined;
      case 'VRFY':
        this.#vrfy(rest);
        return undefined;
      case 'QUIT':
        if (rest !== '') this.#reply('501 5.5.4 Syntax: QUIT');
        else {
          this.#quit = true;
          this.#reply('221 2.0.0 Bye');
        }
        return undefined;
      default:
        this.#reply(text === '' ? '500 5.5.2 Error: bad syntax' : '500 5.5.2 Error: command not recognized');
        return undefined;
    }
  }

  /** After each command: counts it, slows down and ends sessions that make too many errors. */
  #finish(verb: Verb, work: Wait): Wait {
    return work === undefined ? this.#done(verb) : work.then(() => this.#done(verb));
  }

  #done(verb: Verb): Wait {
    // An exchange of several lines is one command.
    if (verb === 'AUTH' && this.#auth !== undefined) {
      this.#busy = false;
      return undefined;
    }
    this.#counts.count(verb, !this.#failed);
    if (this.#connection.isOver) return undefined;
    if (this.#quit) {
      this.#connection.close();
      return undefined;
    }
    // The handshake or the content is in hand.
    if (verb === 'STARTTLS' && !this.#failed) return undefined;
    if (this.#message !== undefined) return undefined;
    if (!this.#failed) return this.#checkErrors();
    this.#errors += 1;
    if (this.#errors < this.#settings.softErrors || this.#settings.errorSleep === 0) return this.#checkErrors();
    return sleep(this.#settings.errorSleep, undefined, { ref: false }).then(() => this.#checkErrors());
  }

  #checkErrors(): undefined {
    if (this.#connection.isOver) return;
    if (this.#errors >= this.#settings.hardErrors) this.#tooManyErrors();
    else this.#rest();
  }

  /** Nothing is in hand. */
  #rest(): void {
    this.#busy = false;
    if (this.#stopping) this.stop();
  }

  #tooManyErrors(): void {
    this.#reason = 'too many errors';
    this.#reply(`421 4.7.0 ${this.#settings.hostname} Error: too many errors`);
    this.#connection.close();
  }

  #hello(verb: 'HELO' | 'EHLO', name: string): Wait {
    // RFC 5321 §4.5.3.1.2: 255 octets; what follows the name is ignored, as Postfix does.
    const first = name.split(/[ \t]/, 1)[0] ?? '';
    if (first === '' || first.length > 255 || /[\p{Cc}\u2028\u2029]/u.test(first)) {
      this.#reply(`501 Syntax: ${verb} hostname`);
      return undefined;
    }
    const accept = (): void => {
      this.#transaction = undefined;
      this.#helo = first;
      this.#extended = verb === 'EHLO';
      this.#reply(verb === 'HELO' ? `250 ${this.#settings.hostname}` : this.#keywords());
    };
    if (this.#settings.atHelo.length === 0) {
      accept();
      return undefined;
    }
    return this.#decide(this.#settings.atHelo, undefined, first).then((decision) => {
      if (decision === undefined) accept();
      else this.#refuse(verb, decision, first);
    });
  }

  get #offered(): Offered & { readonly starttls: boolean; readonly authNow: boolean } {
    const { discard, smtputf8, auth, authTlsOnly, tls } = this.#settings;
    const { secure } = this.#connection;
    return {
      size: !discard.has('size'),
      eightBit: !discard.has('8bitmime'),
      smtputf8: smtputf8 && !discard.has('smtputf8'),
      dsn: !discard.has('dsn'),
      auth,
      authNow: auth && (secure || !authTlsOnly) && !discard.has('auth'),
      starttls: tls !== 'none' && !secure && !discard.has('starttls'),
    };
  }

  #keywords(): string {
    const { hostname, sizeLimit, vrfy, discard } = this.#settings;
    const offered = this.#offered;
    const words = [hostname];
    if (!discard.has('pipelining')) words.push('PIPELINING');
    if (offered.size) words.push(sizeLimit > 0 ? `SIZE ${sizeLimit}` : 'SIZE');
    if (vrfy && !discard.has('vrfy')) words.push('VRFY');
    if (offered.starttls) words.push('STARTTLS');
    if (offered.authNow) words.push(`AUTH ${authMethods.join(' ')}`);
    if (!discard.has('enhancedstatuscodes')) words.push('ENHANCEDSTATUSCODES');
    if (offered.eightBit) words.push('8BITMIME');
    if (offered.dsn) words.push('DSN');
    if (offered.smtputf8) words.push('SMTPUTF8');
    return words.map((word, index) => `250${index === words.length - 1 ? ' ' : '-'}${word}`).join('\r\n');
  }

  #starttls(rest: string): void {
    if (rest !== '') this.#reply('501 5.5.4 Syntax: STARTTLS');
    else if (this.#connection.secure) this.#reply('554 5.5.1 Error: TLS already active');
    else if (!this.#offered.starttls) this.#reply('502 5.5.1 Error: command not implemented');
    else {
      this.#reply('220 2.0.0 Ready to start TLS');
      this.#connection.startTls();
      this.#connection.arm(this.#settings.timeout);
    }
  }

  #vrfy(rest: string): void {
    if (!this.#settings.vrfy) {
      this.#reply('502 5.5.1 VRFY command is disabled');
      return;
    }
    const path = parsePath(rest);
    const address = path?.end === rest.length ? path.address : undefined;
    if (address === undefined) this.#reply('501 5.5.4 Syntax: VRFY address');
    // The same answer for everybody: who exists here is nobody's business.
    else this.#reply(`252 2.0.0 ${formatAddress(address)}`);
  }

  // AUTH.

  #startAuth(rest: string): Wait {
    const words = rest.split(/[ \t]+/);
    const mechanism = (words[0] ?? '').toUpperCase();
    const client = this.#connection.remoteAddress;
    if (this.#settings.heloRequired && this.#helo === undefined) {
      this.#reply('503 5.5.1 Error: send HELO/EHLO first');
    } else if (!this.#settings.auth) this.#reply('503 5.5.1 Error: authentication not enabled');
    else if (this.#transaction !== undefined) this.#reply('503 5.5.1 Error: MAIL transaction in progress');
    else if (this.#settings.authTlsOnly && !this.#connection.secure) {
      this.#reply('504 5.5.4 Encryption required for requested authentication mechanism');
    } else if (this.#saslUser !== undefined) this.#reply('503 5.5.1 Error: already authenticated');
    else if (rest === '' || words.length > 2) this.#reply('501 5.5.4 Syntax: AUTH mechanism');
    else if (this.#host.clients.authBlocked(client)) {
      this.#warn(`too many failed logins from ${this.#client}`);
      this.#reply(`450 4.7.1 Error: too many AUTH commands from ${client}`);
    } else if (mechanism !== 'PLAIN' && mechanism !== 'LOGIN') {
      this.#warn(
        `${this.#client}: SASL ${mechanism.slice(0, 40)} authentication failed: Invalid authentication mechanism`,
      );
      this.#reply('535 5.7.8 Error: authentication failed: Invalid authentication mechanism');
    } else {
      const exchange = new AuthExchange(mechanism);
      this.#auth = exchange;
      const { input } = this.#connection;
      if (input !== undefined) input.lineLimit = this.#settings.authResponseLimit;
      return this.#authStep(exchange, exchange.start(words[1]));
    }
    return undefined;
  }

  #authStep(exchange: AuthExchange, step: AuthStep): Wait {
    if (step.kind === 'challenge') {
      this.#reply(step.reply);
      return undefined;
    }
    this.#auth = undefined;
    const { input } = this.#connection;
    if (input !== undefined) input.lineLimit = this.#settings.lineLimit;
    if (step.kind === 'error') {
      return this.#authFailed(exchange.method, undefined, step.reply);
    }
    const { user, password, method } = step.credentials;
    const accept = (): void => {
      this.#saslUser = user;
      this.#saslMethod = method;
      this.#reply('235 2.7.0 Authentication successful');
    };
    if (this.#settings.authAny) {
      accept();
      return undefined;
    }
    const login = splitLogin(user, this.#settings.authRealm);
    const check = this.#host.users?.verify(login.user, login.realm, password) ?? Promise.resolve(false);
    return check.then(
      (right) => {
        if (right) accept();
        else {
          return this.#authFailed(method, user, '535 5.7.8 Error: authentication failed: authentication failure');
        }
      },
      (error: unknown) => {
        this.#warn(`SASL users cannot be read: ${errorMessage(error)}`);
        this.#reply('454 4.7.0 Temporary authentication failure: user database not available');
      },
    );
  }

  /** Guessing is slow: each failure waits, few are allowed in a session, and the address is remembered. */
  async #authFailed(method: string, user: string | undefined, reply: string): Promise<void> {
    const why = reply.replace(/^.*authentication failed: /, '').replace(/^\d{3} \S+ /, '');
    const who = user === undefined ? '' : `, sasl_username=${user}`;
    this.#warn(`${this.#client}: SASL ${method} authentication failed: ${why}${who}`);
    this.#host.clients.authFailed(this.#connection.remoteAddress);
    this.#authFailures += 1;
    if (this.#settings.errorSleep > 0) await sleep(this.#settings.errorSleep, undefined, { ref: false });
    this.#reply(reply);
    if (this.#authFailures >= this.#settings.authTries)
      this.#errors = Math.max(this.#errors, this.#settings.hardErrors);
  }

  // MAIL, RCPT, DATA.

  #mail(rest: string): Wait {
    if (this.#settings.heloRequired && this.#helo === undefined) {
      this.#reply('503 5.5.1 Error: send HELO/EHLO first');
      return undefined;
    }
    if (this.#transaction !== undefined) {
      this.#reply('503 5.5.1 Error: nested MAIL command');
      return undefined;
    }
    if (!/^FROM:/i.test(rest)) {
      this.#reply('501 5.5.4 Syntax: MAIL FROM:<address>');
      return undefined;
    }
    const path = this.#path(rest, 5);
    if (path === undefined) {
      this.#warn(`Illegal address syntax from ${this.#client} in MAIL command: ${rest.slice(5, 105).trim()}`);
      this.#reply('501 5.1.7 Bad sender address syntax');
      return undefined;
    }
    const parsed = parseMailParameters(rest.slice(path.end), this.#offered);
    if ('reply' in parsed) {
      this.#reply(parsed.reply);
      return undefined;
    }
    if (path.address !== undefined && parsed.value.smtputf8 !== true && isInternational(path.address)) {
      this.#reply('553 5.6.7 Must declare SMTPUTF8 to send unicode address');
      return undefined;
    }
    const { sizeLimit, minimumFree, atMail } = this.#settings;
    const size = parsed.value.size ?? 0;
    if (sizeLimit > 0 && size > sizeLimit) {
      this.#reject('MAIL', '552 5.3.4 Message size exceeds fixed limit');
      return undefined;
    }
    const transaction = new Transaction(path.address, parsed.value, this.#settings.origin);
    const accept = (): void => {
      this.#transaction = transaction;
      this.#reply('250 2.1.0 Ok');
    };
    if (minimumFree === 0 && atMail.length === 0) {
      accept();
      return undefined;
    }
    return this.#checkMail(transaction, minimumFree, size, accept);
  }

  async #checkMail(transaction: Transaction, minimumFree: number, size: number, accept: () => void): Promise<void> {
    if (minimumFree > 0) {
      const free = await this.#host.intake.freeSpace();
      if (free < minimumFree || free < 1.5 * size) {
        this.#reject('MAIL', '452 4.3.1 Insufficient system storage', transaction);
        return;
      }
    }
    const decision = await this.#decide(this.#settings.atMail, undefined, this.#helo, transaction);
    if (decision === undefined) accept();
    else this.#refuse('MAIL', decision, this.#helo, transaction);
  }

  /** A path in angle brackets; a bare one too unless strict_rfc821_envelopes. */
  #path(text: string, from: number): { address: MailAddress | undefined; end: number } | undefined {
    if (this.#settings.strictAddresses && text.charAt(from) !== '<') return undefined;
    return parsePath(text, from);
  }

  #rcpt(rest: string): Wait {
    const transaction = this.#transaction;
    if (transaction === undefined) {
      this.#reply('503 5.5.1 Error: need MAIL command');
      return undefined;
    }
    if (!/^TO:/i.test(rest)) {
      this.#reply('501 5.5.4 Syntax: RCPT TO:<address>');
      return undefined;
    }
    const path = this.#path(rest, 3);
    const address = path?.address;
    if (path === undefined || address === undefined) {
      this.#warn(`Illegal address syntax from ${this.#client} in RCPT command: ${rest.slice(3, 103).trim()}`);
      this.#reply('501 5.1.3 Bad recipient address syntax');
      return undefined;
    }
    const parsed = parseRcptParameters(rest.slice(path.end), this.#offered);
    if ('reply' in parsed) {
      this.#reply(parsed.reply);
      return undefined;
    }
    if (transaction.parameters.smtputf8 !== true && isInternational(address)) {
      this.#reply('553 5.6.7 Must declare SMTPUTF8 to send unicode address');
      return undefined;
    }
    const { recipientLimit, recipientOvershoot, sink } = this.#settings;
    if (recipientLimit > 0 && transaction.recipients.length >= recipientLimit) {
      this.#reply('452 4.5.3 Error: too many recipients');
      transaction.overshoot += 1;
      // A client that splits its recipients is no offender; one that goes on for ever is.
      if (transaction.overshoot <= recipientOvershoot) this.#failed = false;
      return undefined;
    }
    const accept = (): void => {
      if (transaction.id === undefined) {
        transaction.arrival = preciseNow();
        transaction.id = this.#host.intake.newId(transaction.arrival);
        const login =
          this.#saslUser === undefined
            ? ''
            : `, sasl_method=${this.#saslMethod ?? ''}, sasl_username=${this.#saslUser}`;
        this.#log(`${transaction.id}: client=${this.#client}${login}`);
      }
      transaction.add(address, parsed.value);
      this.#reply('250 2.1.5 Ok');
    };
    if (sink) {
      accept();
      return undefined;
    }
    return this.#checkRcpt(transaction, address, accept);
  }

  async #checkRcpt(transaction: Transaction, address: MailAddress, accept: () => void): Promise<void> {
    const { relayGuarded, atRcpt, rejectUnlisted } = this.#settings;
    if (!relayGuarded) {
      this.#warn(
        'smtpd_relay_restrictions or smtpd_recipient_restrictions must have reject_unauth_destination or the like; no mail is accepted without',
      );
      this.#reject('RCPT', '451 4.3.5 Server configuration error', transaction, formatAddress(address));
      return;
    }
    const context = this.#context(this.#helo, transaction, address);
    let decision = await evaluateLists(atRcpt, context, warnTo(this.#host.log, this.#settings.logName));
    if (decision === undefined && rejectUnlisted) {
      const found = await context.unlisted();
      if (found !== undefined) {
        const action = found.code < 500 ? 'defer' : 'reject';
        const shown = context.shown.recipient;
        const rule = 'smtpd_reject_unlisted_recipient';
        decision = { list: rule, rule, input: shown, action, code: found.code, text: found.text };
      }
    }
    if (decision === undefined) accept();
    else this.#refuse('RCPT', decision, this.#helo, transaction, context.shown.recipient);
  }

  #data(rest: string): Wait {
    const transaction = this.#transaction;
    if (rest !== '') this.#reply('501 5.5.4 Syntax: DATA');
    else if (transaction === undefined) this.#reply('503 5.5.1 Error: need RCPT command');
    else if (transaction.recipients.length === 0) this.#reply('554 5.5.1 Error: no valid recipients');
    else if (this.#settings.atData.every((list) => list.rules.length === 0)) this.#openMessage(transaction);
    else {
      return this.#decide(this.#settings.atData, undefined, this.#helo, transaction).then((decision) => {
        if (this.#connection.isOver) return;
        if (decision === undefined) this.#openMessage(transaction);
        else this.#refuse('DATA', decision, this.#helo, transaction);
      });
    }
    return undefined;
  }

  #openMessage(transaction: Transaction): void {
    const { parameters } = transaction;
    const { tlsHeader, authHeader, timeout } = this.#settings;
    const tls = this.#connection.secure ? this.#connection.tlsSummary : undefined;
    const protocol =
      `${parameters.smtputf8 === true ? 'UTF8' : this.#extended ? 'E' : ''}SMTP` +
      `${this.#connection.secure ? 'S' : ''}${this.#saslUser === undefined ? '' : 'A'}`;
    this.#message = this.#host.intake.open({
      id: transaction.id,
      arrival: transaction.arrival,
      envelope: {
        sender: transaction.qualifiedSender,
        client: this.#client,
        helo: this.#helo,
        protocol,
        saslUser: this.#saslUser,
        saslMethod: this.#saslMethod,
        tls,
        envelopeId: parameters.envelopeId,
        ret: parameters.ret,
        smtputf8: parameters.smtputf8,
        body: parameters.body,
      },
      recipients: transaction.recipients,
      from: {
        helo: this.#helo ?? '',
        name: this.#name,
        address: this.#connection.remoteAddress,
        tls: tlsHeader ? tls : undefined,
        user: authHeader ? this.#saslUser : undefined,
      },
      local: this.#isLocal(),
    });
    this.#reply('354 End data with <CR><LF>.<CR><LF>');
    this.#connection.input?.readContent();
    this.#connection.arm(timeout);
  }

  /** local_header_rewrite_clients. */
  #isLocal(): boolean {
    const client = { name: this.#name, address: this.#connection.remoteAddress };
    return this.#settings.rewriteClients.some((rule) => {
      if (rule === 'permit_inet_interfaces') return isOwnAddress(client.address);
      if (rule === 'permit_mynetworks') return this.#settings.trusted.has(client);
      if (rule === 'permit_sasl_authenticated') return this.#saslUser !== undefined;
      return rule === 'static:all';
    });
  }

  content(bytes: Buffer): Wait {
    const { timeout, minimumRate } = this.#settings;
    if (minimumRate > 0) this.#connection.extend((bytes.length / minimumRate) * 1000, timeout);
    else this.#connection.arm(timeout);
    const pause = this.#message?.write(bytes);
    if (pause === undefined) return undefined;
    // While the disk keeps the client waiting, its clock stands still.
    const left = this.#connection.disarm();
    return pause.then(() => this.#connection.arm(left));
  }

  async contentEnd(reader: DataReader): Promise<void> {
    const message = this.#message;
    const transaction = this.#transaction;
    if (message === undefined || transaction === undefined || this.#connection.isOver) return;
    this.#begin();
    // It is complete: from here on it is not taken back, even if the client goes away.
    this.#message = undefined;
    this.#where = 'END-OF-MESSAGE';
    if (reader.bareNewline && this.#settings.rejectBareNewline) {
      await message.abort();
      this.#reject(
        'END-OF-MESSAGE',
        `${this.#settings.bareNewlineCode} 5.5.2 ${this.#settings.hostname} Error: bare <LF> received`,
        transaction,
      );
    } else {
      const lists = this.#settings.atEndOfData;
      const decision = lists.every((list) => list.rules.length === 0)
        ? undefined
        : await this.#decide(lists, undefined, this.#helo, transaction);
      if (decision === undefined) await this.#accept(message);
      else {
        await message.abort();
        this.#refuse('END-OF-MESSAGE', decision, this.#helo, transaction);
      }
    }
    this.#transaction = undefined;
    if (this.#connection.isOver) return;
    if (this.#failed) {
      this.#errors += 1;
      this.#checkErrors();
      return;
    }
    this.#errors = 0;
    this.#junk = 0;
    this.#rest();
  }

  async #accept(message: IncomingMessage): Promise<void> {
    try {
      const { id } = await message.end();
      this.#reply(`250 2.0.0 Ok: queued as ${id}`);
    } catch (error) {
      if (!(error instanceof IntakeError)) this.#warn(`${message.id}: ${errorMessage(error)}`);
      else if (error.reply.startsWith('5')) this.#host.onRejected();
      this.#reply(error instanceof IntakeError ? error.reply : '451 4.3.0 Error: queue file write error');
    }
  }

  // Restrictions.

  #decide(
    lists: readonly RestrictionList[],
    recipient?: MailAddress,
    helo = this.#helo,
    transaction = this.#transaction,
  ): Promise<Decision | undefined> {
    const context = this.#context(helo, transaction, recipient);
    return evaluateLists(lists, context, warnTo(this.#host.log, this.#settings.logName));
  }

  #context(
    helo: string | undefined,
    transaction: Transaction | undefined,
    recipient: MailAddress | undefined,
  ): RestrictionContext {
    const client = { name: this.#name, address: this.#connection.remoteAddress };
    const destination = recipient === undefined ? undefined : this.#settings.destinations.classify(recipient);
    const shown = {
      sender: transaction?.shownSender ?? '',
      recipient: recipient === undefined ? '' : formatAddress(recipient),
    };
    return {
      client,
      helo,
      sender: transaction?.sender,
      recipient,
      saslUser: this.#saslUser,
      trusted: this.#settings.trusted.has(client),
      illegalPipelining: this.#pipelining,
      destination,
      shown,
      codes: this.#settings.codes,
      unlisted: () => this.#unlisted(recipient, shown.recipient),
    };
  }

  async #unlisted(
    recipient: MailAddress | undefined,
    shown: string,
  ): Promise<{ readonly code: number; readonly text: string } | undefined> {
    if (recipient === undefined) return undefined;
    const { destinations, unlistedCodes, showTable, origin } = this.#settings;
    const tables = {
      local: { code: unlistedCodes.local, table: 'local recipient table' },
      'virtual-alias': { code: unlistedCodes.alias, table: 'virtual alias table' },
      'virtual-mailbox': { code: unlistedCodes.mailbox, table: 'virtual mailbox table' },
      relay: { code: unlistedCodes.relay, table: 'relay recipient table' },
      default: undefined,
    }[destinations.classify(recipient).class];
    if (tables === undefined) return undefined;
    try {
      const full = recipient.domain === undefined ? { local: recipient.local, domain: origin } : recipient;
      if (await this.#host.recipientKnown(formatAddress(full))) return undefined;
    } catch (error) {
      this.#warn(`lookup of ${shown} failed: ${errorMessage(error)}`);
      return { code: 451, text: `4.3.0 <${shown}>: Temporary lookup failure` };
    }
    const where = showTable ? ` in ${tables.table}` : '';
    const dsn = tables.code < 500 ? '4.1.1' : '5.1.1';
    return { code: tables.code, text: `${dsn} <${shown}>: Recipient address rejected: User unknown${where}` };
  }

  #refuse(
    command: string,
    decision: Decision,
    helo = this.#helo,
    transaction = this.#transaction,
    recipient?: string,
  ): void {
    this.#reject(command, `${decision.code} ${decision.text}`, transaction, recipient, helo);
  }

  /** Refuses, with the log line `NOQUEUE: reject: RCPT from …`. */
  #reject(
    command: string,
    reply: string,
    transaction = this.#transaction,
    recipient?: string,
    helo = this.#helo,
  ): void {
    const id = transaction?.id ?? 'NOQUEUE';
    let about = '';
    if (transaction !== undefined) about += ` from=<${transaction.shownSender}>`;
    if (recipient !== undefined) about += ` to=<${recipient}>`;
    about += ` proto=${this.#extended ? 'ESMTP' : 'SMTP'}`;
    if (helo !== undefined) about += ` helo=<${helo}>`;
    this.#log(`${id}: reject: ${command} from ${this.#client}: ${reply};${about}`);
    this.#host.onRejected();
    this.#reply(reply);
  }
}
