/**
 * The MailServer contract over the live MTA: each method goes to the part that owns the matter.
 */
import { badInput, PostriderError } from '../contract/errors.ts';
import type { Filter } from '../contract/filter.ts';
import type { ActionResult, QueueGroup, QueueMessage, QueueSelection } from '../contract/mail.ts';
import type { Finding, Health, MailServerHandlers, Overview } from '../contract/server.ts';
import type { CallContext } from '../contract/contract.ts';
import type { QueueAction, QueueStore } from '../queue/store.ts';

type MailHandlers = Pick<
  MailServerHandlers,
  'mail.mailboxes' | 'mail.list' | 'mail.get' | 'mail.part' | 'mail.raw' | 'mail.flag' | 'mail.remove'
>;

/** The queue as the queue manager shows it: the store plus what is active. */
export interface QueueView {
  counts(): Overview['queue'];
  list(query: {
    filter: Filter;
    sort: 'arrival' | 'nextAttempt' | 'size' | 'sender';
    descending: boolean;
    cursor?: string | undefined;
    limit: number;
  }): ReturnType<QueueStore['list']>;
  groups(by: 'reason' | 'destination', filter: Filter, limit: number): Promise<QueueGroup[]>;
  get(id: string): Promise<QueueMessage | undefined>;
  act(
    action: QueueAction,
    selection: QueueSelection,
    options: { signal: AbortSignal; onProgress: CallContext['progress'] },
  ): Promise<ActionResult>;
}

export interface ServerParts {
  overview(): Promise<Overview>;
  health(): Health;
  reload(): Promise<Finding[]>;
  stop(): void;
  readonly queue: QueueView;
  readonly raw: QueueStore['raw'];
  readonly mail: MailHandlers;
  readonly searchLog: MailServerHandlers['log.search'];
  submit(message: {
    sender: string;
    recipients: string[];
    data: Buffer;
    user?: string | undefined;
  }): Promise<{ id: string }>;
}

export function createHandlers(parts: ServerParts): MailServerHandlers {
  const act =
    (action: QueueAction) =>
    ({ selection }: { selection: QueueSelection }, { signal, progress }: CallContext): Promise<ActionResult> =>
      parts.queue.act(action, selection, { signal, onProgress: progress });

  return {
    'server.overview': () => parts.overview(),
    'server.health': () => parts.health(),
    'server.reload': async () => ({ findings: await parts.reload() }),
    'server.stop': () => {
      parts.stop();
      return {};
    },

    'queue.counts': () => parts.queue.counts(),
    'queue.list': (query) => parts.queue.list(query),
    'queue.groups': async ({ by, filter, limit }) => ({
      groups: await parts.queue.groups(by, filter, limit),
    }),
    'queue.get': async ({ id }) => found(await parts.queue.get(id), id),
    'queue.raw': async ({ id, offset, length }) => {
      const { data, total } = found(await parts.raw(id, offset, length), id);
      return { data: Buffer.from(data).toString('base64'), total };
    },
    'queue.hold': act('hold'),
    'queue.release': act('release'),
    'queue.retry': act('retry'),
    'queue.requeue': act('requeue'),
    'queue.expire': act('expire'),
    'queue.remove': act('remove'),

    ...parts.mail,
    'log.search': parts.searchLog,

    'send.submit': async ({ sender, recipients, data, user }) => {
      rejectControls('sender', sender);
      recipients.forEach((recipient, index) => rejectControls(`recipients.${index}`, recipient));
      return { queueId: (await parts.submit({ sender, recipients, data: Buffer.from(data, 'base64'), user })).id };
    },
  };
}

function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw new PostriderError('not-found', `The queue has no message ${id} (any more).`);
  return value;
}

function rejectControls(field: string, value: string): void {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 32 || code === 127) {
      throw badInput(field, `${field}: a control character (code ${code}) cannot stand in an address. Remove it.`);
    }
  }
}
