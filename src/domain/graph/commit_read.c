/*
 * Commits as they are handed out.
 */
#include "base/json.h"
#include "commit.h"
#include "record.h"
#include "store/readers.h"

#include <string.h>

DEMON_SQL(sql_payload, "SELECT payload, chain_id, group_first, origin_seq FROM log_events "
		       "WHERE seq = :seq");
DEMON_SQL(sql_parts, "SELECT payload FROM log_events WHERE chain_id = :chain AND "
		     "origin_seq >= :first AND origin_seq < :last ORDER BY origin_seq");

enum demon_rc demon_graph_exists(struct demon_store *store, const struct demon_graph_scope *scope,
				 bool *ret, struct demon_err *err)
{
	int64_t graph;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_graph_scope_check(scope, err)) ||
	    (rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_graph_number(loan.db, scope, &graph, err)))
		return rc;
	*ret = graph != 0;
	return DEMON_OK;
}

enum demon_rc demon_graph_resolve(struct demon_store *store, const struct demon_graph_scope *scope,
				  const char *ref, struct demon_graph_id *ret,
				  struct demon_err *err)
{
	struct demon_graph_commit c;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_graph_commit_find(loan.db, scope, ref, &c, err)))
		return rc;
	memcpy(ret->bytes, c.id, sizeof(c.id));
	return DEMON_OK;
}

static enum demon_rc archived(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOTFOUND, "the commit's event was archived");
}

/* Adds the mutations of an event. */
static enum demon_rc add_mutations(const struct demon_stmt *q, struct demon_graph_mutations *list,
				   struct demon_err *err)
{
	struct demon_json_span mutations;

	if (demon_col_is_null(q, 0))
		return archived(err);
	mutations = demon_json_member(demon_col_str(q, 0), demon_col_len(q, 0), "mutations");
	if (!mutations.at)
		return DEMON_OK;
	return demon_graph_mutations_add(list, mutations.at, mutations.len, err);
}

/* The events of the group before the commit's own are its parts. */
static enum demon_rc add_parts(struct demon_db *db, const struct demon_stmt *event,
			       struct demon_graph_mutations *list, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_parts);

	demon_bind_i64(&q, ":chain", demon_col_i64(event, 1));
	demon_bind_i64(&q, ":first", demon_col_i64(event, 2));
	demon_bind_i64(&q, ":last", demon_col_i64(event, 3));
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = add_mutations(&q, list, err)))
			return rc;
	return rc;
}

enum demon_rc demon_graph_commit_parts(struct demon_db *db, int64_t seq,
				       struct demon_graph_mutations *list, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_payload);

	demon_bind_i64(&q, ":seq", seq);
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	return add_parts(db, &q, list, err);
}

/* Writes the members of the event, with all mutations and what follows from it. */
static void write_commit(const struct demon_stmt *event, const struct demon_graph_mutations *list,
			 const struct demon_buf *parents, struct demon_buf *out)
{
	enum { COMMIT, EVENT, GRAPH, METADATA, NAMESPACE, PARENT, PROJECT, TENANT, TS, MEMBERS };
	static const char *const keys[MEMBERS] = {"commitId",  "event",     "graphId",
						  "metadata",  "namespace", "parentCommitId",
						  "projectId", "tenantId",  "ts"};
	struct demon_json_span v[MEMBERS];
	struct demon_jw w = demon_jw_begin(out);

	demon_json_members(demon_col_str(event, 0), demon_col_len(event, 0), keys, v, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (i == NAMESPACE) {
			demon_jw_raw(&w, "mutations", "", 0);
			demon_graph_mutations_text(list, out);
			demon_jw_i64(&w, "mutationsCount", (int64_t)list->count);
		}
		if (v[i].at)
			demon_jw_raw(&w, keys[i], v[i].at, v[i].len);
		if (i == PARENT)
			demon_jw_raw(&w, "parents", parents->data, parents->len);
	}
	demon_jw_end(&w);
}

static enum demon_rc write_parents(struct demon_db *db, const struct demon_graph_commit *c,
				   struct demon_buf *out, struct demon_err *err)
{
	int64_t numbers[DEMON_GRAPH_PARENTS_MAX];
	struct demon_graph_commit p;
	size_t n;
	enum demon_rc rc = demon_graph_commit_parents(db, c, numbers, &n, err);

	demon_buf_char(out, '[');
	for (size_t i = 0; i < n && !rc; i++) {
		rc = demon_graph_commit_by_number(db, numbers[i], &p, err);
		demon_buf_str(out, i ? ",\"" : "\"");
		demon_buf_hex(out, p.id, sizeof(p.id));
		demon_buf_char(out, '"');
	}
	demon_buf_char(out, ']');
	return rc ? rc : demon_buf_rc(out, err);
}

enum demon_rc demon_graph_get_commit(struct demon_store *store,
				     const struct demon_graph_scope *scope, const char *ref,
				     struct demon_buf *out, struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list =
	    demon_graph_mutations_new();
	struct demon_graph_commit c;
	DEMON_BUF(parents, 0);
	bool row;
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	if (!list)
		return demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = demon_graph_commit_find(loan.db, scope, ref, &c, err)) ||
	    (rc = write_parents(loan.db, &c, &parents, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_payload);
	demon_bind_i64(&q, ":seq", c.seq);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row || demon_col_is_null(&q, 0))
		return archived(err);
	if ((rc = add_parts(loan.db, &q, list, err)) || (rc = add_mutations(&q, list, err)) ||
	    (rc = demon_graph_mutations_index(list, err)))
		return rc;
	write_commit(&q, list, &parents, out);
	return demon_buf_rc(out, err);
}
