/**
 * The tables of `queue.db`, as a list of migrations counted by `PRAGMA user_version`.
 *
 * A message is one row of `messages` (`queue`: 0 incoming, 1 deferred, 2 hold, 3 corrupt), one row of `recipients` for
 * each recipient, and one row of `bodies` or a file. Incoming mail has almost no index, so that accepting and delivering
 * is cheap: everything that serves lists is partial on `queue <> 0` and paid for only when mail is parked.
 * `counters` and `tallies` are written in the transaction that changes what they count.
 */

export const queueCodes = { incoming: 0, deferred: 1, hold: 2, corrupt: 3 } as const;
export const storedQueues = ['incoming', 'deferred', 'hold', 'corrupt'] as const;
export type StoredQueue = (typeof storedQueues)[number];

export const recipientStates = ['waiting', 'sent', 'deferred', 'bounced'] as const;
export type RecipientState = (typeof recipientStates)[number];

/** Lower-case and cut, so that a paging cursor stays short. The index and the query must spell it the same way. */
export const senderKey = 'lower(substr(sender, 1, 60))';

/** Entry n brings a database from version n to n + 1. Never change one that was released: append. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    queue INTEGER NOT NULL,
    arrival REAL NOT NULL,
    size INTEGER NOT NULL,
    sender TEXT NOT NULL,
    recipients INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt REAL NOT NULL DEFAULT 0,  -- 0: none
    warned INTEGER NOT NULL DEFAULT 0,
    forced_expire INTEGER NOT NULL DEFAULT 0,
    domain TEXT NOT NULL,                  -- these four: of the first unfinished recipient
    reason TEXT,
    dsn TEXT,
    reason_id INTEGER NOT NULL DEFAULT 0,
    subject TEXT,
    message_id TEXT,
    envelope TEXT NOT NULL,                -- the rest of StoredEnvelope, as JSON
    body_file TEXT,                        -- null: in bodies
    body_size INTEGER NOT NULL,
    checksum INTEGER NOT NULL              -- CRC-32 of the body
  ) STRICT;

  CREATE TABLE recipients (
    seq INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    address TEXT NOT NULL,
    original TEXT,
    notify TEXT,
    orcpt TEXT,
    state INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    dsn TEXT,
    relay TEXT,
    at REAL,
    PRIMARY KEY (seq, idx)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE bodies (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;

  CREATE TABLE counters (queue INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;
  INSERT INTO counters VALUES (0, 0), (1, 0), (2, 0), (3, 0);

  -- Reasons with their varying parts taken out; 0 is "none".
  CREATE TABLE reasons (reason_id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;

  -- How many parked messages there are for each queue, reason and destination.
  CREATE TABLE tallies (
    queue INTEGER NOT NULL,
    reason_id INTEGER NOT NULL,
    domain TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (queue, reason_id, domain)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX incoming ON messages (arrival) WHERE queue = 0;
  CREATE INDEX due ON messages (next_attempt, id) WHERE queue = 1;
  CREATE INDEX deferred_domain ON messages (domain, next_attempt) WHERE queue = 1;
  CREATE INDEX deferred_reason ON messages (reason_id, next_attempt) WHERE queue = 1;
  CREATE INDEX parked_arrival ON messages (queue, arrival) WHERE queue <> 0;
  CREATE INDEX parked_size ON messages (queue, size) WHERE queue <> 0;
  CREATE INDEX parked_sender ON messages (queue, ${senderKey}) WHERE queue <> 0;
  CREATE INDEX parked_domain ON messages (queue, domain, arrival) WHERE queue <> 0;
  CREATE INDEX parked_reason ON messages (queue, reason_id, arrival) WHERE queue <> 0;
  CREATE INDEX body_files ON messages (body_file) WHERE body_file IS NOT NULL;
  `,
];
