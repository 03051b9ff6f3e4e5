-- What administrators set, and what they did.

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
