/** Postrider's own parameters: what Postfix has no name for. All start with `postrider_`. */
import type { ParameterRow } from './row.ts';

export const ownParameters: readonly ParameterRow[] = [
  [
    'postrider_profile',
    'text',
    'server',
    'What this server is for. "server": Postfix’s rules. "sink": takes mail for everyone, delivers all of it into Maildirs, relays nothing; a server for development and tests.',
  ],
  ['postrider_data', 'text', '', 'The data folder. Set by the program (--data), not in main.cf.'],
  ['postrider_maildir_root', 'text', '$postrider_data/mail', 'The folder that has one Maildir per mailbox.'],
  [
    'postrider_sink_mailbox',
    'text',
    'sasl',
    'Which mailbox the sink delivers to. "sasl": the SMTP user’s when the client authenticated, else the recipient’s. "recipient": always the recipient’s.',
  ],
  [
    'postrider_port_fallback',
    'bool',
    '${{$postrider_profile} == {sink} ? {yes} : {no}}',
    'When a port of master.cf is taken: yes uses the next free one, no refuses to start and names the port.',
  ],
  [
    'postrider_sasl_accept_any',
    'bool',
    '${{$postrider_profile} == {sink} ? {yes} : {no}}',
    'AUTH accepts any user name with any password. For a sink only: a server that relays must never have it.',
  ],
  ['postrider_sasl_users', 'text', '$postrider_data/sasl/users', 'The SMTP users that saslpasswd2 writes.'],
  [
    'postrider_tls_auto',
    'bool',
    'yes',
    'Without smtpd_tls_cert_file, make a self-signed certificate in postrider_tls_folder and offer STARTTLS with it.',
  ],
  ['postrider_tls_folder', 'text', '$postrider_data/tls', 'Where the self-signed certificate and its key are.'],
  ['postrider_log_file', 'text', '$postrider_data/log/mail.log', 'The log, unless maillog_file names another.'],
  ['postrider_smtpd_auth_limit', 'int', '5', 'Failed AUTH commands in one session after which the server closes it.'],
  [
    'postrider_smtpd_connection_limit',
    'int',
    '1000',
    'SMTP sessions at once, over all clients; the next client is told 421.',
  ],
  [
    'postrider_body_memory_limit',
    'size',
    '65536',
    'Message bodies up to this length (bytes) are stored in the queue database; longer ones are files of their own.',
  ],
  ['postrider_shutdown_time_limit', 'time', '10s', 'How long a stop waits for deliveries and sessions in hand.'],
];
