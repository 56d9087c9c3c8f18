/** Send: a test message by real SMTP, with the whole conversation explained. */
import Send from '@lucide/svelte/icons/send';
import { t } from '../../i18n/index.svelte.ts';
import type { Page } from '../page.ts';
import SendView from './Send.svelte';

export const page: Page = { id: 'send', order: 60, icon: Send, title: () => t.send.title, component: SendView };
