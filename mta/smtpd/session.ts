/**
 * One SMTP session (RFC 5321): reads commands, keeps the state, answers in Postfix's words.
 *
 * Promises: a reply for every command, in order; 250 after DATA only when the message is durable; every refusal is in
 * the log with who, what and why; error, junk, recipient, size, time and login limits hold. Never throws for what a
 * client does.
 */
import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../contract/errors.ts';
import { AuthCommand } from './auth-command.ts';
import { authMethods } from './auth.ts';
import { CommandCounts, verbIndex, type Verb } from './command-counts.ts';
import type { Connection, Protocol } from './connection.ts';
import type { DataReader } from './data-reader.ts';
import { MailCommands } from './mail-commands.ts';
import { formatAddress, parsePath } from './path.ts';
import { SessionState, type SessionHost, type Wait } from './session-state.ts';

/** After these a client has to wait for the reply before it sends more (RFC 2920 §3.1). */
const lastInGroup = new Set<Verb>(['HELO', 'EHLO', 'STARTTLS', 'AUTH', 'DATA']);
/** Allowed before STARTTLS where TLS is required. */
const beforeTls = new Set<Verb>(['HELO', 'EHLO', 'STARTTLS', 'NOOP', 'QUIT']);
/** Commands that do no work: smtpd_junk_command_limit. */
const junk = new Set<Verb>(['HELO', 'EHLO', 'RSET', 'NOOP', 'VRFY']);
/** Whoever says this speaks HTTP (smtpd_forbidden_commands). */
const forbidden = new Set(['CONNECT', 'GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']);

export class Session implements Protocol {
  readonly #state: SessionState;
  readonly #auth: AuthCommand;
  readonly #mail: MailCommands;
  readonly #counts = new CommandCounts();
  #ready = false;
  /** A command is being worked on. */
  #busy = false;
  /** Commands were answered since the last time the client had its turn. */
  #answered = false;
  #stopping = false;
  #counted = false;
  /** How it ended, when not by QUIT. */
  #reason: string | undefined;
  #quit = false;

  constructor(connection: Connection, host: SessionHost) {
    this.#state = new SessionState(connection, host);
    this.#auth = new AuthCommand(this.#state);
    this.#mail = new MailCommands(this.#state);
  }

  // Life of the connection.

  opened(): void {
    const { clients, peerNames } = this.#state.host;
    const address = this.#state.connection.remoteAddress;
    const count = clients.connect(address);
    this.#counted = true;
    this.#state.host.onSession(1);
    // Who may ask costs nothing more than an address; a name only when needed.
    const name = this.#state.settings.peerNames ? peerNames.find(address) : 'unknown';
    if (typeof name === 'string') {
      this.#state.name = name;
      this.#greet(count);
      return;
    }
    void name.then((found) => {
      if (this.#state.connection.isOver) return;
      this.#state.name = found;
      this.#greet(count);
    });
  }

  #greet(count: number): void {
    const { hostname, limitExceptions, connectionsPerClient, connections, banner, timeout, atConnect } =
      this.#state.settings;
    const client = { name: this.#state.name, address: this.#state.connection.remoteAddress };
    this.#state.log(`connect from ${this.#state.client}`);
    if (connectionsPerClient > 0 && count > connectionsPerClient && !limitExceptions.has(client)) {
      this.#state.warn(
        `Connection concurrency limit exceeded: ${count} from ${this.#state.client} for service ${this.#state.settings.service}`,
      );
      this.#refuseConnection(`421 4.7.0 ${hostname} Error: too many connections from ${client.address}`);
      return;
    }
    if (connections > 0 && this.#state.host.clients.total > connections) {
      this.#state.warn(`all ${connections} sessions are in use: refusing ${this.#state.client}`);
      this.#refuseConnection(`421 4.3.2 ${hostname} Error: too many connections; try again later`);
      return;
    }
    if (this.#state.connection.secure) this.#logTls();
    const welcome = (): void => {
      this.#ready = true;
      this.#state.connection.reply(`220 ${banner}`);
      this.#state.connection.flush();
      this.#state.connection.arm(timeout);
    };
    if (atConnect.length === 0) {
      welcome();
      return;
    }
    void this.#state.decide(atConnect).then((decision) => {
      if (this.#state.connection.isOver) return;
      if (decision === undefined) {
        welcome();
        return;
      }
      this.#state.refuse('CONNECT', decision);
      this.#quit = true;
      this.#state.connection.close();
    });
  }

