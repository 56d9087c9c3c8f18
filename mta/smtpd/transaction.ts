/** One mail transaction: what MAIL and RCPT gathered, until DATA or RSET. */
import type { NewRecipient } from '../queue/store.ts';
import type { MailParameters, RcptParameters } from './parameters.ts';
import { formatAddress, type MailAddress } from './path.ts';

export class Transaction {
  /** Null for `<>`. */
  readonly sender: MailAddress | null;
  /** As the client gave it, for texts. */
  readonly shownSender: string;
  readonly parameters: MailParameters;
  readonly recipients: NewRecipient[] = [];
  /** Set with the first accepted recipient. */
  id: string | undefined;
  arrival = 0;
  /** Recipients refused because there were too many. */
  overshoot = 0;
  readonly #origin: string;

  constructor(sender: MailAddress | undefined, parameters: MailParameters, origin: string) {
    this.sender = sender ?? null;
    this.shownSender = sender === undefined ? '' : formatAddress(sender);
    this.parameters = parameters;
    this.#origin = origin;
  }

  /** With a domain: a bare name belongs to $myorigin (append_at_myorigin). */
  get qualifiedSender(): string {
    return this.sender === null ? '' : this.#qualify(this.sender);
  }

  add(address: MailAddress, parameters: RcptParameters): void {
    const qualified = this.#qualify(address);
    this.recipients.push({
      address: qualified,
      ...(address.domain === undefined ? { originalAddress: formatAddress(address) } : {}),
      ...(parameters.notify === undefined ? {} : { notify: parameters.notify }),
      ...(parameters.originalRecipient === undefined ? {} : { originalRecipient: parameters.originalRecipient }),
    });
  }

  #qualify(address: MailAddress): string {
    return formatAddress(address.domain === undefined ? { local: address.local, domain: this.#origin } : address);
  }
}
