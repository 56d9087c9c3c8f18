/**
 * The Received: header that this server adds, in Postfix's layout (RFC 5321 §4.4).
 * Every value in it was checked where it came in; control characters are replaced once more, and parentheses that
 * would break a comment.
 */
export interface ReceivedFrom {
  /** HELO name as the client gave it; '' when it gave none. */
  readonly helo: string;
  /** Host name of the client, or `unknown`. */
  readonly name: string;
  readonly address: string;
  /** `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`; absent without TLS or when not to be shown. */
  readonly tls?: string | undefined;
  /** SASL user; absent unless smtpd_sasl_authenticated_header. */
  readonly user?: string | undefined;
}

export interface ReceivedOptions {
  readonly hostname: string;
  readonly mailName: string;
  readonly protocol: string;
  readonly id: string;
  /** Only when the message has one recipient. */
  readonly recipient?: string | undefined;
  readonly date: string;
}

const clean = (text: string): string => text.replace(/[\p{Cc}()\\]/gu, '?');

/** RFC 5321 address literal: IPv6 addresses get their tag. */
function literal(address: string): string {
  return address.includes(':') ? `IPv6:${address}` : address;
}

/** Lines end in LF. */
export function receivedHeader(from: ReceivedFrom, options: ReceivedOptions): string {
  const helo = clean(from.helo === '' ? from.name : from.helo);
  let text = `Received: from ${helo} (${clean(from.name)} [${literal(from.address)}])\n`;
  if (from.tls !== undefined)
    text += `\t(using ${from.tls.replace(/\p{Cc}/gu, '?')})\n\t(No client certificate requested)\n`;
  if (from.user !== undefined) text += `\t(Authenticated sender: ${clean(from.user)})\n`;
  text += `\tby ${options.hostname} (${options.mailName}) with ${options.protocol} id ${options.id}`;
  if (options.recipient !== undefined) text += `\n\tfor <${options.recipient}>`;
  return `${text}; ${options.date}\n`;
}

/** For mail that came by no network: `Received: by host (Postrider, from userid name) id ID; date`. */
export function submittedHeader(user: string, options: ReceivedOptions): string {
  return `Received: by ${options.hostname} (${options.mailName}, from userid ${clean(user)})\n\tid ${options.id}; ${options.date}\n`;
}
