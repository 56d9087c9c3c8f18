/** The message that "Send test message" sends: text and HTML, so that every view has something to show. Pure. */
import type { TestMessage } from '#app/contract/api.ts';

export function testMessage(
  to: { address: string; port: number },
  domain: string,
  subject: string,
  when: string,
): TestMessage {
  const place = domain === '' ? 'example.test' : domain;
  return {
    from: `postrider@${place}`,
    to: [`you@${place}`],
    subject,
    host: to.address,
    port: to.port,
    security: 'none',
    text: `Hello,

this message was sent to ${to.address}:${to.port} by SMTP at ${when}.
It went the same way as the mail of your own program.

Postrider`,
    html: `<!doctype html><html><body style="margin:0;padding:28px 36px;font:15px/1.6 system-ui,sans-serif;color:#1b1c1a">
<h1 style="font-size:20px;margin:0 0 12px">It works</h1>
<p style="margin:0 0 12px">This message was sent to <code>${to.address}:${to.port}</code> by SMTP at ${when}.</p>
<p style="margin:0 0 20px">It went the same way as the mail of your own program: accepted, queued, delivered to a Maildir, read by you.</p>
<p style="margin:0;color:#777">Postrider</p></body></html>`,
  };
}
