-- What other nodes have signed, kept so that a node can pass on the events of one that is gone.

CREATE TABLE local_heads (         -- local: the last event of a chain that its origin signed
  chain_id   INTEGER PRIMARY KEY REFERENCES log_chains,
  origin_seq INTEGER NOT NULL,
  signature  TEXT NOT NULL                      -- as in Demon-Signature (docs/format.md §11)
) STRICT;

-- where the event up to which a chain is confirmed was read; 0: not known
ALTER TABLE local_outbox ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;

CREATE TABLE local_retries (       -- local: messages that an operator took out of quarantine to be tried again
  stream          TEXT NOT NULL CHECK (stream IN ('ritual', 'graph', 'node')),
  stream_sequence INTEGER NOT NULL,
  PRIMARY KEY (stream, stream_sequence)
) STRICT, WITHOUT ROWID;
