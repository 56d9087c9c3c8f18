/**
 * Writes the first main.cf, master.cf, aliases and sasl/smtpd.conf of a new data folder.
 *
 * Promises: a file that exists is never touched; each is written whole or not at all. Throws PostriderError
 * `bad-input` for a domain or address that cannot be written; file system errors as they are.
 */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { badInput } from '../contract/errors.ts';
import { makeFolder } from '../files/make-folder.ts';
import { writeFileAtomically } from './edit.ts';
import { lookalikeHint } from './lookalikes.ts';

export interface FirstConfiguration {
  readonly profile: 'sink' | 'server';
  /** Sets mydomain to it and myhostname to `mail.` before it. */
  readonly domain?: string | undefined;
  /** `HOST:PORT` each; port 0 takes any free one. Loopback when absent: 1025 for a sink, 25 for a server. */
  readonly smtp?: readonly string[] | undefined;
}

/** The paths that were written, relative to the data folder. */
export async function writeFirstConfiguration(dataFolder: string, options: FirstConfiguration): Promise<string[]> {
  const domain = options.domain === undefined ? undefined : checkDomain(options.domain);
  const addresses = (options.smtp ?? []).map(checkAddress);
  if (addresses.length === 0) addresses.push(options.profile === 'sink' ? '127.0.0.1:1025' : '127.0.0.1:25');
  const files: [string, string, number][] = [
    ['etc/sasl/smtpd.conf', smtpdConf(), 0o644],
    ['etc/aliases', aliases(), 0o644],
    ['etc/master.cf', masterCf([...new Set(addresses)], options.profile), 0o644],
    ['etc/main.cf', options.profile === 'sink' ? sinkMainCf(domain) : serverMainCf(domain), 0o644],
  ];
  // The data folder holds mail and passwords: its owner's only. The folders inside need no mode of their own.
  await makeFolder(dataFolder);
  await makeFolder(path.join(dataFolder, 'etc', 'sasl'), 0o777);
  const written: string[] = [];
  for (const [name, text, mode] of files) {
    const file = path.join(dataFolder, name);
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) continue;
    await writeFileAtomically(file, text, mode);
    written.push(name);
  }
  return written;
}

function checkDomain(domain: string): string {
  const fits =
    domain.length <= 253 &&
    domain.split('.').every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
  if (!fits) {
    throw badInput(
      'domain',
      `"${domain}" is not a domain name; write letters, digits, - and dots, like example.com.${lookalikeHint(domain)}`,
    );
  }
  return domain.toLowerCase();
}

function checkAddress(address: string): string {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(address);
  if (match === null || Number(match[2]) > 65_535) {
    throw badInput(
      'smtp',
      `"${address}" is not HOST:PORT; write one like 127.0.0.1:1025 or [::1]:1025; port 0 takes any free port.${lookalikeHint(address)}`,
    );
  }
  return address;
}

function names(domain: string | undefined): string {
  return domain === undefined
    ? `# Without these, they come from the system's host name.
#myhostname = mail.example.com
#mydomain = example.com
`
    : `mydomain = ${domain}
myhostname = mail.${domain}
`;
}

function sinkMainCf(domain: string | undefined): string {
  return `# Postrider's main configuration, in the syntax and with the names of Postfix's main.cf (postconf(5)).
# "postconf -n" shows what is set, "postconf -d" the defaults; "postrider reload" after a change.

# A sink: takes mail for everyone from everyone who reaches it, delivers all of it into Maildirs, relays nothing.
postrider_profile = sink

# Defaults as of this Postfix version.
compatibility_level = 3.6

# Who this server is.
${names(domain)}myorigin = $mydomain

# Who may connect is decided by where master.cf listens: on this machine only, unless you change that.
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8 [::1]/128

# Everything is accepted, for any recipient.
smtpd_relay_restrictions = permit
local_recipient_maps =
smtpd_client_connection_count_limit = 0
message_size_limit = 52428800
mailbox_size_limit = 0

# AUTH is offered and accepts any user with any password; mail of an authenticated client goes to a mailbox named like
# the user, other mail to one named like the recipient. "recipient" uses the recipient always.
smtpd_sasl_auth_enable = yes
postrider_sasl_accept_any = yes
postrider_sink_mailbox = sasl

# STARTTLS is offered, with a self-signed certificate until smtpd_tls_cert_file names another.
smtpd_tls_security_level = may

# Maildirs, in the folder "mail" of the data folder.
home_mailbox = Maildir/
alias_maps = hash:$config_directory/aliases
alias_database = hash:$config_directory/aliases
`;
}

