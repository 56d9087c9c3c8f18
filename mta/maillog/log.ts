/**
 * Where every part of the MTA writes its log lines, in Postfix's words.
 * Promises: never throws, never blocks; a line never holds CR, LF or other control characters, nor a password.
 */
import type { LogLevel } from '../contract/mail.ts';

export interface MailLog {
  /** `service` without the `postfix/` prefix: `smtpd`, `cleanup`, `qmgr`, `local`, `submission/smtpd`. */
  line(service: string, text: string, level?: LogLevel): void;
}
