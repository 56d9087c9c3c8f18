/** What a reply means for a recipient: state, enhanced status code, and Postfix's words. */
import { peerText, type Peer } from './connection.ts';
import type { Reply } from './reply.ts';

/** How the attempt ended for one recipient. */
export interface Verdict {
  readonly state: 'sent' | 'deferred' | 'bounced';
  readonly dsn: string;
  readonly reason: string;
  /** The server's own words. */
  readonly diagnostic?: string | undefined;
  /** Another host may do better. */
  readonly tryNext: boolean;
  readonly dsnPassedOn?: boolean | undefined;
}

/** The server's status code, or `x.0.0` of its reply code. A reply that is none is a protocol error. */
export function replyDsn(reply: Reply): string {
  if (reply.status !== undefined) return reply.status;
  if (reply.code === 0) return '4.5.0';
  return `${String(reply.code).charAt(0)}.0.0`;
}

/** `host x[ip] said: 550 5.1.1 … (in reply to RCPT TO command)` */
export function said(peer: Peer, reply: Reply, command: string): Verdict {
  const permanent = reply.code >= 500;
  const dsn = replyDsn(reply);
  // A 2xx or 3xx where none belongs is a protocol error of the peer.
  const fitting = permanent || dsn.startsWith('4') ? dsn : '4.5.0';
  return {
    state: permanent ? 'bounced' : 'deferred',
    dsn: fitting,
    reason: `host ${peerText(peer)} said: ${reply.text} (in reply to ${command} command)`,
    diagnostic: reply.text,
    tryNext: !permanent,
  };
}
