/** Maildirs as another program sees them: Python's mailbox module reads, so that our own reader is not its own judge. */
import path from 'node:path';
import { command } from './server.ts';

export interface ReadMessage {
  headers: [string, string][];
  body: string;
}

const script = `
import json, mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
out = []
for key in sorted(box.keys()):
    message = box[key]
    payload = message.get_payload(decode=True)
    out.append({"headers": [[k, str(v)] for k, v in message.items()],
                "body": payload.decode("utf-8", "replace") if payload is not None else ""})
json.dump(out, sys.stdout)
`;

/** All messages of one Maildir. Throws when Python cannot read it. */
export async function readMaildir(folder: string): Promise<ReadMessage[]> {
  const { code, stdout, stderr } = await command('python3', ['-c', script, folder]);
  if (code !== 0) throw new Error(`Python cannot read ${folder}: ${stderr}`);
  return JSON.parse(stdout) as ReadMessage[];
}

export function mailbox(data: string, name: string): string {
  return path.join(data, 'mail', name);
}

export function header(message: ReadMessage | undefined, name: string): string | undefined {
  return message?.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}
