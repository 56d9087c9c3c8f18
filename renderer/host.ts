/**
 * The one surface through which the page reaches the application, and the one swap point between its hosts:
 * a WebSocket to `/rpc` in a browser, a MessagePort from the preload in the desktop window.
 *
 * Promises: `client` stays the same object for the life of the page; when the wire breaks, calls in flight fail with
 * `unavailable`, the host connects again with a growing pause, and event listeners keep working without being set anew.
 * Who shows data refetches in `onConnected`, because events were missed meanwhile.
 * Who makes a Host imports `vscode-jsonrpc/browser` (or `/node` in tests) first.
 */
import { api, serverClient, type ApiClient, type ApiContract, type ServerId } from '#app/contract/api.ts';
import { PostriderError } from '#mta/contract/errors.ts';
import { connect, EventHub, type Connection, type Wire } from '#mta/contract/rpc.ts';
import type { MailServerClient } from '#mta/contract/server.ts';

/** What the desktop's preload puts into the page: asks for a port, which arrives as a window message. */
export interface DesktopBridge {
  requestPort(): void;
}
declare global {
  interface Window {
    readonly postrider?: DesktopBridge;
  }
}

/** The message that carries the port: `window.postMessage(portMessage, location.origin, [port])`. */
export const portMessage = 'postrider:port';

export type HostState = 'connecting' | 'connected' | 'reconnecting';

export class Host {
  readonly client: ApiClient;
  readonly #open: () => Promise<Wire>;
  readonly #hub = new EventHub<ApiContract>();
  readonly #connected = new Set<() => void>();
  readonly #changed = new Set<(state: HostState) => void>();
  #connection: Connection<ApiContract> | undefined;
  #state: HostState = 'connecting';
  #wake: (() => void) | undefined;
  readonly #pause: { first: number; most: number };

  /** `open` makes a wire or rejects; pauses between tries are in milliseconds. */
  constructor(open: () => Promise<Wire>, pause = { first: 250, most: 5000 }) {
    this.#open = open;
    this.#pause = pause;
    this.client = {
      call: (name, input, options) => {
        if (this.#connection === undefined) {
          return Promise.reject(new PostriderError('unavailable', 'There is no connection to Postrider'));
        }
        return this.#connection.call(name, input, options);
      },
      on: (event, listener) => this.#hub.on(event, listener),
    };
  }

  get state(): HostState {
    return this.#state;
  }

  /** One mail server, as the contract every driver serves. */
  server(id: ServerId): MailServerClient {
    return serverClient(this.client, id);
  }

  /** Called after every connect, the first one too. */
  onConnected(listener: () => void): () => void {
    this.#connected.add(listener);
    if (this.#state === 'connected') listener();
    return () => this.#connected.delete(listener);
  }

  onState(listener: (state: HostState) => void): () => void {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  /** Tries at once instead of waiting out the pause: the network came back, the window was shown. */
  wake(): void {
    this.#wake?.();
  }

  /** Connects, and again whenever the wire breaks, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let pause = this.#pause.first;
    while (!signal.aborted) {
      try {
        const connection = connect(api, await this.#open());
        const stop = (): void => connection.close();
        signal.addEventListener('abort', stop, { once: true });
        for (const event of Object.keys(api.events) as (keyof typeof api.events)[]) {
          connection.on(event, (payload) => this.#hub.emit(event, payload as never));
        }
        this.#connection = connection;
        this.#setState('connected');
        pause = this.#pause.first;
        for (const listener of this.#connected) listener();
        await connection.closed;
        signal.removeEventListener('abort', stop);
        this.#connection = undefined;
        if (!signal.aborted) this.#setState('reconnecting');
      } catch {
        // The other side is not there (yet): the state says so, and the next try follows.
        if (this.#state === 'connected') this.#setState('reconnecting');
      }
      await this.#sleep(pause, signal);
      pause = Math.min(pause * 2, this.#pause.most);
    }
  }

  #sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }

  #setState(state: HostState): void {
    this.#state = state;
    for (const listener of this.#changed) listener(state);
  }
}

/** The host of this page. */
export function pageHost(): Host {
  const bridge = window.postrider;
  return new Host(bridge === undefined ? () => webSocketWire(rpcUrl(window.location)) : () => portWire(bridge));
}

/** `/rpc` of the page's own origin. */
export function rpcUrl(location: Pick<Location, 'protocol' | 'host'>): string {
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/rpc`;
}

function webSocketWire(url: string): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.addEventListener('error', () => reject(new PostriderError('unavailable', `Cannot connect to ${url}`)));
    socket.addEventListener('open', () => {
      resolve({
        send: (message) => socket.send(JSON.stringify(message)),
        onMessage: (listener) =>
          socket.addEventListener('message', (event: MessageEvent<string>) => {
            listener(JSON.parse(event.data) as object);
          }),
        onClose: (listener) => socket.addEventListener('close', listener, { once: true }),
        close: () => socket.close(),
      });
    });
  });
}

function portWire(bridge: DesktopBridge): Promise<Wire> {
  return new Promise((resolve) => {
    const receive = (event: MessageEvent<unknown>): void => {
      const port = event.ports[0];
      if (event.source !== window || event.origin !== window.location.origin) return;
      if (event.data !== portMessage || port === undefined) return;
      window.removeEventListener('message', receive);
      const closers = new Set<() => void>();
      let open = true;
      const closed = (): void => {
        if (!open) return;
        open = false;
        for (const closer of closers) closer();
      };
      port.addEventListener('close', closed);
      resolve({
        send: (message) => port.postMessage(message),
        onMessage: (listener) => {
          port.addEventListener('message', (message: MessageEvent<object>) => listener(message.data));
          port.start();
        },
        onClose: (listener) => closers.add(listener),
        close: () => {
          port.close();
          closed();
        },
      });
    };
    window.addEventListener('message', receive);
    bridge.requestPort();
  });
}
