/** How often each command was given in a session, for the `disconnect from` line. */
export const verbs = [
  'HELO',
  'EHLO',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'RSET',
  'NOOP',
  'VRFY',
  'QUIT',
  'unknown',
] as const;
export type Verb = (typeof verbs)[number];

export const verbIndex: ReadonlyMap<string, number> = new Map(
  verbs.filter((verb) => verb !== 'unknown').map((verb, index) => [verb, index]),
);

export class CommandCounts {
  readonly #done = new Uint32Array(verbs.length);
  readonly #all = new Uint32Array(verbs.length);

  count(verb: Verb, ok: boolean): void {
    const index = verbIndex.get(verb) ?? verbs.length - 1;
    this.#all[index] = (this.#all[index] ?? 0) + 1;
    if (ok) this.#done[index] = (this.#done[index] ?? 0) + 1;
  }

  /** ` ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4`, as Postfix writes it. */
  summary(): string {
    let text = '';
    let done = 0;
    let all = 0;
    for (const [index, verb] of verbs.entries()) {
      const each = this.#all[index] ?? 0;
      if (each === 0) continue;
      const ok = this.#done[index] ?? 0;
      done += ok;
      all += each;
      text += ` ${verb.toLowerCase()}=${ratio(ok, each)}`;
    }
    return `${text} commands=${ratio(done, all)}`;
  }
}

function ratio(ok: number, all: number): string {
  return ok === all ? `${all}` : `${ok}/${all}`;
}
