/*
 * How many runs of a tenant have which status.
 */
#ifndef DEMON_RUN_COUNTS_H
#define DEMON_RUN_COUNTS_H

#include <demon/store.h>

typedef enum demon_rc demon_run_count_fn(void *ctx, const char *status, int64_t count,
					 struct demon_err *err);

/** Calls @p fn for every status that a run of @p tenant_id has; reads one index. */
enum demon_rc demon_run_counts(struct demon_store *store, const char *tenant_id,
			       demon_run_count_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

#endif
