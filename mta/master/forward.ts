/**
 * Forwarding for aliases that lead elsewhere (local(8)): the same content as a new message of its own, with a
 * Delivered-To line for each address it passed through, by which a forwarding loop is noticed.
 * Throws when the message cannot be stored; nothing of it is left then.
 */
import { createReadStream } from 'node:fs';
import type { Intake } from '../cleanup/intake.ts';
import type { DeliveryRequest } from '../qmgr/agent.ts';

/** Resolves to the queue id of the new message once it is durable. */
export async function forward(intake: Intake, request: DeliveryRequest, addresses: readonly string[]): Promise<string> {
  const { message, recipients, body } = request;
  const copy = intake.open({
    envelope: message.envelope,
    recipients: addresses.map((address) => ({ address })),
    user: 'local',
    local: false,
  });
  try {
    await copy.write(Buffer.from(recipients.map(({ address }) => `Delivered-To: ${address}\n`).join('')));
    if (body.kind === 'memory') {
      await copy.write(Buffer.from(body.data.buffer, body.data.byteOffset, body.data.byteLength));
    } else {
      for await (const chunk of createReadStream(body.path)) await copy.write(chunk as Buffer);
    }
  } catch (error) {
    await copy.abort();
    throw error;
  }
  return (await copy.end()).id;
}
