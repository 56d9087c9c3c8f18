/** A Configuration from a map, over Postfix's defaults of what delivery reads. A name that is in neither throws. */
import type { Configuration } from '../../config/configuration.ts';

const defaults: Readonly<Record<string, string>> = {
  myhostname: 'mail.example.test',
  myorigin: 'example.test',
  mydestination: 'mail.example.test, localhost',
  inet_interfaces: 'loopback-only',
  proxy_interfaces: '',
  postrider_profile: 'server',
  postrider_sink_mailbox: 'sasl',
  recipient_delimiter: '',
  local_recipient_maps: '',
  local_transport: 'local:mail.example.test',
  virtual_transport: 'virtual',
  relay_transport: 'relay',
  default_transport: 'smtp',
  virtual_alias_domains: '',
  virtual_mailbox_domains: '',
  virtual_mailbox_maps: '',
  relay_domains: '',
  relay_recipient_maps: '',
  relayhost: '',
  transport_maps: '',
  parent_domain_matches_subdomains: 'relay_domains',
  qmgr_message_active_limit: '20000',
  minimal_backoff_time: '300s',
  maximal_backoff_time: '4000s',
  maximal_queue_lifetime: '5d',
  bounce_queue_lifetime: '5d',
  delay_warning_time: '0h',
  bounce_size_limit: '50000',
  default_destination_concurrency_limit: '20',
  default_destination_recipient_limit: '50',
  initial_destination_concurrency: '5',
  default_process_limit: '100',
  mailbox_size_limit: '51200000',
  virtual_mailbox_limit: '51200000',
  inet_protocols: 'all',
  smtp_helo_name: 'mail.example.test',
  smtp_tcp_port: 'smtp',
  smtp_bind_address: '',
  smtp_connect_timeout: '30s',
  smtp_helo_timeout: '300s',
  smtp_starttls_timeout: '300s',
  smtp_mail_timeout: '300s',
  smtp_rcpt_timeout: '300s',
  smtp_data_init_timeout: '120s',
  smtp_data_xfer_timeout: '180s',
  smtp_data_done_timeout: '600s',
  smtp_rset_timeout: '20s',
  smtp_quit_timeout: '300s',
  smtp_tls_security_level: 'may',
  smtp_tls_wrappermode: 'no',
  smtp_tls_CAfile: '',
  smtp_mx_address_limit: '5',
  smtp_mx_session_limit: '2',
  smtp_randomize_addresses: 'yes',
  smtp_connection_cache_on_demand: 'yes',
  smtp_connection_cache_time_limit: '2s',
  smtp_connection_reuse_time_limit: '300s',
  smtp_connection_reuse_count_limit: '0',
  smtp_line_length_limit: '998',
  smtp_skip_5xx_greeting: 'yes',
  smtp_sasl_auth_enable: 'no',
  smtp_sasl_password_maps: '',
  smtp_sasl_security_options: 'noplaintext, noanonymous',
  smtp_sasl_tls_security_options: 'noplaintext, noanonymous',
};

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

export function testConfiguration(set: Readonly<Record<string, string>> = {}): Configuration {
  const text = (name: string): string => {
    const value = set[name] ?? defaults[name];
    if (value === undefined) throw new Error(`no parameter ${name}`);
    return value;
  };
  const configuration: Configuration = {
    folder: '/nowhere',
    services: [],
    findings: [],
    isSet: (name) => name in set,
    text,
    list: (name) =>
      text(name)
        .split(/[\s,]+/)
        .filter((item) => item !== ''),
    bool: (name) => text(name) === 'yes',
    int: (name) => Number(text(name)),
    time: (name) => {
      const match = /^(\d+)([smhdw]?)$/.exec(text(name));
      if (match === null) throw new Error(`${name}: not a time`);
      return Number(match[1]) * (units[match[2] === '' ? 's' : (match[2] ?? 's')] ?? 1) * 1000;
    },
    expand: (value) => value,
    forService: () => configuration,
  };
  return configuration;
}
