-- The schema, all of it: what the files in migrations/ add up to, in their order. A test holds the two
-- together (tests/format/schema_test.py).
--
-- Tables are of three kinds, told by their names (docs/format.md, section 10):
--   log_*, stranded_events   log: append-only, triggers refuse UPDATE and DELETE
--   local_*                  local: this file's own business, never part of the state
--   all others               projection: a function of the log, rebuilt by `demonctl rebuild`
-- The program adds schema_migrations (local), which records the migrations.

-- 0001_log.sql ----------------------------------------------------------------

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

-- 0002_runs.sql ----------------------------------------------------------------

-- Runs of rituals and their steps. The checks are chains of OR: a list behind IN would be built as a
-- temporary table for each row that is written.

CREATE TABLE runs (                -- projection of ritual.*
  tenant_id    TEXT NOT NULL,
  run_id       TEXT NOT NULL,
  run_origin   BLOB NOT NULL,
  ritual_id    TEXT NOT NULL,
  status       TEXT NOT NULL CHECK (status = 'Running' OR status = 'Completed' OR status = 'Failed'
               OR status = 'Queued' OR status = 'Waiting' OR status = 'AwaitingApproval'
               OR status = 'Suspended' OR status = 'Frozen' OR status = 'Canceled'
               OR status = 'Denied'),
  definition   BLOB CHECK (length(definition) = 32), -- SHA-256 of the canonical definition
  version      TEXT,                            -- of the definition
  started_at   INTEGER NOT NULL,
  ended_at     INTEGER,
  error_type   TEXT,                            -- of a run that failed
  wakes_at     INTEGER,                         -- ms; NULL: it does not wait for a time
  PRIMARY KEY (tenant_id, run_id, run_origin)
) STRICT;
CREATE INDEX runs_by_start ON runs (tenant_id, started_at, run_id);
CREATE INDEX runs_by_status ON runs (tenant_id, status, started_at, run_id);
CREATE INDEX runs_by_ritual ON runs (tenant_id, ritual_id, started_at, run_id);
CREATE INDEX runs_by_ritual_status ON runs (tenant_id, ritual_id, status, started_at, run_id);
CREATE INDEX runs_by_id ON runs (run_id);
CREATE INDEX runs_open ON runs (run_origin, status)
  WHERE status <> 'Completed' AND status <> 'Failed' AND status <> 'Canceled' AND status <> 'Denied';
CREATE INDEX runs_waking ON runs (run_origin, wakes_at) WHERE wakes_at IS NOT NULL;

