#include "commit.h"

#include "domain/admin/trust.h"
#include "store/subject.h"

#include <inttypes.h>
#include <string.h>

#define COLUMNS "n, graph, id, parent, merges, chain, position, generation, ts, seq, tries"

DEMON_SQL(sql_graph, "SELECT graph FROM graph_graphs WHERE tenant_id = :tenant AND "
		     "project_id = :project AND namespace = :namespace AND graph_id = :graph");
DEMON_SQL(sql_by_id, "SELECT " COLUMNS " FROM graph_commits WHERE id = :id");
DEMON_SQL(sql_by_n, "SELECT " COLUMNS " FROM graph_commits WHERE n = :n");
DEMON_SQL(sql_at,
	  "SELECT " COLUMNS " FROM graph_commits WHERE chain = :chain AND position = :position");
DEMON_SQL(sql_between, "SELECT " COLUMNS " FROM graph_commits WHERE id BETWEEN :low AND :high "
		       "AND +graph = :graph ORDER BY id LIMIT 2"); /* by id, not by graph */
DEMON_SQL(sql_merges, "SELECT parent FROM graph_merges WHERE chain = :chain AND "
		      "position = :position ORDER BY ordinal");
DEMON_SQL(sql_tag, "SELECT commit_id FROM graph_tags WHERE tenant_id = :tenant AND "
		   "project_id = :project AND namespace = :namespace AND graph_id = :graph "
		   "AND tag = :tag AND " DEMON_TRUSTED(
		       "graph_tags.origin") "ORDER BY clock DESC, origin DESC, hash DESC LIMIT 1");

DEMON_SQL(sql_event, "SELECT c.origin, c.epoch, e.origin_seq, e.hash FROM log_events e "
		     "JOIN log_chains c ON c.id = e.chain_id WHERE e.seq = :seq");

enum demon_rc demon_graph_scope_check(const struct demon_graph_scope *scope, struct demon_err *err)
{
	const struct {
		const char *what;
		const char *id;
	} ids[] = {{"project id", scope->project_id},
		   {"namespace", scope->namespace_id},
		   {"graph id", scope->graph_id}};
	enum demon_rc rc = demon_id_check("tenant id", scope->tenant_id, err);

	for (size_t i = 0; i < demon_count(ids) && !rc; i++)
		if (!demon_graph_id_valid(ids[i].id))
			rc = demon_err_set(err, DEMON_INVALID,
					   "%s '%.80s' is not valid: 1 to %d letters, digits, "
					   "'_', '-' and '.'",
					   ids[i].what, ids[i].id ? ids[i].id : "", DEMON_ID_MAX);
	return rc;
}

static void bind_scope(struct demon_stmt *q, const struct demon_graph_scope *scope)
{
	demon_bind_str(q, ":tenant", scope->tenant_id);
	demon_bind_str(q, ":project", scope->project_id);
	demon_bind_str(q, ":namespace", scope->namespace_id);
	demon_bind_str(q, ":graph", scope->graph_id);
}

enum demon_rc demon_graph_number(struct demon_db *db, const struct demon_graph_scope *scope,
				 int64_t *ret, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_graph);

	bind_scope(&q, scope);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	*ret = row ? demon_col_i64(&q, 0) : 0;
	return DEMON_OK;
}

static enum demon_rc read_row(const struct demon_stmt *q, struct demon_graph_commit *ret,
			      struct demon_err *err)
{
	*ret = (struct demon_graph_commit){
	    .n = demon_col_i64(q, 0),
	    .graph = demon_col_i64(q, 1),
	    .parent = demon_col_i64(q, 3),
	    .merges = demon_col_i64(q, 4),
	    .chain = demon_col_i64(q, 5),
	    .position = demon_col_i64(q, 6),
	    .generation = demon_col_i64(q, 7),
	    .ts = demon_col_i64(q, 8),
	    .seq = demon_col_i64(q, 9),
	};
	if (demon_col_len(q, 2) == DEMON_HASH_LEN)
		memcpy(ret->id, demon_col_blob(q, 2), DEMON_HASH_LEN);
	return demon_graph_tries_decode(demon_col_blob(q, 10), demon_col_len(q, 10), &ret->tries,
					err);
}

