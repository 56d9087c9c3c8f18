/**
 * The application's state at the top: the connection, what the application is, and the servers. Made once by main.ts;
 * views get the ServerSession they show and read the rest from here.
 */
import type { AppInfo, ServerEntry } from '#app/contract/api.ts';
import type { Host, HostState } from '../host.ts';
import { preferences } from './preferences.svelte.ts';
import { router } from './router.svelte.ts';
import { ServerSession } from './server.svelte.ts';

class AppState {
  connection = $state<HostState>('connecting');
  /** When the present connection state began. */
  since = $state(Date.now());
  info = $state.raw<AppInfo | undefined>(undefined);
  sessions = $state.raw<readonly ServerSession[]>([]);
  loaded = $state(false);
  #host: Host | undefined;

  readonly current = $derived<ServerSession | undefined>(
    this.sessions.find((session) => session.id === router.route.server) ?? this.sessions[0],
  );

  get host(): Host {
    if (this.#host === undefined) throw new Error('app.start() comes first');
    return this.#host;
  }

  start(host: Host): void {
    this.#host = host;
    host.onState((state) => {
      this.connection = state;
      this.since = Date.now();
    });
    host.client.on('servers.changed', ({ servers }) => this.#setServers(servers));
    host.onConnected(() => void this.#load(host));
  }

  async #load(host: Host): Promise<void> {
    try {
      const info = await host.client.call('app.info', {});
      await preferences.load(host.client, info);
      this.info = info;
      this.#setServers((await host.client.call('servers.list', {})).servers);
      this.loaded = true;
    } catch {
      // The wire broke again; the next connect loads.
    }
  }

  #setServers(entries: readonly ServerEntry[]): void {
    const next = entries.map((entry) => {
      const session = this.sessions.find(({ id }) => id === entry.id);
      if (session === undefined) return new ServerSession(this.host, entry);
      const started = session.entry.state !== 'running' && entry.state === 'running';
      session.entry = entry;
      if (started) session.refresh();
      return session;
    });
    for (const session of this.sessions) if (!next.includes(session)) session.stop();
    this.sessions = next;
  }
}
export const app = new AppState();
