/** The shape of one line of the parameter table. */

/**
 * - `text` as it is; `list` split at white space and commas; `bool` yes or no; `int` a whole number;
 * - `size` bytes; `time` digits and one of s m h d w, the unit of the default being the one of a bare number.
 */
export type ParameterType = 'text' | 'list' | 'bool' | 'int' | 'size' | 'time';

/** Name, type, default before $expansion, and what it does (own parameters only: Postfix's are in postconf(5)). */
export type ParameterRow = readonly [name: string, type: ParameterType, fallback: string, about?: string];
