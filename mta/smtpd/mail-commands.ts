/** MAIL, RCPT, DATA and the content: one transaction after the other, from syntax to a durable message. */
import { IntakeError, type IncomingMessage } from '../cleanup/intake.ts';
import { preciseNow } from '../cleanup/queue-id.ts';
import { errorMessage } from '../contract/errors.ts';
import type { DataReader } from './data-reader.ts';
import { isOwnAddress } from './destinations.ts';
import { parseMailParameters, parseRcptParameters } from './parameters.ts';
import { formatAddress, isInternational, parsePath, type MailAddress } from './path.ts';
import { evaluateLists, warnTo } from './restrictions/evaluate.ts';
import type { SessionState, Wait } from './session-state.ts';
import { Transaction } from './transaction.ts';

export class MailCommands {
  readonly #state: SessionState;

  constructor(state: SessionState) {
    this.#state = state;
  }

  mail(rest: string): Wait {
    if (this.#state.settings.heloRequired && this.#state.helo === undefined) {
      this.#state.reply('503 5.5.1 Error: send HELO/EHLO first');
      return undefined;
    }
    if (this.#state.transaction !== undefined) {
      this.#state.reply('503 5.5.1 Error: nested MAIL command');
      return undefined;
    }
    if (!/^FROM:/i.test(rest)) {
      this.#state.reply('501 5.5.4 Syntax: MAIL FROM:<address>');
      return undefined;
    }
    const path = this.#path(rest, 5);
    if (path === undefined) {
      this.#state.warn(
        `Illegal address syntax from ${this.#state.client} in MAIL command: ${rest.slice(5, 105).trim()}`,
      );
      this.#state.reply('501 5.1.7 Bad sender address syntax');
      return undefined;
    }
    const parsed = parseMailParameters(rest.slice(path.end), this.#state.offered);
    if ('reply' in parsed) {
      this.#state.reply(parsed.reply);
      return undefined;
    }
    if (path.address !== undefined && parsed.value.smtputf8 !== true && isInternational(path.address)) {
      this.#state.reply('553 5.6.7 Must declare SMTPUTF8 to send unicode address');
      return undefined;
    }
    const { sizeLimit, minimumFree, atMail } = this.#state.settings;
    const size = parsed.value.size ?? 0;
    if (sizeLimit > 0 && size > sizeLimit) {
      this.#state.reject('MAIL', '552 5.3.4 Message size exceeds fixed limit');
      return undefined;
    }
    const transaction = new Transaction(path.address, parsed.value, this.#state.settings.origin);
    const accept = (): void => {
      this.#state.transaction = transaction;
      this.#state.reply('250 2.1.0 Ok');
    };
    if (minimumFree === 0 && atMail.length === 0) {
      accept();
      return undefined;
    }
    return this.#checkMail(transaction, minimumFree, size, accept);
  }

  async #checkMail(transaction: Transaction, minimumFree: number, size: number, accept: () => void): Promise<void> {
    if (minimumFree > 0) {
      const free = await this.#state.host.intake.freeSpace();
      if (free < minimumFree || free < 1.5 * size) {
        this.#state.reject('MAIL', '452 4.3.1 Insufficient system storage', transaction);
        return;
      }
    }
    const decision = await this.#state.decide(this.#state.settings.atMail, undefined, this.#state.helo, transaction);
    if (decision === undefined) accept();
    else this.#state.refuse('MAIL', decision, this.#state.helo, transaction);
  }

  /** A path in angle brackets; a bare one too unless strict_rfc821_envelopes. */
  #path(text: string, from: number): { address: MailAddress | undefined; end: number } | undefined {
    if (this.#state.settings.strictAddresses && text.charAt(from) !== '<') return undefined;
    return parsePath(text, from);
  }

