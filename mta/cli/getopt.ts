/**
 * getopt(3): single letters, combined (`-hn`), a value attached (`-fuser`) or following (`-f user`), `--` ends them, as
 * does the first word that is no option. `letters` is getopt's: `ab:` means -a, and -b with a value.
 */
export interface Options {
  /** In the order given. */
  readonly options: readonly { readonly letter: string; readonly value: string }[];
  readonly operands: readonly string[];
  /** What getopt(3) says of the first option that is wrong. */
  readonly problem?: string | undefined;
}

export function getopt(argv: readonly string[], letters: string): Options {
  const options: { letter: string; value: string }[] = [];
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--') {
      i++;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? '';
      const position = letter === ':' ? -1 : letters.indexOf(letter);
      if (position === -1) return { options, operands: argv.slice(i), problem: `invalid option -- '${letter}'` };
      if (letters[position + 1] !== ':') {
        options.push({ letter, value: '' });
        continue;
      }
      const attached = word.slice(at + 1);
      const value = attached !== '' ? attached : argv[++i];
      if (value === undefined) {
        return { options, operands: [], problem: `option requires an argument -- '${letter}'` };
      }
      options.push({ letter, value });
      break;
    }
  }
  return { options, operands: argv.slice(i) };
}
