-- Gates that people decide, and their votes.

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