  rcpt(rest: string): Wait {
    const transaction = this.#state.transaction;
    if (transaction === undefined) {
      this.#state.reply('503 5.5.1 Error: need MAIL command');
      return undefined;
    }
    if (!/^TO:/i.test(rest)) {
      this.#state.reply('501 5.5.4 Syntax: RCPT TO:<address>');
      return undefined;
    }
    const path = this.#path(rest, 3);
    const address = path?.address;
    if (path === undefined || address === undefined) {
      this.#state.warn(
        `Illegal address syntax from ${this.#state.client} in RCPT command: ${rest.slice(3, 103).trim()}`,
      );
      this.#state.reply('501 5.1.3 Bad recipient address syntax');
      return undefined;
    }
    const parsed = parseRcptParameters(rest.slice(path.end), this.#state.offered);
    if ('reply' in parsed) {
      this.#state.reply(parsed.reply);
      return undefined;
    }
    if (transaction.parameters.smtputf8 !== true && isInternational(address)) {
      this.#state.reply('553 5.6.7 Must declare SMTPUTF8 to send unicode address');
      return undefined;
    }
    const { recipientLimit, recipientOvershoot, sink } = this.#state.settings;
    if (recipientLimit > 0 && transaction.recipients.length >= recipientLimit) {
      this.#state.reply('452 4.5.3 Error: too many recipients');
      transaction.overshoot += 1;
      // A client that splits its recipients is no offender; one that goes on for ever is.
      if (transaction.overshoot <= recipientOvershoot) this.#state.failed = false;
      return undefined;
    }
    const accept = (): void => {
      if (transaction.id === undefined) {
        transaction.arrival = preciseNow();
        transaction.id = this.#state.host.intake.newId(transaction.arrival);
        const login =
          this.#state.saslUser === undefined
            ? ''
            : `, sasl_method=${this.#state.saslMethod ?? ''}, sasl_username=${this.#state.saslUser}`;
        this.#state.log(`${transaction.id}: client=${this.#state.client}${login}`);
      }
      transaction.add(address, parsed.value);
      this.#state.reply('250 2.1.5 Ok');
    };
    if (sink) {
      accept();
      return undefined;
    }
    return this.#checkRcpt(transaction, address, accept);
  }

