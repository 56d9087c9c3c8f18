/**
 * The local MTA on a data folder: attached to when one runs there, else started as a child, and started again when
 * it dies.
 *
 * States: `starting` → `running` → (it died or went away) `reconnecting` → `running`; `failed` when it cannot start or
 * keeps dying, with the reason as `problem`, while slower attempts go on; `stopped` when somebody asked for that.
 * Promises: two supervisors on one folder end with one MTA (its lock decides; the loser attaches). An MTA that is not
 * our child is never stopped by `close`. A child gets SIGTERM and time to finish before SIGKILL. A child that ends by
 * itself with code 0 was asked to (`postrider stop`) and is not started again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Unsubscribe } from '#mta/contract/contract.ts';
import { errorMessage, PostriderError } from '#mta/contract/errors.ts';
import type { MailServerClient } from '#mta/contract/server.ts';
import type { ServerEntry, ServerState } from '../contract/api.ts';
import { LocalMtaDriver } from '../drivers/local-mta.ts';
import { MtaReady, type MtaExit, type MtaProcess, type SpawnMta } from './mta-process.ts';
import type { ManagedServer } from './server.ts';

export interface LocalMtaTimings {
  /** Pause before the first restart; doubles up to `longestPause`. */
  firstPause: number;
  longestPause: number;
  /** So many deaths within `failureWindow` make the state `failed`. */
  failures: number;
  failureWindow: number;
  /** A child that is not ready by then is ended. */
  readyWithin: number;
  /** From SIGTERM to SIGKILL. */
  stopWithin: number;
  /** A control socket that does not answer by then is nobody. */
  answerWithin: number;
  /** How long an MTA that is not ours may be away before we start one. */
  absence: number;
}

/** Milliseconds. */
export const localMtaTimings: LocalMtaTimings = {
  firstPause: 200,
  longestPause: 10_000,
  failures: 5,
  failureWindow: 60_000,
  readyWithin: 60_000,
  stopWithin: 30_000,
  answerWithin: 10_000,
  absence: 2000,
};

export interface LocalMtaOptions {
  id?: string;
  name?: string;
  dataFolder: string;
  spawnMta: SpawnMta;
  /** What follows `mta --data DIR`. */
  mtaArguments?: readonly string[];
  timings?: Partial<LocalMtaTimings>;
  driver?: LocalMtaDriver;
}

/** What runs: which addresses it answers on, and whether it is ours. */
export interface RunningMta extends Omit<MtaReady, 'event'> {
  readonly attached: boolean;
}

const stoppedMessage = 'The mail server is stopped';
/** EX_NOPERM (the data folder cannot be used) and EX_CONFIG of sysexits(3): trying again soon cannot help. */
const hopelessCodes: readonly (number | null)[] = [77, 78];

/** How one life of the MTA ended. */
interface Ending {
  problem: string;
  /** It had been running. */
  ran: boolean;
  /** Ended on request of somebody else. */
  asked: boolean;
  hopeless: boolean;
}

export class LocalMta implements ManagedServer {
  readonly client: MailServerClient;
  readonly #options: LocalMtaOptions;
  readonly #timings: LocalMtaTimings;
  readonly #driver: LocalMtaDriver;
  readonly #listeners = new Set<() => void>();
  #state: ServerState = 'stopped';
  #problem: string | undefined;
  #running: RunningMta | undefined;
  #child: MtaProcess | undefined;
  /** Aborted when it shall end; undefined while stopped. */
  #stop: AbortController | undefined;
  #supervision: Promise<void> = Promise.resolve();
  #lastExitCode: number | undefined;
  #wake: () => void = () => undefined;
  /** We end it: its going away is no news. */
  #ending = false;

