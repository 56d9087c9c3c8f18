/** The Log: what the server wrote, live, newest at the bottom. */
import ScrollText from '@lucide/svelte/icons/scroll-text';
import { t } from '../../i18n/index.svelte.ts';
import type { Page } from '../page.ts';
import LogView from './Log.svelte';

export const page: Page = {
  id: 'log',
  order: 50,
  icon: ScrollText,
  title: () => t.log.title,
  component: LogView,
  capability: 'log',
};
