/** Lookup tables by their `type:name`, opened once and kept: what routing and aliases ask. */
import type { Configuration } from '../config/configuration.ts';
import { openTable, type LookupTable } from '../config/tables.ts';

export class Tables {
  readonly #configuration: () => Configuration;
  readonly #open = new Map<string, Promise<LookupTable>>();

  constructor(configuration: () => Configuration) {
    this.#configuration = configuration;
  }

  /** The value of `key`, or undefined. A table that cannot be read rejects, and is tried anew the next time. */
  async lookup(map: string, key: string): Promise<string | undefined> {
    let table = this.#open.get(map);
    if (table === undefined) {
      table = openTable(map, this.#configuration());
      this.#open.set(map, table);
      table.catch(() => this.#open.delete(map));
    }
    return (await table).lookup(key);
  }

  /** The first value that one of a parameter's tables has. */
  async find(parameter: string, key: string): Promise<string | undefined> {
    for (const map of this.#configuration().list(parameter)) {
      const value = await this.lookup(map, key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** After a reload: relative names and options may mean other files now. */
  forget(): void {
    this.#open.clear();
  }
}
