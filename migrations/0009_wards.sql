-- How often capabilities were used.

CREATE TABLE ward_uses (           -- projection of policy.decision: sums of a set that only grows
  tenant        TEXT NOT NULL,                  -- '*': all of them together
  capability    TEXT NOT NULL,                  -- 'capsule.http'
  unit          INTEGER NOT NULL CHECK (unit = 1 OR unit = 60 OR unit = 3600), -- seconds
  start         INTEGER NOT NULL,               -- seconds since the Epoch, a multiple of the unit
  uses          INTEGER NOT NULL,               -- that were allowed, by the time of the decision
  PRIMARY KEY (tenant, capability, unit, start)
) STRICT, WITHOUT ROWID;
