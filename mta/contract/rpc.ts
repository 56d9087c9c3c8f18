/**
 * A contract over a wire, as JSON-RPC 2.0 with cancellation and progress.
 *
 * Promises: input is validated where it is served, output and events where they are received; an error arrives as
 * PostriderError with its code and field. When the wire closes, every pending call fails with `unavailable`.
 * The caller imports `vscode-jsonrpc/node` or `vscode-jsonrpc/browser` once, which fits the library to its runtime.
 */
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type CancellationToken,
  CancellationTokenSource,
  createMessageConnection,
  type DataCallback,
  type Disposable,
  Emitter,
  type Message,
  type MessageConnection,
  ProgressType,
  ResponseError,
} from 'vscode-jsonrpc';
import * as z from 'zod';
import type {
  CallContext,
  CallOptions,
  Client,
  Contract,
  EventName,
  EventPayload,
  EventSource,
  Handlers,
  Progress,
  Unsubscribe,
} from './contract.ts';
import { errorCodes, errorMessage, PostriderError, type ErrorCode } from './errors.ts';

/** Two functions and an end: all that a transport must offer. Messages are JSON values. */
export interface Wire {
  send(message: object): void;
  onMessage(listener: (message: object) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}

const applicationError = -32_000;
const progressType = new ProgressType<Progress>();

class WireReader extends AbstractMessageReader {
  readonly #wire: Wire;
  #closed = false;
  constructor(wire: Wire) {
    super();
    this.#wire = wire;
    wire.onClose(() => {
      this.#closed = true;
      this.fireClose();
    });
  }
  listen(callback: DataCallback): Disposable {
    this.#wire.onMessage((message) => {
      if (!this.#closed) callback(message as Message);
    });
    return { dispose: () => undefined };
  }
}

class WireWriter extends AbstractMessageWriter {
  readonly #wire: Wire;
  constructor(wire: Wire) {
    super();
    this.#wire = wire;
  }
  write(message: Message): Promise<void> {
    try {
      this.#wire.send(message);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
  end(): void {
    this.#wire.close();
  }
}

interface Envelope {
  input: unknown;
  progressToken?: number;
}

function openConnection(wire: Wire): MessageConnection {
  return createMessageConnection(new WireReader(wire), new WireWriter(wire), {
    error: () => undefined,
    warn: () => undefined,
    info: () => undefined,
    log: () => undefined,
  });
}

/** Serves `handlers` and publishes `events` on the wire until it closes. */
export function serve<C extends Contract>(
  contract: C,
  handlers: Handlers<C>,
  events: EventSource<C>,
  wire: Wire,
): { close(): void } {
  const connection = openConnection(wire);
  for (const [name, method] of Object.entries(contract.methods)) {
    const handler = handlers[name as keyof C['methods']] as (input: unknown, context: CallContext) => unknown;
    // Params that are no object of ours are bad input like any other: null, none at all (then the token comes first).
    connection.onRequest(name, async (params: Partial<Envelope> | null, token?: CancellationToken) => {
      const parsed = method.input.safeParse(params?.input);
      if (!parsed.success) return toResponseError(badInputFrom(parsed.error));
      const controller = new AbortController();
      const cancellation = token?.onCancellationRequested?.(() => controller.abort());
      try {
        return await handler(parsed.data, {
          signal: controller.signal,
          progress: (progress) => {
            if (params?.progressToken !== undefined) {
              void connection.sendProgress(progressType, params.progressToken, progress).catch(() => undefined);
            }
          },
        });
      } catch (error) {
        return toResponseError(error);
      } finally {
        cancellation?.dispose();
      }
    });
  }
  const unsubscribes: Unsubscribe[] = Object.keys(contract.events).map((name) =>
    events.on(name as EventName<C>, (payload: unknown) => {
      void connection.sendNotification('event', { name, payload }).catch(() => undefined);
    }),
  );
  connection.onClose(() => {
    for (const unsubscribe of unsubscribes) unsubscribe();
  });
  connection.listen();
  return {
    close: () => {
      connection.end();
    },
  };
}

export interface Connection<C extends Contract> extends Client<C> {
  /** Resolves when the wire has closed, whoever closed it. */
  readonly closed: Promise<void>;
  close(): void;
}

/** A typed client of the contract served at the other end. */
export function connect<C extends Contract>(contract: C, wire: Wire): Connection<C> {
  const connection = openConnection(wire);
  const emitters = new Map<string, Emitter<unknown>>();
  let open = true;
  let nextToken = 0;
  const closed = new Promise<void>((resolve) => {
    connection.onClose(() => {
      open = false;
      resolve();
    });
  });
  connection.onNotification('event', ({ name, payload }: { name: string; payload: unknown }) => {
    const emitter = emitters.get(name);
    const schema = contract.events[name];
    if (emitter === undefined || schema === undefined) return;
    const parsed = schema.safeParse(payload);
    if (parsed.success) emitter.fire(parsed.data);
  });
  connection.listen();

  async function call(name: string, input: unknown, options: CallOptions = {}): Promise<unknown> {
    const method = contract.methods[name];
    if (method === undefined) throw new PostriderError('unsupported', `${contract.name} has no method ${name}`);
    if (!open) throw connectionLost(contract);
    if (options.signal?.aborted === true) throw new PostriderError('cancelled', `${name} was cancelled`);
    const source = new CancellationTokenSource();
    const abort = (): void => source.cancel();
    options.signal?.addEventListener('abort', abort, { once: true });
    const envelope: Envelope = { input };
    let progress: Disposable | undefined;
    if (options.onProgress !== undefined) {
      envelope.progressToken = nextToken++;
      progress = connection.onProgress(progressType, envelope.progressToken, options.onProgress);
    }
    try {
      const response = await Promise.race([
        connection.sendRequest(name, envelope, source.token),
        closed.then(() => {
          throw connectionLost(contract);
        }),
      ]);
      const parsed = method.output.safeParse(response);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        throw new PostriderError(
          'internal',
          `${name}: the answer does not fit the contract at ${issue?.path.join('.') ?? '?'}: ${issue?.message ?? ''}`,
        );
      }
      return parsed.data;
    } catch (error) {
      throw fromResponseError(error);
    } finally {
      options.signal?.removeEventListener('abort', abort);
      progress?.dispose();
      source.dispose();
    }
  }

  return {
    call: call as Client<C>['call'],
    on: <K extends EventName<C>>(event: K, listener: (payload: EventPayload<C, K>) => void): Unsubscribe => {
      let emitter = emitters.get(event);
      if (emitter === undefined) emitters.set(event, (emitter = new Emitter<unknown>()));
      const subscription = emitter.event(listener as (payload: unknown) => void);
      return () => subscription.dispose();
    },
    closed,
    close: () => {
      connection.end();
    },
  };
}

/** A handler table as a client, without a wire: for drivers and tests in one process. Input is validated all the same. */
export function local<C extends Contract>(contract: C, handlers: Handlers<C>, events: EventSource<C>): Client<C> {
  return {
    call: (async (name: string, input: unknown, options: CallOptions = {}) => {
      const method = contract.methods[name];
      if (method === undefined) throw new PostriderError('unsupported', `${contract.name} has no method ${name}`);
      const parsed = method.input.safeParse(input);
      if (!parsed.success) throw badInputFrom(parsed.error);
      const handler = handlers[name as keyof C['methods']] as (input: unknown, context: CallContext) => unknown;
      return await handler(parsed.data, {
        signal: options.signal ?? new AbortController().signal,
        progress: (progress) => options.onProgress?.(progress),
      });
    }) as Client<C>['call'],
    on: events.on.bind(events) as Client<C>['on'],
  };
}

/** A listener set per event of a contract. */
export class EventHub<C extends Contract> implements EventSource<C> {
  readonly #listeners = new Map<string, Set<(payload: never) => void>>();

