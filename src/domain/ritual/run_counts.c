#include "run_counts.h"

#include "store/readers.h"

DEMON_SQL(sql_counts,
	  "SELECT status, count(*) FROM runs WHERE tenant_id = :tenant GROUP BY status");

enum demon_rc demon_run_counts(struct demon_store *store, const char *tenant_id,
			       demon_run_count_fn *fn, void *ctx, struct demon_err *err)
{
	DEMON_READ(loan);
	bool row;
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_counts);
	demon_bind_str(&q, ":tenant", tenant_id);
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = fn(ctx, demon_col_str(&q, 0), demon_col_i64(&q, 1), err)))
			break;
	return rc;
}
