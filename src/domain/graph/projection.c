/*
 * The projection of graph.commit.* and graph.tag.updated.
 */
#include "commit.h"
#include "record.h"

#include <string.h>

DEMON_SQL(sql_part_insert,
	  "INSERT INTO graph_parts (origin, epoch, group_first, origin_seq, mutations) VALUES "
	  "(:origin, :epoch, :group, :sequence, :mutations)");
DEMON_SQL(sql_parts, "SELECT mutations FROM graph_parts WHERE origin = :origin AND epoch = :epoch "
		     "AND group_first = :group ORDER BY origin_seq");
DEMON_SQL(sql_parts_delete, "DELETE FROM graph_parts WHERE origin = :origin AND epoch = :epoch "
			    "AND group_first = :group");
DEMON_SQL(sql_tag,
	  "INSERT INTO graph_tags (tenant_id, project_id, namespace, graph_id, tag, clock, origin, "
	  "hash, commit_id, previous_id, actor, ts) VALUES (:tenant, :project, :namespace, :graph, "
	  ":tag, :clock, :origin, :hash, :commit, :previous, :actor, :ts)");

DEMON_SQL_SCAN(sql_commits_rows, "digest and rebuild",
	       "SELECT g.tenant_id, g.project_id, g.namespace, g.graph_id, c.id "
	       "FROM graph_commits c JOIN graph_graphs g ON g.graph = c.graph ORDER BY c.id");
DEMON_SQL_SCAN(sql_commits_clear, "rebuild", "DELETE FROM graph_commits");
DEMON_SQL_SCAN(sql_tags_rows, "digest and rebuild",
	       "SELECT tenant_id, project_id, namespace, graph_id, tag, clock, origin, hash, "
	       "commit_id, previous_id, actor, ts FROM graph_tags ORDER BY tenant_id, project_id, "
	       "namespace, graph_id, tag, clock, origin, hash");
DEMON_SQL_SCAN(sql_tags_clear, "rebuild", "DELETE FROM graph_tags");
DEMON_SQL_SCAN(sql_graphs_clear, "rebuild", "DELETE FROM graph_graphs");
DEMON_SQL_SCAN(sql_merges_clear, "rebuild", "DELETE FROM graph_merges");
DEMON_SQL_SCAN(sql_touches_clear, "rebuild", "DELETE FROM graph_touches");
DEMON_SQL_SCAN(sql_parts_clear, "rebuild", "DELETE FROM graph_parts");
DEMON_SQL_SCAN(sql_packs_clear, "rebuild", "DELETE FROM graph_packs");

static enum demon_rc damaged(const struct demon_event *ev, const char *member,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s of graph '%s': '%s' is missing or wrong",
			     ev->type, ev->graph_id, member);
}

static bool read_id(struct demon_json_span value, unsigned char id[DEMON_HASH_LEN])
{
	char hex[DEMON_GRAPH_HEX_LEN + 1];

	value = demon_json_span_plain(value);
	if (!value.at || value.len != DEMON_GRAPH_HEX_LEN)
		return false;
	memcpy(hex, value.at, value.len);
	hex[DEMON_GRAPH_HEX_LEN] = '\0';
	return demon_unhex(hex, id, DEMON_HASH_LEN);
}

/* --- commits ------------------------------------------------------------------------------- */

/* What an event says of its commit. */
struct said {
	unsigned char id[DEMON_HASH_LEN];
	struct demon_graph_id parent_ids[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_commit parents[DEMON_GRAPH_PARENTS_MAX];
	struct demon_json_span parts;
	struct demon_json_span own; /* mutations of the event */
	struct demon_graph_mutations list;
	struct demon_graph_record record;
	struct demon_graph_state state;
};

static void said_free(struct said **said)
{
	if (*said) {
		demon_graph_mutations_done(&(*said)->list);
		demon_graph_state_done(&(*said)->state);
	}
	free(*said);
}

static enum demon_rc read_parents(const struct demon_event *ev, struct demon_json_span first,
				  struct demon_json_span all, struct said *said,
				  struct demon_err *err)
{
	struct demon_json_walk walk = demon_json_items_begin(all.at, all.len);
	struct demon_json_span item;
	size_t n = 0;