  constructor(options: LocalMtaOptions) {
    this.#options = options;
    this.#timings = { ...localMtaTimings, ...options.timings };
    this.#driver = options.driver ?? new LocalMtaDriver({ dataFolder: options.dataFolder });
    this.client = this.#driver;
    this.#driver.close(stoppedMessage);
    this.#driver.onConnection((connected) => {
      // The child lives but its socket dropped, or is back.
      if (this.#child === undefined || this.#running === undefined || this.#ending) return;
      if (connected) this.#become('running');
      else this.#become('reconnecting', 'The connection to the mail server dropped');
    });
  }

  entry(): ServerEntry {
    return {
      id: this.#options.id ?? 'local',
      name: this.#options.name ?? 'Local',
      kind: 'local',
      environment: 'local',
      state: this.#state,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
      readOnly: false,
    };
  }

  /** Undefined unless it runs. */
  running(): RunningMta | undefined {
    return this.#running;
  }

  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves when it runs. Throws `unavailable` with the reason at the first failure from now on; attempts go on all
   * the same until `stop` or `close`.
   */
  async start(): Promise<void> {
    if (this.#stop === undefined) {
      this.#stop = new AbortController();
      const { signal } = this.#stop;
      this.#ending = false;
      this.#driver.expect();
      this.#become('starting');
      this.#supervision = this.#supervision.then(() => this.#supervise(signal));
    } else {
      if (this.#state === 'failed') this.#become('starting');
      this.#wake();
    }
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (this.#state !== 'running' && this.#state !== 'failed' && this.#state !== 'stopped') return;
        unsubscribe();
        if (this.#state === 'running') resolve();
        else reject(new PostriderError('unavailable', this.#problem ?? stoppedMessage));
      };
      const unsubscribe = this.onChange(check);
      check();
    });
  }

  /** On a person's wish: ends the MTA, whoever started it. */
  async stop(): Promise<void> {
    if (this.#running?.attached === true && this.#driver.connected) {
      this.#ending = true;
      const gone = new Promise<void>((resolve) => {
        const unsubscribe = this.#driver.onConnection(() => {
          unsubscribe();
          resolve();
        });
      });
      try {
        await this.client.call('server.stop', {});
      } catch (error) {
        // A server that ends before it answers has done what was asked.
        if (this.#driver.connected) {
          this.#ending = false;
          throw error;
        }
      }
      await within(this.#timings.stopWithin, gone).catch(() => undefined);
    }
    await this.close();
  }

  /** With which code the last child ended; undefined when none has, or a signal ended it. */
  get lastExitCode(): number | undefined {
    return this.#lastExitCode;
  }

  /** Ends a child of ours at once, whatever is in hand. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  async close(): Promise<void> {
    this.#ending = true;
    this.#stop?.abort();
    this.#stop = undefined;
    this.#wake();
    await this.#supervision;
  }

  #become(state: ServerState, problem?: string): void {
    if (state === this.#state && problem === this.#problem) return;
    this.#state = state;
    this.#problem = problem;
    if (state !== 'running' && state !== 'reconnecting') this.#running = undefined;
    for (const listener of this.#listeners) listener();
  }

  async #supervise(signal: AbortSignal): Promise<void> {
    const { firstPause, longestPause, failures, failureWindow } = this.#timings;
    let deaths: number[] = [];
    let pause = firstPause;
    while (!signal.aborted) {
      const born = Date.now();
      const ending = (await this.#attach(signal)) ?? (await this.#raise(signal));
      this.#child = undefined;
      this.#running = undefined;
      if (signal.aborted) break;
      if (ending.asked) {
        this.#stop = undefined;
        this.#driver.close(stoppedMessage);
        this.#become('stopped', ending.problem);
        return;
      }
      const now = Date.now();
      if (now - born > longestPause) pause = firstPause;
      deaths = [...deaths.filter((at) => now - at < failureWindow), now];
      const often = deaths.length >= failures;
      if (often || ending.hopeless) pause = longestPause;
      if (often || !ending.ran) {
        const words = often ? `The mail server ended ${deaths.length} times within a minute. ` : '';
        this.#driver.close(ending.problem);
        this.#become('failed', words + ending.problem);
      } else {
        this.#become('reconnecting', ending.problem);
      }
      await this.#rest(pause, signal);
      pause = Math.min(pause * 2, longestPause);
    }
    this.#driver.close(stoppedMessage);
    if (this.#stop === undefined) this.#become('stopped');
  }

  async #rest(milliseconds: number, signal: AbortSignal): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const timer = new AbortController();
    const stop = (): void => timer.abort();
    signal.addEventListener('abort', stop, { once: true });
    await Promise.race([woken, delay(milliseconds, undefined, { signal: timer.signal }).catch(() => undefined)]);
    signal.removeEventListener('abort', stop);
    timer.abort();
  }

  /** Joins an MTA that runs already, and returns when it has gone; undefined when there is none. */
  async #attach(signal: AbortSignal): Promise<Ending | undefined> {
    let running: RunningMta;
    try {
      await this.#driver.open();
      const { listeners, pid, dataFolder } = await within(
        this.#timings.answerWithin,
        this.client.call('server.overview', {}),
      );
      running = {
        attached: true,
        smtp: listeners.map(({ address, port }) => socketName(address, port)),
        data: dataFolder ?? this.#options.dataFolder,
        pid: pid ?? 0,
      };
    } catch {
      // Nobody there, or somebody who does not answer: the folder's lock tells our own child in a moment.
      if (this.#driver.connected) this.#driver.close('The mail server that runs here does not answer');
      return undefined;
    }
    this.#running = running;
    this.#become('running');
    await this.#gone(signal);
    return { problem: 'The mail server that ran here has ended', ran: true, asked: false, hopeless: false };
  }

  /** Returns when the attached MTA has been away for longer than a restart takes, or on the signal. */
  #gone(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const done = (): void => {
        clearTimeout(timer);
        unsubscribe();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const check = (connected: boolean): void => {
        clearTimeout(timer);
        if (connected) this.#become('running');
        else {
          if (!this.#ending) this.#become('reconnecting', 'The mail server that ran here has gone away');
          timer = setTimeout(done, this.#timings.absence);
        }
      };
      const unsubscribe = this.#driver.onConnection(check);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
      else if (!this.#driver.connected) check(false);
    });
  }

  /** Starts a child, and returns when it has ended; on the signal it is ended. */
  async #raise(signal: AbortSignal): Promise<Ending> {
    const child = this.#options.spawnMta([
      'mta',
      '--data',
      this.#options.dataFolder,
      ...(this.#options.mtaArguments ?? []),
    ]);
    this.#child = child;
    const exit = new Promise<MtaExit>((resolve) => child.onExit(resolve));
    child.onExit(({ code }) => {
      this.#lastExitCode = code ?? undefined;
    });
    const ready = new Promise<MtaReady>((resolve) =>
      child.onMessage((message) => {
        const parsed = MtaReady.safeParse(message);
        if (parsed.success) resolve(parsed.data);
      }),
    );
    const timers = new Set<NodeJS.Timeout>();
    const end = (): void => {
      child.kill('SIGTERM');
      timers.add(setTimeout(() => child.kill('SIGKILL'), this.#timings.stopWithin));
    };
    let late = false;
    const start = setTimeout(() => {
      late = true;
      end();
    }, this.#timings.readyWithin);
    timers.add(start);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    let ran = false;
    try {
      const first = await Promise.race([ready, exit]);
      if ('event' in first && !signal.aborted) {
        clearTimeout(start);
        ran = true;
        const { smtp, data, pid } = first;
        this.#running = { attached: false, smtp, data, pid };
        await this.#driver.open();
        this.#become('running');
      }
      const ending = await exit;
      const asked = ran && ending.code === 0;
      return {
        problem: asked
          ? 'The mail server was stopped on request'
          : late
            ? `The mail server was not ready within ${this.#timings.readyWithin / 1000} seconds`
            : describeExit(ending),
        ran,
        asked,
        hopeless: hopelessCodes.includes(ending.code),
      };
    } catch (error) {
      // Ready, it said, but its control socket does not answer.
      if (!signal.aborted) end();
      await exit;
      return { problem: errorMessage(error), ran: false, asked: false, hopeless: false };
    } finally {
      signal.removeEventListener('abort', end);
      for (const timer of timers) clearTimeout(timer);
    }
  }
}

/** In words: the last thing it said, or else how it ended. */
function describeExit({ code, signal, stderr }: MtaExit): string {
  const lines = stderr
    .split(/\r?\n/)
    .map((line) => line.trim().replace(/^[\w ]{1,40}: fatal: /, ''))
    .filter((line) => line !== '');
  const how = signal === null ? `ended with code ${code ?? 'unknown'}` : `was ended by ${signal}`;
  if (lines.length === 0) return `The mail server ${how}`;
  const uncaught = lines.find((line) => /^(?:\w*Error|[A-Z]\w*Exception)\b.*: /.test(line));
  return uncaught === undefined ? lines.slice(-3).join('\n') : `The mail server ${how}: ${uncaught}`;
}

/** `127.0.0.1:25`, `[::1]:25` */
function socketName(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Throws `unavailable` when it takes longer, in milliseconds. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new PostriderError('unavailable', `No answer within ${milliseconds / 1000} seconds`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}
