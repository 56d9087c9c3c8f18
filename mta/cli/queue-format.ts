/**
 * A queue listing in the formats of postqueue(1): -p for people (and for the many programs that parse it), -j as one
 * JSON object a line. Pure.
 */

export interface ListedMessage {
  readonly queue: string;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly arrival: number;
  readonly size: number;
  readonly sender: string;
  readonly forcedExpire: boolean;
  readonly recipients: readonly { readonly address: string; readonly reason?: string | undefined }[];
}

/** showq(8) names the null sender so. */
const nullSender = 'MAILER-DAEMON';

export function listHeading(long: boolean): string {
  return long
    ? row(17, '----Queue ID-----', 8, '--Size--', 19, '---Arrival Time----', '--Sender/Recipient------')
    : row(11, '-Queue ID-', 7, '--Size--', 20, '----Arrival Time----', '-Sender/Recipient-------');
}

/** The lines of one message, without the empty line between messages. */
export function listMessage(message: ListedMessage, long: boolean): string {
  const mark = message.queue === 'active' ? '*' : message.queue === 'hold' ? '!' : '';
  const id = `${message.id}${mark}${message.forcedExpire ? '#' : ''}`;
  const time = dateTime(message.arrival);
  const sender = message.sender === '' ? nullSender : message.sender;
  let text = long
    ? `${id.padEnd(17)} ${String(message.size).padStart(8)} ${time.slice(0, 19)} ${sender}\n`
    : `${id.padEnd(11)} ${String(message.size).padStart(7)} ${time.slice(0, 20)} ${sender}\n`;
  let last = '';
  for (const { address, reason = '' } of message.recipients) {
    if (reason !== last) {
      last = reason;
      const shown = reason === '' ? 'reason unavailable' : reason;
      text += `${' '.repeat(Math.max(0, 76 - Buffer.byteLength(shown)))}(${shown})\n`;
    }
    text += long ? row(17, '', 8, '', 19, '', address) : row(11, '', 7, '', 20, '', address);
  }
  return text;
}

export function listSummary(count: number, bytes: number): string {
  return count === 0
    ? 'Mail queue is empty\n'
    : `\n-- ${Math.floor(bytes / 1024)} Kbytes in ${count} Request${count === 1 ? '' : 's'}.\n`;
}

/** `postqueue -j`: Postfix's members in Postfix's order and spacing. */
export function jsonMessage(message: ListedMessage): string {
  const recipients = message.recipients.map(({ address, reason }) =>
    reason === undefined || reason === ''
      ? `{"address": ${quote(address)}}`
      : `{"address": ${quote(address)}, "delay_reason": ${quote(reason)}}`,
  );
  const members = [
    `"queue_name": ${quote(message.queue)}`,
    `"queue_id": ${quote(message.id)}`,
    `"arrival_time": ${Math.floor(message.arrival / 1000)}`,
    `"message_size": ${message.size}`,
    `"forced_expire": ${message.forcedExpire}`,
    `"sender": ${quote(message.sender === '' ? nullSender : message.sender)}`,
    `"recipients": [${recipients.join(', ')}]`,
  ];
  return `{${members.join(', ')}}\n`;
}

/** asctime(3) in local time, without the newline: `Sun Nov 22 10:31:38 2026`. */
export function dateTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][date.getDay()] ?? '???';
  const month =
    ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][date.getMonth()] ?? '???';
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${month}${String(date.getDate()).padStart(3)} ${clock} ${date.getFullYear()}`;
}

function row(
  idWidth: number,
  id: string,
  sizeWidth: number,
  size: string,
  timeWidth: number,
  time: string,
  rest: string,
): string {
  return `${id.padEnd(idWidth)} ${size.padStart(sizeWidth)} ${time.padEnd(timeWidth)} ${rest}\n`;
}

function quote(text: string): string {
  // JSON.stringify leaves DEL as it is; Postfix writes it escaped.
  return JSON.stringify(text.toWellFormed()).replaceAll('\x7f', '\\u007F');
}
