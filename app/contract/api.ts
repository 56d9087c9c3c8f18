/**
 * Everything a window or a browser may ask of the application: its own methods, and by server id every method of the
 * MailServer contract. Pure: no Node, no DOM, no Electron.
 */
import * as z from 'zod';
import {
  contract,
  method,
  type CallOptions,
  type Client,
  type Contract,
  type EventName,
  type EventPayload,
  type Handlers,
  type Method,
  type Methods,
} from '#mta/contract/contract.ts';
import { mailServer, type MailServerClient, type MailServerContract } from '#mta/contract/server.ts';

export const ServerId = z.string().regex(/^[a-z0-9-]{1,64}$/, 'a server id has small letters, digits and hyphens');
export type ServerId = z.output<typeof ServerId>;

export const environments = ['local', 'dev', 'staging', 'production'] as const;
export const Environment = z.enum(environments);
export type Environment = z.output<typeof Environment>;

export const serverStates = ['starting', 'running', 'reconnecting', 'stopped', 'failed'] as const;
export const ServerState = z.enum(serverStates);
export type ServerState = z.output<typeof ServerState>;

export const ServerEntry = z.object({
  id: ServerId,
  name: z.string(),
  kind: z.enum(['local', 'remote-mta', 'postfix']),
  environment: Environment,
  state: ServerState,
  /** Why it is not running, in words for a person. */
  problem: z.string().optional(),
  readOnly: z.boolean(),
});
export type ServerEntry = z.output<typeof ServerEntry>;

const theme = z.enum(['system', 'light', 'dark']);
const language = z.enum(['system', 'en', 'zh']);

export const Preferences = z.object({ theme: theme.default('system'), language: language.default('system') });
export type Preferences = z.output<typeof Preferences>;

/** What shall change; an absent member stays. Without defaults: `partial()` would fill them in and reset the rest. */
export const PreferencesPatch = z.object({ theme: theme.optional(), language: language.optional() });
export type PreferencesPatch = z.output<typeof PreferencesPatch>;

export const AppInfo = z.object({
  version: z.string(),
  platform: z.string(),
  mode: z.enum(['desktop', 'browser']),
  /** The system's language tag, when the application knows it better than the page. */
  locale: z.string().optional(),
});
export type AppInfo = z.output<typeof AppInfo>;

export const TestMessage = z.object({
  from: z.string().max(320),
  to: z.array(z.string().min(1).max(320)).min(1).max(100),
  subject: z.string().max(998).default(''),
  text: z.string().max(1_000_000).default(''),
  html: z.string().max(1_000_000).optional(),
  host: z.string().min(1).max(255),
  port: z.number().int().min(1).max(65_535),
  security: z.enum(['none', 'starttls', 'tls']).default('none'),
  username: z.string().max(255).optional(),
  password: z.string().max(1024).optional(),
});
export type TestMessage = z.input<typeof TestMessage>;

/** One line of an SMTP conversation. Passwords never stand in it. */
export const TranscriptLine = z.object({
  /** Milliseconds since the connection was asked for. */
  at: z.number(),
  side: z.enum(['client', 'server', 'note']),
  text: z.string(),
  code: z.number().int().optional(),
  enhanced: z.string().optional(),
});
export type TranscriptLine = z.output<typeof TranscriptLine>;

export const Transcript = z.object({
  ok: z.boolean(),
  /** What the server called it: `queued as …`. */
  queueId: z.string().optional(),
  /** The step that failed and why, in words for a person. */
  failure: z.object({ step: z.string(), message: z.string() }).optional(),
  lines: z.array(TranscriptLine),
  tls: z.string().optional(),
  milliseconds: z.number(),
});
export type Transcript = z.output<typeof Transcript>;

/** The largest HTML body that is shown, in characters. */
export const previewLimit = 5_000_000;

export const PreviewInput = z.object({
  html: z.string().max(previewLimit),
  /** Lets the page load images from http and https. Nothing else is ever let in. */
  remoteContent: z.boolean().default(false),
});
export type PreviewInput = z.input<typeof PreviewInput>;

const nothing = z.object({});

const appMethods = {
  'app.info': method(nothing, AppInfo),
  'preferences.get': method(nothing, Preferences),
  'preferences.set': method(PreferencesPatch, Preferences),
  'servers.list': method(nothing, z.object({ servers: z.array(ServerEntry) })),
  'servers.start': method(z.object({ server: ServerId }), nothing),
  'servers.stop': method(z.object({ server: ServerId }), nothing),
  /** Sends one message by real SMTP and returns the whole conversation. A refusal is a result, not an error. */
  'probe.send': method(TestMessage, Transcript),
  /**
   * Keeps a mail's HTML for a moment and names the path, below the page's own origin, that serves it once with a
   * Content-Security-Policy of its own: no scripts, no requests, an opaque origin. For `<iframe sandbox="" src>`.
   */
  'preview.create': method(PreviewInput, z.object({ path: z.string() })),
};

const appEvents = {
  'servers.changed': z.object({ servers: z.array(ServerEntry) }),
  'preferences.changed': Preferences,
};

type ForServer<M extends Methods> = {
  [K in keyof M]: Method<z.ZodObject<{ server: typeof ServerId; input: M[K]['input'] }>, M[K]['output']>;
};
type ServerEvents<E extends Record<string, z.ZodType>> = {
  [K in keyof E]: z.ZodObject<{ server: typeof ServerId; payload: E[K] }>;
};

const serverMethods = Object.fromEntries(
  Object.entries(mailServer.methods).map(([name, { input, output }]) => [
    name,
    method(z.object({ server: ServerId, input }), output),
  ]),
) as unknown as ForServer<MailServerContract['methods']>;

const serverEvents = Object.fromEntries(
  Object.entries(mailServer.events).map(([name, payload]) => [name, z.object({ server: ServerId, payload })]),
) as unknown as ServerEvents<MailServerContract['events']>;

export const api = contract('api', { ...appMethods, ...serverMethods }, { ...appEvents, ...serverEvents });
export type ApiContract = typeof api;
export type ApiClient = Client<ApiContract>;
export type ApiHandlers = Handlers<ApiContract>;
type AssertContract<C extends Contract> = C;
export type _ApiIsAContract = AssertContract<ApiContract>;

/** One server of the API as a MailServer: what views and drivers' callers use. */
export function serverClient(client: ApiClient, server: ServerId): MailServerClient {
  return {
    call: ((name: keyof MailServerContract['methods'], input: never, options?: CallOptions) =>
      client.call(name, { server, input } as never, options)) as MailServerClient['call'],
    on: (event, listener) =>
      client.on(event, (message) => {
        const { server: from, payload } = message as {
          server: ServerId;
          payload: EventPayload<MailServerContract, EventName<MailServerContract>>;
        };
        if (from === server) listener(payload as never);
      }),
  };
}
