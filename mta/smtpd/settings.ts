/**
 * What a session reads from the configuration, typed and prepared once a (re)configuration.
 */
import type { Configuration } from '../config/configuration.ts';
import { readDestinations, type Destinations } from './destinations.ts';
import { clientList, type ClientList } from './networks.ts';
import type { ListName, ReplyCodes } from './restrictions/decision.ts';
import type { RestrictionList } from './restrictions/evaluate.ts';
import { relayGuards } from './restrictions/rules.ts';
import { tlsLevel, type TlsLevel, type TlsMaterial } from './tls.ts';

export interface Settings {
  /** Log service: `smtpd`, `submission/smtpd`. */
  readonly logName: string;
  readonly service: string;
  readonly hostname: string;
  readonly origin: string;
  readonly banner: string;
  readonly sink: boolean;
  readonly discard: ReadonlySet<string>;
  readonly heloRequired: boolean;
  readonly vrfy: boolean;
  readonly smtputf8: boolean;
  readonly strictAddresses: boolean;
  readonly forbidPipelining: boolean;
  readonly rejectBareNewline: boolean;
  readonly bareNewlineCode: number;
  readonly peerNames: boolean;

  readonly sizeLimit: number;
  readonly minimumFree: number;
  readonly lineLimit: number;
  readonly recipientLimit: number;
  readonly recipientOvershoot: number;
  readonly softErrors: number;
  readonly hardErrors: number;
  readonly junkCommands: number;
  /** Milliseconds. */
  readonly errorSleep: number;
  readonly timeout: number;
  /** Bytes a second that keep a client alive while it sends a message. */
  readonly minimumRate: number;
  readonly connectionsPerClient: number;
  readonly connections: number;
  readonly limitExceptions: ClientList;

  readonly tls: TlsLevel;
  readonly wrapper: boolean;
  readonly tlsLog: boolean;
  readonly tlsHeader: boolean;
  readonly auth: boolean;
  readonly authAny: boolean;
  readonly authTlsOnly: boolean;
  readonly authRealm: string;
  readonly authTries: number;
  readonly authResponseLimit: number;
  readonly authHeader: boolean;

  readonly trusted: ClientList;
  /** local_header_rewrite_clients: whose messages get the headers that are missing. */
  readonly rewriteClients: readonly string[];
  readonly destinations: Destinations;
  readonly codes: ReplyCodes;
  readonly unlistedCodes: {
    readonly local: number;
    readonly alias: number;
    readonly mailbox: number;
    readonly relay: number;
  };
  readonly showTable: boolean;
  readonly rejectUnlisted: boolean;
  /** Evaluated at CONNECT, HELO and MAIL; empty when everything waits for RCPT (smtpd_delay_reject). */
  readonly atConnect: readonly RestrictionList[];
  readonly atHelo: readonly RestrictionList[];
  readonly atMail: readonly RestrictionList[];
  readonly atRcpt: readonly RestrictionList[];
  readonly atData: readonly RestrictionList[];
  readonly atEndOfData: readonly RestrictionList[];
  /** False: neither list keeps strangers from relaying; then nothing is accepted. */
  readonly relayGuarded: boolean;
}

