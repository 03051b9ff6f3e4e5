-- Graphs: commits, tags, and the states of commits.

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