CREATE TABLE steps (               -- projection of step.*
  tenant_id    TEXT NOT NULL,
  run_id       TEXT NOT NULL,
  run_origin   BLOB NOT NULL,
  step_id      INTEGER NOT NULL,                -- order in which steps of the run started, from 1
  name         TEXT NOT NULL,
  reference    TEXT NOT NULL,                   -- JSON pointer into the definition
  call         TEXT NOT NULL,
  status       TEXT NOT NULL CHECK (status = 'Running' OR status = 'Completed' OR status = 'Failed'
               OR status = 'Suspended' OR status = 'Skipped' OR status = 'Canceled'),
  attempt      INTEGER NOT NULL,
  started_at   INTEGER NOT NULL,
  ended_at     INTEGER,
  parent_id    INTEGER,                         -- the step of the task that holds it; NULL: the run's
  iteration    INTEGER,                         -- of the parent, from 0; NULL: it does not iterate
  PRIMARY KEY (tenant_id, run_id, run_origin, step_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE definitions (         -- projection of ritual.registered: content-addressed
  digest        BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32), -- SHA-256 of spec
  spec          TEXT NOT NULL                    -- canonical JSON
) STRICT;

CREATE TABLE named_rituals (       -- projection of ritual.registered, ritual.unregistered: a register
  tenant_id     TEXT NOT NULL,
  ritual_id     TEXT NOT NULL,
  clock         INTEGER NOT NULL,               -- of the write; the greatest (clock, origin, hash) holds
  origin        BLOB NOT NULL CHECK (length(origin) = 16),
  hash          BLOB NOT NULL CHECK (length(hash) = 32),
  definition    BLOB CHECK (length(definition) = 32), -- digest; NULL: the name was given up
  version       TEXT CHECK ((version IS NULL) = (definition IS NULL)),
  notation      TEXT CHECK ((notation IS NULL) = (definition IS NULL)),
  title         TEXT,
  source        TEXT,                           -- where the definition came from
  written_by    TEXT,
  ts            INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, ritual_id, clock, origin, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE registers (           -- projection of *.written events: a register
  kind          TEXT NOT NULL CHECK (kind IN ('escalation', 'freeze', 'policy', 'roles', 'route',
                                              'token')),
  tenant        TEXT NOT NULL,                  -- '*': the whole node
  name          TEXT NOT NULL,
  clock         INTEGER NOT NULL,               -- of the write; the greatest (clock, origin, hash) holds
  origin        BLOB NOT NULL CHECK (length(origin) = 16),
  hash          BLOB NOT NULL CHECK (length(hash) = 32),
  value         TEXT,                           -- canonical JSON object; NULL: it was taken away
  written_by    TEXT NOT NULL,
  auth          TEXT NOT NULL CHECK (auth IN ('declared', 'link', 'token', 'system')),
  reason        TEXT,
  ts            INTEGER NOT NULL,
  PRIMARY KEY (kind, tenant, name, clock, origin, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE gates (               -- projection of approval.*: written by the node that owns the run
  tenant_id     TEXT NOT NULL,
  run_id        TEXT NOT NULL,
  run_origin    BLOB NOT NULL,
  gate_id       TEXT NOT NULL,
  round         INTEGER NOT NULL,               -- how often the run has come to this gate, from 1
  ritual_id     TEXT NOT NULL,
  step_id       INTEGER NOT NULL,
  state         TEXT NOT NULL CHECK (state = 'pending' OR state = 'granted' OR state = 'denied'
                OR state = 'overridden'),
  requested_at  INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  next_at       INTEGER,                        -- when its owner looks at it; NULL: it is decided
  level         INTEGER NOT NULL,               -- of its escalation chain
  level_since   INTEGER NOT NULL,
  repeats       INTEGER NOT NULL,               -- how often the chain was gone through again
  warned        INTEGER NOT NULL,               -- warnings given
  opened        TEXT NOT NULL,                  -- payload of approval.opened
  decided       TEXT,                           -- payload of approval.decided; NULL: it is not
  decided_at    INTEGER,
  PRIMARY KEY (tenant_id, run_id, run_origin, gate_id, round)
) STRICT, WITHOUT ROWID;
CREATE INDEX gates_by_request ON gates (tenant_id, requested_at);
CREATE INDEX gates_pending ON gates (tenant_id, requested_at) WHERE state = 'pending';

CREATE TABLE votes (               -- projection of approval.vote: a set that only grows
  tenant_id     TEXT NOT NULL,
  run_id        TEXT NOT NULL,
  run_origin    BLOB NOT NULL,
  gate_id       TEXT NOT NULL,
  round         INTEGER NOT NULL,
  clock         INTEGER NOT NULL,
  origin        BLOB NOT NULL CHECK (length(origin) = 16), -- of the node where it was cast
  hash          BLOB NOT NULL CHECK (length(hash) = 32),   -- of the event
  decision      TEXT NOT NULL CHECK (decision = 'grant' OR decision = 'deny' OR decision = 'override'),
  approver      TEXT NOT NULL,
  auth          TEXT NOT NULL CHECK (auth = 'declared' OR auth = 'link' OR auth = 'token'
                OR auth = 'system'),
  note          TEXT,
  seen          TEXT,                           -- digest of what the voter was asked, in hex
  nonce         TEXT,                           -- of the link that was used
  ts            INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, run_id, run_origin, gate_id, round, clock, origin, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX votes_by_nonce ON votes (nonce) WHERE nonce IS NOT NULL;

CREATE TABLE ward_uses (           -- projection of policy.decision: sums of a set that only grows
  tenant        TEXT NOT NULL,                  -- '*': all of them together
  capability    TEXT NOT NULL,                  -- 'capsule.http'
  unit          INTEGER NOT NULL CHECK (unit = 1 OR unit = 60 OR unit = 3600), -- seconds
  start         INTEGER NOT NULL,               -- seconds since the Epoch, a multiple of the unit
  uses          INTEGER NOT NULL,               -- that were allowed, by the time of the decision
  PRIMARY KEY (tenant, capability, unit, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE local_deliveries (    -- local: one event by one route to one recipient
  id           INTEGER PRIMARY KEY,
  key          TEXT NOT NULL UNIQUE,            -- idempotency key: 32 digits, of event, route and recipient
  seq          INTEGER NOT NULL,                -- of the event
  hash         BLOB NOT NULL CHECK (length(hash) = 32), -- of the event
  topic        TEXT NOT NULL,                   -- what it is about, "approval.requested"
  tenant_id    TEXT NOT NULL,
  run_id       TEXT NOT NULL,
  gate_id      TEXT,
  thread       TEXT NOT NULL,                   -- what has to arrive in order: of a gate, or of a run
  route_tenant TEXT NOT NULL,                   -- of the register: '*' is the whole node
  route        TEXT NOT NULL,
  recipient    TEXT NOT NULL,                   -- mail address; '': whoever the route leads to
  state        TEXT NOT NULL CHECK (state = 'due' OR state = 'sent' OR state = 'dead'),
  attempts     INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL,                -- ms
  next_at      INTEGER NOT NULL,                -- ms; of the next attempt, while it is due
  delay        INTEGER NOT NULL DEFAULT 0,      -- ms; what next_at was chosen for, however clocks jump
  ended_at     INTEGER,                         -- ms
  status       INTEGER,                         -- of the last answer
  error        TEXT,                            -- of the last attempt
  CHECK ((state = 'due') = (ended_at IS NULL))
) STRICT;
CREATE INDEX local_deliveries_due ON local_deliveries (route_tenant, route, next_at, id)
  WHERE state = 'due';
CREATE INDEX local_deliveries_thread
  ON local_deliveries (route_tenant, route, recipient, thread, id) WHERE state = 'due';
CREATE INDEX local_deliveries_state ON local_deliveries (state, id);

CREATE TABLE graph_graphs (        -- projection of graph.commit.*: graphs by number
  graph        INTEGER PRIMARY KEY,             -- local
  tenant_id    TEXT NOT NULL,
  project_id   TEXT NOT NULL,
  namespace    TEXT NOT NULL,
  graph_id     TEXT NOT NULL,
  UNIQUE (tenant_id, project_id, namespace, graph_id)
) STRICT;

-- A chain is a row of commits, each the first parent of the next, from position 1. With it, what a
-- commit descends from is a position in each of a few chains.
CREATE TABLE graph_commits (       -- projection of graph.commit.*: content-addressed
  n            INTEGER PRIMARY KEY,             -- local; parents have smaller ones
  graph        INTEGER NOT NULL,
  id           BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
  parent       INTEGER,                         -- n of the first parent
  merges       INTEGER NOT NULL,                -- parents beyond the first, in graph_merges
  chain        INTEGER NOT NULL,                -- n of its first commit; local
  position     INTEGER NOT NULL,
  generation   INTEGER NOT NULL,                -- 1 for a root, else one more than the parents' greatest
  ts           INTEGER NOT NULL,
  seq          INTEGER NOT NULL,                -- of its event
  tries        BLOB NOT NULL,                   -- where its state is
  UNIQUE (chain, position)
) STRICT;
CREATE INDEX graph_commits_by_time ON graph_commits (graph, ts, n);

CREATE TABLE graph_merges (        -- projection of graph.commit.*: parents beyond the first
  chain        INTEGER NOT NULL,                -- of the child
  position     INTEGER NOT NULL,
  ordinal      INTEGER NOT NULL,                -- from 1
  parent       INTEGER NOT NULL,                -- n
  parent_chain INTEGER NOT NULL,
  parent_position INTEGER NOT NULL,
  PRIMARY KEY (chain, position, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE graph_touches (       -- projection of graph.commit.*: which commits change a node
  graph        INTEGER NOT NULL,
  node         TEXT NOT NULL,
  chain        INTEGER NOT NULL,
  position     INTEGER NOT NULL,
  PRIMARY KEY (graph, node, chain, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE graph_parts (         -- projection of graph.commit.part: until their commit is there
  origin       BLOB NOT NULL CHECK (length(origin) = 16),
  epoch        BLOB NOT NULL CHECK (length(epoch) = 8),
  group_first  INTEGER NOT NULL,
  origin_seq   INTEGER NOT NULL,
  mutations    TEXT NOT NULL,
  PRIMARY KEY (origin, epoch, group_first, origin_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE graph_packs (         -- projection of graph.commit.*: pieces of states
  id           INTEGER PRIMARY KEY,             -- local
  data         BLOB NOT NULL
) STRICT;

CREATE TABLE graph_tags (          -- projection of graph.tag.updated: a register
  tenant_id    TEXT NOT NULL,
  project_id   TEXT NOT NULL,
  namespace    TEXT NOT NULL,
  graph_id     TEXT NOT NULL,
  tag          TEXT NOT NULL,
  clock        INTEGER NOT NULL,                -- of the write; the greatest (clock, origin, hash) holds
  origin       BLOB NOT NULL CHECK (length(origin) = 16),
  hash         BLOB NOT NULL CHECK (length(hash) = 32),
  commit_id    BLOB CHECK (length(commit_id) = 32), -- NULL: the tag was deleted
  previous_id  BLOB CHECK (length(previous_id) = 32), -- what it was where the write was decided
  actor        TEXT,                            -- canonical JSON
  ts           INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, project_id, namespace, graph_id, tag, clock, origin, hash)
) STRICT, WITHOUT ROWID;

CREATE VIEW v_runs AS              -- public
SELECT run_id, ritual_id, status, tenant_id, version,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000, 'unixepoch'),
              started_at % 1000) AS started_at,
       CASE WHEN ended_at IS NULL THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch'),
                ended_at % 1000) END AS ended_at,
       ended_at - started_at AS duration_ms,
       CASE WHEN wakes_at IS NULL THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', wakes_at / 1000, 'unixepoch'),
                wakes_at % 1000) END AS wakes_at,
       error_type,
       lower(hex(definition)) AS definition,
       lower(hex(run_origin)) AS run_origin
FROM runs;

CREATE VIEW v_steps AS             -- public
SELECT run_id, step_id, parent_id, iteration, name, reference, call, status, attempt, tenant_id,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000, 'unixepoch'),
              started_at % 1000) AS started_at,
       CASE WHEN ended_at IS NULL THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch'),
                ended_at % 1000) END AS ended_at,
       ended_at - started_at AS duration_ms,
       lower(hex(run_origin)) AS run_origin
FROM steps;

CREATE VIEW v_rituals AS           -- public
SELECT ritual_id, version, title, notation, tenant_id,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ts / 1000, 'unixepoch'),
              ts % 1000) AS registered_at,
       written_by AS registered_by,
       source,
       lower(hex(definition)) AS definition,
       lower(hex(origin)) AS origin
FROM named_rituals w
WHERE definition IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM named_rituals g
                  WHERE g.tenant_id = w.tenant_id AND g.ritual_id = w.ritual_id
                    AND (g.clock, g.origin, g.hash) > (w.clock, w.origin, w.hash));

CREATE VIEW v_pending_approvals AS -- public
SELECT run_id, gate_id, round, ritual_id, tenant_id,
       json_extract(opened, '$.requester') AS requester,
       json_extract(opened, '$.reason') AS reason,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', requested_at / 1000, 'unixepoch'),
              requested_at % 1000) AS requested_at,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', expires_at / 1000, 'unixepoch'),
              expires_at % 1000) AS expires_at,
       level,
       json_extract(opened, '$.quorum') AS quorum,
       (SELECT count(*) FROM votes v
        WHERE v.tenant_id = g.tenant_id AND v.run_id = g.run_id AND v.run_origin = g.run_origin
          AND v.gate_id = g.gate_id AND v.round = g.round AND v.decision = 'grant') AS grants,
       lower(hex(run_origin)) AS run_origin
