#include "delivery.h"

#include "store/store.h"
#include "store/write.h"

#include <stdio.h>
#include <string.h>

#define FIRST_MS  1000
#define SENT_KEPT 10000 /* deliveries, for people to look at */

#define COLUMNS                                                                     \
	"d.id, d.key, d.seq, d.hash, d.topic, d.tenant_id, d.run_id, d.gate_id, "   \
	"d.route_tenant, d.route, d.recipient, d.state, d.attempts, d.created_at, " \
	"d.next_at, d.ended_at, d.status, d.error FROM local_deliveries d "

DEMON_SQL(sql_routes, "SELECT route_tenant, route, next_at FROM local_deliveries "
		      "WHERE state = 'due' AND (route_tenant, route) > (:tenant, :route) "
		      "ORDER BY route_tenant, route, next_at LIMIT 1");
DEMON_SQL(sql_due, "SELECT " COLUMNS
		   "WHERE d.state = 'due' AND d.route_tenant = :tenant AND d.route = :route "
		   "AND d.next_at <= :now AND NOT EXISTS (SELECT 1 FROM local_deliveries p "
		   "WHERE p.state = 'due' AND p.route_tenant = d.route_tenant "
		   "AND p.route = d.route AND p.recipient = d.recipient AND p.thread = d.thread "
		   "AND p.id < d.id) ORDER BY d.next_at, d.id LIMIT :limit");
DEMON_SQL(sql_list, "SELECT " COLUMNS
		    "WHERE d.state = :state AND d.id < :below ORDER BY d.id DESC LIMIT :limit");
DEMON_SQL(sql_find, "SELECT " COLUMNS "WHERE d.key = :key");
DEMON_SQL(sql_count, "SELECT count(*) FROM local_deliveries WHERE state = :state");
DEMON_SQL(sql_record, "UPDATE local_deliveries SET state = :state, attempts = :attempts, "
		      "next_at = :next, delay = :delay, ended_at = :ended, status = :status, "
		      "error = :error WHERE id = :id AND state = 'due'");
DEMON_SQL(sql_prune, "DELETE FROM local_deliveries WHERE state = 'sent' AND id <= :id");
DEMON_SQL(sql_clock, "UPDATE local_deliveries SET next_at = :now + delay "
		     "WHERE state = 'due' AND next_at > :now + delay");
DEMON_SQL(sql_revive, "UPDATE local_deliveries SET state = 'due', attempts = 0, next_at = :now, "
		      "delay = 0, ended_at = NULL WHERE state = 'dead' AND id = :id");
DEMON_SQL(sql_revive_all, "UPDATE local_deliveries SET state = 'due', attempts = 0, "
			  "next_at = :now, delay = 0, ended_at = NULL WHERE state = 'dead'");
DEMON_SQL(sql_drop, "DELETE FROM local_deliveries WHERE state = 'dead' AND id = :id");
DEMON_SQL(sql_drop_all, "DELETE FROM local_deliveries WHERE state = 'dead'");

static const char *const states[DEMON_DELIVERY_STATES] = {"due", "sent", "dead"};

const char *demon_delivery_state_name(enum demon_delivery_state state)
{
	return states[state];
}

static void copy(char *out, size_t room, const struct demon_stmt *q, int col)
{
	const char *text = demon_col_str(q, col);

	(void)snprintf(out, room, "%s", text ? text : "");
}

static enum demon_rc read_row(const struct demon_stmt *q, struct demon_delivery *out,
			      struct demon_err *err)
{
	struct demon_delivery d = {
	    .id = demon_col_i64(q, 0),
	    .seq = demon_col_i64(q, 2),
	    .attempts = demon_col_i64(q, 12),
	    .created_at = demon_col_i64(q, 13),
	    .next_at = demon_col_i64(q, 14),
	    .ended_at = demon_col_is_null(q, 15) ? 0 : demon_col_i64(q, 15),
	    .status = demon_col_is_null(q, 16) ? 0 : demon_col_i64(q, 16),
	};
	const char *state = demon_col_str(q, 11);

	if (demon_col_len(q, 3) != sizeof(d.hash))
		return demon_err_set(err, DEMON_CORRUPT, "a row of local_deliveries is damaged");
	memcpy(d.hash, demon_col_blob(q, 3), sizeof(d.hash));
	copy(d.key, sizeof(d.key), q, 1);
	copy(d.topic, sizeof(d.topic), q, 4);
	copy(d.tenant_id, sizeof(d.tenant_id), q, 5);
	copy(d.run_id, sizeof(d.run_id), q, 6);
	copy(d.gate_id, sizeof(d.gate_id), q, 7);
	copy(d.route_tenant, sizeof(d.route_tenant), q, 8);
	copy(d.route, sizeof(d.route), q, 9);
	copy(d.recipient, sizeof(d.recipient), q, 10);
	copy(d.error, sizeof(d.error), q, 17);
	while (d.state < DEMON_DELIVERY_DEAD && strcmp(states[d.state], state) != 0)
		d.state++;
	*out = d;
	return DEMON_OK;
}

