/*
 * The events of a run with gates, and where it stands, held against what a model says of it.
 */
#ifndef DEMON_TEST_GATE_LOG_H
#define DEMON_TEST_GATE_LOG_H

#include "gate_model.h"

/** Fails unless each round was asked for once, decided exactly once, by enough people that had
 * voted in it and in time; no timer fired early or twice; and the run has ended once, as @p m says.
 */
void gate_log_check(struct demon_store *store, const struct demon_run_id *run,
		    const struct model *m);

/** Fails unless every round, the run's status and when it is due are now as @p m says. */
void gate_state_check(struct demon_store *store, const struct demon_run_id *run, struct model *m);

#endif
