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
  PRIMARY KEY (tenant_id, run_id, run_origin)
) STRICT;
CREATE INDEX runs_by_start ON runs (tenant_id, started_at, run_id);
CREATE INDEX runs_by_status ON runs (tenant_id, status, started_at, run_id);
CREATE INDEX runs_by_ritual ON runs (tenant_id, ritual_id, started_at, run_id);
CREATE INDEX runs_by_ritual_status ON runs (tenant_id, ritual_id, status, started_at, run_id);
CREATE INDEX runs_by_id ON runs (run_id);
CREATE INDEX runs_open ON runs (run_origin, status)
  WHERE status <> 'Completed' AND status <> 'Failed' AND status <> 'Canceled' AND status <> 'Denied';

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
  PRIMARY KEY (tenant_id, run_id, run_origin, step_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW v_runs AS              -- public
SELECT run_id, ritual_id, status, tenant_id, version,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000, 'unixepoch'),
              started_at % 1000) AS started_at,
       CASE WHEN ended_at IS NULL THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch'),
                ended_at % 1000) END AS ended_at,
       ended_at - started_at AS duration_ms,
       error_type,
       lower(hex(definition)) AS definition,
       lower(hex(run_origin)) AS run_origin
FROM runs;

CREATE VIEW v_steps AS             -- public
SELECT run_id, step_id, name, reference, call, status, attempt, tenant_id,
       printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000, 'unixepoch'),
              started_at % 1000) AS started_at,
       CASE WHEN ended_at IS NULL THEN NULL ELSE
         printf('%s.%03dZ', strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000, 'unixepoch'),
                ended_at % 1000) END AS ended_at,
       ended_at - started_at AS duration_ms,
       lower(hex(run_origin)) AS run_origin
FROM steps;
