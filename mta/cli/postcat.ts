/**
 * postcat(1) with -q: shows queued messages; -e envelope, -h headers, -b body, all three without any of them. The
 * markers around the parts are printed with the envelope only, as Postfix does.
 */
import { PostriderError } from '../contract/errors.ts';
import type { QueueMessage } from '../contract/mail.ts';
import { isQueueId, readArguments } from './arguments.ts';
import { exitCodes, Fatal, guarded, withServer, write, type CliIo, type MailServerConnection, type Run } from './io.ts';
import { dateTime } from './queue-format.ts';

const usage =
  'usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]';
const command = { name: 'postcat', letters: 'bc:dehoqrs:v', usage };

const slice = 262_144;

export const run: Run = (argv, io) =>
  guarded('postcat', io, async () => {
    const { data, given, operands } = await readArguments(command, argv, io);
    if (!given.has('q')) {
      throw new Fatal(exitCodes.failure, 'this queue has no files to name; write postcat -q with queue ids');
    }
    if (operands.length === 0) throw new Fatal(exitCodes.failure, usage);
    const all = !given.has('b') && !given.has('e') && !given.has('h');
    const parts = { envelope: all || given.has('e'), headers: all || given.has('h'), body: all || given.has('b') };
    const bad = operands.find((id) => !isQueueId(id));
    if (bad !== undefined) throw new Fatal(exitCodes.failure, `bad mail queue ID: ${bad}`);
    return withServer(io, data(), async (server) => {
      for (const id of operands) await show(server, id, parts, io);
      return exitCodes.ok;
    });
  });

interface Parts {
  readonly envelope: boolean;
  readonly headers: boolean;
  readonly body: boolean;
}

async function show(server: MailServerConnection, id: string, parts: Parts, io: CliIo): Promise<void> {
  const message = await server.call('queue.get', { id }).catch((error: unknown) => {
    if (error instanceof PostriderError && error.code === 'not-found') {
      throw new Fatal(exitCodes.failure, `open queue file ${id}: No such file or directory`);
    }
    throw error;
  });
  const place = `${message.queue}/${id}`;
  if (parts.envelope) await write(io.stdout, envelopeText(message, place));
  if (parts.headers || parts.body) await showText(server, id, parts, io);
  if (parts.envelope) {
    await write(io.stdout, `*** HEADER EXTRACTED ${place} ***\n*** MESSAGE FILE END ${place} ***\n`);
  }
}

function envelopeText(message: QueueMessage, place: string): string {
  const { envelope, recipientList: recipients } = message;
  const attributes: [string, string | undefined][] = [
    ['log_client_name', envelope.client],
    ['log_helo_name', envelope.helo],
    ['log_protocol_name', envelope.protocol],
    ['sasl_method', envelope.saslMethod],
    ['sasl_username', envelope.saslUser],
    ['envelope_id', envelope.envelopeId],
  ];
  const number = (value: number): string => String(value).padStart(15);
  const lines = [
    `*** ENVELOPE RECORDS ${place} ***`,
    `message_size: ${number(message.size)} ${number(0)} ${number(recipients.length)} ${number(0)} ${number(message.size)} ${number(0)}`,
    `message_arrival_time: ${dateTime(message.arrival)}`,
    `create_time: ${dateTime(message.arrival)}`,
    ...attributes.flatMap(([name, value]) => (value === undefined ? [] : [`named_attribute: ${name}=${value}`])),
    `sender: ${message.sender}`,
    ...recipients.flatMap(({ address, originalAddress, state }) => [
      `original_recipient: ${originalAddress ?? address}`,
      `${state === 'sent' || state === 'bounced' ? 'done_recipient' : 'recipient'}: ${address}`,
    ]),
    `*** MESSAGE CONTENTS ${place} ***`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Streams the message in slices: the headers up to the first line that is none, the body from there. */
async function showText(server: MailServerConnection, id: string, parts: Parts, io: CliIo): Promise<void> {
  let head: Buffer | undefined = Buffer.alloc(0);
  let offset = 0;
  let ended = true;
  const print = async (bytes: Buffer): Promise<boolean> => {
    if (bytes.length > 0) ended = bytes.at(-1) === 0x0a;
    return write(io.stdout, bytes);
  };
  for (;;) {
    const part = await server.call('queue.raw', { id, offset, length: slice });
    const bytes = Buffer.from(part.data, 'base64');
    offset += bytes.length;
    const last = offset >= part.total || bytes.length === 0;
    if (head === undefined) {
      if (parts.body && !(await print(bytes))) return;
    } else {
      head = Buffer.concat([head, bytes]);
      const end = endOfHeaders(head, last);
      if (end !== undefined) {
        if (parts.headers) await print(head.subarray(0, end));
        if (parts.body && !(await print(head.subarray(end)))) return;
        head = undefined;
        if (!parts.body) break;
      }
    }
    if (last) break;
  }
  if (!ended) await write(io.stdout, '\n');
}

/** Where the first line starts that is neither header nor continuation; undefined when more is needed to tell. */
function endOfHeaders(bytes: Buffer, last: boolean): number | undefined {
  let start = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, start);
    if (newline === -1 && !last) return undefined;
    const line = bytes.subarray(start, newline === -1 ? bytes.length : newline).toString('latin1');
    if (!/^([!-9;-~]+[ \t]*:|[ \t])/.test(line)) return start;
    if (newline === -1) return bytes.length;
    start = newline + 1;
  }
}
