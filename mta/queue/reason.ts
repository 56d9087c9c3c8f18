/**
 * Takes out of a reason what differs from message to message, so that a million deferrals fall into a few groups.
 *
 * `host mx.example.org[192.0.2.1] said: 450 4.2.0 <ann@example.org>: Greylisted for 287 seconds (in reply to …)` becomes
 * `host mx.example.org[…] said: 450 4.2.0 <…>: Greylisted for … seconds (in reply to …)`. Pure and linear.
 */

const limit = 200;
const gap = '…';

/** The group key of a reason; empty for an empty reason. Reply codes and enhanced status codes stay. */
export function reasonKey(reason: string): string {
  return (
    reason
      // Bounded first, so that a long answer of a hostile peer costs nothing.
      .slice(0, 1000)
      // Put off because others failed the same way: the same group as those.
      .replace(/^delivery temporarily suspended: /, '')
      .replace(/<[^<>\s]{0,320}>/g, `<${gap}>`)
      .replace(/\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?/g, `[${gap}]`)
      .replace(/[^\s@<>()[\]:;,"']{1,64}@[^\s@<>()[\]:;,"']{1,255}/g, gap)
      .replace(/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b/g, gap)
      // Words: enhanced status codes and three-digit replies stay; ids and other numbers go.
      .replace(/[0-9A-Za-z][0-9A-Za-z.:_-]*/g, word)
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, limit)
  );
}

function word(text: string, at: number, whole: string): string {
  if (!/\d/.test(text)) return text;
  const core = text.replace(/[.:_-]+$/, '');
  const tail = text.slice(core.length);
  if (/^[245]\.\d{1,3}\.\d{1,3}$/.test(core)) return text;
  // A reply code stands first or after a colon; other numbers of three digits are just numbers.
  if (/^[2345]\d\d$/.test(core) && (at === 0 || whole.slice(at - 2, at) === ': ')) return text;
  // `450-4.2.0`: a continued reply line.
  if (/^[2345]\d\d-[245]\.\d{1,3}\.\d{1,3}$/.test(core)) return text;
  if (/^\d+$/.test(core)) return gap + tail;
  // A host name keeps its letters; its numbers (mx1, mail-07) vary within one destination.
  if (core.includes('.') && /[A-Za-z]/.test(core)) return core.replace(/\d+/g, gap) + tail;
  // Queue ids, session ids: letters and digits mixed, six or more.
  if (core.length >= 6) return gap + tail;
  return text;
}
