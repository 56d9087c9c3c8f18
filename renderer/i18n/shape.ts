/**
 * The shape a translation must have: the English area with its texts widened to string. A key that is missing, or a
 * function with other parameters, does not compile.
 */
export type Shape<T> = {
  readonly [K in keyof T]: T[K] extends string
    ? string
    : T[K] extends (...parameters: infer P) => string
      ? (...parameters: P) => string
      : Shape<T[K]>;
};
