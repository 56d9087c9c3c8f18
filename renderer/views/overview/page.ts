/** The Overview: what this server is, where it listens, and the way of its mail. */
import LayoutDashboard from '@lucide/svelte/icons/layout-dashboard';
import { t } from '../../i18n/index.svelte.ts';
import type { Page } from '../page.ts';
import Overview from './Overview.svelte';

export const page: Page = {
  id: 'overview',
  order: 10,
  icon: LayoutDashboard,
  title: () => t.overview.title,
  component: Overview,
  count: ({ overview }) => {
    const serious = overview?.findings.filter(({ level }) => level !== 'info') ?? [];
    return serious.length === 0
      ? undefined
      : {
          value: serious.length,
          tone: serious.some(({ level }) => level === 'error') ? 'bad' : 'warn',
          label: t.overview.findings.title,
        };
  },
  home: ['server', 'postfix'],
};
