/*
 * Our side: events through the store, with the projections that a node has.
 */
#ifndef DEMON_BENCH_OURS_H
#define DEMON_BENCH_OURS_H

#include <demon/store.h>

/** Opens a store at @p path, making it. Aborts when that does not work. */
struct demon_store *ours_open(const char *path);

/** Appends @p count events as one group of one transaction; step ids from *step_id on. */
void ours_write(struct demon_store *store, size_t count, int64_t *step_id);

/** Appends @p each events, one a call, from each of @p threads callers at once. */
void ours_write_concurrently(struct demon_store *store, size_t threads, size_t each,
			     int64_t *step_id);

#endif
