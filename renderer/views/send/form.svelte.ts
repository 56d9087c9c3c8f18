/** The form of the Send page. It stays while the application runs, one a server; the password does not. */
import type { TestMessage } from '#app/contract/api.ts';
import type { Listener, Overview } from '#mta/contract/server.ts';
import type { Content } from './presets.ts';
import { splitAddresses } from './presets.ts';

export type Security = 'none' | 'starttls' | 'tls';

/** Where one connects to reach a listener: an address that stands for all is reached over loopback. */
export function reachable(listener: Pick<Listener, 'address' | 'port'>): { host: string; port: number } {
  const host = listener.address === '0.0.0.0' ? '127.0.0.1' : listener.address === '::' ? '::1' : listener.address;
  return { host, port: listener.port };
}

export class SendForm {
  from = $state('');
  to = $state('');
  subject = $state('');
  text = $state('');
  html = $state('');
  kind = $state<'text' | 'html'>('text');
  host = $state('');
  port = $state('');
  security = $state<Security>('none');
  username = $state('');
  advanced = $state(false);
  /** Host and port are the person's own. */
  custom = $state(false);

  fill(content: Content): void {
    this.subject = content.subject;
    this.text = content.text;
    this.html = content.html;
    this.kind = content.html === '' ? 'text' : 'html';
  }

  use(listener: Listener): void {
    const { host, port } = reachable(listener);
    this.host = host;
    this.port = String(port);
    this.custom = false;
    if (listener.tls === 'wrapper') this.security = 'tls';
    else if (this.security === 'tls' || listener.tls === 'none') this.security = 'none';
  }

  /** The server moved to another port, or is seen for the first time: what the person did not choose follows. */
  follow(overview: Overview, mailbox: string | undefined): void {
    if (this.from === '' && this.to === '' && this.host === '') {
      const domain = overview.domain === '' ? 'example.test' : overview.domain;
      this.from = `postrider@${domain}`;
      // A sink takes any address; a server knows its postmaster at least (RFC 5321 §4.5.1).
      const known = mailbox ?? (overview.profile === 'sink' ? 'you' : 'postmaster');
      this.to = known.includes('@') ? known : `${known}@${domain}`;
    }
    if (this.custom) return;
    const { listeners } = overview;
    const present = listeners.some((listener) => {
      const { host, port } = reachable(listener);
      return host === this.host && String(port) === this.port;
    });
    if (present) return;
    const best = listeners.find(({ loopback, tls }) => loopback && tls !== 'wrapper') ?? listeners[0];
    if (best !== undefined) this.use(best);
  }

  message(password: string): TestMessage {
    return {
      from: this.from.trim(),
      to: splitAddresses(this.to),
      subject: this.subject,
      text: this.text,
      ...(this.html.trim() === '' ? {} : { html: this.html }),
      host: this.host.trim(),
      port: Number(this.port),
      security: this.security,
      ...(this.username === '' ? {} : { username: this.username, password }),
    };
  }
}

const forms: Record<string, SendForm> = {};

/** The form of a server, and whether it is a new one. */
export function formOf(server: string): { form: SendForm; fresh: boolean } {
  const known = forms[server];
  if (known !== undefined) return { form: known, fresh: false };
  const form = new SendForm();
  forms[server] = form;
  return { form, fresh: true };
}
