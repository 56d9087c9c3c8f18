/** `Sun, 22 Nov 2026 10:31:38 +0000 (UTC)`: RFC 5322 section 3.3 with the zone's name, as Postfix writes it. */

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const zoneName = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' });

export function mailDate(time: number): string {
  const date = new Date(time);
  const two = (n: number): string => String(n).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const name = zoneName.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const comment = /^[A-Za-z]+$/.test(name) ? ` (${name})` : '';
  return (
    `${days[date.getDay()] ?? ''}, ${date.getDate()} ${months[date.getMonth()] ?? ''} ${date.getFullYear()} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}${comment}`
  );
}
