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
