/**
 * The local and virtual delivery agents: a Maildir a mailbox.
 *
 * One file for each (message, mailbox): recipients that share a mailbox (a sink's SMTP user) share the file, with a
 * Delivered-To line each. Promises: `sent` only after the file is on disk. Fails: a full disk is `deferred` 4.3.1, a
 * message over mailbox_size_limit or virtual_mailbox_limit is `bounced` 5.2.2, anything else `deferred` 4.2.0.
 */
import { join } from 'node:path';
import type { Configuration } from '../config/configuration.ts';
import type { DeliveryAgent, DeliveryOutcome, DeliveryRequest } from '../qmgr/agent.ts';
import { expandAliases, type AliasLookup, type Expansion } from './aliases.ts';
import { mailboxFolder } from './mailbox-name.ts';
import { MaildirError, MaildirWriter } from './maildir-writer.ts';

export interface LocalAgentOptions {
  /** `<data>/mail`. */
  readonly mailFolder: string;
  readonly hostname: string;
  readonly configuration: () => Configuration;
  /** Told after each delivery, with the mailbox as it was named and the file's name in `new/`. */
  readonly onDelivered?: ((delivered: { mailbox: string; folder: string; file: string }) => void) | undefined;
  readonly aliases?: AliasLookup | undefined;
  /** The local name of an address of ours, for aliases that name whole addresses. */
  readonly localName?: ((address: string) => string | undefined | Promise<string | undefined>) | undefined;
  /** Makes a new message of the same content for aliases that lead elsewhere; gives its queue id. */
  readonly forward?: ((request: DeliveryRequest, addresses: readonly string[]) => Promise<string>) | undefined;
}

type Result = Pick<DeliveryOutcome, 'state' | 'dsn' | 'reason'>;

export function createLocalAgent(options: LocalAgentOptions): DeliveryAgent {
  const writer = new MaildirWriter(options.hostname);

  async function toMailbox(mailbox: string, head: string, request: DeliveryRequest): Promise<Result> {
    const folder = mailboxFolder(mailbox);
    const limitName = request.route.transport === 'virtual' ? 'virtual_mailbox_limit' : 'mailbox_size_limit';
    try {
      const { file } = await writer.deliver({
        folder: join(options.mailFolder, folder),
        head,
        body: request.body.kind === 'memory' ? { data: request.body.data } : { path: request.body.path },
        limit: options.configuration().int(limitName),
      });
      options.onDelivered?.({ mailbox, folder, file });
      return { state: 'sent', dsn: '2.0.0', reason: 'delivered to maildir' };
    } catch (error) {
      return failure(error);
    }
  }

  async function deliver(request: DeliveryRequest): Promise<DeliveryOutcome[]> {
    const started = performance.now();
    const { message, recipients, route } = request;
    const mailbox = route.mailbox ?? recipients[0]?.address ?? '';
    const head =
      `Return-Path: <${message.envelope.sender}>\n` +
      recipients
        .map(
          (recipient) =>
            `X-Original-To: ${recipient.originalAddress ?? recipient.address}\nDelivered-To: ${recipient.address}\n`,
        )
        .join('');
    const expansion: Expansion =
      options.aliases === undefined || route.transport !== 'local'
        ? { kind: 'none' }
        : await expandAliases(mailbox, {
            lookup: options.aliases,
            localName: options.localName ?? ((): undefined => undefined),
          });
    let result: Result;
    if (expansion.kind === 'none') result = await toMailbox(mailbox, head, request);
    else if (expansion.kind === 'error') {
      result = { state: stateOf(expansion.dsn), dsn: expansion.dsn, reason: expansion.reason };
    } else result = await toAll(expansion, head, request);
    const transmission = (performance.now() - started) / 1000;
    return recipients.map((recipient) => ({
      index: recipient.index,
      ...result,
      relay: route.transport,
      at: Date.now(),
      connection: 0,
      transmission,
    }));
  }

  async function toAll(
    expansion: Extract<Expansion, { kind: 'expanded' }>,
    head: string,
    request: DeliveryRequest,
  ): Promise<Result> {
    let result: Result = { state: 'sent', dsn: '2.0.0', reason: 'delivered to maildir' };
    if (expansion.forward.length > 0) {
      if (options.forward === undefined) {
        return { state: 'deferred', dsn: '4.3.5', reason: 'mail to other addresses cannot be forwarded here' };
      }
      const loop = request.recipients.find((recipient) => deliveredTo(request, recipient.address));
      if (loop !== undefined) {
        return { state: 'bounced', dsn: '5.4.6', reason: `mail forwarding loop for ${loop.address}` };
      }
    }
    // Mailboxes first: a failure there defers the whole, and nothing was forwarded yet that would be forwarded again.
    const delivered = await Promise.all(expansion.mailboxes.map((name) => toMailbox(name, head, request)));
    const failed = delivered.find((one) => one.state !== 'sent');
    if (failed !== undefined) return failed;
    if (expansion.forward.length > 0 && options.forward !== undefined) {
      try {
        const id = await options.forward(request, expansion.forward);
        result = { state: 'sent', dsn: '2.0.0', reason: `forwarded as ${id}` };
      } catch (error) {
        return failure(error);
      }
    }
    return result;
  }

  return { deliver, close: () => writer.close() };
}

/** Whether the message has been through this address already: its Delivered-To says so. */
function deliveredTo(request: DeliveryRequest, address: string): boolean {
  if (request.body.kind !== 'memory') return false;
  const text = Buffer.from(request.body.data.subarray(0, 65_536)).toString('latin1');
  const end = text.indexOf('\n\n');
  const header = end === -1 ? text : text.slice(0, end);
  return header
    .split('\n')
    .some((line) => /^delivered-to:/i.test(line) && line.slice(13).trim().toLowerCase() === address.toLowerCase());
}

function stateOf(dsn: string): 'deferred' | 'bounced' {
  return dsn.startsWith('5') ? 'bounced' : 'deferred';
}

function failure(error: unknown): Result {
  const code = error instanceof MaildirError ? error.code : '';
  const text = error instanceof Error ? error.message : String(error);
  const dsn = code === 'ENOSPC' ? '4.3.1' : code === 'EDQUOT' ? '4.2.2' : code === 'EFBIG' ? '5.2.2' : '4.2.0';
  return { state: stateOf(dsn), dsn, reason: `maildir delivery failed: error writing message: ${text}` };
}
