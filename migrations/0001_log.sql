-- The log, and what one file knows about itself. docs/format.md defines every column.

CREATE TABLE log_chains (          -- log: one row a chain
  id         INTEGER PRIMARY KEY,
  origin     BLOB NOT NULL CHECK (length(origin) = 16),
  epoch      BLOB NOT NULL CHECK (length(epoch) = 8),
  stream     TEXT NOT NULL CHECK (stream IN ('ritual', 'graph', 'node')),
  UNIQUE (origin, epoch, stream)
) STRICT;

CREATE TABLE log_scopes (          -- log: what an event is about; '' and x'' stand for absent
  id         INTEGER PRIMARY KEY,
  subject    TEXT NOT NULL,
  tenant_id  TEXT NOT NULL,
  ritual_id  TEXT NOT NULL,
  run_id     TEXT NOT NULL,
  project_id TEXT NOT NULL,
  namespace  TEXT NOT NULL,
  graph_id   TEXT NOT NULL,
  run_origin BLOB NOT NULL CHECK (length(run_origin) IN (0, 16)),
  UNIQUE (subject, tenant_id, run_origin, graph_id)
) STRICT;
CREATE INDEX log_scopes_run ON log_scopes (run_id);

CREATE TABLE log_types (           -- log: event types by number
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE log_events (          -- log: the truth
  seq          INTEGER PRIMARY KEY,             -- local order of arrival, from 1
  chain_id     INTEGER NOT NULL REFERENCES log_chains,
  origin_seq   INTEGER NOT NULL CHECK (origin_seq >= 1),
  group_first  INTEGER NOT NULL CHECK (group_first >= 1 AND group_first <= origin_seq),
  group_count  INTEGER NOT NULL
               CHECK (group_count BETWEEN 1 AND 4096 AND group_first + group_count > origin_seq),
  scope_id     INTEGER NOT NULL REFERENCES log_scopes,
  type_id      INTEGER NOT NULL REFERENCES log_types,
  gate_id      TEXT,
  ts           INTEGER NOT NULL,                -- ms, the command's wall clock
  clock        INTEGER NOT NULL,                -- hybrid logical clock
  recorded_at  INTEGER NOT NULL,                -- ms, local time of arrival
  hash         BLOB NOT NULL CHECK (length(hash) = 32),
  payload      TEXT,                            -- canonical JSON, or NULL when archived
  payload_hash BLOB CHECK (length(payload_hash) = 32),
  extra        BLOB,                            -- header fields without a column
  CHECK ((payload IS NULL) = (payload_hash IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX log_events_chain ON log_events (chain_id, origin_seq);
CREATE INDEX log_events_scope ON log_events (scope_id, seq);
CREATE INDEX log_events_type ON log_events (type_id, seq);

CREATE TABLE stranded_events (     -- log: rows that a fork pushed out of log_events
  id           INTEGER PRIMARY KEY,
  chain_id     INTEGER NOT NULL REFERENCES log_chains,
  origin_seq   INTEGER NOT NULL,
  group_first  INTEGER NOT NULL,
  group_count  INTEGER NOT NULL,
  scope_id     INTEGER NOT NULL REFERENCES log_scopes,
  type_id      INTEGER NOT NULL REFERENCES log_types,
  gate_id      TEXT,
  ts           INTEGER NOT NULL,
  clock        INTEGER NOT NULL,
  recorded_at  INTEGER NOT NULL,
  hash         BLOB NOT NULL CHECK (length(hash) = 32),
  payload      TEXT,
  payload_hash BLOB,
  extra        BLOB,
  reason       TEXT NOT NULL,
  stranded_at  INTEGER NOT NULL,
  UNIQUE (chain_id, origin_seq, hash)
) STRICT;

CREATE TABLE local_node (          -- local: who writes here
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  label         TEXT NOT NULL,                  -- the node id; may change
  origin        BLOB NOT NULL CHECK (length(origin) = 16),
  epoch         BLOB NOT NULL CHECK (length(epoch) = 8), -- of the next own event
  former_origin BLOB CHECK (length(former_origin) = 16), -- set when the key was lost
  file_identity TEXT NOT NULL,                  -- tells a copy from the file itself
  has_signed    INTEGER NOT NULL DEFAULT 0 CHECK (has_signed IN (0, 1)),
  created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE local_cursors (       -- local: how far a named reader has come
  name       TEXT PRIMARY KEY,
  seq        INTEGER NOT NULL,
  hash       BLOB NOT NULL CHECK (length(hash) = 32), -- of the event at seq
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER log_chains_no_update BEFORE UPDATE ON log_chains
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_chains_no_delete BEFORE DELETE ON log_chains
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_scopes_no_update BEFORE UPDATE ON log_scopes
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_scopes_no_delete BEFORE DELETE ON log_scopes
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_types_no_update BEFORE UPDATE ON log_types
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_types_no_delete BEFORE DELETE ON log_types
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_events_no_update BEFORE UPDATE ON log_events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_events_no_delete BEFORE DELETE ON log_events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER stranded_events_no_update BEFORE UPDATE ON stranded_events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER stranded_events_no_delete BEFORE DELETE ON stranded_events
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE VIEW events AS              -- public: the log, one event a row
SELECT e.seq,
       lower(hex(c.origin)) AS origin,
       lower(hex(c.epoch)) AS epoch,
       c.stream,
       e.origin_seq,
       e.group_first,
       e.group_count,
       s.subject,
       t.name AS type,
       s.tenant_id,
       nullif(s.ritual_id, '') AS ritual_id,
       s.run_id,
       e.gate_id,
       nullif(s.project_id, '') AS project_id,
       nullif(s.namespace, '') AS namespace,
       nullif(s.graph_id, '') AS graph_id,
       nullif(lower(hex(s.run_origin)), '') AS run_origin,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', e.ts / 1000, 'unixepoch'), e.ts % 1000) AS ts,
       e.ts AS ts_ms,
       e.clock,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', e.recorded_at / 1000, 'unixepoch'),
              e.recorded_at % 1000) AS recorded_at,
       e.payload,
       lower(hex(e.payload_hash)) AS payload_hash,
       lower(hex(e.extra)) AS extra,
       lower(hex(coalesce((SELECT p.hash FROM log_events p
                           WHERE p.chain_id = e.chain_id AND p.origin_seq = e.origin_seq - 1),
                          zeroblob(32)))) AS prev_hash,
       lower(hex(e.hash)) AS hash
FROM log_events e
JOIN log_chains c ON c.id = e.chain_id
JOIN log_scopes s ON s.id = e.scope_id
JOIN log_types t ON t.id = e.type_id;
