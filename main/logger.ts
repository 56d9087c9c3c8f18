/** One line an event on stderr, where a terminal or the system's journal keeps it. Never a secret, never a mail. */
export function log(message: string): void {
  process.stderr.write(`postrider: ${message}\n`);
}
