/** main.cf for commands that work without one too: undefined when it is not there or cannot be used. */
import path from 'node:path';
import type { Configuration } from '../config/configuration.ts';
import { ConfigurationError } from '../config/errors.ts';
import { loadConfiguration } from '../config/load.ts';

export async function readCliConfiguration(data: string): Promise<Configuration | undefined> {
  try {
    return await loadConfiguration(path.join(data, 'etc'), { dataFolder: data });
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}
