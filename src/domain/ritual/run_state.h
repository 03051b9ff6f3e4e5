/*
 * Where a run stands: what its events add up to, and the definition and input that they carry.
 */
#ifndef DEMON_RUN_STATE_H
#define DEMON_RUN_STATE_H

#include "db/stmt.h"
#include "run_events.h"

/** How far the run's last step has come. */
enum demon_run_phase {
	DEMON_RUN_NO_STEP,   /* none has started */
	DEMON_RUN_IN_FLIGHT, /* it has started */
	DEMON_RUN_STEP_DONE, /* it has completed */
};

/** Zeroed, then found and folded. Owns what it points to, but for status. */
struct demon_run_state {
	struct demon_run_id id;
	char ritual_id[65];
	int64_t scope;      /* of the run, in log_scopes: what its executor claims */
	const char *status; /* static */
	struct demon_definition *definition;
	json_t *input; /* or NULL */
	enum demon_run_phase phase;
	struct demon_run_step step; /* the last one; its call is not set */
	char *name;                 /* step.name */
	char *reference;            /* step.reference */
	char *result;               /* `result` of the last completed step's envelope, or NULL */
	size_t result_len;
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

/** Makes @p step, with @p name and @p reference copied, the last one; it is in flight. */
enum demon_rc demon_run_state_step(struct demon_run_state *state, const struct demon_run_step *step,
				   struct demon_err *err) demon_must_check;

#endif
