-- Runs that wait for a time, and steps within steps.

ALTER TABLE runs ADD COLUMN wakes_at INTEGER; -- ms; NULL: it does not wait for a time
CREATE INDEX runs_waking ON runs (run_origin, wakes_at) WHERE wakes_at IS NOT NULL;

ALTER TABLE steps ADD COLUMN parent_id INTEGER; -- the step of the task that holds it; NULL: the run's
ALTER TABLE steps ADD COLUMN iteration INTEGER; -- of the parent, from 0; NULL: it does not iterate

DROP VIEW v_runs;
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

DROP VIEW v_steps;
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