function serverMainCf(domain: string | undefined): string {
  return `# Postrider's main configuration, in the syntax and with the names of Postfix's main.cf (postconf(5)).
# "postconf -n" shows what is set, "postconf -d" the defaults; "postrider reload" after a change.

# A mail server with Postfix's rules: mail for its own domains is delivered, other mail is relayed for its own
# networks and for authenticated users only.
postrider_profile = server

# Defaults as of this Postfix version.
compatibility_level = 3.6

# Who this server is.
${names(domain)}myorigin = $mydomain

# Where it listens. "all" opens services that name no address in master.cf to other machines.
inet_interfaces = loopback-only
inet_protocols = all

# What it receives mail for.
mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain

# Whose mail it relays without a password. Every address here can send to the whole world through this server.
mynetworks = 127.0.0.0/8 [::1]/128
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination

# SMTP users, made with "saslpasswd2 -c -u DOMAIN USER".
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous

# STARTTLS is offered, with a self-signed certificate until smtpd_tls_cert_file names another. The last line refuses
# passwords on connections without TLS: wanted as soon as other machines connect.
smtpd_tls_security_level = may
#smtpd_tls_cert_file = /etc/letsencrypt/live/mail.example.com/fullchain.pem
#smtpd_tls_key_file = /etc/letsencrypt/live/mail.example.com/privkey.pem
#smtpd_tls_auth_only = yes

# Other domains' mail goes straight to their servers; or all of it through this one.
#relayhost = [smtp.example.net]:587
smtp_tls_security_level = may

# Maildirs, in the folder "mail" of the data folder.
home_mailbox = Maildir/
alias_maps = hash:$config_directory/aliases
alias_database = hash:$config_directory/aliases
`;
}

function masterCf(addresses: readonly string[], profile: 'sink' | 'server'): string {
  const listeners = addresses.map(
    (address) => `${address.padEnd(15)} inet  n       -       n       -       -       smtpd`,
  );
  const extra =
    profile === 'sink'
      ? ''
      : `# Where mail programs hand mail in, with a password only:
#submission      inet  n       -       n       -       -       smtpd
#  -o smtpd_tls_security_level=encrypt
#  -o smtpd_sasl_auth_enable=yes
#  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
#smtps           inet  n       -       n       -       -       smtpd
#  -o smtpd_tls_wrappermode=yes
#  -o smtpd_sasl_auth_enable=yes
#  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
`;
  return `# Postrider's services, in the syntax of Postfix's master.cf (master(5)). Restart after a change of a listener.
# The first column of an inet service is where it listens: "smtp" or "2525" on all that inet_interfaces names,
# "127.0.0.1:1025" or "[::1]:1025" on one address.
#
# service       type  private unpriv  chroot  wakeup  maxproc command + args
${listeners.join('\n')}
${extra}pickup          unix  n       -       n       60      1       pickup
cleanup         unix  n       -       n       -       0       cleanup
qmgr            unix  n       -       n       300     1       qmgr
bounce          unix  -       -       n       -       0       bounce
defer           unix  -       -       n       -       0       bounce
trace           unix  -       -       n       -       0       bounce
smtp            unix  -       -       n       -       -       smtp
relay           unix  -       -       n       -       -       smtp
  -o syslog_name=postfix/$service_name
showq           unix  n       -       n       -       -       showq
error           unix  -       -       n       -       -       error
retry           unix  -       -       n       -       -       error
discard         unix  -       -       n       -       -       discard
local           unix  -       n       n       -       -       local
virtual         unix  -       n       n       -       -       virtual
`;
}

function aliases(): string {
  return `# Other names for mailboxes, in the syntax of aliases(5): "name: address, address …".
# A change counts at once; "newaliases" checks the syntax.
mailer-daemon: postmaster
abuse: postmaster
hostmaster: postmaster
webmaster: postmaster
root: postmaster
#postmaster: you@example.com
`;
}

function smtpdConf(): string {
  return `# How SMTP users log in: the user list of "saslpasswd2", and the mechanisms that AUTH offers.
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
`;
}
