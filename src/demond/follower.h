/*
 * The follower: a thread that writes a line to the log for every event that is appended to the
 * database from now on, by whichever process, or that arrives from another node.
 *
 * A line has what an event's header says of it, never the payload: secrets, inputs and outputs are
 * not there. What a run goes through as a whole, approvals, timers, decisions and failed steps are
 * info, all else debug. At most 2000 lines a second are written, and then how many were not;
 * approvals always are.
 */
#ifndef DEMON_FOLLOWER_H
#define DEMON_FOLLOWER_H

#include "log.h"

#include <demon/store.h>

struct demon_follower;

/** Starts the thread. Store and log are borrowed until the end. */
enum demon_rc demon_follower_start(struct demon_store *store, struct demon_log *log,
				   struct demon_follower **ret_follower, struct demon_err *err)
    demon_must_check;

/** Waits until all that is there by now is written, and releases everything. NULL is allowed. */
void demon_follower_stop(struct demon_follower *follower);

#endif
