/** The Queue: what waits, why, and what can be done about it. */
import ListTree from '@lucide/svelte/icons/list-tree';
import { t } from '../../i18n/index.svelte.ts';
import type { Page } from '../page.ts';
import QueueView from './Queue.svelte';

export const page: Page = {
  id: 'queue',
  order: 30,
  icon: ListTree,
  title: () => t.queue.title,
  component: QueueView,
  capability: 'queue',
  count: ({ queue, queued }) =>
    queue === undefined || queued === undefined || queued === 0
      ? undefined
      : { value: queued, tone: queue.corrupt > 0 ? 'bad' : 'plain', label: t.queue.waiting(queued) },
};
