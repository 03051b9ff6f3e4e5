#include "register.h"

#include "base/bytes.h"
#include "store/store.h"
#include "store/subject.h"
#include "trust.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                 \
	"kind, tenant, name, value, written_by, auth, reason, ts, clock, origin, hash, 1 FROM " \
	"registers WHERE kind = :kind "
#define COLUMNS_TRUSTED                                                            \
	"kind, tenant, name, value, written_by, auth, reason, ts, clock, origin, " \
	"hash, " DEMON_TRUSTED("registers.origin") "FROM registers WHERE kind = :kind "
#define OF_NAME        "AND tenant = :tenant AND name = :name "
#define GREATEST_FIRST "ORDER BY clock DESC, origin DESC, hash DESC"

DEMON_SQL(sql_get, "SELECT " COLUMNS OF_NAME "AND " DEMON_TRUSTED("registers.origin") GREATEST_FIRST
	  " LIMIT 1");
DEMON_SQL(sql_listed, "SELECT " COLUMNS OF_NAME "AND " DEMON_TRUSTED("registers.origin")
			  GREATEST_FIRST " LIMIT 1");
DEMON_SQL(sql_writes,
	  "SELECT " COLUMNS_TRUSTED OF_NAME
	  "ORDER BY " DEMON_TRUSTED("registers.origin") "DESC, clock DESC, origin DESC, hash DESC");
DEMON_SQL(sql_next, "SELECT tenant, name FROM registers WHERE kind = :kind "
		    "AND (tenant, name) > (:tenant, :name) ORDER BY tenant, name LIMIT 1");

static const char *const kinds[DEMON_REGISTER_KINDS] = {"escalation", "freeze", "policy",
							"roles",      "route",  "token"};

const char *demon_register_kind_name(enum demon_register_kind kind)
{
	return kinds[kind];
}

static enum demon_rc nothing_holds(enum demon_register_kind kind, const char *tenant,
				   const char *name, struct demon_err *err)
{
	if (strcmp(tenant, DEMON_TENANT_ALL) == 0)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no %s '%.150s'", kinds[kind],
				     name);
	return demon_err_set(err, DEMON_NOTFOUND, "there is no %s '%.150s' of tenant '%.64s'",
			     kinds[kind], name, tenant);
}

static enum demon_rc read_row(const struct demon_stmt *q, struct demon_register_row *ret_row,
			      struct demon_err *err)
{
	struct demon_register_row row = {
	    .tenant = demon_col_str(q, 1),
	    .name = demon_col_str(q, 2),
	    .value = demon_col_str(q, 3),
	    .value_len = demon_col_len(q, 3),
	    .by = demon_col_str(q, 4),
	    .reason = demon_col_str(q, 6),
	    .ts = demon_col_i64(q, 7),
	    .clock = (uint64_t)demon_col_i64(q, 8),
	    .trusted = demon_col_i64(q, 11) != 0,
	};
	const char *kind = demon_col_str(q, 0);
	int k = 0;

	while (k < DEMON_REGISTER_KINDS && strcmp(kind, kinds[k]) != 0)
		k++;
	if (k == DEMON_REGISTER_KINDS || demon_auth_find(demon_col_str(q, 5), &row.auth, err) ||
	    demon_col_len(q, 9) != sizeof(row.origin) || demon_col_len(q, 10) != sizeof(row.hash))
		return demon_err_set(err, DEMON_CORRUPT, "a row of registers is damaged");
	row.kind = (enum demon_register_kind)k;
	memcpy(row.origin, demon_col_blob(q, 9), sizeof(row.origin));
	memcpy(row.hash, demon_col_blob(q, 10), sizeof(row.hash));
	*ret_row = row;
	return DEMON_OK;
}

static void bind_name(struct demon_stmt *q, enum demon_register_kind kind, const char *tenant,
		      const char *name)
{
	demon_bind_str(q, ":kind", kinds[kind]);
	demon_bind_str(q, ":tenant", tenant);
	demon_bind_str(q, ":name", name);
}

