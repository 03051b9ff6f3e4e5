/*
 * The identity of a step.
 */
#ifndef DEMON_RUN_STEP_H
#define DEMON_RUN_STEP_H

#include "run.h"

#define DEMON_STEP_KEY_LEN 64 /* hex digits of an idempotency key */

/** The idempotency key of step @p step_id of a run, as docs/journal.md defines it. */
enum demon_rc demon_run_step_key(const struct demon_run_id *run, int64_t step_id,
				 char out[DEMON_STEP_KEY_LEN + 1], struct demon_err *err)
    demon_must_check;

#endif
