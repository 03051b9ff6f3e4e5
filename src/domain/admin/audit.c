#include "audit.h"

#include "base/json_member.h"

#include <string.h>

/* A type that somebody's hand is behind is looked up by name; the node's own stream has nothing
 * else in it. Every act is found by an index; payloads are read only of those that are wanted. */
DEMON_SQL_SCAN(sql_acts, "the chains, of which there are few",
	       "SELECT e.seq, e.ts, t.name, s.tenant_id, s.ritual_id, s.run_id, e.gate_id, "
	       "c.origin, e.payload FROM log_events e JOIN log_chains c ON c.id = e.chain_id "
	       "JOIN log_scopes s ON s.id = e.scope_id JOIN log_types t ON t.id = e.type_id "
	       "WHERE e.seq IN (SELECT seq FROM log_events WHERE chain_id IN "
	       "(SELECT id FROM log_chains WHERE stream = 'node') AND ts >= :since "
	       "UNION SELECT seq FROM log_events WHERE type_id IN (SELECT id FROM log_types "
	       "WHERE name IN ('approval.override:v1', 'ritual.canceled:v1', "
	       "'ritual.registered:v1', 'ritual.restored:v1', 'ritual.resumed:v1', "
	       "'ritual.unregistered:v1')) AND ts >= :since ORDER BY 1 DESC LIMIT :limit) "
	       "ORDER BY e.seq DESC");

enum { APPROVER, AUTHENTICATION, BY, NAME, NOTE, REASON, TENANT, VALUE, MEMBERS };

static const char *const members[MEMBERS] = {"approver", "authentication", "by",     "name",
					     "note",     "reason",         "tenant", "value"};

/* The texts of the members of one event. */
struct texts {
	struct demon_buf of[MEMBERS];
};

static void texts_done(struct texts *t)
{
	for (int i = 0; i < MEMBERS; i++)
		demon_buf_done(&t->of[i]);
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

/* The first of two members that is there. */
static const char *first_of(const struct texts *t, int a, int b)
{
	return or_null(t->of[or_null(t->of[a].data) ? a : b].data);
}

static enum demon_rc give(const struct demon_stmt *q, struct texts *t, demon_audit_fn *fn,
			  void *ctx, struct demon_err *err)
{
	const char *payload = demon_col_str(q, 8);
	struct demon_json_span v[MEMBERS];
	struct demon_audit_row row = {.seq = demon_col_i64(q, 0),
				      .ts = demon_col_i64(q, 1),
				      .type = demon_col_str(q, 2),
				      .run_id = or_null(demon_col_str(q, 5)),
				      .gate_id = demon_col_str(q, 6)};
	enum demon_rc rc;

	demon_json_members(payload ? payload : "", demon_col_len(q, 8), members, v, MEMBERS);
	for (int i = 0; i < MEMBERS; i++) {
		demon_buf_clear(&t->of[i]);
		if (i != VALUE && demon_json_span_str(v[i], &t->of[i]) &&
		    (rc = demon_buf_rc(&t->of[i], err)))
			return rc;
	}
	row.tenant = or_null(demon_col_str(q, 3));
	if (!row.tenant)
		row.tenant = or_null(t->of[TENANT].data);
	row.by = first_of(t, BY, APPROVER);
	row.authentication = or_null(t->of[AUTHENTICATION].data);
	row.name = or_null(t->of[NAME].data);
	if (!row.name)
		row.name = or_null(demon_col_str(q, 4));
	row.reason = first_of(t, REASON, NOTE);
	row.value = v[VALUE].at;
	row.value_len = v[VALUE].len;
	if (demon_col_len(q, 7) == sizeof(row.origin))
		memcpy(row.origin, demon_col_blob(q, 7), sizeof(row.origin));
	return fn(ctx, &row, err);
}

enum demon_rc demon_audit_list(struct demon_db *db, demon_time since, int64_t limit,
			       demon_audit_fn *fn, void *ctx, struct demon_err *err)
{
	demon_cleanup(texts_done) struct texts t = {0};
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_acts);

	for (int i = 0; i < MEMBERS; i++)
		t.of[i].data = demon_buf_empty;
	demon_bind_i64(&q, ":since", since);
	demon_bind_i64(&q, ":limit", limit);
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = give(&q, &t, fn, ctx, err)))
			return rc;
	return rc;
}
