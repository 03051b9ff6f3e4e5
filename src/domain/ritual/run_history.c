/*
 * What happened in a run: its events, some of them.
 */
#include "run_state.h"
#include "store/readers.h"

#include <string.h>

DEMON_SQL(sql_moments, "SELECT t.name, e.ts, e.payload FROM log_events e "
		       "JOIN log_types t ON t.id = e.type_id WHERE e.scope_id = :scope "
		       "ORDER BY e.seq");

static bool is_among(const char *type, const char *const *types)
{
	for (; *types; types++)
		if (strcmp(type, *types) == 0)
			return true;
	return false;
}

enum demon_rc demon_run_history(struct demon_store *store, const struct demon_run_id *run,
				const char *const *types, demon_run_moment_fn *fn, void *ctx,
				struct demon_err *err)
{
	DEMON_RUN_STATE(state);
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_run_state_find(loan.db, run, &state, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_moments);
	demon_bind_i64(&q, ":scope", state.scope);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_run_moment m = {.type = demon_col_str(&q, 0),
					     .ts = demon_col_i64(&q, 1)};

		/* the payload of an event that is not asked for is not read */
		if (!is_among(m.type, types))
			continue;
		m.payload = demon_col_str(&q, 2);
		m.len = demon_col_len(&q, 2);
		if (m.payload && (rc = fn(ctx, &m, err)))
			break;
	}
	return rc;
}