FROM gates g
WHERE state = 'pending';

CREATE VIEW v_registers AS         -- public
SELECT kind, tenant, name, value, written_by,
       auth AS authentication,
       reason,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ts / 1000, 'unixepoch'),
              ts % 1000) AS written_at,
       lower(hex(origin)) AS origin
FROM registers w
WHERE value IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM registers g
                  WHERE g.kind = w.kind AND g.tenant = w.tenant AND g.name = w.name
                    AND (g.clock, g.origin, g.hash) > (w.clock, w.origin, w.hash));

CREATE VIEW v_audit AS             -- public
SELECT seq, ts, type,
       coalesce(nullif(tenant_id, ''), json_extract(payload, '$.tenant')) AS tenant,
       coalesce(json_extract(payload, '$.by'), json_extract(payload, '$.approver')) AS who,
       json_extract(payload, '$.authentication') AS authentication,
       coalesce(json_extract(payload, '$.name'), ritual_id) AS name,
       nullif(run_id, '') AS run_id, gate_id,
       coalesce(json_extract(payload, '$.reason'), json_extract(payload, '$.note')) AS reason,
       origin
FROM events
WHERE stream = 'node'
   OR type IN ('approval.override:v1', 'ritual.canceled:v1', 'ritual.registered:v1',
               'ritual.restored:v1', 'ritual.resumed:v1', 'ritual.unregistered:v1');

