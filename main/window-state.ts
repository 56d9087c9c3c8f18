/**
 * Where the window was: kept in the data folder, used again only where a display still shows enough of it.
 * A file that is missing or broken means the default size; one that cannot be written costs only the memory.
 */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { replaceFile } from '#app/settings/settings.ts';
import { log } from './logger.ts';

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const WindowState = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int().min(400).max(20_000),
  height: z.number().int().min(300).max(20_000),
  maximized: z.boolean(),
});
export type WindowState = z.output<typeof WindowState>;

export const defaultSize = { width: 1280, height: 800 };
/** Pixels of the window that must show, so that it can be grasped. */
const graspable = 100;

export function readWindowState(file: string): WindowState | undefined {
  try {
    return WindowState.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Undefined when no display shows it: the system then places the window. */
export function fitting(state: Rectangle, displays: readonly Rectangle[]): Rectangle | undefined {
  const shown = displays.some((display) => {
    const width = Math.min(state.x + state.width, display.x + display.width) - Math.max(state.x, display.x);
    const height = Math.min(state.y + state.height, display.y + display.height) - Math.max(state.y, display.y);
    return width >= graspable && height >= graspable && state.y >= display.y;
  });
  if (!shown) return undefined;
  const { x, y, width, height } = state;
  return { x, y, width, height };
}

export async function writeWindowState(file: string, state: WindowState): Promise<void> {
  await replaceFile(file, `${JSON.stringify(state)}\n`).catch((error: unknown) => log(String(error)));
}
