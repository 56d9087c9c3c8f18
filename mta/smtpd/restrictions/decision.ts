/**
 * What a restriction decides, as a value: the log line, the reply, a transcript and an explanation are made from it.
 */
import type { MailAddress } from '../path.ts';
import type { Destination } from '../destinations.ts';

export const listNames = [
  'smtpd_client_restrictions',
  'smtpd_helo_restrictions',
  'smtpd_sender_restrictions',
  'smtpd_relay_restrictions',
  'smtpd_recipient_restrictions',
  'smtpd_data_restrictions',
  'smtpd_end_of_data_restrictions',
] as const;
export type ListName = (typeof listNames)[number];

export interface Decision {
  readonly list: ListName | 'smtpd_reject_unlisted_recipient';
  /** The rule as main.cf has it; `end of list` when no rule decided. */
  readonly rule: string;
  /** What the rule looked at: `localhost[127.0.0.1]`, a HELO name, an address. */
  readonly input: string;
  readonly action: 'permit' | 'reject' | 'defer';
  /** Reply code; 250 for a permit. */
  readonly code: number;
  /** The rest of the reply, enhanced status code first; '' for a permit. */
  readonly text: string;
}

/** What the rules may look at. Absent members are not known yet in this state of the session. */
export interface RestrictionContext {
  readonly client: { readonly name: string; readonly address: string };
  readonly helo: string | undefined;
  /** Null for `<>`. */
  readonly sender: MailAddress | null | undefined;
  readonly recipient: MailAddress | undefined;
  readonly saslUser: string | undefined;
  readonly trusted: boolean;
  /** Commands were sent before the reply they had to wait for. */
  readonly illegalPipelining: boolean;
  /** Of the recipient. */
  readonly destination: Destination | undefined;
  /** As the client gave them, for texts. */
  readonly shown: { readonly sender: string; readonly recipient: string };
  readonly codes: ReplyCodes;
  /** Why the recipient is not known (text of the reply without code), or undefined when it is. */
  readonly unlisted: () => Promise<{ readonly code: number; readonly text: string } | undefined>;
}

/** The `*_code` parameters. */
export interface ReplyCodes {
  readonly reject: number;
  readonly defer: number;
  readonly relay: number;
  readonly nonFqdn: number;
  readonly invalidHostname: number;
}
