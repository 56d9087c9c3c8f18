/** A mail server on loopback that answers as a test says. Records every command and every message as it came in. */
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface ScriptedServer {
  readonly port: number;
  /** `[127.0.0.1]:port` */
  readonly nexthop: string;
  /** Lines of all sessions, without CRLF; data as one entry after `DATA`. */
  readonly lines: string[];
  readonly messages: string[];
  connections(): number;
  /** Ends the connections that are open now. */
  hangUp(): void;
  close(): Promise<void>;
}

export interface Script {
  readonly greeting?: string | undefined;
  readonly capabilities?: readonly string[] | undefined;
  /** A reply without CRLF; `undefined` is the usual one; `hang up` closes; `silence` says nothing. */
  readonly answer?: ((line: string) => string | undefined) | undefined;
}

export async function scriptedServer(script: Script = {}): Promise<ScriptedServer> {
  const lines: string[] = [];
  const messages: string[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    let buffer = '';
    let inData = false;
    const say = (reply: string | undefined): void => {
      if (reply === 'hang up') socket.destroy();
      else if (reply !== undefined && reply !== 'silence') socket.write(`${reply}\r\n`);
    };
    const usual = (line: string): string => {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO')
        return ['scripted', ...(script.capabilities ?? ['PIPELINING'])]
          .map((text, i, all) => `250${i === all.length - 1 ? ' ' : '-'}${text}`)
          .join('\r\n');
      if (verb === 'QUIT') return '221 2.0.0 Bye';
      if (verb === 'DATA') return '354 go on';
      return '250 2.1.0 Ok';
    };
    const take = (): void => {
      for (;;) {
        if (inData) {
          const end = buffer.startsWith('.\r\n') ? 0 : buffer.indexOf('\r\n.\r\n') + 2;
          if (end === 1) return;
          messages.push(buffer.slice(0, end));
          buffer = buffer.slice(end + 3);
          inData = false;
          lines.push('.');
          say(script.answer?.('.') ?? '250 2.0.0 Ok: queued as TEST');
          continue;
        }
        const end = buffer.indexOf('\r\n');
        if (end === -1) return;
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        lines.push(line);
        const reply = script.answer?.(line) ?? usual(line);
        inData = line === 'DATA' && reply.startsWith('354');
        say(reply);
        if (line === 'QUIT') socket.end();
      }
    };
    socket.on('data', (chunk) => {
      buffer += chunk.toString('latin1');
      take();
    });
    say(script.greeting ?? '220 scripted ESMTP');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    nexthop: `[127.0.0.1]:${port}`,
    lines,
    messages,
    connections: () => connections,
    hangUp: () => {
      for (const socket of open) socket.destroy();
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
