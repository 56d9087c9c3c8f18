/**
 * One message over an open session: MAIL, RCPT, DATA, pipelined where the server offers it (RFC 2920).
 *
 * Promises: a verdict for every recipient, never a rejection. A 5xx to MAIL, RCPT or the end of DATA returns the
 * recipients it was said to; 4xx and lost connections defer. Nothing of the message is sent unless a recipient was taken.
 */
import type { Configuration } from '../config/configuration.ts';
import type { QueuedMessage, QueuedRecipient, StoredBody } from '../queue/store.ts';
import { ConnectionError, peerText } from './connection.ts';
import { commandAddress, isAscii, mailCommand, rcptCommand } from './envelope-commands.ts';
import { replyDsn, said, type Verdict } from './outcomes.ts';
import type { Reply } from './reply.ts';
import type { Session } from './session.ts';

export interface TransactionResult {
  readonly verdicts: Map<QueuedRecipient, Verdict>;
  /** The session can take another message. */
  readonly reusable: boolean;
  /** The connection broke before the message itself was begun: trying again elsewhere doubles nothing. */
  readonly lostEarly: boolean;
  /** The connection broke, at any point. */
  readonly lost: boolean;
}

export async function sendMessage(
  session: Session,
  configuration: Configuration,
  message: QueuedMessage,
  recipients: readonly QueuedRecipient[],
  body: StoredBody,
): Promise<TransactionResult> {
  const verdicts = new Map<QueuedRecipient, Verdict>();
  const { connection, peer, capabilities } = session;
  const all = (verdict: Verdict): TransactionResult => {
    for (const recipient of recipients) if (!verdicts.has(recipient)) verdicts.set(recipient, verdict);
    return { verdicts, reusable: !connection.dead, lostEarly: false, lost: false };
  };
  const hopeless = unfit(session, message, recipients, body);
  if (hopeless !== undefined) return all(hopeless);
  const sender = commandAddress(message.envelope.sender);
  if (sender === undefined) return all(badAddress(message.envelope.sender));
  const named: { recipient: QueuedRecipient; address: string }[] = [];
  for (const recipient of recipients) {
    const address = commandAddress(recipient.address);
    if (address === undefined || address === '') verdicts.set(recipient, badAddress(recipient.address));
    else named.push({ recipient, address });
  }
  if (named.length === 0) return all(badAddress(''));

  const commands = [
    mailCommand(message, sender, capabilities),
    ...named.map(({ recipient, address }) => rcptCommand(recipient, address, capabilities)),
    'DATA',
  ];
  const pipelined = capabilities.has('PIPELINING');
  if (pipelined) connection.write(commands.map((command) => `${command}\r\n`).join(''));
  const ask = (index: number, timeout: string, doing: string): Promise<Reply> =>
    pipelined
      ? connection.reply(configuration.time(timeout), doing)
      : connection.command(commands[index] ?? '', configuration.time(timeout), doing);

  const taken: QueuedRecipient[] = [];
  let begun = false;
  try {
    const mail = await ask(0, 'smtp_mail_timeout', 'sending MAIL FROM');
    const closing = (reply: Reply): boolean => reply.code === 421;
    if (mail.code !== 250 && (!pipelined || closing(mail))) {
      if (closing(mail)) connection.destroy();
      else await reset();
      return all(said(peer, mail, 'MAIL FROM'));
    }
    for (const [i, { recipient }] of named.entries()) {
      const reply = await ask(i + 1, 'smtp_rcpt_timeout', 'sending RCPT TO');
      if (mail.code !== 250) continue;
      if (reply.code === 250 || reply.code === 251) taken.push(recipient);
      else verdicts.set(recipient, said(peer, reply, 'RCPT TO'));
      if (closing(reply)) {
        connection.destroy();
        return all(said(peer, reply, 'RCPT TO'));
      }
    }
    if (taken.length === 0 && !pipelined) {
      await reset();
      return all(said(peer, mail, 'MAIL FROM'));
    }
    const data = await ask(commands.length - 1, 'smtp_data_init_timeout', 'sending DATA command');
    if (mail.code !== 250 || taken.length === 0) {
      // A server that wants data for nobody would take a message of ours as the next commands: hang up.
      if (data.code === 354) connection.destroy();
      else await reset();
      return all(said(peer, mail, 'MAIL FROM'));
    }
    if (data.code !== 354) {
      const verdict = said(peer, data, 'DATA');
      if (closing(data)) connection.destroy();
      else await reset();
      return all(verdict);
    }
    begun = true;
    await connection.sendBody(
      body,
      configuration.int('smtp_line_length_limit'),
      configuration.time('smtp_data_xfer_timeout'),
    );
    const end = await connection.reply(
      configuration.time('smtp_data_done_timeout'),
      'sending end of data -- message may be sent more than once',
    );
    if (end.code !== 250) {
      if (closing(end)) connection.destroy();
      return all(said(peer, end, 'end of DATA'));
    }
    const dsnPassedOn = capabilities.has('DSN');
    return all({
      state: 'sent',
      dsn: replyDsn(end),
      reason: end.text,
      diagnostic: end.text,
      tryNext: false,
      dsnPassedOn,
    });
  } catch (error) {
    const dsn = error instanceof ConnectionError ? error.dsn : '4.3.0';
    const reason = error instanceof Error ? error.message : String(error);
    connection.destroy();
    const result = all({ state: 'deferred', dsn, reason, tryNext: true });
    return { ...result, reusable: false, lostEarly: !begun, lost: error instanceof ConnectionError };
  }

  async function reset(): Promise<void> {
    const reply = await connection.command('RSET', configuration.time('smtp_rset_timeout'), 'sending RSET');
    if (reply.code !== 250) connection.destroy();
  }
}

/** What can be said without asking: the server's own SIZE and SMTPUTF8 rule the message out. */
function unfit(
  { capabilities, peer }: Session,
  message: QueuedMessage,
  recipients: readonly QueuedRecipient[],
  body: StoredBody,
): Verdict | undefined {
  const limit = Number(capabilities.get('SIZE') ?? 0);
  if (limit > 0 && message.size > limit) {
    return {
      state: 'bounced',
      dsn: '5.3.4',
      reason: `message size ${message.size} exceeds size limit ${limit} of server ${peerText(peer)}`,
      tryNext: true,
    };
  }
  if (capabilities.has('SMTPUTF8') || !needsUtf8(message, recipients, body)) return undefined;
  return {
    state: 'bounced',
    dsn: '5.6.7',
    reason: `SMTPUTF8 is required, but was not offered by host ${peerText(peer)}`,
    tryNext: true,
  };
}

function needsUtf8(message: QueuedMessage, recipients: readonly QueuedRecipient[], body: StoredBody): boolean {
  if (!isAscii(message.envelope.sender)) return true;
  if (recipients.some(({ address }) => !isAscii(address))) return true;
  if (message.envelope.smtputf8 !== true || body.kind !== 'memory') return false;
  const { data } = body;
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const end = text.indexOf('\n\n');
  return text.subarray(0, end === -1 ? text.length : end).some((byte) => byte >= 0x80);
}

function badAddress(address: string): Verdict {
  const shown = address.replace(/[\p{Cc}\u2028\u2029]/gu, '?');
  return { state: 'bounced', dsn: '5.1.3', reason: `bad address syntax: ${shown}`, tryNext: false };
}
