/** A transcript in the steps of the conversation, each with its lines, its time and what came of it. Pure. */
import type { Transcript, TranscriptLine } from '#app/contract/api.ts';

export const stepNames = [
  'connect', 'tls', 'greeting', 'ehlo', 'helo', 'starttls', 'auth', 'mail', 'rcpt', 'data', 'message', 'quit',
] as const; // prettier-ignore
export type StepName = (typeof stepNames)[number];

export interface Step {
  readonly name: StepName;
  readonly lines: readonly TranscriptLine[];
  /** Milliseconds from its beginning to its last line. */
  readonly took: number;
  readonly state: 'ok' | 'failed';
  /** The last answer of the server in it. */
  readonly reply: TranscriptLine | undefined;
}

const verbs: Readonly<Record<string, StepName>> = {
  EHLO: 'ehlo',
  HELO: 'helo',
  STARTTLS: 'starttls',
  AUTH: 'auth',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
  QUIT: 'quit',
};

export function stepName(name: string): StepName | undefined {
  return stepNames.find((known) => known === name);
}

/** Which step a line begins; undefined when it goes on with the present one. */
function begins(line: TranscriptLine, now: StepName): StepName | undefined {
  if (line.side === 'client') {
    const verb = verbs[/^[A-Za-z]+/.exec(line.text)?.[0].toUpperCase() ?? ''];
    // Within AUTH the client's lines are data: `UVVJVA==` is no QUIT.
    return verb !== undefined && (now !== 'auth' || /^(?:MAIL|QUIT|RSET)\b/i.test(line.text)) ? verb : undefined;
  }
  if (line.side === 'server') return now === 'connect' || now === 'tls' ? 'greeting' : undefined;
  if (now === 'data') return 'message';
  return now === 'connect' && /^Encrypted|^The certificate/.test(line.text) ? 'tls' : undefined;
}

export function stepsOf(transcript: Omit<Transcript, 'queueId' | 'tls'>): Step[] {
  const steps: { name: StepName; lines: TranscriptLine[]; begin: number }[] = [];
  for (const line of transcript.lines) {
    const last = steps.at(-1);
    if (last === undefined) {
      steps.push({ name: 'connect', lines: [line], begin: line.at });
      continue;
    }
    // The closing note of a failure is told above the steps.
    if (line.side === 'note' && line.text.startsWith('Failed at ')) continue;
    const name = begins(line, last.name);
    // An answer's time counts from the line before it: from when it was waited for.
    if (name === undefined) last.lines.push(line);
    else
      steps.push({ name, lines: [line], begin: line.side === 'client' ? line.at : (last.lines.at(-1)?.at ?? line.at) });
  }
  const failed = transcript.failure?.step;
  const known = steps.some(({ name }) => name === failed);
  return steps.map(({ name, lines, begin }, index): Step => {
    const reply = lines.findLast(({ side }) => side === 'server');
    const refused = reply?.code !== undefined && reply.code >= 400 && name !== 'ehlo';
    const here =
      failed !== undefined &&
      (known ? failed === name && (refused || reply === undefined) : index === steps.length - 1);
    return {
      name,
      lines,
      // One that waited in vain has no last line.
      took: Math.max(0, (here && !refused ? transcript.milliseconds : (lines.at(-1)?.at ?? begin)) - begin),
      state: refused || here ? 'failed' : 'ok',
      reply,
    };
  });
}

/** `12 ms`, `1.2 s`: as short as it stays telling. */
export function milliseconds(span: number): string {
  if (span < 10) return `${span.toFixed(1)} ms`;
  return span < 1000 ? `${Math.round(span)} ms` : `${(span / 1000).toFixed(1)} s`;
}
