/**
 * What a message's state and the reason of its last answer mean: which kind of trouble it is and how it looks from here.
 * The words stand in the catalogue under `queue.kinds`. Pure and linear; a reason nobody knows falls back on the class of
 * its status code (RFC 3463 §3: 4 is temporary, 5 is final), and never throws.
 */
import type { QueueEntry } from '#mta/contract/mail.ts';

/** In the order they are looked for: the narrow before the wide. Wordings of Postfix, Exim, Exchange, Gmail and others. */
const patterns = [
  ['greylisted', /gr[ae]y[- ]?list/],
  [
    'auth',
    /sasl auth|authentication (?:failed|failure|required|credentials)|\b53[0458]\b|5\.7\.8|5\.7\.9|4\.7\.0 auth/,
  ],
  ['tls', /\btls\b|\bssl\b|certificate|starttls|handshake/],
  ['refused', /connection refused/],
  ['timedOut', /timed? ?out|timeout/],
  [
    'hostNotFound',
    /host not found|name service error|domain name not found|unable to look up|nxdomain|no such domain|null ?mx/,
  ],
  ['unreachable', /no route to host|network is unreachable|host is unreachable|network unreachable/],
  ['lostConnection', /lost connection|connection reset|broken pipe|conversation with .* ended|closed the connection/],
  [
    'overQuota',
    /over ?quota|quota exceeded|exceeded .*quota|mailbox (?:is )?full|mailbox size limit|insufficient storage|[45]\.2\.2\b/,
  ],
  ['tooLarge', /too large|too big|size (?:limit|exceeds)|exceeds (?:the )?(?:maximum )?size|\b552\b|[45]\.3\.4\b/],
  [
    'unknownUser',
    /user unknown|unknown user|no such (?:user|mailbox|recipient|address)|does not exist|recipient address rejected: undeliver|mailbox (?:unavailable|not found)|[45]\.1\.1\b/,
  ],
  ['relayDenied', /relay(?:ing)? (?:access )?(?:denied|not permitted|prohibited)|relay not permitted|unable to relay/],
  ['loop', /loops? back to myself|mail (?:forwarding )?loop|too many hops|[45]\.4\.6\b/],
  [
    'rateLimited',
    /rate[- ]?limit|too many (?:messages|connections|errors|recipients|sessions)|throttl|temporarily deferred due to|slow down|try again later.*volume/,
  ],
  [
    'policy',
    /spam|blocked|black ?list|block ?list|blacklisted|reputation|\bspf\b|\bdkim\b|\bdmarc\b|policy|\bdenied\b|[45]\.7\.\d/,
  ],
  [
    'local',
    /mail transport unavailable|unknown mail transport|cannot (?:create|open|update)|permission denied|file write error|system resources|[45]\.3\.[05]\b/,
  ],
  [
    'busy',
    /service (?:not available|unavailable|temporarily unavailable)|\b421\b|server (?:too )?busy|shutting down|temporary (?:lookup )?failure|[45]\.3\.2\b/,
  ],
] as const satisfies readonly (readonly [string, RegExp])[];

export type Kind =
  | (typeof patterns)[number][0]
  | 'incoming'
  | 'active'
  | 'held'
  | 'corrupt'
  | 'expiring'
  | 'waiting'
  | 'temporary'
  | 'permanent';

/** How it goes on: by itself, perhaps not, or not without a person. */
export type Outlook = 'moves' | 'waits' | 'dead' | 'refuses' | 'act' | 'held' | 'damaged';
export type Tone = 'plain' | 'ok' | 'warn' | 'bad' | 'hold' | 'accent';

export interface Explanation {
  readonly kind: Kind;
  readonly outlook: Outlook;
  readonly tone: Tone;
}

const outlooks: Readonly<Record<Kind, Outlook>> = {
  incoming: 'moves',
  active: 'moves',
  held: 'held',
  corrupt: 'damaged',
  expiring: 'moves',
  waiting: 'waits',
  greylisted: 'waits',
  rateLimited: 'waits',
  busy: 'waits',
  lostConnection: 'waits',
  overQuota: 'waits',
  temporary: 'waits',
  refused: 'dead',
  timedOut: 'dead',
  unreachable: 'dead',
  hostNotFound: 'dead',
  unknownUser: 'refuses',
  policy: 'refuses',
  relayDenied: 'refuses',
  tooLarge: 'refuses',
  permanent: 'refuses',
  auth: 'act',
  tls: 'act',
  loop: 'act',
  local: 'act',
};

const tones: Readonly<Record<Outlook, Tone>> = {
  moves: 'accent',
  waits: 'warn',
  dead: 'bad',
  refuses: 'bad',
  act: 'bad',
  held: 'hold',
  damaged: 'bad',
};

function of(kind: Kind): Explanation {
  const outlook = outlooks[kind];
  return { kind, outlook, tone: tones[outlook] };
}

/** What an answer means, whatever queue the message is in. */
export function explainReason(reason: string | undefined, dsn: string | undefined): Explanation {
  const text = `${reason ?? ''} ${dsn ?? ''}`.slice(0, 2000).toLowerCase();
  for (const [kind, pattern] of patterns) if (pattern.test(text)) return of(kind);
  if (dsn?.startsWith('5') === true || /\b5\d\d[ -]/.test(text)) return of('permanent');
  return of(text.trim() === '' ? 'waiting' : 'temporary');
}

/** What a message's place in the queue means. */
export function explain(
  entry: Pick<QueueEntry, 'queue' | 'forcedExpire'> & { reason?: string | undefined; dsn?: string | undefined },
): Explanation {
  switch (entry.queue) {
    case 'incoming':
      return of('incoming');
    case 'active':
      return of('active');
    case 'hold':
      return of('held');
    case 'corrupt':
      return of('corrupt');
    case 'deferred':
      return entry.forcedExpire ? of('expiring') : explainReason(entry.reason, entry.dsn);
  }
}

export interface Answer {
  /** Who spoke, when somebody did: `mx1.partner.test`. */
  readonly host: string | undefined;
  /** Reply and enhanced status code as they were said: `450 4.2.0`. */
  readonly code: string | undefined;
  /** What remains: the words. */
  readonly words: string;
}

/** Takes `host mx[192.0.2.1] said: 450 4.2.0 Greylisted (in reply to RCPT TO command)` apart. */
export function answerOf(reason: string): Answer {
  const said =
    /^(?:delivery temporarily suspended: )?host ([^\s[\]]{1,255})\[[^\]]{0,64}\](?::\d{1,5})? (?:said|refused to talk to me): /.exec(
      reason,
    );
  const rest = said === null ? reason : reason.slice(said[0].length);
  const code = /^[245]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?(?=\s|$)/.exec(rest)?.[0];
  return {
    host: said?.[1],
    code: code?.replace('-', ' '),
    words: code === undefined ? rest : rest.slice(code.length).trim(),
  };
}

/** A reason for one line of a list: what was said first, then where. `Connection refused · mx.far.test:25` */
export function shortReason(reason: string): string {
  const plain = reason.replace(/^delivery temporarily suspended: /, '');
  const connect = /^connect to ([^\s[\]]{1,255})\[[^\]]{0,64}\](:\d{1,5})?: (.+)$/s.exec(plain);
  if (connect !== null) return `${connect[3] ?? ''} · ${connect[1] ?? ''}${connect[2] ?? ''}`;
  const { code, words } = answerOf(plain);
  const said = words.replace(/^<[^<>\s]{0,320}>: /, '').replace(/^Recipient address rejected: /, '');
  return code === undefined ? said : `${code} ${said}`;
}