/* Hands out the write that the statement finds, if it has a value; *ret_given says so. */
static enum demon_rc give(struct demon_stmt *q, demon_register_fn *fn, void *ctx, bool *ret_given,
			  struct demon_err *err)
{
	struct demon_register_row found;
	bool row;
	enum demon_rc rc;

	*ret_given = false;
	if ((rc = demon_step(q, &row, err)) || !row || (rc = read_row(q, &found, err)))
		return rc;
	*ret_given = found.value;
	return found.value ? fn(ctx, &found, err) : DEMON_OK;
}

/* Checks what does not depend on the state. */
static enum demon_rc check(const struct demon_register_write *write, struct demon_err *err)
{
	enum demon_rc rc;

	if ((strcmp(write->tenant, DEMON_TENANT_ALL) != 0 &&
	     (rc = demon_id_check("tenant", write->tenant, err))) ||
	    (rc = demon_line_check("name", write->name, err)) ||
	    (rc = demon_actor_check(write->actor, err)))
		return rc;
	if (write->value && !json_is_object(write->value))
		return demon_err_set(err, DEMON_INVALID, "the value is not an object");
	if (write->reason && (!*write->reason || strlen(write->reason) > DEMON_REASON_MAX))
		return demon_err_set(err, DEMON_INVALID, "the reason is %s",
				     *write->reason ? "longer than 4 KiB" : "empty");
	return DEMON_OK;
}

/* What holds, for the decision. */
struct held {
	const struct demon_buf *value; /* that is to be written */
	bool same;
};

static enum demon_rc compare(void *ctx, const struct demon_register_row *row, struct demon_err *err)
{
	struct held *held = ctx;

	(void)err;
	held->same = row->value_len == held->value->len &&
		     memcmp(row->value, held->value->data, row->value_len) == 0;
	return DEMON_OK;
}

/* Whether there is anything to write. */
static enum demon_rc decide(struct demon_db *db, const struct demon_register_write *write,
			    const struct demon_buf *value, bool *ret_new, struct demon_err *err)
{
	struct held held = {.value = value};
	enum demon_rc rc =
	    demon_register_get(db, write->kind, write->tenant, write->name, compare, &held, err);

	if (rc && (rc != DEMON_NOTFOUND || !write->value))
		return rc;
	*ret_new = rc || !write->value || !held.same;
	return DEMON_OK;
}

static enum demon_rc append(struct demon_write *w, const struct demon_register_write *write,
			    demon_time now, const struct demon_buf *value, struct demon_err *err)
{
	char type[32];
	struct demon_record record = {.type = type};
	const struct demon_group group = {
	    .stream = DEMON_STREAM_NODE, .ts = now, .records = &record, .count = 1};
	DEMON_BUF(payload, demon_json_payload_limits.max_bytes);
	struct demon_jw jw = demon_jw_begin(&payload);

	(void)snprintf(type, sizeof(type), "%s.written:v1", kinds[write->kind]);
	demon_jw_str(&jw, "authentication", demon_auth_name(write->actor->auth));
	demon_jw_str(&jw, "by", write->actor->subject);
	demon_jw_str(&jw, "event", type);
	demon_jw_str(&jw, "name", write->name);
	demon_jw_str(&jw, "reason", write->reason);
	demon_jw_str(&jw, "tenant", write->tenant);
	demon_jw_time(&jw, "ts", now);
	if (write->value)
		demon_jw_raw(&jw, "value", value->data, value->len);
	demon_jw_end(&jw);
	if (demon_buf_rc(&payload, err))
		return demon_err_wrap(err, "%s '%.100s'", kinds[write->kind], write->name);
	if (!demon_json_is_canonical(payload.data, payload.len, &demon_json_payload_limits))
		return demon_err_set(
		    err, DEMON_TOOBIG, "%s '%.100s': the value is nested deeper than %u levels",
		    kinds[write->kind], write->name, demon_json_payload_limits.depth - 1);
	record.payload = payload.data;
	record.payload_len = payload.len;
	return demon_write_append(w, &group, NULL, err);
}