  on<K extends EventName<C>>(event: K, listener: (payload: EventPayload<C, K>) => void): Unsubscribe {
    let listeners = this.#listeners.get(event);
    if (listeners === undefined) this.#listeners.set(event, (listeners = new Set()));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<K extends EventName<C>>(event: K, payload: EventPayload<C, K>): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(payload as never);
  }

  /** Whether anybody listens; lets a busy server skip making payloads nobody reads. */
  has(event: EventName<C>): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }
}

function connectionLost(contract: Contract): PostriderError {
  return new PostriderError('unavailable', `The connection to the ${contract.name} was lost`);
}

function badInputFrom(error: z.ZodError): PostriderError {
  const issue = error.issues[0];
  const field = issue?.path.join('.') ?? '';
  return new PostriderError('bad-input', `${field === '' ? 'input' : field}: ${issue?.message ?? 'invalid'}`, {
    field: field === '' ? 'input' : field,
  });
}

function toResponseError(error: unknown): ResponseError<{ code: ErrorCode; field?: string }> {
  const known = error instanceof PostriderError ? error : undefined;
  return new ResponseError(applicationError, errorMessage(error), {
    code: known?.code ?? 'internal',
    ...(known?.field === undefined ? {} : { field: known.field }),
  });
}

const ErrorData = z.object({ code: z.enum(errorCodes), field: z.string().optional() });

function fromResponseError(error: unknown): PostriderError {
  if (error instanceof PostriderError) return error;
  if (error instanceof ResponseError) {
    const data = ErrorData.safeParse(error.data);
    if (data.success) return new PostriderError(data.data.code, error.message, { field: data.data.field });
    // -32800: the library's own "request cancelled"
    if (error.code === -32_800) return new PostriderError('cancelled', 'The call was cancelled');
  }
  const message = errorMessage(error);
  return new PostriderError(/closed|disposed/i.test(message) ? 'unavailable' : 'internal', message, { cause: error });
}
