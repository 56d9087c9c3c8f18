/**
 * Where Postrider keeps its data when nobody says: XDG on Linux, the platform's own folder elsewhere.
 * POSTRIDER_DATA names another. Throws PostriderError `bad-input` when it cannot be told.
 */
import path from 'node:path';
import { badInput } from '../contract/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export function dataFolder(env: Environment, platform: NodeJS.Platform = process.platform): string {
  const join = platform === 'win32' ? path.win32.join : path.posix.join;
  const set = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const named = set('POSTRIDER_DATA');
  if (named !== undefined) return path.resolve(named);
  const need = (name: string): string => {
    const value = set(name);
    if (value === undefined) {
      throw badInput(
        'data',
        `The data folder is not known: ${name} is not set. Name it with --data or POSTRIDER_DATA.`,
      );
    }
    return value;
  };
  if (platform === 'win32') return join(need('APPDATA'), 'Postrider');
  if (platform === 'darwin') return join(need('HOME'), 'Library', 'Application Support', 'Postrider');
  const base = set('XDG_DATA_HOME');
  // The XDG Base Directory specification: a relative path is to be ignored.
  return base !== undefined && base.startsWith('/')
    ? join(base, 'postrider')
    : join(need('HOME'), '.local', 'share', 'postrider');
}
