import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LocalMta, type LocalMtaTimings } from './local-mta.ts';
import { spawnWithNode } from './mta-process.ts';

const fake = fileURLToPath(new URL('./testing/fake-mta.ts', import.meta.url));
const quick: Partial<LocalMtaTimings> = { firstPause: 10, longestPause: 200, stopWithin: 500, absence: 100 };

let data: string;
let open: LocalMta[];
let strangers: ChildProcess[];

beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'postrider-supervisor-'));
  open = [];
  strangers = [];
  await behave('well');
});
afterEach(async () => {
  await Promise.all(open.map((mta) => mta.close()));
  for (const stranger of strangers) stranger.kill('SIGKILL');
  await rm(data, { recursive: true, force: true });
});

function behave(how: string): Promise<void> {
  return writeFile(path.join(data, 'behaviour'), how);
}

function supervise(timings: Partial<LocalMtaTimings> = {}): LocalMta {
  const spawnMta = spawnWithNode({ command: process.execPath, args: [fake] });
  const mta = new LocalMta({ dataFolder: data, spawnMta, timings: { ...quick, ...timings } });
  open.push(mta);
  return mta;
}

/** An MTA that somebody else started. */
async function stranger(): Promise<ChildProcess> {
  const child = fork(fake, ['mta', '--data', data]);
  strangers.push(child);
  await new Promise((resolve) => child.once('message', resolve));
  return child;
}

function state(mta: LocalMta, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (mta.entry().state !== wanted) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = mta.onChange(check);
    check();
  });
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function exit(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null && child.signalCode === null
    ? new Promise((resolve) => child.once('exit', resolve))
    : Promise.resolve();
}

describe('a child of our own', () => {
  test('starts, answers, and leaves no process when closed', async () => {
    const mta = supervise();
    const states: string[] = [];
    mta.onChange(() => states.push(mta.entry().state));
    await mta.start();
    const running = mta.running();
    expect(running).toMatchObject({ attached: false, smtp: ['127.0.0.1:1025'], data });
    expect((await mta.client.call('server.health', {})).ready).toBe(true);
    await mta.close();
    expect(alive(running?.pid ?? 0)).toBe(false);
    expect(states).toEqual(['starting', 'running', 'stopped']);
    await expect(mta.client.call('server.health', {})).rejects.toMatchObject({
      code: 'unavailable',
      message: 'The mail server is stopped',
    });
    await mta.start();
    expect(mta.entry().state).toBe('running');
  });

  test('is started again when it dies; calls wait, subscriptions stay, views are told to look again', async () => {
    const mta = supervise();
    await mta.start();
    const first = mta.running()?.pid ?? 0;
    const seen: string[] = [];
    mta.client.on('queue.changed', () => seen.push('queue'));
    mta.client.on('health.changed', () => seen.push('health'));
    const changed = new Promise((resolve) => mta.client.on('mail.changed', resolve));
    process.kill(first, 'SIGKILL');
    await state(mta, 'reconnecting');
    expect((await mta.client.call('server.health', {})).ready).toBe(true);
    expect(await changed).toEqual({ mailbox: 'ann' });
    await expect.poll(() => seen).toEqual(['queue', 'health']);
    await state(mta, 'running');
    expect(mta.running()?.pid).not.toBe(first);
    await mta.client.call('server.reload', {});
    await expect.poll(() => seen).toEqual(['queue', 'health', 'queue']);
  });

  test('that cannot start says why in its own words, and comes up once that is put right', async () => {
    await behave('bad-configuration');
    const mta = supervise();
    await expect(mta.start()).rejects.toMatchObject({ code: 'unavailable', message: /main\.cf, line 3/ });
    expect(mta.entry()).toMatchObject({ state: 'failed', problem: expect.stringContaining('line 3') });
    await behave('well');
    await state(mta, 'running');
    expect(mta.entry().problem).toBeUndefined();
  });

  test('that keeps dying is given up for failed, with slower attempts going on', async () => {
    await behave('dies');
    const mta = supervise({ failures: 3 });
    await mta.start();
    await state(mta, 'failed');
    expect(mta.entry().problem).toBe(
      'The mail server ended 3 times within a minute. The mail server ended with code 70',
    );
    await behave('well');
    await mta.start();
    expect(mta.entry().state).toBe('running');
  });

  test('that never becomes ready is ended', async () => {
    await behave('mute');
    const mta = supervise({ readyWithin: 300 });
    await expect(mta.start()).rejects.toThrow(/not ready within 0.3 seconds/);
  });

  test('that ignores SIGTERM is killed after the deadline', async () => {
    await behave('deaf');
    const mta = supervise({ stopWithin: 200 });
    await mta.start();
    const pid = mta.running()?.pid ?? 0;
    await mta.close();
    expect(alive(pid)).toBe(false);
  });

  test('that was asked to stop is not started again', async () => {
    const mta = supervise();
    await mta.start();
    await mta.client.call('server.stop', {});
    await state(mta, 'stopped');
    expect(mta.entry().problem).toBe('The mail server was stopped on request');
    await mta.start();
    expect(mta.entry().state).toBe('running');
  });

  test('that cannot be run at all is a failure, not a crash', async () => {
    const mta = new LocalMta({
      dataFolder: data,
      spawnMta: spawnWithNode({ command: path.join(data, 'no-such-program'), args: [] }),
      timings: quick,
    });
    open.push(mta);
    await expect(mta.start()).rejects.toThrow(/no-such-program.*ENOENT/);
  });
});

describe('an MTA that runs already', () => {
  test('is attached to, and survives our end', async () => {
    const other = await stranger();
    const mta = supervise();
    await mta.start();
    expect(mta.running()).toEqual({ attached: true, smtp: ['127.0.0.1:1025'], data, pid: other.pid });
    await mta.close();
    expect(alive(other.pid ?? 0)).toBe(true);
  });

  test('is replaced by a child of ours when it goes away', async () => {
    const other = await stranger();
    const mta = supervise();
    await mta.start();
    other.kill('SIGKILL');
    await state(mta, 'reconnecting');
    await state(mta, 'running');
    expect(mta.running()).toMatchObject({ attached: false });
  });

  test('is stopped when a person asks for it', async () => {
    const other = await stranger();
    const mta = supervise();
    await mta.start();
    await mta.stop();
    await exit(other);
    expect(mta.entry()).toMatchObject({ state: 'stopped' });
  });

  test('two supervisors that start at once end with one MTA', async () => {
    const [one, two] = [supervise(), supervise()];
    await Promise.allSettled([one.start(), two.start()]);
    await Promise.all([state(one, 'running'), state(two, 'running')]);
    expect(one.running()?.pid).toBe(two.running()?.pid);
    expect([one.running()?.attached, two.running()?.attached].sort()).toEqual([false, true]);
  });
});
