/**
 * The application put together: settings, the servers it looks after, and the API over them. What the window and
 * browser mode both start from.
 */
import { createApi, type Api } from './api.ts';
import type { AppInfo } from './contract/api.ts';
import { LocalMta } from './servers/local-mta.ts';
import { spawnWithNode, type SpawnMta } from './servers/mta-process.ts';
import { Servers } from './servers/server.ts';
import { Settings, settingsFile } from './settings/settings.ts';
import { PreviewStore } from './web/preview.ts';

export interface ApplicationOptions {
  dataFolder: string;
  info: AppInfo;
  /** How to start the MTA; this program's own Node when absent. */
  spawnMta?: SpawnMta;
  /** What follows `mta --data DIR`: `['--profile', 'sink']`. */
  mtaArguments?: readonly string[];
}

export interface Application {
  readonly api: Api;
  readonly previews: PreviewStore;
  readonly servers: Servers;
  readonly settings: Settings;
  /** The MTA on the data folder; not started yet. */
  readonly local: LocalMta;
  /** Ends what was started; an MTA that was attached to goes on. */
  close(): Promise<void>;
}

/** Throws `unavailable` when the settings file exists and cannot be read. */
export async function openApplication(options: ApplicationOptions): Promise<Application> {
  const settings = await Settings.open(settingsFile(options.dataFolder));
  const local = new LocalMta({
    dataFolder: options.dataFolder,
    spawnMta: options.spawnMta ?? spawnWithNode(),
    ...(options.mtaArguments === undefined ? {} : { mtaArguments: options.mtaArguments }),
  });
  const servers = new Servers([local]);
  const previews = new PreviewStore();
  const api = createApi({ servers, preferences: settings, info: options.info, previews });
  return { api, previews, servers, settings, local, close: () => servers.close() };
}
