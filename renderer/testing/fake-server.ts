/**
 * The API contract served from memory, over the application's own web server (its real headers, cookies and WebSocket),
 * for the page's tests and screenshots. It refuses loudly what it does not know: `no fake for queue.hold`.
 */
import { join } from 'node:path';
import { api, type ApiContract, type ApiHandlers, type Preferences, type ServerEntry } from '#app/contract/api.ts';
import { PreviewStore } from '#app/web/preview.ts';
import { startWeb, type WebServer } from '#app/web/server.ts';
import { PostriderError } from '#mta/contract/errors.ts';
import type { Filter } from '#mta/contract/filter.ts';
import { EventHub } from '#mta/contract/rpc.ts';
import type { Overview } from '#mta/contract/server.ts';
import { fakeMessage, type FakeMessage } from './fake-mail.ts';

const server = 'local';

export class FakeServer {
  readonly events = new EventHub<ApiContract>();
  readonly previews = new PreviewStore();
  mail: FakeMessage[] = [];
  preferences: Preferences = { theme: 'system', language: 'system' };
  entry: ServerEntry = {
    id: server,
    name: 'Local sink',
    kind: 'local',
    environment: 'local',
    state: 'running',
    readOnly: false,
  };
  overview: Partial<Overview> = {};
  /** Every call, in order: what tests look at. */
  readonly calls: { name: string; input: unknown }[] = [];

  arrive(message: FakeMessage): void {
    this.mail.unshift(message);
    this.events.emit('mail.arrived', { server, payload: { mailbox: message.message.mailbox, count: 1 } });
  }