static enum demon_rc step_row(struct demon_stmt *q, struct demon_graph_commit *ret, bool *ret_found,
			      struct demon_err *err)
{
	enum demon_rc rc = demon_step(q, ret_found, err);

	return rc || !*ret_found ? rc : read_row(q, ret, err);
}

enum demon_rc demon_graph_commit_by_id(struct demon_db *db, const unsigned char id[DEMON_HASH_LEN],
				       struct demon_graph_commit *ret, bool *ret_found,
				       struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_by_id);

	demon_bind_blob(&q, ":id", id, DEMON_HASH_LEN);
	return step_row(&q, ret, ret_found, err);
}

enum demon_rc demon_graph_commit_at(struct demon_db *db, int64_t chain, int64_t position,
				    struct demon_graph_commit *ret, bool *ret_found,
				    struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_at);

	demon_bind_i64(&q, ":chain", chain);
	demon_bind_i64(&q, ":position", position);
	return step_row(&q, ret, ret_found, err);
}

enum demon_rc demon_graph_commit_by_number(struct demon_db *db, int64_t n,
					   struct demon_graph_commit *ret, struct demon_err *err)
{
	bool found;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_by_n);

	demon_bind_i64(&q, ":n", n);
	if (!(rc = step_row(&q, ret, &found, err)) && !found)
		rc = demon_err_set(err, DEMON_CORRUPT, "graph_commits: row %" PRId64 " is missing",
				   n);
	return rc;
}

enum demon_rc demon_graph_commit_parents(struct demon_db *db, const struct demon_graph_commit *c,
					 int64_t *ret, size_t *ret_count, struct demon_err *err)
{
	bool row;
	enum demon_rc rc = DEMON_OK;

	*ret_count = 0;
	if (!c->parent)
		return DEMON_OK;
	ret[(*ret_count)++] = c->parent;
	if (!c->merges)
		return DEMON_OK;
	DEMON_STMT(q, db, &sql_merges);
	demon_bind_i64(&q, ":chain", c->chain);
	demon_bind_i64(&q, ":position", c->position);
	while (*ret_count < DEMON_GRAPH_PARENTS_MAX && !(rc = demon_step(&q, &row, err)) && row)
		ret[(*ret_count)++] = demon_col_i64(&q, 0);
	return rc;
}

/* --- by text ------------------------------------------------------------------------------- */

#define SHORTEST 8

static enum demon_rc no_commit(const char *ref, struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOTFOUND, "commit '%.80s' not found", ref);
}

/* The ids that begin with these digits: from the lowest to the highest. */
static bool read_range(const char *digits, unsigned char low[DEMON_HASH_LEN],
		       unsigned char high[DEMON_HASH_LEN])
{
	char text[DEMON_GRAPH_HEX_LEN + 1];
	size_t n = strlen(digits);

	if (n < SHORTEST || n > DEMON_GRAPH_HEX_LEN)
		return false;
	memset(text, '0', DEMON_GRAPH_HEX_LEN);
	memcpy(text, digits, n);
	text[DEMON_GRAPH_HEX_LEN] = '\0';
	if (!demon_unhex(text, low, DEMON_HASH_LEN))
		return false;
	memset(text + n, 'f', DEMON_GRAPH_HEX_LEN - n);
	return demon_unhex(text, high, DEMON_HASH_LEN);
}

static enum demon_rc find_digits(struct demon_db *db, int64_t graph, const char *ref,
				 struct demon_graph_commit *ret, bool *ret_found,
				 struct demon_err *err)
{
	unsigned char low[DEMON_HASH_LEN];
	unsigned char high[DEMON_HASH_LEN];
	bool more;
	enum demon_rc rc;

	*ret_found = false;
	if (!read_range(ref, low, high))
		return DEMON_OK;
	DEMON_STMT(q, db, &sql_between);
	demon_bind_blob(&q, ":low", low, sizeof(low));
	demon_bind_blob(&q, ":high", high, sizeof(high));
	demon_bind_i64(&q, ":graph", graph);
	if ((rc = step_row(&q, ret, ret_found, err)) || !*ret_found)
		return rc;
	if ((rc = demon_step(&q, &more, err)) || !more)
		return rc;
	return demon_err_set(err, DEMON_CONFLICT, "'%s' fits several commits", ref);
}

