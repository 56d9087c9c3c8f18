/** What a column of `<Table>` is. */
import type { Snippet } from 'svelte';

export interface Column<T> {
  readonly id: string;
  readonly title: string;
  /** A CSS track: `120px`, `minmax(0, 1fr)`. */
  readonly width: string;
  /** Figures stand right, in tabular digits. */
  readonly numeric?: boolean;
  readonly mono?: boolean;
  /** The name of the server's sort order this head asks for. */
  readonly sort?: string;
  /** Plain text, or markup. One of the two. */
  readonly text?: (row: T) => string;
  readonly cell?: Snippet<[row: T]>;
  /** Shown when the cell is cut off. */
  readonly tooltip?: (row: T) => string | undefined;
}

export interface Sort {
  readonly by: string;
  readonly descending: boolean;
}