export function readSettings(configuration: Configuration, service: string, tls: TlsMaterial | undefined): Settings {
  const text = (name: string): string => configuration.text(name);
  const int = (name: string): number => configuration.int(name);
  const bool = (name: string): boolean => configuration.bool(name);
  const list = (name: ListName): RestrictionList => ({ name, rules: configuration.list(name) });
  const sink = text('postrider_profile') === 'sink';
  const hostname = text('myhostname');
  const delay = bool('smtpd_delay_reject');
  const early = [
    list('smtpd_client_restrictions'),
    list('smtpd_helo_restrictions'),
    list('smtpd_sender_restrictions'),
  ] as const;
  const relay = list('smtpd_relay_restrictions');
  const recipient = list('smtpd_recipient_restrictions');
  const atRcpt = bool('smtpd_relay_before_recipient_restrictions') ? [relay, recipient] : [recipient, relay];
  const none: readonly RestrictionList[] = [];
  const logPrefix = /^[^/]+\/(.+)$/.exec(text('syslog_name'))?.[1];
  const level = tls === undefined ? 'none' : tlsLevel(configuration);

  return {
    logName: logPrefix === undefined ? 'smtpd' : `${logPrefix}/smtpd`,
    service,
    hostname,
    origin: text('myorigin'),
    banner: text('smtpd_banner'),
    sink,
    discard: new Set(configuration.list('smtpd_discard_ehlo_keywords').map((word) => word.toLowerCase())),
    heloRequired: bool('smtpd_helo_required'),
    vrfy: !bool('disable_vrfy_command'),
    smtputf8: bool('smtputf8_enable'),
    strictAddresses: bool('strict_rfc821_envelopes'),
    forbidPipelining: bool('smtpd_forbid_unauth_pipelining'),
    rejectBareNewline: text('smtpd_forbid_bare_newline').toLowerCase() === 'reject',
    bareNewlineCode: int('smtpd_forbid_bare_newline_reject_code'),
    peerNames: bool('smtpd_peername_lookup'),

    sizeLimit: int('message_size_limit'),
    minimumFree: int('queue_minfree'),
    lineLimit: int('line_length_limit'),
    recipientLimit: int('smtpd_recipient_limit'),
    recipientOvershoot: int('smtpd_recipient_overshoot_limit'),
    softErrors: int('smtpd_soft_error_limit'),
    hardErrors: int('smtpd_hard_error_limit'),
    junkCommands: int('smtpd_junk_command_limit'),
    errorSleep: configuration.time('smtpd_error_sleep_time'),
    timeout: configuration.time('smtpd_timeout'),
    minimumRate: int('smtpd_min_data_rate'),
    connectionsPerClient: int('smtpd_client_connection_count_limit'),
    connections: int('postrider_smtpd_connection_limit'),
    limitExceptions: clientList(configuration.list('smtpd_client_event_limit_exceptions')),

    tls: level,
    wrapper: bool('smtpd_tls_wrappermode') && tls !== undefined,
    tlsLog: int('smtpd_tls_loglevel') > 0,
    tlsHeader: bool('smtpd_tls_received_header'),
    auth: configuration.isSet('smtpd_sasl_auth_enable') ? bool('smtpd_sasl_auth_enable') : sink,
    authAny: bool('postrider_sasl_accept_any') && sink,
    authTlsOnly: bool('smtpd_tls_auth_only'),
    authRealm: text('smtpd_sasl_local_domain') || hostname,
    authTries: int('postrider_smtpd_auth_limit'),
    authResponseLimit: int('smtpd_sasl_response_limit'),
    authHeader: bool('smtpd_sasl_authenticated_header'),

    trusted: clientList(configuration.list('mynetworks')),
    rewriteClients: configuration.list('local_header_rewrite_clients').map((rule) => rule.toLowerCase()),
    destinations: readDestinations(configuration),
    codes: {
      reject: int('reject_code'),
      defer: int('defer_code'),
      relay: int('relay_domains_reject_code'),
      nonFqdn: int('non_fqdn_reject_code'),
      invalidHostname: int('invalid_hostname_reject_code'),
    },
    unlistedCodes: {
      local: int('unknown_local_recipient_reject_code'),
      alias: int('unknown_virtual_alias_reject_code'),
      mailbox: int('unknown_virtual_mailbox_reject_code'),
      relay: int('unknown_relay_recipient_reject_code'),
    },
    showTable: bool('show_user_unknown_table_name'),
    rejectUnlisted: bool('smtpd_reject_unlisted_recipient'),
    atConnect: sink || delay ? none : [early[0]],
    atHelo: sink || delay ? none : [early[1]],
    atMail: sink || delay ? none : [early[2]],
    atRcpt: sink ? none : delay ? [...early, ...atRcpt] : atRcpt,
    atData: sink ? none : [list('smtpd_data_restrictions')],
    atEndOfData: sink ? none : [list('smtpd_end_of_data_restrictions')],
    relayGuarded: sink || [...relay.rules, ...recipient.rules].some((rule) => relayGuards.has(rule.toLowerCase())),
  };
}
