/*
 * Audit: every administrative act that the log holds.
 *
 * That is every event of a node's own stream (registers, keys), and of runs and rituals what
 * somebody did by hand: overrides, cancellations, runs that were resumed or tried again, names that
 * were given or given up. The same as the view v_audit.
 */
#ifndef DEMON_AUDIT_H
#define DEMON_AUDIT_H

#include "db/stmt.h"

#include <demon/event.h>

/** One act. Borrowed during the callback; NULL: absent, or not said. */
struct demon_audit_row {
	int64_t seq; /* local order of arrival */
	demon_time ts;
	const char *type;
	const char *tenant; /* "*": the whole node */
	const char *by;
	const char *authentication; /* how that was known */
	const char *name;           /* of the register, or of the ritual */
	const char *run_id;
	const char *gate_id;
	const char *reason;
	const char *value; /* of the register, canonical JSON */
	size_t value_len;
	unsigned char origin[DEMON_ORIGIN_LEN]; /* of the node where it was done */
};
typedef enum demon_rc demon_audit_fn(void *ctx, const struct demon_audit_row *row,
				     struct demon_err *err);

/** Calls @p fn for acts of @p since or later, at most @p limit, the last one that arrived first. */
enum demon_rc demon_audit_list(struct demon_db *db, demon_time since, int64_t limit,
			       demon_audit_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

#endif
