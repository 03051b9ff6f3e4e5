/*
 * A run as it was read from the log: what it was started with, and where its events have brought
 * it.
 */
#ifndef DEMON_RUN_STATE_H
#define DEMON_RUN_STATE_H

#include "db/stmt.h"
#include "run.h"
#include "run_machine.h"

/** As demon_run_state.until: fold to before the event that ends the run. */
#define DEMON_RUN_UNTIL_END (-1)

/** Zeroed, then found and folded. Owns what it points to, but for status. */
struct demon_run_state {
	struct demon_run_id id;
	char ritual_id[65];
	int64_t scope;      /* of the run, in log_scopes: what its executor claims */
	const char *status; /* static */
	struct demon_definition *definition;
	json_t *input;   /* or NULL */
	char *requester; /* who started it, or NULL */
	struct demon_machine machine;
	int64_t until;   /* given: fold to before this step begins; 0: to the end */
	bool stopped;    /* it was met */
	int64_t ender;   /* the step that the run ended with; 0: none */
	bool retry;      /* an operator has said that the step in flight is to be run again */
	char *terminal;  /* payload of the terminal event, or NULL */
	demon_time last; /* the latest ts of its events: no event that follows has an earlier one */
};

#define DEMON_RUN_STATE(name) demon_cleanup(demon_run_state_done) struct demon_run_state name = {0}
void demon_run_state_done(struct demon_run_state *state);

/** Sets id, ritual_id, scope and status. DEMON_NOTFOUND: there is no such run. */
enum demon_rc demon_run_state_find(struct demon_db *db, const struct demon_run_id *run,
				   struct demon_run_state *state, struct demon_err *err)
    demon_must_check;

/** Sets everything else, and status, from the events of a run that was found. DEMON_CORRUPT: they
 * are not what an executor writes. */
enum demon_rc demon_run_fold(struct demon_db *db, struct demon_run_state *state,
			     struct demon_err *err) demon_must_check;

#endif
