/**
 * What a contract is: a plain object of methods (input and output schemas) and events (payload schemas).
 *
 * Promises: pure (no Node, no DOM). Types of callers and handlers are derived from the schemas, so a
 * method that one side forgets does not compile.
 */
import type * as z from 'zod';

/** One thing that can be asked. `long` methods report progress and can be cancelled. */
export interface Method<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly input: I;
  readonly output: O;
}

export type Methods = Readonly<Record<string, Method>>;
export type Events = Readonly<Record<string, z.ZodType>>;

export interface Contract<M extends Methods = Methods, E extends Events = Events> {
  readonly name: string;
  readonly methods: M;
  readonly events: E;
}

export function method<I extends z.ZodType, O extends z.ZodType>(input: I, output: O): Method<I, O> {
  return { input, output };
}

export function contract<M extends Methods, E extends Events>(name: string, methods: M, events: E): Contract<M, E> {
  return { name, methods, events };
}

/** How far a long call has come. `total` is absent while it is not known. */
export interface Progress {
  done: number;
  total?: number | undefined;
}

/** What a handler is given beside its input. */
export interface CallContext {
  /** Aborted when the caller cancels. A handler stops at the next safe point and returns what was done. */
  signal: AbortSignal;
  progress(progress: Progress): void;
}

/** What a caller may add to a call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export type Input<M extends Method> = z.input<M['input']>;
export type Output<M extends Method> = z.output<M['output']>;

/** The side that answers: one handler a method, none may be missing. */
export type Handlers<C extends Contract> = {
  [K in keyof C['methods']]: (
    input: z.output<C['methods'][K]['input']>,
    context: CallContext,
  ) => Promise<z.input<C['methods'][K]['output']>> | z.input<C['methods'][K]['output']>;
};

export type EventName<C extends Contract> = keyof C['events'] & string;
export type EventPayload<C extends Contract, K extends EventName<C>> = z.output<C['events'][K]>;
export type Unsubscribe = () => void;

/** The side that asks: by method name, typed from the contract. */
export interface Client<C extends Contract> {
  call<K extends keyof C['methods'] & string>(
    method: K,
    input: Input<C['methods'][K]>,
    options?: CallOptions,
  ): Promise<Output<C['methods'][K]>>;
  on<K extends EventName<C>>(event: K, listener: (payload: EventPayload<C, K>) => void): Unsubscribe;
}

/** Where a server publishes its events. */
export interface EventSource<C extends Contract> {
  on<K extends EventName<C>>(event: K, listener: (payload: EventPayload<C, K>) => void): Unsubscribe;
}
