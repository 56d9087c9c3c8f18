/** The Inbox: the mailboxes of this server and the messages in them, live. */
import Inbox from '@lucide/svelte/icons/inbox';
import { t } from '../../i18n/index.svelte.ts';
import type { Page } from '../page.ts';
import InboxView from './Inbox.svelte';

export const page: Page = {
  id: 'inbox',
  order: 20,
  icon: Inbox,
  title: () => t.inbox.title,
  component: InboxView,
  capability: 'mail',
  count: ({ unread }) =>
    unread === 0 ? undefined : { value: unread, tone: 'strong', label: t.inbox.unreadCount(unread) },
  home: ['sink'],
};
