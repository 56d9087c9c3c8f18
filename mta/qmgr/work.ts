/** Counts what is under way, so that the end can wait for it. */
export class Work {
  #busy = 0;
  readonly #idle: (() => void)[] = [];

  begin(): void {
    this.#busy++;
  }

  /** Once for each `begin`. */
  end(): void {
    this.#busy--;
    if (this.#busy === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#busy > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
