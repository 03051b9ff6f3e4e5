/*
 * Workers: threads that execute the runs that nobody executes.
 *
 * One thread looks for such runs: at the start, whenever a run is started anywhere on this
 * database, when the time of one that waits has come, and every second, since a process that was
 * killed leaves no event. It hands them to a pool, whose threads are made when they are needed and
 * end when they have been idle for a while. A run that waits costs no thread. A run that cannot be
 * executed is left alone for a minute.
 */
#ifndef DEMON_WORKER_H
#define DEMON_WORKER_H

#include "log.h"

#include <demon/store.h>

struct demon_expr;
struct demon_gate_config;
struct demon_secrets;
struct demon_wards;
struct demon_workers;

/** All borrowed until the end. */
struct demon_workers_options {
	struct demon_store *store;
	struct demon_log *log;
	struct demon_expr *expr;
	struct demon_secrets *secrets;
	const struct demon_gate_config *gates;
	const struct demon_wards *wards;
	size_t count; /* of threads at the same time: 1 to 1 024 */
};

/** Starts looking. */
enum demon_rc demon_workers_start(const struct demon_workers_options *options,
				  struct demon_workers **ret_workers, struct demon_err *err)
    demon_must_check;

/** Asks all to end before their next step. Does not wait. */
void demon_workers_stop(struct demon_workers *workers);

/** True when all threads have ended; waits at most @p ms. */
bool demon_workers_ended(struct demon_workers *workers, int64_t ms);

/** After they have ended: releases everything. NULL is allowed. */
void demon_workers_free(struct demon_workers *workers);

#endif
