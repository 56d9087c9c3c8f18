/**
 * What the commands of one session share: who the client is, what it said so far, and how it is answered and refused.
 */
import type { IncomingMessage, Intake } from '../cleanup/intake.ts';
import { errorMessage } from '../contract/errors.ts';
import type { MailLog } from '../maillog/log.ts';
import type { ClientCounts } from './clients.ts';
import type { Connection } from './connection.ts';
import type { Offered } from './parameters.ts';
import { formatAddress, type MailAddress } from './path.ts';
import type { PeerNames } from './peer-name.ts';
import type { Decision, RestrictionContext } from './restrictions/decision.ts';
import { evaluateLists, warnTo, type RestrictionList } from './restrictions/evaluate.ts';
import type { SaslUsers } from './sasl/users.ts';
import type { Settings } from './settings.ts';
import type { Transaction } from './transaction.ts';

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

/** A promise when there is something to wait for. */
export type Wait = Promise<void> | undefined;

export class SessionState {
  readonly connection: Connection;
  readonly host: SessionHost;
  readonly settings: Settings;
  /** Host name of the client, or `unknown`. */
  name = 'unknown';
  /** The last thing that happened, for `lost connection after …`. */
  where = 'CONNECT';
  helo: string | undefined;
  /** By EHLO. */
  extended = false;
  saslUser: string | undefined;
  saslMethod: string | undefined;
  errors = 0;
  /** Commands that did no work since the last message. */
  junk = 0;
  /** The command in hand got a 4xx or 5xx reply. */
  failed = false;
  /** The client sent more than it may before it had its reply. */
  pipelining = false;
  transaction: Transaction | undefined;
  /** Its content is coming in. */
  message: IncomingMessage | undefined;

  constructor(connection: Connection, host: SessionHost) {
    this.connection = connection;
    this.host = host;
    this.settings = host.settings;
  }

  get client(): string {
    return `${this.name}[${this.connection.remoteAddress}]`;
  }

  log(text: string): void {
    this.host.log.line(this.settings.logName, text);
  }

  warn(text: string): void {
    this.host.log.line(this.settings.logName, `warning: ${text}`, 'warning');
  }

  reply(text: string): void {
    if (text.charCodeAt(0) >= 0x34) {
      this.failed = true;
      // A refusal may quote the client. Its parsers let no control character through; once more costs nothing.
      this.connection.reply(text.replace(/[\p{Cc}\u2028\u2029]/gu, '?'));
    } else this.connection.reply(text);
  }

  get offered(): Offered & { readonly starttls: boolean; readonly authNow: boolean } {
    const { discard, smtputf8, auth, authTlsOnly, tls } = this.settings;
    const { secure } = this.connection;
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

  decide(
    lists: readonly RestrictionList[],
    recipient?: MailAddress,
    helo = this.helo,
    transaction = this.transaction,
  ): Promise<Decision | undefined> {
    const context = this.context(helo, transaction, recipient);
    return evaluateLists(lists, context, warnTo(this.host.log, this.settings.logName));
  }

  context(
    helo: string | undefined,
    transaction: Transaction | undefined,
    recipient: MailAddress | undefined,
  ): RestrictionContext {
    const client = { name: this.name, address: this.connection.remoteAddress };
    const destination = recipient === undefined ? undefined : this.settings.destinations.classify(recipient);
    const shown = {
      sender: transaction?.shownSender ?? '',
      recipient: recipient === undefined ? '' : formatAddress(recipient),
    };
    return {
      client,
      helo,
      sender: transaction?.sender,
      recipient,
      saslUser: this.saslUser,
      trusted: this.settings.trusted.has(client),
      illegalPipelining: this.pipelining,
      destination,
      shown,
      codes: this.settings.codes,
      unlisted: () => this.unlisted(recipient, shown.recipient),
    };
  }

  async unlisted(
    recipient: MailAddress | undefined,
    shown: string,
  ): Promise<{ readonly code: number; readonly text: string } | undefined> {
    if (recipient === undefined) return undefined;
    const { destinations, unlistedCodes, showTable, origin } = this.settings;
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
      if (await this.host.recipientKnown(formatAddress(full))) return undefined;
    } catch (error) {
      this.warn(`lookup of ${shown} failed: ${errorMessage(error)}`);
      return { code: 451, text: `4.3.0 <${shown}>: Temporary lookup failure` };
    }
    const where = showTable ? ` in ${tables.table}` : '';
    const dsn = tables.code < 500 ? '4.1.1' : '5.1.1';
    return { code: tables.code, text: `${dsn} <${shown}>: Recipient address rejected: User unknown${where}` };
  }

  refuse(
    command: string,
    decision: Decision,
    helo = this.helo,
    transaction = this.transaction,
    recipient?: string,
  ): void {
    this.reject(command, `${decision.code} ${decision.text}`, transaction, recipient, helo);
  }

  /** Refuses, with the log line `NOQUEUE: reject: RCPT from …`. */
  reject(command: string, reply: string, transaction = this.transaction, recipient?: string, helo = this.helo): void {
    const id = transaction?.id ?? 'NOQUEUE';
    let about = '';
    if (transaction !== undefined) about += ` from=<${transaction.shownSender}>`;
    if (recipient !== undefined) about += ` to=<${recipient}>`;
    about += ` proto=${this.extended ? 'ESMTP' : 'SMTP'}`;
    if (helo !== undefined) about += ` helo=<${helo}>`;
    this.log(`${id}: reject: ${command} from ${this.client}: ${reply};${about}`);
    this.host.onRejected();
    this.reply(reply);
  }
}
