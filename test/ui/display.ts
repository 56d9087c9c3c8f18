/**
 * An X display for Electron: the one there is, else an Xvfb of our own, ended with its user.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Display {
  /** For DISPLAY; undefined where Electron needs none. */
  readonly name: string | undefined;
  close(): Promise<void>;
}

const size = '1440x900x24';

/**
 * With POSTRIDER_TEST_DISPLAY=own even where there is a display, so that no windows open on a person's desktop.
 * Throws when Xvfb cannot be run.
 */
export async function openDisplay(): Promise<Display> {
  if (process.platform !== 'linux') return { name: undefined, close: () => Promise.resolve() };
  const present = process.env['DISPLAY'];
  if (present !== undefined && present !== '' && process.env['POSTRIDER_TEST_DISPLAY'] !== 'own') {
    return { name: present, close: () => Promise.resolve() };
  }
  const child = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', size, '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const number = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    void exited.then(() => reject(new Error('Xvfb ended before it had a display')));
    let text = '';
    (child.stdio[3] as Readable).setEncoding('utf8').on('data', (data: string) => {
      text += data;
      if (text.endsWith('\n')) resolve(text.trim());
    });
  });
  return {
    name: `:${number}`,
    close: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
