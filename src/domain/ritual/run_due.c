/*
 * Which runs are to be executed.
 */
#include "run.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* the conditions behind 'Running' are those of the partial index, to the letter */
DEMON_SQL(sql_running,
	  "SELECT r.tenant_id, r.run_id, s.id FROM runs r CROSS JOIN log_scopes s "
	  "ON s.run_id = r.run_id AND s.tenant_id = r.tenant_id AND s.run_origin = r.run_origin "
	  "AND s.ritual_id = r.ritual_id WHERE r.run_origin = :origin AND r.status = 'Running' "
	  "AND r.status <> 'Completed' AND r.status <> 'Failed' AND r.status <> 'Canceled' "
	  "AND r.status <> 'Denied'");
DEMON_SQL(sql_waking,
	  "SELECT r.tenant_id, r.run_id, s.id FROM runs r CROSS JOIN log_scopes s "
	  "ON s.run_id = r.run_id AND s.tenant_id = r.tenant_id AND s.run_origin = r.run_origin "
	  "AND s.ritual_id = r.ritual_id WHERE r.run_origin = :origin AND r.wakes_at IS NOT NULL "
	  "AND r.wakes_at <= :now ORDER BY r.wakes_at");
DEMON_SQL(sql_next, "SELECT MIN(wakes_at) FROM runs WHERE run_origin = :origin "
		    "AND wakes_at IS NOT NULL AND wakes_at > :now");

/* Runs under collection. */
struct runs {
	struct demon_store *store;
	const struct demon_run_sought *sought;
	struct demon_run_id *items; /* owned: room for the limit */
	size_t count;
};

static void add_run(struct runs *runs, const struct demon_stmt *q)
{
	struct demon_run_id *run = &runs->items[runs->count];

	(void)snprintf(run->tenant_id, sizeof(run->tenant_id), "%s", demon_col_str(q, 0));
	(void)snprintf(run->run_id, sizeof(run->run_id), "%s", demon_col_str(q, 1));
	memcpy(run->origin, demon_store_origin(runs->store), sizeof(run->origin));
	if (!runs->sought->skip || !runs->sought->skip(runs->sought->ctx, run))
		runs->count++;
}

static enum demon_rc add_all(struct runs *runs, struct demon_stmt *q, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;
	bool row;

	while (runs->count < runs->sought->limit && !(rc = demon_step(q, &row, err)) && row)
		if (!demon_store_claimed(runs->store, demon_col_i64(q, 2)))
			add_run(runs, q);
	return rc;
}

static enum demon_rc find_next(struct demon_db *db, const unsigned char *origin, demon_time now,
			       demon_time *ret_next, struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_next);

	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_i64(&q, ":now", now);
	if (!(rc = demon_step(&q, &row, err)) && row)
		*ret_next = demon_col_i64(&q, 0);
	return rc;
}

static enum demon_rc collect(struct demon_db *db, struct runs *runs, demon_time now,
			     struct demon_err *err)
{
	const unsigned char *origin = demon_store_origin(runs->store);
	enum demon_rc rc;
	DEMON_STMT(waking, db, &sql_waking);
	DEMON_STMT(running, db, &sql_running);

	demon_bind_blob(&waking, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_i64(&waking, ":now", now);
	if ((rc = add_all(runs, &waking, err)))
		return rc;
	demon_bind_blob(&running, ":origin", origin, DEMON_ORIGIN_LEN);
	return add_all(runs, &running, err);
}

enum demon_rc demon_run_due(struct demon_store *store, const struct demon_run_sought *sought,
			    struct demon_run_due *ret_due, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	demon_time now = env->now(env->ctx);
	struct runs runs = {.store = store, .sought = sought};
	demon_time next = 0;
	enum demon_rc rc;
	DEMON_READ(loan);

	runs.items = demon_calloc(sought->limit, sizeof(*runs.items));
	if (!runs.items)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a list of runs");
	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = collect(loan.db, &runs, now, err)) ||
	    (rc = find_next(loan.db, demon_store_origin(store), now, &next, err))) {
		free(runs.items);
		return rc;
	}
	*ret_due = (struct demon_run_due){.runs = runs.items, .count = runs.count, .next = next};
	return DEMON_OK;
}