CREATE VIEW v_notifications AS     -- public
SELECT key, state, topic, tenant_id, run_id, gate_id, route_tenant, route,
       nullif(recipient, '') AS recipient, attempts,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000, 'unixepoch'),
              created_at % 1000) AS created_at,
       CASE WHEN state <> 'due' THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', next_at / 1000, 'unixepoch'),
                next_at % 1000) END AS next_at,
       CASE WHEN ended_at IS NULL THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch'),
                ended_at % 1000) END AS ended_at,
       status, error
FROM local_deliveries;

CREATE VIEW v_graph_log AS         -- public
SELECT lower(hex(c.id)) AS commit_id,
       (SELECT lower(hex(p.id)) FROM graph_commits p WHERE p.n = c.parent) AS parent_commit_id,
       (c.parent IS NOT NULL) + c.merges AS parents,
       c.generation,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', c.ts / 1000, 'unixepoch'), c.ts % 1000) AS ts,
       json_extract(e.payload, '$.metadata.author') AS author,
       json_extract(e.payload, '$.metadata.message') AS message,
       json_extract(e.payload, '$.metadata.root') AS root,
       g.graph_id,
       g.namespace,
       g.project_id,
       g.tenant_id
FROM graph_commits c
JOIN graph_graphs g ON g.graph = c.graph
JOIN log_events e ON e.seq = c.seq;