/* Hands out every row of a statement. */
static enum demon_rc give(struct demon_stmt *q, demon_delivery_fn *fn, void *ctx,
			  struct demon_err *err)
{
	bool row;
	enum demon_rc rc;

	while (!(rc = demon_step(q, &row, err)) && row) {
		struct demon_delivery d;

		if ((rc = read_row(q, &d, err)) || (rc = fn(ctx, &d, err)))
			return rc;
	}
	return rc;
}

enum demon_rc demon_deliveries_routes(struct demon_db *db, demon_delivery_route_fn *fn, void *ctx,
				      struct demon_err *err)
{
	char tenant[65] = "";
	char route[DEMON_ACTOR_MAX + 1] = "";
	enum demon_rc rc = DEMON_OK;
	bool row = true;

	while (!rc && row) {
		DEMON_STMT(q, db, &sql_routes);
		demon_time next_at;

		demon_bind_str(&q, ":tenant", tenant);
		demon_bind_str(&q, ":route", route);
		if ((rc = demon_step(&q, &row, err)) || !row)
			return rc;
		next_at = demon_col_i64(&q, 2);
		/* the bound texts are not read any more: this is the only row */
		copy(tenant, sizeof(tenant), &q, 0);
		copy(route, sizeof(route), &q, 1);
		rc = fn(ctx, tenant, route, next_at, err);
	}
	return rc;
}

enum demon_rc demon_deliveries_due(struct demon_db *db, const struct demon_delivery_sought *sought,
				   demon_delivery_fn *fn, void *ctx, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_due);

	demon_bind_str(&q, ":tenant", sought->route_tenant);
	demon_bind_str(&q, ":route", sought->route);
	demon_bind_i64(&q, ":now", sought->now);
	demon_bind_i64(&q, ":limit", (int64_t)sought->limit);
	return give(&q, fn, ctx, err);
}

enum demon_rc demon_deliveries_list(struct demon_db *db, const struct demon_delivery_filter *filter,
				    demon_delivery_fn *fn, void *ctx, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_list);

	demon_bind_str(&q, ":state", states[filter->state]);
	demon_bind_i64(&q, ":below", filter->below ? filter->below : INT64_MAX);
	demon_bind_i64(&q, ":limit", filter->limit ? (int64_t)filter->limit : -1);
	return give(&q, fn, ctx, err);
}

enum demon_rc demon_delivery_find(struct demon_db *db, const char *key,
				  struct demon_delivery *ret_delivery, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_find);

	demon_bind_str(&q, ":key", key);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no notification '%.64s'", key);
	return read_row(&q, ret_delivery, err);
}

enum demon_rc demon_deliveries_count(struct demon_db *db, int64_t ret[DEMON_DELIVERY_STATES],
				     struct demon_err *err)
{
	for (int i = 0; i < DEMON_DELIVERY_STATES; i++) {
		bool row;
		enum demon_rc rc;
		DEMON_STMT(q, db, &sql_count);

		demon_bind_str(&q, ":state", states[i]);
		if ((rc = demon_step(&q, &row, err)))
			return rc;
		ret[i] = demon_col_i64(&q, 0);
	}
	return DEMON_OK;
}

int64_t demon_delivery_delay(int64_t attempts, int64_t asked_ms, const struct demon_env *env)
{
	int64_t delay = FIRST_MS;
	uint16_t chance;

	for (int64_t i = 1; i < attempts && delay < DEMON_DELIVERY_DELAY_MAX; i++)
		delay *= 2;
	if (delay > DEMON_DELIVERY_DELAY_MAX)
		delay = DEMON_DELIVERY_DELAY_MAX;
	env->random(env->ctx, &chance, sizeof(chance));
	delay += delay / 5 * ((int64_t)chance - 32768) / 32768;
	if (asked_ms > DEMON_DELIVERY_ASKED_MAX)
		asked_ms = DEMON_DELIVERY_ASKED_MAX;
	return asked_ms > delay ? asked_ms : delay;
}

/* What is written about one delivery. */
struct outcome {
	int64_t id;
	enum demon_delivery_state state;
	int64_t attempts;
	demon_time now;
	int64_t delay;
	int64_t status;
	const char *error;
	bool changed;
};

