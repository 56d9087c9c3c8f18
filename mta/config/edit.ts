/**
 * Changes main.cf as `postconf -e` and `-X` do: comments, blank lines and order stay, every duplicate of a changed
 * parameter is rewritten, a new one goes to the end.
 *
 * Promises: `editMainCf` is pure. `writeFileAtomically` leaves either the old or the new file, whole, with the old
 * one's mode, even after a power cut. Throws ConfigurationError for a name or value that could not be read back.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeWhole } from '../files/write-whole.ts';
import { ConfigurationError } from './errors.ts';

/** `null` removes the parameter. */
export type Changes = ReadonlyMap<string, string | null>;

export function editMainCf(text: string, changes: Changes): string {
  for (const [name, value] of changes) checkChange(name, value);
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split('\n');
  // What follows the last newline is not a line unless it has something in it.
  const last = lines.pop();
  const terminated = lines.map((line) => `${line}\n`);
  if (last !== undefined && last !== '') terminated.push(`${last}${end}`);

  const written = new Set<string>();
  let result = '';
  let dropping = false;
  for (const [index, line] of terminated.entries()) {
    const bare = index === 0 ? line.replace(/^\ufeff/, '') : line;
    if (/^\s*(#|$)/.test(bare)) {
      result += line;
    } else if (/^\s/.test(bare)) {
      if (!dropping) result += line;
    } else {
      const name = /^([^\s=]+)\s*=/.exec(bare)?.[1];
      const change = name === undefined ? undefined : changes.get(name);
      dropping = name !== undefined && change !== undefined;
      if (!dropping) {
        result += line;
      } else if (name !== undefined && change !== undefined && change !== null) {
        result += `${name} = ${change.trim()}${end}`;
        written.add(name);
      }
    }
  }
  for (const [name, value] of changes) {
    if (value !== null && !written.has(name)) result += `${name} = ${value.trim()}${end}`;
  }
  return result;
}

/** `postconf -#`: comments the parameters out, all their lines. */
export function commentOutMainCf(text: string, names: ReadonlySet<string>): string {
  let commenting = false;
  return text
    .split(/(?<=\n)/)
    .map((line) => {
      if (/^\s*(#|$)/.test(line)) return line;
      if (!/^\s/.test(line)) {
        const name = /^([^\s=]+)\s*=/.exec(line)?.[1];
        commenting = name !== undefined && names.has(name);
      }
      return commenting ? `#${line}` : line;
    })
    .join('');
}

/** Changes main.cf in `etcFolder`. Resolves when the change survives a power cut. */
export async function setParameters(etcFolder: string, changes: Changes): Promise<void> {
  const file = path.join(etcFolder, 'main.cf');
  await writeFileAtomically(file, editMainCf(await readFile(file, 'utf8'), changes));
}

/** Replaces a file whole, with the mode and owner that it has; `mode` is for one that is new. */
export async function writeFileAtomically(file: string, text: string, mode = 0o644): Promise<void> {
  // A link stays a link: what it points to is replaced.
  const target = await realpath(file).catch(() => file);
  const old = await stat(target).catch(() => undefined);
  await writeWhole(target, text, old ?? mode);
}

function checkChange(name: string, value: string | null): void {
  if (!/^[A-Za-z0-9_.+-]+$/.test(name)) {
    throw new ConfigurationError(
      'main.cf',
      undefined,
      `"${name}" cannot be a parameter name: use letters, digits and _`,
    );
  }
  if (value !== null && /[\r\n\0]/.test(value)) {
    throw new ConfigurationError('main.cf', undefined, `${name}: a value is one line; take the line breaks out`);
  }
}