CREATE VIEW v_graph_tags AS        -- public
SELECT tag, lower(hex(commit_id)) AS commit_id,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ts / 1000, 'unixepoch'), ts % 1000) AS updated_at,
       graph_id, namespace, project_id, tenant_id, lower(hex(origin)) AS origin
FROM graph_tags w
WHERE commit_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM graph_tags g
                  WHERE g.tenant_id = w.tenant_id AND g.project_id = w.project_id
                    AND g.namespace = w.namespace AND g.graph_id = w.graph_id AND g.tag = w.tag
                    AND (g.clock, g.origin, g.hash) > (w.clock, w.origin, w.hash));

-- 0010_replica.sql ------------------------------------------------------------

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

-- 0011_replica_heads.sql ------------------------------------------------------

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

-- 0012_trust.sql --------------------------------------------------------------

-- What an origin that is not trusted writes to a register has no effect here: the views say what holds.

CREATE VIEW v_trusted_origins AS   -- public
SELECT origin FROM local_node
UNION SELECT former_origin FROM local_node WHERE former_origin IS NOT NULL
UNION SELECT origin FROM local_peers WHERE trusted = 1;

CREATE VIEW v_peers AS             -- public
SELECT lower(hex(origin)) AS origin, label, trusted,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', first_seen / 1000, 'unixepoch'),
              first_seen % 1000) AS first_seen,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', last_seen / 1000, 'unixepoch'),
              last_seen % 1000) AS last_seen,
       changed_by
