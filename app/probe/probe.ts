/**
 * Sends one test message by real SMTP and returns the whole conversation.
 *
 * Promises: whatever the server answers is a result, never an error; only bad input and cancellation throw. Passwords
 * are not in the transcript. A message goes to those recipients the server takes, and the result says which it refused.
 */
import type { Transcript } from '../contract/api.ts';
import { PostriderError } from '#mta/contract/errors.ts';
import { Conversation, StepError, type Reply } from './conversation.ts';
import {
  asciiDomain,
  compose,
  dataBytes,
  isAscii,
  parseAddress,
  refuseControls,
  type ProbeMessage,
} from './message.ts';

export interface ProbeOptions {
  signal?: AbortSignal;
  /** Milliseconds to wait for the connection, for a reply, and for the reply to the message. */
  timeouts?: { connect?: number; reply?: number; data?: number };
}

export async function sendProbe(message: ProbeMessage, options: ProbeOptions = {}): Promise<Transcript> {
  const { signal } = options;
  const timeouts = { connect: 15_000, reply: 30_000, data: 120_000, ...options.timeouts };
  refuseControls('host', message.host);
  const from = parseAddress('from', message.from);
  const to = message.to.map((recipient, index) => parseAddress(`to.${index}`, recipient));
  if (message.username !== undefined) refuseControls('username', message.username);
  if (message.password !== undefined) refuseControls('password', message.password);
  const bytes = await compose(message, from, to);

  const conversation = new Conversation(message.host, message.port);
  const abort = (): void => conversation.close();
  signal?.addEventListener('abort', abort, { once: true });
  const result: Omit<Transcript, 'lines' | 'milliseconds'> = { ok: false };
  try {
    if (signal?.aborted === true) throw new StepError('connect', 'cancelled');
    const session = new Session(conversation, message, timeouts);
    await session.open();
    try {
      Object.assign(
        result,
        await session.send(
          from.address,
          to.map(({ address }) => address),
          bytes,
        ),
      );
    } finally {
      if (session.tls !== undefined) result.tls = session.tls;
      await session.quit();
    }
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    result.ok = false;
    result.failure = { step: error.step, message: error.message };
  } finally {
    signal?.removeEventListener('abort', abort);
    conversation.close();
  }
  if (signal?.aborted === true) throw new PostriderError('cancelled', 'Sending was cancelled');
  if (result.failure !== undefined) conversation.note(`Failed at ${result.failure.step}: ${result.failure.message}`);
  return { ...result, lines: conversation.lines, milliseconds: conversation.milliseconds() };
}

class Session {
  readonly #conversation: Conversation;
  readonly #message: ProbeMessage;
  readonly #timeouts: { connect: number; reply: number; data: number };
  /** What EHLO offered: keyword → parameters, upper case. */
  #extensions = new Map<string, string>();
  #talking = false;
  tls: string | undefined;

  constructor(
    conversation: Conversation,
    message: ProbeMessage,
    timeouts: { connect: number; reply: number; data: number },
  ) {
    this.#conversation = conversation;
    this.#message = message;
    this.#timeouts = timeouts;
  }

