/*
 * Projections: tables that are a function of the log.
 *
 * The layer above defines them and hands the list to demon_store_open(). An applier updates its
 * tables from one event that is already in the log, and from nothing else: no clock, no setting,
 * no local sequence. It runs inside the transaction that appended or ingested the event, and again
 * during a rebuild. It never judges the event: what it cannot apply is DEMON_CORRUPT.
 */
#ifndef DEMON_PROJECTION_H
#define DEMON_PROJECTION_H

#include "db/stmt.h"

#include <demon/event.h>

/** One table of a projection, for digest and rebuild. */
struct demon_projection_table {
	const char *name;
	/* SELECT of all columns in the order of their declaration, ORDER BY primary key; NULL: an
	 * arrangement of what other tables say, which differs from node to node: not in the digest
	 */
	const struct demon_sql *rows;
	const struct demon_sql *clear; /* DELETE of all rows */
};

struct demon_projection {
	const char *name;
	const struct demon_projection_table *tables; /* ends with a NULL name */
	enum demon_rc (*apply)(struct demon_db *db, const struct demon_event *event,
			       struct demon_err *err);
	/* Checks tables without rows, for verify; NULL: there are none. DEMON_CORRUPT. */
	enum demon_rc (*check)(struct demon_db *db, struct demon_err *err);
};

#endif