static enum demon_rc find_tag(struct demon_db *db, const struct demon_graph_scope *scope,
			      const char *tag, unsigned char id[DEMON_HASH_LEN], bool *ret_found,
			      struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_tag);

	bind_scope(&q, scope);
	demon_bind_str(&q, ":tag", tag);
	if ((rc = demon_step(&q, ret_found, err)) || !*ret_found)
		return rc;
	*ret_found = demon_col_len(&q, 0) == DEMON_HASH_LEN;
	if (*ret_found)
		memcpy(id, demon_col_blob(&q, 0), DEMON_HASH_LEN);
	return DEMON_OK;
}

/* By an id or the beginning of one, where @p ref can be that. A tag goes before digits that fit
 * several commits. */
/* NOLINTNEXTLINE(readability-function-size): which commit, of which graph */
static enum demon_rc find_id(struct demon_db *db, const struct demon_graph_scope *scope,
			     int64_t graph, const char *ref, struct demon_graph_commit *ret,
			     bool *ret_found, struct demon_err *err)
{
	unsigned char id[DEMON_HASH_LEN];
	struct demon_err unused;
	bool tag = false;
	enum demon_rc rc;

	*ret_found = false;
	if (strlen(ref) != DEMON_GRAPH_HEX_LEN && strpbrk(ref, "ghijklmnopqrstuvwxyz.-_"))
		return DEMON_OK;
	rc = find_digits(db, graph, ref, ret, ret_found, err);
	if (rc != DEMON_CONFLICT)
		return rc;
	*ret_found = false;
	return find_tag(db, scope, ref, id, &tag, &unused) == DEMON_OK && tag ? DEMON_OK : rc;
}

enum demon_rc demon_graph_commit_find(struct demon_db *db, const struct demon_graph_scope *scope,
				      const char *ref, struct demon_graph_commit *ret,
				      struct demon_err *err)
{
	unsigned char id[DEMON_HASH_LEN];
	int64_t graph;
	bool found;
	enum demon_rc rc;

	if ((rc = demon_graph_scope_check(scope, err)) ||
	    (rc = demon_graph_number(db, scope, &graph, err)))
		return rc;
	if (!graph)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no graph '%s/%s/%s/%s'",
				     scope->tenant_id, scope->project_id, scope->namespace_id,
				     scope->graph_id);
	if (!ref || !demon_graph_id_valid(ref))
		return demon_err_set(err, DEMON_INVALID, "'%.80s' is neither a commit nor a tag",
				     ref ? ref : "");
	if ((rc = find_id(db, scope, graph, ref, ret, &found, err)) || found)
		return rc;
	if ((rc = find_tag(db, scope, ref, id, &found, err)))
		return rc;
	if (!found)
		return no_commit(ref, err);
	if ((rc = demon_graph_commit_by_id(db, id, ret, &found, err)))
		return rc;
	return found && ret->graph == graph ? DEMON_OK : no_commit(ref, err);
}

enum demon_rc demon_graph_commit_cause(struct demon_write *w, const struct demon_graph_commit *c,
				       struct demon_event_ref *ret, bool *ret_own,
				       struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, demon_write_db(w), &sql_event);

	demon_bind_i64(&q, ":seq", c->seq);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_CORRUPT,
				     "graph_commits: a commit without its event");
	*ret = (struct demon_event_ref){.stream = DEMON_STREAM_GRAPH,
					.sequence = demon_col_i64(&q, 2)};
	memcpy(ret->origin, demon_col_blob(&q, 0), sizeof(ret->origin));
	memcpy(ret->epoch, demon_col_blob(&q, 1), sizeof(ret->epoch));
	memcpy(ret->hash, demon_col_blob(&q, 3), sizeof(ret->hash));
	*ret_own = memcmp(ret->origin, demon_write_origin(w), sizeof(ret->origin)) == 0;
	return DEMON_OK;
}