  readonly handlers: ApiHandlers = new Proxy(this.#known(), {
    get: (known, name: string) => {
      const handler = known[name as keyof ApiHandlers] as ((input: unknown, context: unknown) => unknown) | undefined;
      return (input: unknown, context: unknown) => {
        this.calls.push({ name, input });
        if (handler === undefined) throw new PostriderError('unsupported', `no fake for ${name}`);
        return handler(input, context);
      };
    },
  }) as ApiHandlers;

  #known(): Partial<ApiHandlers> {
    const changed = (mailbox: string): void => this.events.emit('mail.changed', { server, payload: { mailbox } });
    const byId = (id: string): FakeMessage => {
      const found = this.mail.find(({ message }) => message.id === id);
      if (found === undefined) throw new PostriderError('not-found', `There is no message ${id}`);
      return found;
    };
    const counts = { incoming: 0, active: 2, deferred: 0, hold: 0, corrupt: 0 };
    return {
      'app.info': () => ({ version: '0.1.0', platform: 'test', mode: 'browser' }),
      'preferences.get': () => this.preferences,
      'preferences.set': (change) => {
        this.preferences = {
          theme: change.theme ?? this.preferences.theme,
          language: change.language ?? this.preferences.language,
        };
        this.events.emit('preferences.changed', this.preferences);
        return this.preferences;
      },
      'servers.list': () => ({ servers: [this.entry] }),
      'preview.create': ({ html, remoteContent }) => ({ path: this.previews.path(html, { remoteContent }) }),
      'probe.send': (message) => {
        this.arrive(
          fakeMessage({
            mailbox: message.to[0] ?? 'you',
            from: message.from,
            fromName: 'Postrider',
            to: message.to.join(', '),
            subject: message.subject,
            text: message.text,
            ...(message.html === undefined ? {} : { html: message.html }),
            received: Date.now(),
          }),
        );
        return { ok: true, lines: [], milliseconds: 3 };
      },
      'server.overview': () => ({
        software: 'Postrider',
        version: '0.1.0',
        profile: 'sink',
        hostname: 'sink.test',
        domain: 'test',
        dataFolder: '/home/ada/.local/share/postrider',
        pid: 4242,
        startedAt: Date.now() - 3_725_000,
        listeners: [
          { service: 'smtp', address: '127.0.0.1', port: 1026, wanted: 1025, tls: 'starttls', loopback: true },
          { service: 'submissions', address: '0.0.0.0', port: 1465, tls: 'wrapper', loopback: false },
        ],
        queue: counts,
        flow: {
          received: this.mail.length,
          rejected: 1,
          delivered: this.mail.length,
          relayed: 0,
          deferred: 0,
          bounced: 0,
        },
        sessions: 2,
        mailboxes: new Set(this.mail.map(({ message }) => message.mailbox)).size,
        messages: this.mail.length,
        capabilities: ['queue', 'queue.actions', 'mail', 'mail.write', 'log', 'log.tail', 'send'],
        findings: [
          {
            level: 'warning',
            code: 'bound-beyond-loopback',
            message: 'The listener 0.0.0.0:1465 can be reached from other machines',
            file: '/home/ada/.local/share/postrider/etc/master.cf',
            line: 12,
          },
        ],
        ...this.overview,
      }),
      'mail.mailboxes': () => {
        const names = [...new Set(this.mail.map(({ message }) => message.mailbox))];
        return {
          mailboxes: names.map((name) => {
            const inside = this.mail.filter(({ message }) => message.mailbox === name);
            return {
              name,
              folders: [],
              total: inside.length,
              unread: inside.filter(({ message }) => !message.seen).length,
            };
          }),
        };
      },
      'mail.list': ({ input }) => {
        const all = this.mail
          .map(({ message }) => message)
          .filter(({ mailbox }) => input.mailbox === undefined || mailbox === input.mailbox)
          .filter((message) =>
            matches(
              `${message.from} ${message.fromName} ${message.to} ${message.subject} ${message.snippet}`,
              input.filter,
            ),
          );
        const start = input.cursor === undefined ? 0 : all.findIndex(({ id }) => id === input.cursor) + 1;
        const page = all.slice(start, start + input.limit);
        const last = page.at(-1);
        return {
          messages: page,
          total: all.length,
          ...(last === undefined || start + page.length >= all.length ? {} : { cursor: last.id }),
        };
      },
      'mail.get': ({ input }) => byId(input.id).message,
      'mail.part': ({ input }) => {
        const part = byId(input.id).parts.get(input.index);
        if (part === undefined) throw new PostriderError('not-found', `There is no part ${input.index}`);
        return part;
      },
      'mail.raw': ({ input }) => {
        const bytes = Buffer.from(byId(input.id).raw, 'utf8');
        return {
          data: bytes.subarray(input.offset, input.offset + input.length).toString('base64'),
          total: bytes.length,
        };
      },
      'mail.flag': ({ input }) => {
        for (const id of input.ids) {
          const at = this.mail.findIndex(({ message }) => message.id === id);
          const found = this.mail[at];
          if (found === undefined) continue;
          const { seen = found.message.seen, flagged = found.message.flagged } = input;
          this.mail[at] = { ...found, message: { ...found.message, seen, flagged } };
          changed(found.message.mailbox);
        }
        return { done: input.ids.length, unknown: [] };
      },
      'mail.remove': ({ input }) => {
        const gone = this.mail.filter(({ message }) => input.ids.includes(message.id));
        this.mail = this.mail.filter(({ message }) => !input.ids.includes(message.id));
        for (const mailbox of new Set(gone.map(({ message }) => message.mailbox))) changed(mailbox);
        return { done: gone.length, unknown: [] };
      },
      'queue.counts': () => counts,
    };
  }

  /** Serves the built page on a free port. */
  start(): Promise<WebServer> {
    // The handlers of every method exist, so that serving them all finds one (it may refuse).
    const handlers = Object.fromEntries(
      Object.keys(api.methods).map((name) => [name, this.handlers[name as keyof ApiHandlers]]),
    ) as unknown as ApiHandlers;
    return startWeb({
      api: { handlers, events: this.events },
      previews: this.previews,
      rendererFolder: join(import.meta.dirname, '../../dist/renderer'),
      address: '127.0.0.1',
      port: 0,
      ready: () => Promise.resolve(true),
    });
  }
}

function matches(text: string, filter: Filter): boolean {
  const lower = text.toLowerCase();
  return filter.every(({ value, not }) => lower.includes(value.toLowerCase()) !== not);
}
