/** Opens a link of a message after showing where it really leads. */
import { confirm } from '../../components/confirm.svelte.ts';
import { t } from '../../i18n/index.svelte.ts';
import { notify } from '../../state/notify.ts';
import { linkTarget } from './content.ts';

export async function openLink(href: string): Promise<void> {
  const target = linkTarget(href);
  if (target === undefined) {
    notify(t.inbox.openLink.refused, { description: href.slice(0, 200) });
    return;
  }
  const agreed = await confirm({
    title: t.inbox.openLink.title,
    body: target.kind === 'mail' ? t.inbox.openLink.mailBody : t.inbox.openLink.body(target.host),
    code: target.url,
    confirm: t.inbox.openLink.confirm,
  });
  if (agreed) window.open(target.url, '_blank', 'noopener,noreferrer');
}
