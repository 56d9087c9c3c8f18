/**
 * Dates of headers: `Tue, 25 Nov 2025 10:31:38 +0000 (UTC)` (RFC 5322 §3.3, with Postfix's zone name), local time.
 * Promises: one formatting a second, however many messages.
 */
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number): string => String(value).padStart(2, '0');

let lastSecond = NaN;
let lastText = '';
let zoneHour = NaN;
let zone = '';

/** A zone name as letters only; names such as `GMT+2` say nothing that the offset does not. */
function zoneName(date: Date): string {
  const hour = Math.floor(date.getTime() / 3_600_000);
  if (hour !== zoneHour) {
    zoneHour = hour;
    const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
    const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
    zone = /^[A-Z]{2,6}$/.test(name) ? ` (${name})` : '';
  }
  return zone;
}

/** `time`: milliseconds since 1970. */
export function mailDate(time: number): string {
  const second = Math.floor(time / 1000);
  if (second === lastSecond) return lastText;
  const date = new Date(second * 1000);
  const offset = -date.getTimezoneOffset();
  const size = Math.abs(offset);
  lastSecond = second;
  lastText =
    `${days[date.getDay()] ?? ''}, ${date.getDate()} ${months[date.getMonth()] ?? ''} ${date.getFullYear()} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ` +
    `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}${zoneName(date)}`;
  return lastText;
}

/** `20251125103138` in UTC, for a Message-Id. */
export function compactTime(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-:T]/g, '');
}