FROM local_peers;

DROP VIEW v_registers;
CREATE VIEW v_registers AS         -- public
SELECT kind, tenant, name, value, written_by,
       auth AS authentication,
       reason,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ts / 1000, 'unixepoch'),
              ts % 1000) AS written_at,
       lower(hex(origin)) AS origin
FROM registers w
WHERE value IS NOT NULL
  AND origin IN (SELECT origin FROM v_trusted_origins)
  AND NOT EXISTS (SELECT 1 FROM registers g
                  WHERE g.kind = w.kind AND g.tenant = w.tenant AND g.name = w.name
                    AND g.origin IN (SELECT origin FROM v_trusted_origins)
                    AND (g.clock, g.origin, g.hash) > (w.clock, w.origin, w.hash));

DROP VIEW v_rituals;
CREATE VIEW v_rituals AS           -- public
SELECT ritual_id, version, title, notation, tenant_id,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ts / 1000, 'unixepoch'),
              ts % 1000) AS registered_at,
       written_by AS registered_by,
       source,
       lower(hex(definition)) AS definition,
       lower(hex(origin)) AS origin
FROM named_rituals w
WHERE definition IS NOT NULL
  AND origin IN (SELECT origin FROM v_trusted_origins)
  AND NOT EXISTS (SELECT 1 FROM named_rituals g
                  WHERE g.tenant_id = w.tenant_id AND g.ritual_id = w.ritual_id
                    AND g.origin IN (SELECT origin FROM v_trusted_origins)
                    AND (g.clock, g.origin, g.hash) > (w.clock, w.origin, w.hash));

DROP VIEW v_graph_tags;
CREATE VIEW v_graph_tags AS        -- public
SELECT tag, lower(hex(commit_id)) AS commit_id,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ts / 1000, 'unixepoch'), ts % 1000) AS updated_at,
       graph_id, namespace, project_id, tenant_id, lower(hex(origin)) AS origin
FROM graph_tags w
WHERE commit_id IS NOT NULL
  AND origin IN (SELECT origin FROM v_trusted_origins)
  AND NOT EXISTS (SELECT 1 FROM graph_tags g
                  WHERE g.tenant_id = w.tenant_id AND g.project_id = w.project_id
                    AND g.namespace = w.namespace AND g.graph_id = w.graph_id AND g.tag = w.tag
                    AND g.origin IN (SELECT origin FROM v_trusted_origins)
                    AND (g.clock, g.origin, g.hash) > (w.clock, w.origin, w.hash));
