/*
 * Workers: threads that take up runs which nobody executes.
 *
 * They look at the start, whenever a run is started anywhere on this database, and every second,
 * since a process that was killed leaves no event. A run that cannot be executed is left alone for
 * a minute.
 */
#ifndef DEMON_WORKER_H
#define DEMON_WORKER_H

#include "log.h"

#include <demon/store.h>

struct demon_workers;

/** Starts @p count threads. Store and log are borrowed until the end. */
enum demon_rc demon_workers_start(struct demon_store *store, struct demon_log *log, size_t count,
				  struct demon_workers **ret_workers, struct demon_err *err)
    demon_must_check;

/** Asks all to end before their next step. Does not wait. */
void demon_workers_stop(struct demon_workers *workers);

/** True when all threads have ended; waits at most @p ms. */
bool demon_workers_ended(struct demon_workers *workers, int64_t ms);

/** After they have ended: releases everything. NULL is allowed. */
void demon_workers_free(struct demon_workers *workers);

#endif
