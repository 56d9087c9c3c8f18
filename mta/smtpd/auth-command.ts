/** AUTH: the exchange, the check of the password, and what a wrong one costs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../contract/errors.ts';
import { AuthExchange, type AuthStep } from './auth.ts';
import { splitLogin } from './sasl/users.ts';
import type { SessionState, Wait } from './session-state.ts';

export class AuthCommand {
  readonly #state: SessionState;
  #exchange: AuthExchange | undefined;
  #failures = 0;

  constructor(state: SessionState) {
    this.#state = state;
  }

  /** The next line is an answer, not a command. */
  get pending(): boolean {
    return this.#exchange !== undefined;
  }

  forget(): void {
    this.#exchange = undefined;
  }

  answer(line: string): Wait {
    const exchange = this.#exchange;
    return exchange === undefined ? undefined : this.#step(exchange, exchange.next(line));
  }

  start(rest: string): Wait {
    const words = rest.split(/[ \t]+/);
    const mechanism = (words[0] ?? '').toUpperCase();
    const client = this.#state.connection.remoteAddress;
    if (this.#state.settings.heloRequired && this.#state.helo === undefined) {
      this.#state.reply('503 5.5.1 Error: send HELO/EHLO first');
    } else if (!this.#state.settings.auth) this.#state.reply('503 5.5.1 Error: authentication not enabled');
    else if (this.#state.transaction !== undefined) this.#state.reply('503 5.5.1 Error: MAIL transaction in progress');
    else if (this.#state.settings.authTlsOnly && !this.#state.connection.secure) {
      this.#state.reply('504 5.5.4 Encryption required for requested authentication mechanism');
    } else if (this.#state.saslUser !== undefined) this.#state.reply('503 5.5.1 Error: already authenticated');
    else if (rest === '' || words.length > 2) this.#state.reply('501 5.5.4 Syntax: AUTH mechanism');
    else if (this.#state.host.clients.authBlocked(client)) {
      this.#state.warn(`too many failed logins from ${this.#state.client}`);
      this.#state.reply(`450 4.7.1 Error: too many AUTH commands from ${client}`);
    } else if (mechanism !== 'PLAIN' && mechanism !== 'LOGIN') {
      this.#state.warn(
        `${this.#state.client}: SASL ${mechanism.slice(0, 40)} authentication failed: Invalid authentication mechanism`,
      );
      this.#state.reply('535 5.7.8 Error: authentication failed: Invalid authentication mechanism');
    } else {
      const exchange = new AuthExchange(mechanism);
      this.#exchange = exchange;
      const { input } = this.#state.connection;
      if (input !== undefined) input.lineLimit = this.#state.settings.authResponseLimit;
      return this.#step(exchange, exchange.start(words[1]));
    }
    return undefined;
  }

  #step(exchange: AuthExchange, step: AuthStep): Wait {
    if (step.kind === 'challenge') {
      this.#state.reply(step.reply);
      return undefined;
    }
    this.#exchange = undefined;
    const { input } = this.#state.connection;
    if (input !== undefined) input.lineLimit = this.#state.settings.lineLimit;
    if (step.kind === 'error') {
      return this.#fail(exchange.method, undefined, step.reply);
    }
    const { user, password, method } = step.credentials;
    const accept = (): void => {
      this.#state.saslUser = user;
      this.#state.saslMethod = method;
      this.#state.reply('235 2.7.0 Authentication successful');
    };
    if (this.#state.settings.authAny) {
      accept();
      return undefined;
    }
    const login = splitLogin(user, this.#state.settings.authRealm);
    const check = this.#state.host.users?.verify(login.user, login.realm, password) ?? Promise.resolve(false);
    return check.then(
      (right) => {
        if (right) accept();
        else {
          return this.#fail(method, user, '535 5.7.8 Error: authentication failed: authentication failure');
        }
      },
      (error: unknown) => {
        this.#state.warn(`SASL users cannot be read: ${errorMessage(error)}`);
        this.#state.reply('454 4.7.0 Temporary authentication failure: user database not available');
      },
    );
  }

  /** Guessing is slow: each failure waits, few are allowed in a session, and the address is remembered. */
  async #fail(method: string, user: string | undefined, reply: string): Promise<void> {
    const why = reply.replace(/^.*authentication failed: /, '').replace(/^\d{3} \S+ /, '');
    const who = user === undefined ? '' : `, sasl_username=${user}`;
    this.#state.warn(`${this.#state.client}: SASL ${method} authentication failed: ${why}${who}`);
    this.#state.host.clients.authFailed(this.#state.connection.remoteAddress);
    this.#failures += 1;
    if (this.#state.settings.errorSleep > 0) await sleep(this.#state.settings.errorSleep, undefined, { ref: false });
    this.#state.reply(reply);
    if (this.#failures >= this.#state.settings.authTries)
      this.#state.errors = Math.max(this.#state.errors, this.#state.settings.hardErrors);
  }
}
