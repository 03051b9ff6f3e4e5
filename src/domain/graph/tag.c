/*
 * Tags: a register of names for commits.
 */
#include "commit.h"
#include "record.h"

#include "base/json.h"
#include "domain/admin/trust.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

#define OF_GRAPH                                                                    \
	" FROM graph_tags WHERE tenant_id = :tenant AND project_id = :project AND " \
	"namespace = :namespace AND graph_id = :graph "
#define GREATEST_FIRST "ORDER BY clock DESC, origin DESC, hash DESC"
#define COLUMNS        "tag, commit_id, ts, origin"

DEMON_SQL(sql_writes, "SELECT " COLUMNS OF_GRAPH "AND tag = :tag ORDER BY " DEMON_TRUSTED(
			  "graph_tags.origin") "DESC, clock DESC, origin DESC, hash DESC");
DEMON_SQL(sql_holds,
	  "SELECT " COLUMNS OF_GRAPH "AND tag = :tag AND " DEMON_TRUSTED("graph_tags.origin")
	      GREATEST_FIRST " LIMIT 1");
DEMON_SQL(sql_next, "SELECT tag" OF_GRAPH "AND tag > :tag ORDER BY tag LIMIT 1");

static void bind(struct demon_stmt *q, const struct demon_graph_scope *scope, const char *tag)
{
	demon_bind_str(q, ":tenant", scope->tenant_id);
	demon_bind_str(q, ":project", scope->project_id);
	demon_bind_str(q, ":namespace", scope->namespace_id);
	demon_bind_str(q, ":graph", scope->graph_id);
	demon_bind_str(q, ":tag", tag);
}

/* What a row says; false: that the tag is not there. */
static bool read_row(const struct demon_stmt *q, struct demon_graph_tag *ret)
{
	*ret = (struct demon_graph_tag){.tag = demon_col_str(q, 0), .ts = demon_col_i64(q, 2)};
	if (demon_col_len(q, 3) == sizeof(ret->origin))
		memcpy(ret->origin, demon_col_blob(q, 3), sizeof(ret->origin));
	if (demon_col_len(q, 1) != sizeof(ret->commit_id))
		return false;
	memcpy(&ret->commit_id, demon_col_blob(q, 1), sizeof(ret->commit_id));
	return true;
}

/* --- reading ------------------------------------------------------------------------------- */

static enum demon_rc no_tag(const char *tag, struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOTFOUND, "tag '%.80s' not found", tag);
}

/* Hands out what holds, if the tag is there; *ret_given says so. */
/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
static enum demon_rc give(struct demon_db *db, const struct demon_graph_scope *scope,
			  const char *tag, demon_graph_tag_fn *fn, void *ctx, bool *ret_given,
			  struct demon_err *err)
{
	struct demon_graph_tag found;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_holds);

	*ret_given = false;
	bind(&q, scope, tag);
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	*ret_given = read_row(&q, &found);
	return *ret_given ? fn(ctx, &found, err) : DEMON_OK;
}

enum demon_rc demon_graph_get_tag(struct demon_store *store, const struct demon_graph_scope *scope,
				  const char *tag, demon_graph_tag_fn *fn, void *ctx,
				  struct demon_err *err)
{
	bool given;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_graph_scope_check(scope, err)) ||
	    (rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = give(loan.db, scope, tag, fn, ctx, &given, err)))
		return rc;
	return given ? DEMON_OK : no_tag(tag, err);
}

enum demon_rc demon_graph_list_tags(struct demon_store *store,
				    const struct demon_graph_scope *scope, demon_graph_tag_fn *fn,
				    void *ctx, struct demon_err *err)
{
	char tag[DEMON_ID_MAX + 1] = "";
	bool row;
	bool given;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_graph_scope_check(scope, err)) ||
	    (rc = demon_store_borrow(store, &loan, err)))
		return rc;
	for (;;) {
		DEMON_STMT(q, loan.db, &sql_next);

		bind(&q, scope, tag);
		if ((rc = demon_step(&q, &row, err)) || !row)
			return rc;
		(void)snprintf(tag, sizeof(tag), "%s", demon_col_str(&q, 0));
		if ((rc = give(loan.db, scope, tag, fn, ctx, &given, err)))
			return rc;
	}
}

enum demon_rc demon_graph_tag_writes(struct demon_store *store,
				     const struct demon_graph_scope *scope, const char *tag,
				     demon_graph_tag_fn *fn, void *ctx, struct demon_err *err)
{
	bool any = false;
	bool row;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_graph_scope_check(scope, err)) ||
	    (rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_writes);
	bind(&q, scope, tag);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_graph_tag found;

		if (!read_row(&q, &found))
			continue;
		any = true;
		if ((rc = fn(ctx, &found, err)))
			return rc;
	}
	return rc || any ? rc : no_tag(tag, err);
}

/* --- writing ------------------------------------------------------------------------------- */

struct holds {
	bool there;
	struct demon_graph_id id;
};

static enum demon_rc keep_id(void *ctx, const struct demon_graph_tag *tag, struct demon_err *err)
{
	struct holds *holds = ctx;

	(void)err;
	holds->id = tag->commit_id;
	return DEMON_OK;
}

