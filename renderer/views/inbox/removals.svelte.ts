/**
 * Deleting mail with twelve seconds to think again: the rows go at once, the server is asked when the time is over, the
 * notice is put away or the page closes. What the server refuses comes back into the list.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { MailSummary } from '#mta/contract/mail.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { t } from '../../i18n/index.svelte.ts';
import { notifyUndo, report } from '../../state/notify.ts';
import { tasks } from '../../state/tasks.svelte.ts';

export class Removals {
  /** Hidden messages by id: waiting for the time to be over, or already asked for. */
  readonly hidden = new SvelteMap<string, MailSummary>();
  readonly #client: MailServerClient;
  #pending: readonly (() => void)[] = [];

  constructor(client: MailServerClient) {
    this.#client = client;
    window.addEventListener('pagehide', () => this.commitAll());
  }

  remove(messages: readonly MailSummary[]): void {
    if (messages.length === 0) return;
    for (const message of messages) this.hidden.set(message.id, message);
    const undo = (): void => {
      this.#forget(commit);
      for (const { id } of messages) this.hidden.delete(id);
    };
    const commit = notifyUndo(t.inbox.deleted(messages.length), undo, () => {
      this.#forget(commit);
      void this.#send(messages);
    });
    this.#pending = [...this.#pending, commit];
  }

  /** Asks the server now for all that waits. */
  commitAll(): void {
    for (const commit of this.#pending) commit();
  }

  #forget(commit: () => void): void {
    this.#pending = this.#pending.filter((other) => other !== commit);
  }

  async #send(messages: readonly MailSummary[]): Promise<void> {
    try {
      await tasks.run(t.inbox.deleting(messages.length), (options) =>
        this.#client.call('mail.remove', { ids: messages.map(({ id }) => id) }, options),
      );
      // They stay hidden a little: the list that still has them may be on its way.
      setTimeout(() => this.#show(messages), 5000);
    } catch (error) {
      this.#show(messages);
      report(error);
    }
  }

  #show(messages: readonly MailSummary[]): void {
    for (const { id } of messages) this.hidden.delete(id);
  }
}

const byClient = new WeakMap<MailServerClient, Removals>();

/** One per server for the life of the page: going to another page does not lose what waits. */
export function removalsOf(client: MailServerClient): Removals {
  let removals = byClient.get(client);
  if (removals === undefined) byClient.set(client, (removals = new Removals(client)));
  return removals;
}
