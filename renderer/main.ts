/**
 * Starts the page: styles, state, connection, frame.
 *
 * How a page is added:
 *  1. `views/NAME/page.ts` exports `page: Page` (id, order, icon, title, component, capability, count); the folder's
 *     name is the id. Nothing else needs to know of it: sidebar, palette, ⌘/Ctrl-1…9 and routing read the list.
 *  2. Its component gets `{ server: ServerSession }`: `server.client.call('queue.list', …)`, `server.client.on(…)`,
 *     `server.overview`, `server.queue`. It starts with `<Header title … />` and fills the rest of the window.
 *  3. Its texts stand in `i18n/en/NAME.ts` and `i18n/zh/NAME.ts` (joined in their index.ts): `t.NAME.key`.
 *  4. What it can do is data: `offerActions(() => [{ id, title, icon, shortcut, available, run }])`; the same objects go
 *     to `<ActionButton>` and `<ContextMenu>`. Long calls run through `tasks.run(title, (options) => …)`.
 *  5. Lists use `<Table>` (or `<VirtualList>`) with a `ListSelection`; filters use `<FilterField>`.
 */
import './zod-config.ts';
import 'vscode-jsonrpc/browser';
import './styles/tokens.css';
import './styles/base.css';
import './styles/overlays.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { pageHost } from './host.ts';
import { app } from './state/app.svelte.ts';
import { clock } from './state/clock.svelte.ts';
import { preferences } from './state/preferences.svelte.ts';
import { router } from './state/router.svelte.ts';

const host = pageHost();
const lifetime = new AbortController();
clock.start();
router.start();
preferences.start(host.client);
app.start(host);
window.addEventListener('online', () => host.wake());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) host.wake();
});
void host.run(lifetime.signal);

const target = document.getElementById('app');
if (target !== null) mount(App, { target });
