/**
 * What the desktop's command line says: `--data DIR` and what goes on to the MTA. Everything else on the line is
 * Chromium's and Electron's own and left alone. Throws `bad-input` naming the option.
 */
import { parseArgs } from 'node:util';
import { badInput } from '#mta/contract/errors.ts';

export interface DesktopOptions {
  data: string | undefined;
  /** What follows `mta --data DIR`. */
  mtaArguments: string[];
}

const options = {
  data: { type: 'string' },
  profile: { type: 'string' },
  domain: { type: 'string' },
  smtp: { type: 'string', multiple: true },
} as const;

export function desktopOptions(args: readonly string[]): DesktopOptions {
  const { values } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true });
  const given = (name: keyof typeof options): string[] =>
    [values[name] ?? []].flat().map((value) => {
      if (typeof value !== 'string' || value === '' || value.startsWith('--'))
        throw badInput(name, `--${name} needs a value`);
      return value;
    });
  return {
    data: given('data').at(-1),
    mtaArguments: (['profile', 'domain', 'smtp'] as const).flatMap((name) =>
      given(name).flatMap((value) => [`--${name}`, value]),
    ),
  };
}
