/**
 * What a delivery agent (local, smtp, error, discard) is asked and answers.
 * An agent never throws for a message's or a peer's fault: it answers `deferred` or `bounced` per recipient.
 */
import type { QueuedMessage, QueuedRecipient, RecipientOutcome, StoredBody } from '../queue/store.ts';

/** Where a recipient goes: transport(5)'s two halves, and the mailbox for local ones. */
export interface Route {
  /** `local`, `virtual`, `smtp`, `relay`, `error`, `discard`, … */
  readonly transport: string;
  /** Next hop as in transport(5): `[mail.example.org]:2525`, a domain, or the text of an `error:`. */
  readonly nexthop: string;
  /** Mailbox name for a local delivery. */
  readonly mailbox?: string | undefined;
}

export interface DeliveryRequest {
  readonly message: QueuedMessage;
  readonly route: Route;
  readonly recipients: readonly QueuedRecipient[];
  readonly body: StoredBody;
}

export interface DeliveryOutcome extends RecipientOutcome {
  /** Seconds spent on the connection and on the transmission: the last two of `delays=`. */
  readonly connection: number;
  readonly transmission: number;
  /** Another recipient rode on the same, reused session: `conn_use=`. */
  readonly connectionUse?: number | undefined;
  /** The address in `to=` when it differs from the recipient's. */
  readonly mailbox?: string | undefined;
  /** The destination itself failed (no connection, bad greeting): the queue manager's negative feedback. */
  readonly destinationFailed?: boolean | undefined;
  /** The host that gave the answer, for a DSN's Remote-MTA. */
  readonly remoteMta?: string | undefined;
  /** Its reply, `550 5.1.1 …`, for Diagnostic-Code; absent when the fault was found here. */
  readonly diagnostic?: string | undefined;
  /** The next hop offers DSN and took the NOTIFY parameters over: no success report is ours to send. */
  readonly dsnPassedOn?: boolean | undefined;
}

export interface DeliveryAgent {
  deliver(request: DeliveryRequest): Promise<DeliveryOutcome[]>;
  close(): Promise<void>;
}
