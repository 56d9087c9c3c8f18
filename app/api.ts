/**
 * The handlers of the api contract. A method of the MailServer contract goes to the driver of the server it names:
 * made from the contract, so that a new method needs nothing here.
 */
import type { CallContext, EventName, Methods } from '#mta/contract/contract.ts';
import { EventHub } from '#mta/contract/rpc.ts';
import { mailServer, type MailServerContract } from '#mta/contract/server.ts';
import type { ApiContract, ApiHandlers, AppInfo, ServerId } from './contract/api.ts';
import type { Servers } from './servers/server.ts';
import type { PreferenceStore } from './settings/settings.ts';
import type { PreviewStore } from './web/preview.ts';

export interface ApiOptions {
  servers: Servers;
  preferences: PreferenceStore;
  info: AppInfo;
  /** Also read by whatever serves `/preview/…` to the page. */
  previews: PreviewStore;
}

export interface Api {
  readonly handlers: ApiHandlers;
  readonly events: EventHub<ApiContract>;
}

/** Every method of a mail server, as a method that takes the server's id beside the input. */
function perServer(servers: Servers): Pick<ApiHandlers, keyof MailServerContract['methods']> {
  const methods: Methods = mailServer.methods;
  return Object.fromEntries(
    Object.keys(methods).map((name) => [
      name,
      async ({ server, input }: { server: ServerId; input: never }, { signal, progress }: CallContext) =>
        await servers
          .get(server)
          .client.call(name as keyof MailServerContract['methods'], input, { signal, onProgress: progress }),
    ]),
  ) as unknown as Pick<ApiHandlers, keyof MailServerContract['methods']>;
}

export function createApi({ servers, preferences, info, previews }: ApiOptions): Api {
  const events = new EventHub<ApiContract>();
  const handlers: ApiHandlers = {
    'app.info': () => info,
    'preferences.get': () => preferences.get(),
    'preferences.set': (patch) => preferences.set(patch),
    'servers.list': () => ({ servers: servers.list() }),
    'servers.start': async ({ server }) => {
      await servers.get(server).start();
      return {};
    },
    'servers.stop': async ({ server }) => {
      await servers.get(server).stop();
      return {};
    },
    'probe.send': async (message, { signal }) => {
      const { sendProbe } = await import('./probe/probe.ts');
      return await sendProbe(message, { signal });
    },
    'preview.create': ({ html, remoteContent }) => ({ path: previews.path(html, { remoteContent }) }),
    ...perServer(servers),
  };
  servers.onChange(() => events.emit('servers.changed', { servers: servers.list() }));
  preferences.onChange((changed) => events.emit('preferences.changed', changed));
  for (const [server, { client }] of servers.all()) {
    for (const name of Object.keys(mailServer.events) as EventName<MailServerContract>[]) {
      client.on(name, (payload) => events.emit(name, { server, payload } as never));
    }
  }
  return { handlers, events };
}
