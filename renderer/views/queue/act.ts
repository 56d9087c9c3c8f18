/**
 * Does one thing to messages of the queue, part after part, as a task with progress and Cancel, and tells what came of it.
 * A cancelled one keeps what it had done and says how much that was.
 */
import { PostriderError } from '#mta/contract/errors.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import { t } from '../../i18n/index.svelte.ts';
import { notify } from '../../state/notify.ts';
import { tasks } from '../../state/tasks.svelte.ts';
import type { ActionName, Part } from './rows.ts';

export async function act(client: MailServerClient, action: ActionName, parts: readonly Part[]): Promise<void> {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  let done = 0;
  let handled = 0;
  let gone = 0;
  let reached = 0;
  let cancelled = false;
  try {
    await tasks.run(t.queue.doing[action](total), async (options) => {
      for (const { selection, count } of parts) {
        reached = 0;
        const result = await client.call(
          `queue.${action}`,
          { selection },
          {
            ...options,
            onProgress: (progress) => {
              reached = progress.done;
              options.onProgress?.({ done: Math.min(total, handled + progress.done), total });
            },
          },
        );
        reached = 0;
        done += result.done;
        gone += result.unknown.length;
        handled += count;
        cancelled = result.cancelled || options.signal?.aborted === true;
        if (cancelled) break;
      }
    });
  } catch (error) {
    if (!(error instanceof PostriderError) || error.code !== 'cancelled') throw error;
    // The answer was not waited for; the last progress says how far it came.
    done += reached;
    cancelled = true;
  }
  const words = t.queue.done[action](done);
  const description = gone === 0 ? {} : { description: t.queue.gone(gone) };
  if (cancelled) notify(t.queue.cancelledAfter(words), description);
  else notify(done === 0 ? t.queue.nothingChanged : words, description);
}