enum demon_rc demon_register_put(struct demon_write *w, const struct demon_register_write *write,
				 demon_time now, bool *ret_new, struct demon_err *err)
{
	bool new = false;
	enum demon_rc rc;
	DEMON_BUF(value, demon_json_payload_limits.max_bytes);

	if ((rc = check(write, err)) ||
	    (write->value && (rc = demon_json_canonical(write->value, &value, err))) ||
	    (rc = decide(demon_write_db(w), write, &value, &new, err)) ||
	    (new && (rc = append(w, write, now, &value, err))))
		return rc;
	if (ret_new)
		*ret_new = new;
	return DEMON_OK;
}

struct set {
	const struct demon_register_write *write;
	demon_time now;
	bool new;
};

static enum demon_rc set(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct set *s = ctx;

	return demon_register_put(w, s->write, s->now, &s->new, err);
}

enum demon_rc demon_register_set(struct demon_store *store,
				 const struct demon_register_write *write, bool *ret_new,
				 struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct set s = {.write = write, .now = env->now(env->ctx)};
	enum demon_rc rc = demon_store_write_repeatable(store, set, &s, err);

	if (!rc && ret_new)
		*ret_new = s.new;
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): a register is named by three */
enum demon_rc demon_register_get(struct demon_db *db, enum demon_register_kind kind,
				 const char *tenant, const char *name, demon_register_fn *fn,
				 void *ctx, struct demon_err *err)
{
	bool given;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_get);

	bind_name(&q, kind, tenant, name);
	if ((rc = give(&q, fn, ctx, &given, err)))
		return rc;
	return given ? DEMON_OK : nothing_holds(kind, tenant, name, err);
}

/* Where a list stands: behind this register. */
struct place {
	struct demon_buf tenant;
	struct demon_buf name;
};

static void place_done(struct place *p)
{
	demon_buf_done(&p->tenant);
	demon_buf_done(&p->name);
}

static enum demon_rc move(struct demon_db *db, enum demon_register_kind kind, struct place *at,
			  bool *ret_found, struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_next);

	demon_bind_str(&q, ":kind", kinds[kind]);
	demon_bind_text(&q, ":tenant", at->tenant.data, at->tenant.len);
	demon_bind_text(&q, ":name", at->name.data, at->name.len);
	if ((rc = demon_step(&q, ret_found, err)) || !*ret_found)
		return rc;
	/* the bound texts are not read any more: this is the only row */
	demon_buf_clear(&at->tenant);
	demon_buf_clear(&at->name);
	demon_buf_add(&at->tenant, demon_col_str(&q, 0), demon_col_len(&q, 0));
	demon_buf_add(&at->name, demon_col_str(&q, 1), demon_col_len(&q, 1));
	return (rc = demon_buf_rc(&at->tenant, err)) ? rc : demon_buf_rc(&at->name, err);
}

enum demon_rc demon_register_list(struct demon_db *db, enum demon_register_kind kind,
				  const char *tenant, demon_register_fn *fn, void *ctx,
				  struct demon_err *err)
{
	demon_cleanup(place_done) struct place at = {{.data = demon_buf_empty},
						     {.data = demon_buf_empty}};
	bool found;
	enum demon_rc rc;

	if (tenant)
		demon_buf_str(&at.tenant, tenant);
	if ((rc = demon_buf_rc(&at.tenant, err)))
		return rc;
	while (!(rc = move(db, kind, &at, &found, err)) && found &&
	       (!tenant || strcmp(at.tenant.data, tenant) == 0)) {
		bool given;
		DEMON_STMT(q, db, &sql_listed);

		bind_name(&q, kind, at.tenant.data, at.name.data);
		if ((rc = give(&q, fn, ctx, &given, err)))
			return rc;
	}
	return rc;
}

/* NOLINTNEXTLINE(readability-function-size): a register is named by three */
enum demon_rc demon_register_writes(struct demon_db *db, enum demon_register_kind kind,
				    const char *tenant, const char *name, demon_register_fn *fn,
				    void *ctx, struct demon_err *err)
{
	bool any = false;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_writes);

	bind_name(&q, kind, tenant, name);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_register_row found;

		any = true;
		if ((rc = read_row(&q, &found, err)) || (rc = fn(ctx, &found, err)))
			return rc;
	}
	return rc || any ? rc : nothing_holds(kind, tenant, name, err);
}