  #refuseConnection(reply: string): void {
    this.#quit = true;
    this.#state.reply(reply);
    this.#state.connection.close();
  }

  #logTls(): void {
    if (!this.#state.settings.tlsLog) return;
    this.#state.log(
      `Anonymous TLS connection established from ${this.#state.client}: ${this.#state.connection.tlsSummary ?? 'TLS'}`,
    );
  }

  secured(): void {
    // RFC 3207 §4.2: nothing learnt before counts.
    this.#state.helo = undefined;
    this.#state.extended = false;
    this.#state.saslUser = undefined;
    this.#state.saslMethod = undefined;
    this.#auth.forget();
    this.#state.transaction = undefined;
    this.#busy = false;
    const { input } = this.#state.connection;
    if (input !== undefined) input.lineLimit = this.#state.settings.lineLimit;
    this.#logTls();
    this.#state.connection.arm(this.#state.settings.timeout);
    if (this.#stopping) this.stop();
  }

  tlsFailed(error: Error): void {
    this.#state.warn(`SSL_accept error from ${this.#state.client}: ${errorMessage(error)}`);
  }

  timedOut(): void {
    this.#reason = 'timeout';
    this.#state.reply(`421 4.4.2 ${this.#state.settings.hostname} Error: timeout exceeded`);
    this.#state.connection.close();
  }

  ended(): void {
    this.#reason ??= 'lost connection';
    this.#state.connection.close();
  }

  failed(error: unknown): void {
    this.#state.warn(`session with ${this.#state.client} ended by an internal error: ${errorMessage(error)}`);
  }

  /** Asked to end: at once when nothing is in hand, else after the command or message in hand. */
  stop(): void {
    this.#stopping = true;
    if (this.#busy || this.#state.connection.isOver) return;
    this.#quit = true;
    this.#state.reply(`421 4.3.2 ${this.#state.settings.hostname} Service shutting down`);
    this.#state.connection.closeNow();
  }

  closed(): void {
    const message = this.#state.message;
    this.#state.message = undefined;
    if (!this.#quit) {
      const size =
        this.#state.where === 'DATA' && message !== undefined
          ? ` (${this.#state.connection.input?.reading?.size ?? 0} bytes)`
          : '';
      this.#state.log(
        `${this.#reason ?? 'lost connection'} after ${this.#state.where}${size} from ${this.#state.client}`,
      );
    }
    void message?.abort();
    if (!this.#counted) return;
    this.#counted = false;
    this.#state.log(`disconnect from ${this.#state.client}${this.#counts.summary()}`);
    this.#state.host.clients.disconnect(this.#state.connection.remoteAddress);
    this.#state.host.onSession(-1);
  }

  idle(): void {
    if (!this.#answered || this.#busy) return;
    this.#answered = false;
    this.#state.connection.arm(this.#state.settings.timeout);
  }

  // Commands.

  line(line: Buffer, bareNewline: boolean, more: boolean): Wait {
    if (this.#state.connection.isOver) return undefined;
    if (!this.#ready) return this.#unsynchronised('CONNECT');
    if (bareNewline && this.#state.settings.rejectBareNewline) {
      this.#reason = 'bare <LF> received';
      this.#state.reply(
        `${this.#state.settings.bareNewlineCode} 5.5.2 ${this.#state.settings.hostname} Error: bare <LF> received`,
      );
      this.#state.connection.close();
      return undefined;
    }
    this.#begin();
    if (this.#auth.pending) return this.#finish('AUTH', this.#auth.answer(line.toString('latin1')));
    if (!isUtf8(line)) {
      this.#state.where = 'unknown';
      this.#state.reply('500 5.5.2 Error: bad UTF-8 syntax');
      return this.#finish('unknown', undefined);
    }
    const text = line.toString('utf8').trimEnd();
    const space = text.search(/[ \t]/);
    const word = (space < 0 ? text : text.slice(0, space)).toUpperCase();
    const rest = space < 0 ? '' : text.slice(space + 1).trim();
    const verb: Verb = verbIndex.has(word) ? (word as Verb) : 'unknown';
    this.#state.where = verb === 'unknown' ? 'UNKNOWN' : verb;
    if (forbidden.has(word) || (text !== '' && !/^[a-z]/i.test(text))) {
      this.#state.warn(`non-SMTP command from ${this.#state.client}: ${text.slice(0, 100)}`);
      this.#counts.count('unknown', false);
      this.#quit = true;
      this.#state.reply('221 2.7.0 Error: I can break rules, too. Goodbye.');
      this.#state.connection.close();
      return undefined;
    }
    if (junk.has(verb) && ++this.#state.junk > this.#state.settings.junkCommands) this.#state.errors += 1;
    if (more && (!this.#state.extended || lastInGroup.has(verb)) && verb !== 'QUIT' && !this.#state.pipelining) {
      this.#state.log(`improper command pipelining after ${this.#state.where} from ${this.#state.client}`);
      this.#state.pipelining = true;
      if (this.#state.settings.forbidPipelining) return this.#unsynchronised(this.#state.where);
    }
    if (
      this.#state.settings.tls === 'encrypt' &&
      !this.#state.connection.secure &&
      !beforeTls.has(verb) &&
      verb !== 'unknown'
    ) {
      this.#state.reply('530 5.7.0 Must issue a STARTTLS command first');
      return this.#finish(verb, undefined);
    }
    return this.#finish(verb, this.#run(verb, rest, text));
  }

  #unsynchronised(where: string): undefined {
    if (!this.#state.pipelining)
      this.#state.log(`improper command pipelining after ${where} from ${this.#state.client}`);
    this.#quit = true;
    this.#state.reply('554 5.5.0 Error: SMTP protocol synchronization');
    this.#state.connection.close();
  }

  tooLong(): Wait {
    this.#begin();
    this.#auth.forget();
    this.#state.where = 'UNKNOWN';
    this.#state.reply('500 5.5.2 Error: line too long');
    return this.#finish('unknown', undefined);
  }

  #begin(): void {
    this.#state.connection.disarm();
    this.#busy = true;
    this.#answered = true;
    this.#state.failed = false;
  }

  #run(verb: Verb, rest: string, text: string): Wait {
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return this.#hello(verb, rest);
      case 'MAIL':
        return this.#mail.mail(rest);
      case 'RCPT':
        return this.#mail.rcpt(rest);
      case 'DATA':
        return this.#mail.data(rest);
      case 'AUTH':
        return this.#auth.start(rest);
      case 'STARTTLS':
        this.#starttls(rest);
        return undefined;
      case 'RSET':
        if (rest !== '') this.#state.reply('501 5.5.4 Syntax: RSET');
        else {
          this.#state.transaction = undefined;
          this.#state.reply('250 2.0.0 Ok');
        }
        return undefined;
      case 'NOOP':
        this.#state.reply('250 2.0.0 Ok');
        return undefined;
      case 'VRFY':
        this.#vrfy(rest);
        return undefined;
      case 'QUIT':
        if (rest !== '') this.#state.reply('501 5.5.4 Syntax: QUIT');
        else {
          this.#quit = true;
          this.#state.reply('221 2.0.0 Bye');
        }
        return undefined;
      default:
        this.#state.reply(text === '' ? '500 5.5.2 Error: bad syntax' : '500 5.5.2 Error: command not recognized');
        return undefined;
    }
  }

  /** After each command: counts it, slows down and ends sessions that make too many errors. */
  #finish(verb: Verb, work: Wait): Wait {
    return work === undefined ? this.#done(verb) : work.then(() => this.#done(verb));
  }

  #done(verb: Verb): Wait {
    // An exchange of several lines is one command.
    if (verb === 'AUTH' && this.#auth.pending) {
      this.#busy = false;
      return undefined;
    }
    this.#counts.count(verb, !this.#state.failed);
    if (this.#state.connection.isOver) return undefined;
    if (this.#quit) {
      this.#state.connection.close();
      return undefined;
    }
    // The handshake or the content is in hand.
    if (verb === 'STARTTLS' && !this.#state.failed) return undefined;
    if (this.#state.message !== undefined) return undefined;
    if (!this.#state.failed) return this.#checkErrors();
    this.#state.errors += 1;
    if (this.#state.errors < this.#state.settings.softErrors || this.#state.settings.errorSleep === 0)
      return this.#checkErrors();
    return sleep(this.#state.settings.errorSleep, undefined, { ref: false }).then(() => this.#checkErrors());
  }

  #checkErrors(): undefined {
    if (this.#state.connection.isOver) return;
    if (this.#state.errors >= this.#state.settings.hardErrors) this.#tooManyErrors();
    else this.#rest();
  }

  /** Nothing is in hand. */
  #rest(): void {
    this.#busy = false;
    if (this.#stopping) this.stop();
  }

  #tooManyErrors(): void {
    this.#reason = 'too many errors';
    this.#state.reply(`421 4.7.0 ${this.#state.settings.hostname} Error: too many errors`);
    this.#state.connection.close();
  }

  #hello(verb: 'HELO' | 'EHLO', name: string): Wait {
    // RFC 5321 §4.5.3.1.2: 255 octets; what follows the name is ignored, as Postfix does.
    const first = name.split(/[ \t]/, 1)[0] ?? '';
    if (first === '' || first.length > 255 || /[\p{Cc}\u2028\u2029]/u.test(first)) {
      this.#state.reply(`501 Syntax: ${verb} hostname`);
      return undefined;
    }
    const accept = (): void => {
      this.#state.transaction = undefined;
      this.#state.helo = first;
      this.#state.extended = verb === 'EHLO';
      this.#state.reply(verb === 'HELO' ? `250 ${this.#state.settings.hostname}` : this.#keywords());
    };
    if (this.#state.settings.atHelo.length === 0) {
      accept();
      return undefined;
    }
    return this.#state.decide(this.#state.settings.atHelo, undefined, first).then((decision) => {
      if (decision === undefined) accept();
      else this.#state.refuse(verb, decision, first);
    });
  }

  #keywords(): string {
    const { hostname, sizeLimit, vrfy, discard } = this.#state.settings;
    const offered = this.#state.offered;
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
    if (rest !== '') this.#state.reply('501 5.5.4 Syntax: STARTTLS');
    else if (this.#state.connection.secure) this.#state.reply('554 5.5.1 Error: TLS already active');
    else if (!this.#state.offered.starttls) this.#state.reply('502 5.5.1 Error: command not implemented');
    else {
      this.#state.reply('220 2.0.0 Ready to start TLS');
      this.#state.connection.startTls();
      this.#state.connection.arm(this.#state.settings.timeout);
    }
  }

  #vrfy(rest: string): void {
    if (!this.#state.settings.vrfy) {
      this.#state.reply('502 5.5.1 VRFY command is disabled');
      return;
    }
    const path = parsePath(rest);
    const address = path?.end === rest.length ? path.address : undefined;
    if (address === undefined) this.#state.reply('501 5.5.4 Syntax: VRFY address');
    // The same answer for everybody: who exists here is nobody's business.
    else this.#state.reply(`252 2.0.0 ${formatAddress(address)}`);
  }

  content(bytes: Buffer): Wait {
    return this.#mail.content(bytes);
  }

  async contentEnd(reader: DataReader): Promise<void> {
    this.#begin();
    await this.#mail.contentEnd(reader);
    if (this.#state.connection.isOver) return;
    if (this.#state.failed) this.#state.errors += 1;
    this.#checkErrors();
  }
}
