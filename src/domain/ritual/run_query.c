#include "domain/admin/freeze.h"
#include "run_row.h"
#include "run_status.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

DEMON_SQL(sql_origins, "SELECT run_origin FROM runs WHERE tenant_id = :tenant AND run_id = :run "
		       "ORDER BY run_origin");
DEMON_SQL(sql_get, "SELECT " DEMON_RUN_COLUMNS " FROM runs WHERE tenant_id = :tenant "
		   "AND run_id = :run AND run_origin = :origin");
DEMON_SQL(sql_steps,
	  "SELECT step_id, name, reference, call, status, attempt, started_at, ended_at, "
	  "parent_id, iteration FROM steps WHERE tenant_id = :tenant AND run_id = :run "
	  "AND run_origin = :origin ORDER BY step_id");

struct demon_run_row demon_run_row_read(const struct demon_stmt *q)
{
	struct demon_run_row row = {
	    .tenant_id = demon_col_str(q, 0),
	    .run_id = demon_col_str(q, 1),
	    .ritual_id = demon_col_str(q, 3),
	    .status = demon_col_str(q, 4),
	    .version = demon_col_str(q, 5),
	    .started_at = demon_col_i64(q, 6),
	    .ended_at = demon_col_i64(q, 7),
	    .error_type = demon_col_str(q, 8),
	    .wakes_at = demon_col_i64(q, 9),
	};

	if (demon_col_len(q, 2) == sizeof(row.origin))
		memcpy(row.origin, demon_col_blob(q, 2), sizeof(row.origin));
	return row;
}

void demon_run_row_freeze(struct demon_run_row *row, bool frozen)
{
	if (frozen && strcmp(row->status, DEMON_RUN_AWAITING) == 0)
		row->status = DEMON_RUN_FROZEN;
}

static enum demon_rc several(const char *run_id, const struct demon_buf *origins, size_t count,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CONFLICT, "run '%s' exists at %zu nodes:%s", run_id, count,
			     origins->data);
}

enum demon_rc demon_run_find(struct demon_store *store, const char *tenant_id, const char *run_id,
			     struct demon_run_id *ret_run, struct demon_err *err)
{
	const char *tenant = tenant_id ? tenant_id : "default";
	struct demon_run_id run = {0};
	size_t count = 0;
	bool own = false;
	bool row;
	DEMON_BUF(origins, 0);
	DEMON_READ(loan);
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_origins);
	demon_bind_str(&q, ":tenant", tenant);
	demon_bind_str(&q, ":run", run_id);
	while (!own && !(rc = demon_step(&q, &row, err)) && row) {
		memcpy(run.origin, demon_col_blob(&q, 0), sizeof(run.origin));
		own = memcmp(run.origin, demon_store_origin(store), sizeof(run.origin)) == 0;
		demon_buf_char(&origins, ' ');
		demon_buf_hex(&origins, run.origin, sizeof(run.origin));
		count++;
	}
	if (rc)
		return rc;
	if (!count)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no run '%s'", run_id);
	if (!own && count > 1)
		return several(run_id, &origins, count, err);
	(void)snprintf(run.tenant_id, sizeof(run.tenant_id), "%s", tenant);
	(void)snprintf(run.run_id, sizeof(run.run_id), "%s", run_id);
	*ret_run = run;
	return DEMON_OK;
}

static void bind_run(struct demon_stmt *q, const struct demon_run_id *run)
{
	demon_bind_str(q, ":tenant", run->tenant_id);
	demon_bind_str(q, ":run", run->run_id);
	demon_bind_blob(q, ":origin", run->origin, sizeof(run->origin));
}

enum demon_rc demon_run_get(struct demon_store *store, const struct demon_run_id *run,
			    demon_run_row_fn *fn, void *ctx, struct demon_err *err)
{
	struct demon_run_row found;
	struct demon_freeze freeze;
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_frozen(loan.db, run->tenant_id, &freeze, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_get);
	bind_run(&q, run);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no run '%s'", run->run_id);
	found = demon_run_row_read(&q);
	demon_run_row_freeze(&found, freeze.frozen);
	return fn(ctx, &found, err);
}

enum demon_rc demon_run_steps(struct demon_store *store, const struct demon_run_id *run,
			      demon_step_row_fn *fn, void *ctx, struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_steps);
	bind_run(&q, run);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		const struct demon_step_row step = {
		    .step_id = demon_col_i64(&q, 0),
		    .name = demon_col_str(&q, 1),
		    .reference = demon_col_str(&q, 2),
		    .call = demon_col_str(&q, 3),
		    .status = demon_col_str(&q, 4),
		    .attempt = demon_col_i64(&q, 5),
		    .started_at = demon_col_i64(&q, 6),
		    .ended_at = demon_col_i64(&q, 7),
		    .parent_id = demon_col_i64(&q, 8),
		    .iteration = demon_col_is_null(&q, 9) ? -1 : demon_col_i64(&q, 9),
		};

		if ((rc = fn(ctx, &step, err)))
			break;
	}
	return rc;
}
