-- The mirror and the other nodes, as this node sees them.

CREATE TABLE local_positions (     -- local: how far this node has read each stream of JetStream
  stream     TEXT PRIMARY KEY CHECK (stream IN ('ritual', 'graph', 'node')),
  sequence   INTEGER NOT NULL,                  -- of the last message that was taken in; 0: none
  mark       BLOB NOT NULL CHECK (length(mark) = 32), -- what that message was (docs/format.md §11)
  first      INTEGER NOT NULL,                  -- what the stream begins with and was refilled up to
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE local_marks (         -- local: some of the messages that were taken in, to walk back to
  stream     TEXT NOT NULL CHECK (stream IN ('ritual', 'graph', 'node')),
  sequence   INTEGER NOT NULL,
  mark       BLOB NOT NULL CHECK (length(mark) = 32),
  confirmed  TEXT NOT NULL,                     -- JSON: own chain (number) → confirmed when it was taken in
  PRIMARY KEY (stream, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE local_outbox (        -- local: how far the stream has an own chain
  chain_id     INTEGER PRIMARY KEY REFERENCES log_chains,
  acknowledged INTEGER NOT NULL,                -- sequence up to which the stream said yes
  confirmed    INTEGER NOT NULL                 -- sequence up to which it was seen again, with its hash
) STRICT;

CREATE TABLE local_inbox (         -- local: events that arrived and wait
  origin          BLOB NOT NULL CHECK (length(origin) = 16),
  epoch           BLOB NOT NULL CHECK (length(epoch) = 8),
  stream          TEXT NOT NULL CHECK (stream IN ('ritual', 'graph', 'node')),
  sequence        INTEGER NOT NULL,
  hash            BLOB NOT NULL CHECK (length(hash) = 32),
  stream_sequence INTEGER NOT NULL,             -- of the message
  header          BLOB NOT NULL,
  previous        BLOB NOT NULL CHECK (length(previous) = 32),
  signature       TEXT,
  payload         TEXT NOT NULL,
  waits_for       TEXT NOT NULL CHECK (waits_for IN ('signature', 'key', 'group', 'predecessor',
                                                     'cause', 'clock')),
  arrived_at      INTEGER NOT NULL,
  PRIMARY KEY (origin, epoch, stream, sequence, hash)
) STRICT;

CREATE TABLE local_quarantine (    -- local: messages that cannot be applied, with the reason
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  stream          TEXT NOT NULL CHECK (stream IN ('ritual', 'graph', 'node')),
  stream_sequence INTEGER NOT NULL,
  mark            BLOB NOT NULL CHECK (length(mark) = 32),
  kind            TEXT NOT NULL,                -- what is wrong, in one word: 'foreign', 'hash', 'newer', …
  reason          TEXT NOT NULL,                -- the same in a sentence
  subject         TEXT NOT NULL,
  headers         TEXT NOT NULL,                -- JSON: the headers of docs/format.md §11 that were there
  payload         BLOB,                         -- NULL: too large to keep; it is in the stream
  bytes           INTEGER NOT NULL,             -- of the payload
  arrived_at      INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  UNIQUE (stream, stream_sequence, mark)
) STRICT;

CREATE TABLE local_peers (         -- local: whom this node has heard of
  origin      BLOB PRIMARY KEY CHECK (length(origin) = 16),
  label       TEXT NOT NULL,                    -- what it calls itself; '': it has not said
  trusted     INTEGER NOT NULL DEFAULT 0 CHECK (trusted IN (0, 1)),
  first_seen  INTEGER NOT NULL,
  last_seen   INTEGER NOT NULL,
  changed_at  INTEGER,                          -- when its trust was changed
  changed_by  TEXT
) STRICT;

CREATE TABLE local_peer_keys (     -- local: the keys of an origin
  origin      BLOB NOT NULL CHECK (length(origin) = 16),
  public_key  BLOB NOT NULL CHECK (length(public_key) = 32),
  key_id      BLOB NOT NULL CHECK (length(key_id) = 8),
  state       TEXT NOT NULL CHECK (state IN ('bound', 'refused', 'revoked')), -- refused: not endorsed
  since       INTEGER NOT NULL,
  PRIMARY KEY (origin, public_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX local_peer_keys_by_id ON local_peer_keys (origin, key_id);

CREATE TABLE local_counters (      -- local: what the mirror has counted, for status and metrics
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
