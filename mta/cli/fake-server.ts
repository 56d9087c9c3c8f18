/**
 * Test support: a MailServer connection over hand-written handlers, and streams that remember what was written.
 * A method without a handler fails loudly.
 */
import { Readable, Writable } from 'node:stream';
import { PostriderError } from '../contract/errors.ts';
import { EventHub, local } from '../contract/rpc.ts';
import { mailServer, type MailServerContract, type MailServerHandlers } from '../contract/server.ts';
import type { CliIo, Run } from './io.ts';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command; `handlers` undefined means that no server runs. */
export async function runWith(
  run: Run,
  argv: readonly string[],
  options: { handlers?: Partial<MailServerHandlers>; stdin?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const sink = (chunks: Buffer[]): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk);
        done();
      },
    });
  const io: CliIo = {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: sink(out),
    stderr: sink(err),
    env: options.env ?? { POSTRIDER_DATA: '/nonexistent/data' },
    connect: (data) => {
      const { handlers } = options;
      if (handlers === undefined) {
        return Promise.reject(new PostriderError('unavailable', `No mail server runs on ${data}`));
      }
      const complete = Object.fromEntries(
        Object.keys(mailServer.methods).map((name) => [
          name,
          handlers[name as keyof MailServerHandlers] ??
            (() => {
              throw new Error(`no fake for ${name}`);
            }),
        ]),
      ) as unknown as MailServerHandlers;
      const client = local(mailServer, complete, new EventHub<MailServerContract>());
      let close = (): void => undefined;
      const closed = new Promise<void>((resolve) => {
        close = resolve;
      });
      return Promise.resolve({ ...client, closed, close });
    },
  };
  const code = await run(argv, io);
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}
