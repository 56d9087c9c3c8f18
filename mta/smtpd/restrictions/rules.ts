/**
 * The rules that restriction lists are made of (postconf(5), SMTPD_ACCESS_README), one function each.
 * A new rule is a new row of the table. A rule looks at the context and answers; it never throws for a client's fault.
 */
import { isIP } from 'node:net';
import { literalAddress, type MailAddress } from '../path.ts';
import type { ListName, RestrictionContext } from './decision.ts';

/** `next`: the rule has nothing to say. */
export type Verdict =
  | 'permit'
  | 'next'
  | { readonly action: 'reject' | 'defer'; readonly code: number; readonly text: string; readonly input?: string };

export type Rule = (context: RestrictionContext, list: ListName) => Verdict | Promise<Verdict>;

/** What the generic `reject` of a list speaks of. */
export function subject(
  context: RestrictionContext,
  list: ListName,
): { readonly input: string; readonly noun: string } {
  switch (list) {
    case 'smtpd_client_restrictions':
      return { input: `${context.client.name}[${context.client.address}]`, noun: 'Client host' };
    case 'smtpd_helo_restrictions':
      return { input: context.helo ?? '', noun: 'Helo command' };
    case 'smtpd_sender_restrictions':
      return { input: context.shown.sender, noun: 'Sender address' };
    case 'smtpd_relay_restrictions':
    case 'smtpd_recipient_restrictions':
      return { input: context.shown.recipient, noun: 'Recipient address' };
    case 'smtpd_data_restrictions':
      return { input: 'DATA', noun: 'Data command' };
    case 'smtpd_end_of_data_restrictions':
      return { input: 'END-OF-MESSAGE', noun: 'End-of-data' };
  }
}

function refuse(action: 'reject' | 'defer', code: number, dsn: string, text: string, input: string): Verdict {
  return { action, code, text: `${dsn} ${text}`, input };
}

/** Letters, digits, hyphens, dots and underscores; labels of 1 to 63 characters. */
function isHostname(name: string): boolean {
  if (name === '' || name.length > 255) return false;
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  const fits = labels.every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  return fits && !/^\d+$/.test(labels.at(-1) ?? '');
}

function isFqdn(name: string): boolean {
  return literalAddress(name) !== undefined || (isHostname(name) && name.replace(/\.$/, '').includes('.'));
}

function relayDenied(context: RestrictionContext, action: 'reject' | 'defer'): Verdict {
  if (context.destination === undefined || context.destination.authorised) return 'next';
  const code = action === 'reject' ? context.codes.relay : context.codes.relay - 100;
  const dsn = action === 'reject' ? '5.7.1' : '4.7.1';
  return refuse(action, code, dsn, `<${context.shown.recipient}>: Relay access denied`, context.shown.recipient);
}

function nonFqdnAddress(
  context: RestrictionContext,
  address: MailAddress | null | undefined,
  shown: string,
  noun: string,
): Verdict {
  if (address === null || address === undefined) return 'next';
  if (address.domain !== undefined && isFqdn(address.domain)) return 'next';
  if (address.domain === undefined && address.local.toLowerCase() === 'postmaster') return 'next';
  return refuse(
    'reject',
    context.codes.nonFqdn,
    '5.5.2',
    `<${shown}>: ${noun} rejected: need fully-qualified address`,
    shown,
  );
}

function helo(context: RestrictionContext, bad: (name: string) => boolean, code: number, why: string): Verdict {
  const name = context.helo;
  if (name === undefined || !bad(name)) return 'next';
  return refuse('reject', code, '5.5.2', `<${name}>: Helo command rejected: ${why}`, name);
}

const generic =
  (action: 'reject' | 'defer'): Rule =>
  (context, list) => {
    const { input, noun } = subject(context, list);
    return action === 'reject'
      ? refuse(action, context.codes.reject, '5.7.1', `<${input}>: ${noun} rejected: Access denied`, input)
      : refuse(action, context.codes.defer, '4.7.1', `<${input}>: ${noun} rejected: Try again later`, input);
  };

const invalidHelo: Rule = (context) =>
  helo(
    context,
    (name) => literalAddress(name) === undefined && isIP(name) === 0 && !isHostname(name),
    context.codes.invalidHostname,
    'Invalid name',
  );

const nonFqdnHelo: Rule = (context) =>
  helo(context, (name) => !isFqdn(name), context.codes.nonFqdn, 'need fully-qualified hostname');

export const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['permit', () => 'permit'],
  ['reject', generic('reject')],
  ['defer', generic('defer')],
  ['permit_mynetworks', (context) => (context.trusted ? 'permit' : 'next')],
  ['permit_sasl_authenticated', (context) => (context.saslUser === undefined ? 'next' : 'permit')],
  ['permit_auth_destination', (context) => (context.destination?.authorised === true ? 'permit' : 'next')],
  ['reject_unauth_destination', (context) => relayDenied(context, 'reject')],
  ['defer_unauth_destination', (context) => relayDenied(context, 'defer')],
  ['reject_invalid_helo_hostname', invalidHelo],
  ['reject_invalid_hostname', invalidHelo],
  ['reject_non_fqdn_helo_hostname', nonFqdnHelo],
  ['reject_non_fqdn_hostname', nonFqdnHelo],
  [
    'reject_non_fqdn_sender',
    (context) => nonFqdnAddress(context, context.sender, context.shown.sender, 'Sender address'),
  ],
  [
    'reject_non_fqdn_recipient',
    (context) => nonFqdnAddress(context, context.recipient, context.shown.recipient, 'Recipient address'),
  ],
  [
    'reject_unlisted_recipient',
    async (context) => {
      const found = await context.unlisted();
      if (found === undefined) return 'next';
      return { action: found.code < 500 ? 'defer' : 'reject', ...found, input: context.shown.recipient };
    },
  ],
  [
    'reject_unauth_pipelining',
    (context, list) => {
      if (!context.illegalPipelining) return 'next';
      const { input, noun } = subject(context, list);
      const text = `<${input}>: ${noun} rejected: Improper use of SMTP command pipelining`;
      return refuse('reject', 503, '5.5.0', text, input);
    },
  ],
]);

/** Of these a relay or recipient list must have one, or the server would relay for everybody. */
export const relayGuards: ReadonlySet<string> = new Set([
  'reject',
  'defer',
  'defer_if_permit',
  'reject_unauth_destination',
  'defer_unauth_destination',
]);
