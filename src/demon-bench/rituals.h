/*
 * The ritual engine: runs a second, rounds of a loop, and what runs that wait cost.
 */
#ifndef DEMON_BENCH_RITUALS_H
#define DEMON_BENCH_RITUALS_H

#include "domain/ritual/definition.h"

#include <demon/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** One figure. Rates: more is better on both sides. */
struct ritual_result {
	const char *name;
	const char *unit;
	double ours;
	double bare;
	char note[512];
};

#define RITUAL_COUNT 3

/** Measures in databases below @p dir; results are in the order of their names. */
void rituals_measure(const char *dir, bool quick, struct ritual_result results[RITUAL_COUNT]);

/* For the other measurements that need a daemon. */

/** Ends the program with the error's words unless @p rc is DEMON_OK. */
void rituals_check(enum demon_rc rc, const struct demon_err *err);

struct demon_definition *rituals_load(const char *text);

/** The daemon of this build, on a database. */
pid_t rituals_daemon(const char *db);

/** Kilobytes of /proc/@p pid/status. */
long rituals_memory(long pid, const char *key);

/** How late @p count timers after @p seq fired, in ms, in ascending order; false: not so many did.
 */
bool rituals_lateness(struct demon_store *store, int64_t seq, double *late, size_t count);

#endif
