-- Rituals by name.

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
