/*
 * Steps of a run before they run: their identity, and the event that announces them.
 */
#ifndef DEMON_RUN_STEP_H
#define DEMON_RUN_STEP_H

#include "run_events.h"

/** Makes @p step the first attempt at step @p step_id of a run, which calls what @p task says.
 * Its strings are borrowed from the task. docs/journal.md defines the key. */
enum demon_rc demon_run_step_make(const struct demon_run_id *run, const struct demon_task *task,
				  int64_t step_id, struct demon_run_step *step,
				  struct demon_err *err) demon_must_check;

/** Adds step.started:v1 to the group. @p with may be NULL. */
enum demon_rc demon_run_step_announce(struct demon_run_group *g, const struct demon_run_step *step,
				      const json_t *with, struct demon_err *err) demon_must_check;

#endif