static enum demon_rc write_outcome(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct outcome *o = ctx;
	struct demon_db *db = demon_write_db(w);
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_record);

	demon_bind_i64(&q, ":id", o->id);
	demon_bind_str(&q, ":state", states[o->state]);
	demon_bind_i64(&q, ":attempts", o->attempts);
	demon_bind_i64(&q, ":next", o->now + o->delay);
	demon_bind_i64(&q, ":delay", o->delay);
	if (o->state == DEMON_DELIVERY_DUE)
		demon_bind_null(&q, ":ended");
	else
		demon_bind_i64(&q, ":ended", o->now);
	if (o->status)
		demon_bind_i64(&q, ":status", o->status);
	else
		demon_bind_null(&q, ":status");
	demon_bind_str(&q, ":error", o->error);
	rc = demon_exec(&q, err);
	o->changed = demon_db_changes(db) > 0;
	if (rc || o->state != DEMON_DELIVERY_SENT || o->id % 100)
		return rc;
	DEMON_STMT(prune, db, &sql_prune);
	demon_bind_i64(&prune, ":id", o->id - SENT_KEPT);
	return demon_exec(&prune, err);
}

enum demon_rc demon_delivery_record(struct demon_store *store,
				    const struct demon_delivery *delivery,
				    const struct demon_sent *sent, unsigned attempts,
				    enum demon_delivery_state *ret_state, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	bool counts = sent->end != DEMON_SENT_CANCELED;
	struct outcome o = {
	    .id = delivery->id,
	    .attempts = delivery->attempts + counts,
	    .now = env->now(env->ctx),
	    .status = sent->status,
	    .error = sent->end == DEMON_SENT ? NULL : sent->text,
	};
	enum demon_rc rc;

	if (sent->end == DEMON_SENT_REFUSED && attempts > DEMON_DELIVERY_REFUSALS)
		attempts = DEMON_DELIVERY_REFUSALS;
	if (sent->end == DEMON_SENT)
		o.state = DEMON_DELIVERY_SENT;
	else if (counts && o.attempts >= (int64_t)attempts)
		o.state = DEMON_DELIVERY_DEAD;
	else if (counts)
		o.delay = demon_delivery_delay(o.attempts, sent->retry_after_ms, env);
	if ((rc = demon_store_write_repeatable(store, write_outcome, &o, err)))
		return rc;
	*ret_state = o.changed ? o.state : DEMON_DELIVERY_DUE;
	return DEMON_OK;
}

enum demon_rc demon_delivery_bury(struct demon_store *store, const struct demon_delivery *delivery,
				  const char *why, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct outcome o = {
	    .id = delivery->id,
	    .state = DEMON_DELIVERY_DEAD,
	    .attempts = delivery->attempts,
	    .now = env->now(env->ctx),
	    .error = why,
	};

	return demon_store_write_repeatable(store, write_outcome, &o, err);
}

static enum demon_rc set_clock(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const demon_time *now = ctx;
	DEMON_STMT(q, demon_write_db(w), &sql_clock);

	demon_bind_i64(&q, ":now", *now);
	return demon_exec(&q, err);
}

enum demon_rc demon_deliveries_clock(struct demon_store *store, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	demon_time now = env->now(env->ctx);

	return demon_store_write_repeatable(store, set_clock, &now, err);
}

/* What an operator does with dead deliveries. */
struct order {
	const char *key; /* NULL: all */
	const struct demon_sql *one;
	const struct demon_sql *all;
	demon_time now;
	bool takes_now;
	int64_t count;
};

static enum demon_rc carry_out(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct order *o = ctx;
	struct demon_db *db = demon_write_db(w);
	struct demon_delivery d = {0};
	enum demon_rc rc;

	if (o->key && (rc = demon_delivery_find(db, o->key, &d, err)))
		return rc;
	if (o->key && d.state != DEMON_DELIVERY_DEAD)
		return demon_err_set(err, DEMON_CONFLICT, "notification '%s' is %s, not dead",
				     d.key, states[d.state]);
	DEMON_STMT(q, db, o->key ? o->one : o->all);
	if (o->key)
		demon_bind_i64(&q, ":id", d.id);
	if (o->takes_now)
		demon_bind_i64(&q, ":now", o->now);
	rc = demon_exec(&q, err);
	o->count = demon_db_changes(db);
	return rc;
}

enum demon_rc demon_deliveries_retry(struct demon_store *store, const char *key, int64_t *ret_count,
				     struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct order o = {.key = key,
			  .one = &sql_revive,
			  .all = &sql_revive_all,
			  .now = env->now(env->ctx),
			  .takes_now = true};
	enum demon_rc rc = demon_store_write_repeatable(store, carry_out, &o, err);

	if (!rc)
		*ret_count = o.count;
	return rc;
}

enum demon_rc demon_deliveries_drop(struct demon_store *store, const char *key, int64_t *ret_count,
				    struct demon_err *err)
{
	struct order o = {.key = key, .one = &sql_drop, .all = &sql_drop_all};
	enum demon_rc rc = demon_store_write_repeatable(store, carry_out, &o, err);

	if (!rc)
		*ret_count = o.count;
	return rc;
}
