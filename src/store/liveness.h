/*
 * Who is at work on what: locks that end with their process, never by a clock.
 *
 * Number 0 is the daemon of the node; a run is its scope's number in log_scopes.
 */
#ifndef DEMON_LIVENESS_H
#define DEMON_LIVENESS_H

#include <demon/store.h>

/** Takes number @p n for this caller; DEMON_BUSY when another thread or process has it. */
enum demon_rc demon_store_claim(struct demon_store *store, int64_t n, struct demon_err *err)
    demon_must_check;
void demon_store_unclaim(struct demon_store *store, int64_t n);

/** True when any thread or process holds number @p n. */
bool demon_store_claimed(struct demon_store *store, int64_t n);

/** True when another process, or another store of this one, holds number @p n. */
bool demon_store_claimed_elsewhere(struct demon_store *store, int64_t n);

#endif
