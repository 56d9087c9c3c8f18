/**
 * Names that the defaults of today's parameters refer to: Postfix's former names, still obeyed when set.
 * They are empty unless main.cf sets them.
 */
export const formerNames: ReadonlySet<string> = new Set([
  'authorized_verp_clients',
  'fallback_relay',
  'lmtp_per_record_deadline',
  'postscreen_blacklist_action',
  'postscreen_dnsbl_ttl',
  'postscreen_dnsbl_whitelist_threshold',
  'postscreen_whitelist_interfaces',
  'smtp_per_record_deadline',
  'smtpd_client_connection_limit_exceptions',
  'smtpd_per_record_deadline',
  'tlsproxy_client_level',
  'tlsproxy_client_policy',
  'virtual_maps',
]);