  async #checkRcpt(transaction: Transaction, address: MailAddress, accept: () => void): Promise<void> {
    const { relayGuarded, atRcpt, rejectUnlisted } = this.#state.settings;
    if (!relayGuarded) {
      this.#state.warn(
        'smtpd_relay_restrictions or smtpd_recipient_restrictions must have reject_unauth_destination or the like; no mail is accepted without',
      );
      this.#state.reject('RCPT', '451 4.3.5 Server configuration error', transaction, formatAddress(address));
      return;
    }
    const context = this.#state.context(this.#state.helo, transaction, address);
    let decision = await evaluateLists(atRcpt, context, warnTo(this.#state.host.log, this.#state.settings.logName));
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
    else this.#state.refuse('RCPT', decision, this.#state.helo, transaction, context.shown.recipient);
  }

  data(rest: string): Wait {
    const transaction = this.#state.transaction;
    if (rest !== '') this.#state.reply('501 5.5.4 Syntax: DATA');
    else if (transaction === undefined) this.#state.reply('503 5.5.1 Error: need RCPT command');
    else if (transaction.recipients.length === 0) this.#state.reply('554 5.5.1 Error: no valid recipients');
    else if (this.#state.settings.atData.every((list) => list.rules.length === 0)) this.#openMessage(transaction);
    else {
      return this.#state
        .decide(this.#state.settings.atData, undefined, this.#state.helo, transaction)
        .then((decision) => {
          if (this.#state.connection.isOver) return;
          if (decision === undefined) this.#openMessage(transaction);
          else this.#state.refuse('DATA', decision, this.#state.helo, transaction);
        });
    }
    return undefined;
  }

  #openMessage(transaction: Transaction): void {
    const { parameters } = transaction;
    const { tlsHeader, authHeader, timeout } = this.#state.settings;
    const tls = this.#state.connection.secure ? this.#state.connection.tlsSummary : undefined;
    const protocol =
      `${parameters.smtputf8 === true ? 'UTF8' : this.#state.extended ? 'E' : ''}SMTP` +
      `${this.#state.connection.secure ? 'S' : ''}${this.#state.saslUser === undefined ? '' : 'A'}`;
    this.#state.message = this.#state.host.intake.open({
      id: transaction.id,
      arrival: transaction.arrival,
      envelope: {
        sender: transaction.qualifiedSender,
        client: this.#state.client,
        helo: this.#state.helo,
        protocol,
        saslUser: this.#state.saslUser,
        saslMethod: this.#state.saslMethod,
        tls,
        envelopeId: parameters.envelopeId,
        ret: parameters.ret,
        smtputf8: parameters.smtputf8,
        body: parameters.body,
      },
      recipients: transaction.recipients,
      from: {
        helo: this.#state.helo ?? '',
        name: this.#state.name,
        address: this.#state.connection.remoteAddress,
        tls: tlsHeader ? tls : undefined,
        user: authHeader ? this.#state.saslUser : undefined,
      },
      local: this.#isLocal(),
    });
    this.#state.reply('354 End data with <CR><LF>.<CR><LF>');
    this.#state.connection.input?.readContent();
    this.#state.connection.arm(timeout);
  }

  /** local_header_rewrite_clients. */
  #isLocal(): boolean {
    const client = { name: this.#state.name, address: this.#state.connection.remoteAddress };
    return this.#state.settings.rewriteClients.some((rule) => {
      if (rule === 'permit_inet_interfaces') return isOwnAddress(client.address);
      if (rule === 'permit_mynetworks') return this.#state.settings.trusted.has(client);
      if (rule === 'permit_sasl_authenticated') return this.#state.saslUser !== undefined;
      return rule === 'static:all';
    });
  }

  content(bytes: Buffer): Wait {
    const { timeout, minimumRate } = this.#state.settings;
    if (minimumRate > 0) this.#state.connection.extend((bytes.length / minimumRate) * 1000, timeout);
    else this.#state.connection.arm(timeout);
    const pause = this.#state.message?.write(bytes);
    if (pause === undefined) return undefined;
    // While the disk keeps the client waiting, its clock stands still.
    const left = this.#state.connection.disarm();
    return pause.then(() => this.#state.connection.arm(left));
  }

  async contentEnd(reader: DataReader): Promise<void> {
    const message = this.#state.message;
    const transaction = this.#state.transaction;
    if (message === undefined || transaction === undefined || this.#state.connection.isOver) return;
    // It is complete: from here on it is not taken back, even if the client goes away.
    this.#state.message = undefined;
    this.#state.where = 'END-OF-MESSAGE';
    if (reader.bareNewline && this.#state.settings.rejectBareNewline) {
      await message.abort();
      this.#state.reject(
        'END-OF-MESSAGE',
        `${this.#state.settings.bareNewlineCode} 5.5.2 ${this.#state.settings.hostname} Error: bare <LF> received`,
        transaction,
      );
    } else {
      const lists = this.#state.settings.atEndOfData;
      const decision = lists.every((list) => list.rules.length === 0)
        ? undefined
        : await this.#state.decide(lists, undefined, this.#state.helo, transaction);
      if (decision === undefined) await this.#accept(message);
      else {
        await message.abort();
        this.#state.refuse('END-OF-MESSAGE', decision, this.#state.helo, transaction);
      }
    }
    this.#state.transaction = undefined;
    if (this.#state.failed) return;
    this.#state.errors = 0;
    this.#state.junk = 0;
  }

  async #accept(message: IncomingMessage): Promise<void> {
    try {
      const { id } = await message.end();
      this.#state.reply(`250 2.0.0 Ok: queued as ${id}`);
    } catch (error) {
      if (!(error instanceof IntakeError)) this.#state.warn(`${message.id}: ${errorMessage(error)}`);
      else if (error.reply.startsWith('5')) this.#state.host.onRejected();
      this.#state.reply(error instanceof IntakeError ? error.reply : '451 4.3.0 Error: queue file write error');
    }
  }
}