	if (first.at && !all.at) {
		if (!read_id(first, said->parent_ids[n++].bytes))
			return damaged(ev, "parentCommitId", err);
	}
	while (demon_json_items_next(&walk, &item))
		if (n == DEMON_GRAPH_PARENTS_MAX || !read_id(item, said->parent_ids[n++].bytes))
			return damaged(ev, "metadata/parents", err);
	said->record.parents = said->parent_ids;
	said->record.parent_count = n;
	return DEMON_OK;
}

static enum demon_rc read_said(const struct demon_event *ev, struct said *said,
			       struct demon_err *err)
{
	enum { ID, METADATA, MUTATIONS, PARENT, MEMBERS };
	enum { AUTHOR, FORMAT, MESSAGE, PARENTS, PARTS, ROOT, METAS };
	static const char *const members[] = {"commitId", "metadata", "mutations",
					      "parentCommitId"};
	static const char *const metas[] = {"author",  "format", "message",
					    "parents", "parts",  "root"};
	struct demon_json_span v[MEMBERS];
	struct demon_json_span m[METAS];

	demon_json_members(ev->payload, ev->payload_len, members, v, MEMBERS);
	demon_json_members(v[METADATA].at, v[METADATA].len, metas, m, METAS);
	said->record = (struct demon_graph_record){
	    .scope = {ev->tenant_id, ev->project_id, ev->namespace_id, ev->graph_id},
	    .author = m[AUTHOR],
	    .message = m[MESSAGE],
	    .ts = ev->ts};
	said->own = v[MUTATIONS];
	said->parts = m[PARTS];
	if (m[FORMAT].at)
		return demon_err_set(err, DEMON_NEWER, "a commit of a newer format");
	if (!read_id(v[ID], said->id))
		return damaged(ev, "commitId", err);
	if (!read_id(m[ROOT], said->record.root))
		return damaged(ev, "metadata/root", err);
	return read_parents(ev, v[PARENT], m[PARENTS], said, err);
}

static void bind_group(struct demon_stmt *q, const struct demon_event *ev)
{
	demon_bind_blob(q, ":origin", ev->origin, sizeof(ev->origin));
	demon_bind_blob(q, ":epoch", ev->epoch, sizeof(ev->epoch));
	demon_bind_i64(q, ":group", ev->group_first);
}

static enum demon_rc read_parts(struct demon_db *db, const struct demon_event *ev,
				struct said *said, struct demon_err *err)
{
	struct demon_json_walk walk = demon_json_items_begin(said->parts.at, said->parts.len);
	struct demon_json_span item;
	unsigned char named[DEMON_HASH_LEN];
	unsigned char hash[DEMON_HASH_LEN];
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_parts);

