/*
 * Replaying the log into projections.
 */
#ifndef DEMON_REBUILD_H
#define DEMON_REBUILD_H

#include "store/handle.h"

/** Applies every event that @p from holds, in order, to the projections in @p to. The two may be
 * one connection. *ret_events: how many. */
enum demon_rc demon_replay(struct demon_store *store, struct demon_db *from, struct demon_db *to,
			   int64_t *ret_events, struct demon_err *err) demon_must_check;

#endif