/* Whether the tag names what is expected. */
static enum demon_rc check_expected(struct demon_db *db, const struct demon_graph_tagging *t,
				    const struct holds *holds, struct demon_err *err)
{
	struct demon_graph_commit expected;
	char hex[DEMON_GRAPH_HEX_LEN + 1] = "nothing";
	enum demon_rc rc;

	if (!t->expect)
		return DEMON_OK;
	if (holds->there)
		demon_hex(&holds->id, sizeof(holds->id), hex);
	if (*t->expect == '\0' && !holds->there)
		return DEMON_OK;
	if (*t->expect) {
		if ((rc = demon_graph_commit_find(db, &t->scope, t->expect, &expected, err)))
			return rc;
		if (holds->there && memcmp(expected.id, &holds->id, sizeof(holds->id)) == 0)
			return DEMON_OK;
	}
	return demon_err_set(err, DEMON_CONFLICT, "tag '%s' names %s, not what was expected",
			     t->tag, hex);
}

static void write_actor(struct demon_jw *w, const char *actor)
{
	struct demon_jw inner;

	if (!actor)
		return;
	inner = demon_jw_object(w, "actor");
	demon_jw_str(&inner, "id", actor);
	demon_jw_str(&inner, "type", "user");
	demon_jw_end(&inner);
}

static enum demon_rc append(struct demon_write *w, const struct demon_graph_tagging *t,
			    const struct demon_graph_commit *to, const struct holds *holds,
			    struct demon_err *err)
{
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	char previous[DEMON_GRAPH_HEX_LEN + 1];
	struct demon_event_ref cause;
	struct demon_record record = {.type = DEMON_GRAPH_TAGGED,
				      .tenant_id = t->scope.tenant_id,
				      .project_id = t->scope.project_id,
				      .namespace_id = t->scope.namespace_id,
				      .graph_id = t->scope.graph_id};
	struct demon_group group = {
	    .stream = DEMON_STREAM_GRAPH, .ts = t->ts, .records = &record, .count = 1};
	bool own = true;
	DEMON_BUF(payload, 0);
	struct demon_jw jw = demon_jw_begin(&payload);
	enum demon_rc rc;

	if (to)
		demon_hex(to->id, sizeof(to->id), hex);
	demon_hex(&holds->id, sizeof(holds->id), previous);
	demon_jw_str(&jw, "action", to ? "set" : "delete");
	write_actor(&jw, t->actor);
	demon_jw_str(&jw, "commitId", to ? hex : NULL);
	demon_jw_str(&jw, "event", record.type);
	demon_jw_str(&jw, "graphId", record.graph_id);
	demon_jw_str(&jw, "namespace", record.namespace_id);
	demon_jw_str(&jw, "previousCommitId", holds->there ? previous : NULL);
	demon_jw_str(&jw, "projectId", record.project_id);
	demon_jw_str(&jw, "tag", t->tag);
	demon_jw_str(&jw, "tenantId", record.tenant_id);
	demon_jw_time(&jw, "ts", t->ts);
	demon_jw_end(&jw);
	if ((rc = demon_buf_rc(&payload, err)) ||
	    (to && (rc = demon_graph_commit_cause(w, to, &cause, &own, err))))
		return rc;
	record.payload = payload.data;
	record.payload_len = payload.len;
	group.causes = own ? NULL : &cause;
	group.cause_count = own ? 0 : 1;
	return demon_write_append(w, &group, NULL, err);
}

static enum demon_rc check_id(const char *what, const char *id, struct demon_err *err)
{
	if (demon_graph_id_valid(id))
		return DEMON_OK;
	return demon_err_set(err, DEMON_INVALID,
			     "%s '%.80s' is not valid: 1 to %d letters, digits, '_', '-' and '.'",
			     what, id ? id : "", DEMON_ID_MAX);
}

enum demon_rc demon_graph_tag_in(struct demon_write *w, const struct demon_graph_tagging *t,
				 struct demon_graph_id *ret_previous, struct demon_err *err)
{
	struct demon_db *db = demon_write_db(w);
	struct demon_graph_commit to;
	struct holds holds = {0};
	enum demon_rc rc;

	if ((rc = demon_graph_scope_check(&t->scope, err)) || (rc = check_id("tag", t->tag, err)) ||
	    (t->actor && (rc = check_id("actor", t->actor, err))))
		return rc;
	if ((rc = give(db, &t->scope, t->tag, keep_id, &holds, &holds.there, err)) ||
	    (t->commit && (rc = demon_graph_commit_find(db, &t->scope, t->commit, &to, err))))
		return rc;
	if (!t->commit && !holds.there)
		return no_tag(t->tag, err);
	if ((rc = check_expected(db, t, &holds, err)))
		return rc;
	if (ret_previous)
		*ret_previous = holds.id;
	if (t->commit && holds.there && memcmp(to.id, &holds.id, sizeof(holds.id)) == 0)
		return DEMON_OK;
	return append(w, t, t->commit ? &to : NULL, &holds, err);
}

struct call {
	const struct demon_graph_tagging *tagging;
	struct demon_graph_id *previous;
};

static enum demon_rc tag_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct call *call = ctx;

	return demon_graph_tag_in(w, call->tagging, call->previous, err);
}

enum demon_rc demon_graph_tag(struct demon_store *store, const struct demon_graph_tagging *tagging,
			      struct demon_graph_id *ret_previous, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct demon_graph_tagging now = *tagging;
	struct call call = {&now, ret_previous};

	if (!now.ts)
		now.ts = env->now(env->ctx);
	return demon_store_write_repeatable(store, tag_job, &call, err);
}
