/** A message in the active queue: what the queue manager keeps of it in memory while recipients are tried. */
import type { QueuedMessage, QueuedRecipient, StoredBody } from '../queue/store.ts';
import type { DeliveryOutcome, Route } from './agent.ts';

export interface ActiveMessage {
  readonly message: QueuedMessage;
  /** The store's queue it was taken from: how many of the store's incoming and deferred are active. */
  readonly origin: 'incoming' | 'deferred';
  /** Milliseconds. */
  readonly activeAt: number;
  /** The body of a fresh, small message, so that it need not be read back. */
  body: Uint8Array | undefined;
  /** A read of the body that has begun. */
  loading: Promise<StoredBody> | undefined;
  /** Recipients without an outcome in this pass. */
  outstanding: number;
  /** Deliveries an agent has in hand. */
  inFlight: number;
  /** This pass's outcomes by recipient index, settled or not. */
  readonly outcomes: Map<number, DeliveryOutcome>;
  /** Sent outcomes that the store does not have yet. */
  unsettled: DeliveryOutcome[];
  /** A settlement is being written. */
  settling: boolean;
  forcedExpire: boolean;
  /** Nothing more is started for it; jobs that still stand in line are passed over. */
  dropped: boolean;
  /** What a person did to it meanwhile. */
  fate: 'hold' | 'remove' | 'reload' | undefined;
}

/** A part of a message that goes one way: split into deliveries of at most the transport's recipient limit. */
export interface Job {
  readonly active: ActiveMessage;
  readonly route: Route;
  readonly recipients: readonly QueuedRecipient[];
  /** How many of them were handed out. */
  taken: number;
}
