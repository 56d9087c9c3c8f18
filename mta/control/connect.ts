/**
 * The asking end of the control socket: a MailServer client of the MTA that runs on a data folder.
 * Throws PostriderError `unavailable` when nothing listens there.
 */
import 'vscode-jsonrpc/node';
import { connect as netConnect, type Socket } from 'node:net';
import { errorMessage, PostriderError } from '../contract/errors.ts';
import { connect, type Connection } from '../contract/rpc.ts';
import { mailServer, type MailServerContract } from '../contract/server.ts';
import { controlAddress } from './address.ts';
import { socketWire } from './socket-wire.ts';

export async function connectControl(dataFolder: string): Promise<Connection<MailServerContract>> {
  const address = await controlAddress(dataFolder);
  const socket = await new Promise<Socket>((resolve, reject) => {
    const attempt = netConnect({ path: address });
    attempt.once('connect', () => resolve(attempt));
    attempt.once('error', (error) =>
      reject(
        new PostriderError('unavailable', `No mail server runs on ${dataFolder} (${errorMessage(error)})`, {
          cause: error,
        }),
      ),
    );
  });
  return connect(mailServer, socketWire(socket));
}
