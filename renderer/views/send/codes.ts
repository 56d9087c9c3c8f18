/**
 * What SMTP's codes mean: reply codes (RFC 5321 §4.2, RFC 4954 §6, RFC 3207, RFC 7504) and enhanced status codes
 * (RFC 3463, RFC 5248, RFC 7505), as keys of the catalogue `send.codes` and `send.enhanced`; and what to do when a step
 * failed. Pure; an unknown code falls back on its class and never throws.
 */
export const replyCodes = [
  220, 221, 235, 250, 251, 252, 334, 354, 421, 450, 451, 452, 454, 455, 500, 501, 502, 503, 504, 521, 530, 534, 535,
  538, 550, 551, 552, 553, 554, 555, 556,
] as const;
export type ReplyCode = (typeof replyCodes)[number];

/** The first digit: done, go on, not now, not at all. */
export type ReplyClass = 'done' | 'goOn' | 'later' | 'never';

export function replyClass(code: number): ReplyClass {
  if (code >= 200 && code < 300) return 'done';
  if (code >= 300 && code < 400) return 'goOn';
  return code >= 400 && code < 500 ? 'later' : 'never';
}

export function knownReply(code: number): ReplyCode | undefined {
  return replyCodes.find((known) => known === code);
}

export const subjects = ['0', '1', '2', '3', '4', '5', '6', '7'] as const;
export type Subject = (typeof subjects)[number];

/** `subject.detail` of those that have words of their own. */
export const details = [
  '1.0', '1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7', '1.8', '1.10',
  '2.0', '2.1', '2.2', '2.3', '2.4',
  '3.0', '3.1', '3.2', '3.3', '3.4', '3.5',
  '4.0', '4.1', '4.2', '4.3', '4.4', '4.5', '4.6', '4.7',
  '5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6',
  '6.0', '6.1', '6.2', '6.3', '6.5', '6.7',
  '7.0', '7.1', '7.2', '7.3', '7.4', '7.5', '7.7', '7.8', '7.9', '7.10', '7.11', '7.20', '7.23', '7.25', '7.26',
] as const; // prettier-ignore
export type Detail = (typeof details)[number];

export interface Enhanced {
  readonly class: '2' | '4' | '5';
  readonly subject: Subject | undefined;
  readonly detail: Detail | undefined;
}

/** `5.1.1` in its three parts; undefined when it is no enhanced status code. */
export function parseEnhanced(text: string): Enhanced | undefined {
  const match = /^([245])\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [, first, subject = '', detail = ''] = match;
  return {
    class: first as Enhanced['class'],
    subject: subjects.find((known) => known === subject),
    detail: details.find((known) => known === `${subject}.${detail}`),
  };
}

export type Remedy =
  | 'refused'
  | 'timeout'
  | 'notFound'
  | 'unreachable'
  | 'notSmtp'
  | 'certificate'
  | 'tlsWrapper'
  | 'noStarttls'
  | 'noAuth'
  | 'credentials'
  | 'authRequired'
  | 'tlsRequired'
  | 'relay'
  | 'unknownUser'
  | 'sender'
  | 'tooLarge'
  | 'policy'
  | 'full'
  | 'unicode'
  | 'syntax'
  | 'later'
  | 'other';

/** What a person can do about a failed step. Looks at the codes first, then at the words. */
export function remedyOf(failure: { readonly step: string; readonly message: string }): Remedy {
  const { step } = failure;
  const text = failure.message.slice(0, 2000);
  const code = Number(/(?:^|: )([2345]\d\d)(?=[ -]|$)/m.exec(text)?.[1] ?? 0);
  const enhanced = /\b[245](\.\d{1,3}\.\d{1,3})\b/.exec(text)?.[1];
  if (/smtputf8/i.test(text)) return 'unicode';
  if (step === 'starttls' && /not offer/i.test(text)) return 'noStarttls';
  if (step === 'auth' && /not offer|offers AUTH/i.test(text)) return 'noAuth';
  if (/certificate/i.test(text)) return 'certificate';
  if (/connection refused|nothing listens/i.test(text)) return 'refused';
  if (/cannot be resolved/i.test(text)) return 'notFound';
  if (/no way to/i.test(text)) return 'unreachable';
  if (/no smtp server/i.test(text)) return 'notSmtp';
  if (step === 'tls') return 'tlsWrapper';
  if (/no answer/i.test(text)) return 'timeout';
  if (code === 535 || enhanced === '.7.8') return 'credentials';
  if (code === 530 && /starttls|tls/i.test(text)) return 'tlsRequired';
  if (code === 530 || code === 538 || code === 534 || /authentication (?:is )?required/i.test(text))
    return 'authRequired';
  if (/relay(?:ing)?(?: access)? denied|not permitted to relay|unable to relay/i.test(text)) return 'relay';
  if (code === 452 && enhanced !== '.3.1' && enhanced !== '.2.2') return 'later';
  if (enhanced === '.2.2') return 'full';
  if (code === 552 || enhanced === '.3.4') return 'tooLarge';
  if (enhanced === '.1.1' || enhanced === '.1.2' || /user unknown|no such user|unknown user/i.test(text))
    return 'unknownUser';
  if (step === 'mail' && code >= 500) return 'sender';
  if (code >= 500 && code <= 504) return 'syntax';
  if (code >= 400 && code < 500) return 'later';
  if (enhanced?.startsWith('.7.') === true || code === 554 || code === 550) return 'policy';
  return 'other';
}
