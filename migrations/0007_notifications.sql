-- Notifications on their way.

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
