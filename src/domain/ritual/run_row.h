/*
 * Rows of table runs as its readers hand them out.
 */
#ifndef DEMON_RUN_ROW_H
#define DEMON_RUN_ROW_H

#include "db/stmt.h"
#include "run.h"

/** The columns that demon_run_row_read() reads, in its order. */
#define DEMON_RUN_COLUMNS                                                                   \
	"tenant_id, run_id, run_origin, ritual_id, status, version, started_at, ended_at, " \
	"error_type, wakes_at"

/** The current row of a statement that selects DEMON_RUN_COLUMNS; borrowed until the next step. */
struct demon_run_row demon_run_row_read(const struct demon_stmt *q);

/** What a frozen tenant makes of a row: who waits at a gate is Frozen, as nothing can be granted.
 * It is how the row is shown; the table, and the digest, know nothing of it. */
void demon_run_row_freeze(struct demon_run_row *row, bool frozen);

#endif