  /** Connects, greets, encrypts. */
  async open(): Promise<void> {
    const { connect, reply } = this.#timeouts;
    const { security } = this.#message;
    await this.#conversation.connect(connect);
    if (security === 'tls') this.tls = await this.#conversation.secure('tls', connect);
    expect('greeting', await this.#conversation.reply('greeting', reply), 220);
    this.#talking = true;
  }

  async send(sender: string, recipients: readonly string[], bytes: Buffer): Promise<Partial<Transcript>> {
    await this.#hello();
    if (this.#message.security === 'starttls') {
      if (!this.#extensions.has('STARTTLS')) {
        throw new StepError('starttls', 'The server does not offer STARTTLS; choose no encryption or another port');
      }
      expect('starttls', await this.#say('starttls', 'STARTTLS'), 220);
      this.#talking = false;
      this.tls = await this.#conversation.secure('starttls', this.#timeouts.connect);
      this.#talking = true;
      // What was offered in clear counts for nothing now (RFC 3207 §4.2).
      this.#extensions.clear();
      await this.#hello();
    }
    if (this.#message.username !== undefined && this.#message.username !== '') await this.#authenticate();

    const international = ![sender, ...recipients].every(isAscii);
    const unicode = international && this.#extensions.has('SMTPUTF8');
    const write = (step: string, address: string): string => {
      if (unicode || isAscii(address)) return address;
      const converted = asciiDomain(address);
      if (isAscii(converted)) return converted;
      throw new StepError(step, `The server does not offer SMTPUTF8, which ${address} needs`);
    };
    const parameters = [
      ...(this.#extensions.has('SIZE') ? [`SIZE=${bytes.length}`] : []),
      ...(unicode ? ['BODY=8BITMIME', 'SMTPUTF8'] : []),
    ];
    expect('mail', await this.#say('mail', [`MAIL FROM:<${write('mail', sender)}>`, ...parameters].join(' ')), 250);

    const refused: string[] = [];
    for (const recipient of recipients) {
      const reply = await this.#say('rcpt', `RCPT TO:<${write('rcpt', recipient)}>`);
      if (reply.code !== 250 && reply.code !== 251) refused.push(`${recipient}: ${words(reply)}`);
    }
    if (refused.length === recipients.length) throw new StepError('rcpt', refused.join('\n'));

    expect('data', await this.#say('data', 'DATA'), 354);
    this.#conversation.note(`The message, ${bytes.length} bytes, and a dot on a line of its own`);
    const reply = await this.#conversation.transfer('message', dataBytes(bytes), this.#timeouts.data);
    expect('message', reply, 250);
    const queueId = /\bqueued as ([0-9A-Za-z]{1,64})\b/.exec(reply.lines.join(' '))?.[1];
    return {
      ok: refused.length === 0,
      ...(queueId === undefined ? {} : { queueId }),
      ...(refused.length === 0
        ? {}
        : {
            failure: {
              step: 'rcpt',
              message: `${refused.length} of ${recipients.length} recipients refused; sent to the others. ${refused.join('\n')}`,
            },
          }),
    };
  }

  /** Takes leave when the other side still listens. Its answer changes nothing. */
  async quit(): Promise<void> {
    if (!this.#talking) return;
    await this.#conversation.command('quit', 'QUIT', Math.min(this.#timeouts.reply, 5000)).catch(() => undefined);
  }

  async #say(step: string, text: string, shown?: string): Promise<Reply> {
    try {
      return await this.#conversation.command(step, text, this.#timeouts.reply, shown);
    } catch (error) {
      this.#talking = false;
      throw error;
    }
  }

  async #hello(): Promise<void> {
    const reply = await this.#say('ehlo', `EHLO ${this.#conversation.literal}`);
    if (reply.code === 250) {
      for (const line of reply.lines.slice(1)) {
        const [keyword = '', ...parameters] = line.trim().toUpperCase().split(/[ =]+/);
        this.#extensions.set(keyword, parameters.join(' '));
      }
      return;
    }
    // Older servers know HELO only (RFC 5321 §3.2).
    if (reply.code < 500) throw new StepError('ehlo', words(reply));
    expect('helo', await this.#say('helo', `HELO ${this.#conversation.literal}`), 250);
  }

  async #authenticate(): Promise<void> {
    const { username = '', password = '' } = this.#message;
    const offered = (this.#extensions.get('AUTH') ?? '').split(' ').filter((name) => name !== '');
    const plain = Buffer.from(`\0${username}\0${password}`).toString('base64');
    const secret = Buffer.from(password).toString('base64');
    this.#conversation.hide(password, secret, plain);
    if (this.tls === undefined && !this.#conversation.local) {
      this.#conversation.note('The password travels unencrypted');
    }
    if (offered.includes('PLAIN')) {
      const reply = await this.#say('auth', `AUTH PLAIN ${plain}`, 'AUTH PLAIN ••••');
      expect('auth', reply, 235);
    } else if (offered.includes('LOGIN')) {
      expect('auth', await this.#say('auth', 'AUTH LOGIN'), 334);
      const name = Buffer.from(username).toString('base64');
      expect('auth', await this.#say('auth', name), 334);
      expect('auth', await this.#say('auth', secret, '••••'), 235);
    } else {
      const encrypt = this.tls === undefined ? ' It may do so once the connection is encrypted.' : '';
      throw new StepError(
        'auth',
        offered.length === 0
          ? `The server does not offer AUTH.${encrypt}`
          : `The server offers AUTH ${offered.join(', ')}; this sender knows PLAIN and LOGIN.${encrypt}`,
      );
    }
  }
}

function expect(step: string, reply: Reply, code: number): void {
  if (reply.code !== code) throw new StepError(step, words(reply));
}

function words({ code, lines }: Reply): string {
  return `${code} ${lines.join(' ')}`.trim();
}
