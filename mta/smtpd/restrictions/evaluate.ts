/**
 * Evaluates restriction lists as Postfix does: rules from left to right, the first that decides ends its list; a permit
 * ends only its own list; the end of a list permits (SMTPD_ACCESS_README).
 * An unknown rule is a mistake of the administrator: 451 4.3.5 for the client, a warning in the log, never a permit.
 */
import type { MailLog } from '../../maillog/log.ts';
import type { Decision, ListName, RestrictionContext } from './decision.ts';
import { rules, subject } from './rules.ts';

export interface RestrictionList {
  readonly name: ListName;
  readonly rules: readonly string[];
}

export const configurationError = '4.3.5 Server configuration error';

/** `warn` is told of a mistake in the configuration. */
export async function evaluateList(
  list: RestrictionList,
  context: RestrictionContext,
  warn: (text: string) => void,
): Promise<Decision> {
  for (const name of list.rules) {
    const rule = rules.get(name.toLowerCase());
    if (rule === undefined) {
      warn(`unknown smtpd restriction: "${name}"`);
      const { input } = subject(context, list.name);
      return { list: list.name, rule: name, input, action: 'defer', code: 451, text: configurationError };
    }
    const answer = rule(context, list.name);
    const verdict = answer instanceof Promise ? await answer : answer;
    if (verdict === 'next') continue;
    const input = subject(context, list.name).input;
    if (verdict === 'permit') return { list: list.name, rule: name, input, action: 'permit', code: 250, text: '' };
    return {
      list: list.name,
      rule: name,
      input: verdict.input ?? input,
      action: verdict.action,
      code: verdict.code,
      text: verdict.text,
    };
  }
  const { input } = subject(context, list.name);
  return { list: list.name, rule: 'end of list', input, action: 'permit', code: 250, text: '' };
}

/** The lists one after the other; the first refusal, or undefined. `trace` is told every decision. */
export async function evaluateLists(
  lists: readonly RestrictionList[],
  context: RestrictionContext,
  warn: (text: string) => void,
  trace?: (decision: Decision) => void,
): Promise<Decision | undefined> {
  for (const list of lists) {
    if (list.rules.length === 0) continue;
    const decision = await evaluateList(list, context, warn);
    trace?.(decision);
    if (decision.action !== 'permit') return decision;
  }
  return undefined;
}

/** Warnings under one service's name. */
export function warnTo(log: MailLog, service: string): (text: string) => void {
  return (text) => log.line(service, `warning: ${text}`, 'warning');
}