	bind_group(&q, ev);
	while (demon_json_items_next(&walk, &item)) {
		if ((rc = demon_step(&q, &row, err)))
			return rc;
		if (!row || !read_id(item, named))
			return damaged(ev, "metadata/parts", err);
		if ((rc = demon_sha256(demon_col_str(&q, 0), demon_col_len(&q, 0), hash, err)))
			return rc;
		if (memcmp(named, hash, sizeof(hash)) != 0)
			return damaged(ev, "metadata/parts", err);
		if ((rc = demon_graph_mutations_add(&said->list, demon_col_str(&q, 0),
						    demon_col_len(&q, 0), err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc drop_parts(struct demon_db *db, const struct demon_event *ev,
				struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_parts_delete);

	if (ev->group_count == 1)
		return DEMON_OK;
	bind_group(&q, ev);
	return demon_exec(&q, err);
}

/* The mutations of the event itself, behind those of its parts. */
static enum demon_rc add_own(const struct demon_event *ev, struct said *said, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	if (said->own.at || strcmp(ev->type, DEMON_GRAPH_JOINED) != 0)
		rc = demon_graph_mutations_add(&said->list, said->own.at, said->own.len, err);
	if (rc || (rc = demon_graph_mutations_index(&said->list, err)))
		return rc;
	said->record.mutations =
	    (struct demon_json_span){said->list.text.data, said->list.text.len};
	return DEMON_OK;
}

static enum demon_rc read_mutations(struct demon_db *db, const struct demon_event *ev,
				    struct said *said, struct demon_err *err)
{
	enum demon_rc rc;

	said->list.text.data = demon_buf_empty;
	rc = read_parts(db, ev, said, err);
	return rc ? rc : add_own(ev, said, err);
}

static enum demon_rc find_parents(struct demon_db *db, const struct demon_event *ev,
				  struct said *said, struct demon_err *err)
{
	int64_t graph = 0;
	bool found;
	enum demon_rc rc = demon_graph_number(db, &said->record.scope, &graph, err);

	for (size_t i = 0; i < said->record.parent_count && !rc; i++) {
		rc = demon_graph_commit_by_id(db, said->parent_ids[i].bytes, &said->parents[i],
					      &found, err);
		if (!rc && (!found || said->parents[i].graph != graph))
			rc = demon_err_set(err, DEMON_CORRUPT,
					   "event %s of graph '%s': parent %zu is not in the graph",
					   ev->type, ev->graph_id, i + 1);
	}
	return rc;
}

/* The state that follows from the parent's; it must be the one that the event names. */
static enum demon_rc derive(struct demon_db *db, const struct demon_event *ev, struct said *said,
			    struct demon_err *err)
{
	unsigned char root[DEMON_HASH_LEN];
	unsigned char id[DEMON_HASH_LEN];
	enum demon_rc rc;

	if ((rc = demon_graph_state_begin(
		 &said->state, db, said->record.parent_count ? &said->parents[0].tries : NULL,
		 err)))
		return rc;
	for (size_t i = 0; i < said->list.count; i++)
		if (demon_graph_state_apply(&said->state, &said->list.items[i], err))
			return demon_err_wrap(err, "mutation %zu", i);
	if ((rc = demon_graph_state_root(&said->state, root, err)))
		return rc;
	if (memcmp(root, said->record.root, sizeof(root)) != 0)
		return demon_err_set(err, DEMON_CORRUPT,
				     "event %s of graph '%s': its root does not follow from its "
				     "mutations",
				     ev->type, ev->graph_id);
	if ((rc = demon_graph_record_id(said->state.session.sha, &said->record, id, err)))
		return rc;
	if (memcmp(id, said->id, sizeof(id)) != 0)
		return demon_err_set(err, DEMON_CORRUPT,
				     "event %s of graph '%s': its id does not follow from its "
				     "content",
				     ev->type, ev->graph_id);
	return DEMON_OK;
}

enum demon_rc demon_graph_event_derive(struct demon_db *db, const struct demon_event *ev,
				       struct demon_graph_mutations *parts,
				       unsigned char root[DEMON_HASH_LEN], struct demon_err *err)
{
	demon_cleanup(said_free) struct said *said = demon_calloc(1, sizeof(*said));
	enum demon_rc rc;

	if (!said)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
	said->list.text.data = demon_buf_empty;
	if ((rc = read_said(ev, said, err)))
		return rc;
	said->parts = (struct demon_json_span){0};
	if (parts->count)
		demon_buf_add(&said->list.text, parts->text.data, parts->text.len);
	said->list.count = parts->count;
	if ((rc = demon_buf_rc(&said->list.text, err)) || (rc = add_own(ev, said, err)) ||
	    (rc = find_parents(db, ev, said, err)) || (rc = derive(db, ev, said, err)))
		return rc;
	memcpy(root, said->record.root, DEMON_HASH_LEN);
	return DEMON_OK;
}

static enum demon_rc apply_said(struct demon_db *db, const struct demon_event *ev,
				struct said *said, struct demon_err *err)
{
	struct demon_graph_plan plan = {
	    .state = &said->state, .mutations = &said->list, .parents = said->parents};
	struct demon_graph_commit held;
	bool found;
	enum demon_rc rc;

	if ((rc = read_said(ev, said, err)) || (rc = read_mutations(db, ev, said, err)) ||
	    (rc = find_parents(db, ev, said, err)) || (rc = derive(db, ev, said, err)) ||
	    (rc = demon_graph_commit_by_id(db, said->id, &held, &found, err)))
		return rc;
	memcpy(plan.id, said->id, sizeof(plan.id));
	plan.parent_count = said->record.parent_count;
	return found ? DEMON_OK : demon_graph_commit_insert(db, &plan, ev, err);
}

static enum demon_rc committed(struct demon_db *db, const struct demon_event *ev,
			       struct demon_err *err)
{
	const struct demon_graph_plan *laid = demon_db_laid(db);
	struct demon_graph_plan plan;
	demon_cleanup(said_free) struct said *said = NULL;
	enum demon_rc rc;

	if (laid) {
		plan = *laid;
		rc = demon_graph_commit_insert(db, &plan, ev, err);
	} else {
		said = demon_calloc(1, sizeof(*said));
		if (!said)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
		rc = apply_said(db, ev, said, err);
	}
	return rc ? rc : drop_parts(db, ev, err);
}

static enum demon_rc parted(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	struct demon_json_span mutations =
	    demon_json_member(ev->payload, ev->payload_len, "mutations");
	DEMON_STMT(q, db, &sql_part_insert);

	if (!mutations.at)
		return damaged(ev, "mutations", err);
	if (demon_db_laid(db))
		return DEMON_OK;
	bind_group(&q, ev);
	demon_bind_i64(&q, ":sequence", ev->sequence);
	demon_bind_text(&q, ":mutations", mutations.at, mutations.len);
	return demon_exec(&q, err);
}

/* --- tags ---------------------------------------------------------------------------------- */

static enum demon_rc tagged(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	enum { ACTION, ACTOR, COMMIT, PREVIOUS, TAG, MEMBERS };
	static const char *const members[] = {"action", "actor", "commitId", "previousCommitId",
					      "tag"};
	struct demon_json_span v[MEMBERS];
	unsigned char id[DEMON_HASH_LEN];
	unsigned char previous[DEMON_HASH_LEN];
	bool sets;
	DEMON_STMT(q, db, &sql_tag);

	demon_json_members(ev->payload, ev->payload_len, members, v, MEMBERS);
	sets = v[ACTION].len == 5 && memcmp(v[ACTION].at, "\"set\"", 5) == 0;
	if (sets && !read_id(v[COMMIT], id))
		return damaged(ev, "commitId", err);
	if (v[PREVIOUS].at && !read_id(v[PREVIOUS], previous))
		return damaged(ev, "previousCommitId", err);
	v[TAG] = demon_json_span_plain(v[TAG]);
	if (!v[TAG].at)
		return damaged(ev, "tag", err);
	demon_bind_str(&q, ":tenant", ev->tenant_id);
	demon_bind_str(&q, ":project", ev->project_id);
	demon_bind_str(&q, ":namespace", ev->namespace_id);
	demon_bind_str(&q, ":graph", ev->graph_id);
	demon_bind_text(&q, ":tag", v[TAG].at, v[TAG].len);
	demon_bind_i64(&q, ":clock", (int64_t)ev->clock);
	demon_bind_blob(&q, ":origin", ev->origin, sizeof(ev->origin));
	demon_bind_blob(&q, ":hash", ev->hash, sizeof(ev->hash));
	demon_bind_blob(&q, ":commit", sets ? id : NULL, sizeof(id));
	demon_bind_blob(&q, ":previous", v[PREVIOUS].at ? previous : NULL, sizeof(previous));
	demon_bind_text(&q, ":actor", v[ACTOR].at, v[ACTOR].len);
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static enum demon_rc apply(struct demon_db *db, const struct demon_event *event,
			   struct demon_err *err)
{
	static const struct {
		const char *type;
		enum demon_rc (*apply)(struct demon_db *db, const struct demon_event *ev,
				       struct demon_err *err);
	} appliers[] = {{DEMON_GRAPH_CREATED, committed},
			{DEMON_GRAPH_JOINED, committed},
			{DEMON_GRAPH_PART, parted},
			{DEMON_GRAPH_TAGGED, tagged}};

	if (event->stream != DEMON_STREAM_GRAPH)
		return DEMON_OK;
	for (size_t i = 0; i < demon_count(appliers); i++) {
		if (strcmp(appliers[i].type, event->type) != 0)
			continue;
		if (!event->payload)
			return demon_err_set(err, DEMON_CORRUPT,
					     "event %s of graph '%s': its payload is not here",
					     event->type, event->graph_id);
		return appliers[i].apply(db, event, err);
	}
	return DEMON_OK;
}

static const struct demon_projection_table tables[] = {
    {"graph_commits", &sql_commits_rows, &sql_commits_clear},
    {"graph_tags", &sql_tags_rows, &sql_tags_clear},
    {"graph_graphs", NULL, &sql_graphs_clear},
    {"graph_merges", NULL, &sql_merges_clear},
    {"graph_touches", NULL, &sql_touches_clear},
    {"graph_parts", NULL, &sql_parts_clear},
    {"graph_packs", NULL, &sql_packs_clear},
    {NULL, NULL, NULL},
};

const struct demon_projection demon_graph_projection = {
    .name = "graph",
    .tables = tables,
    .apply = apply,
};
