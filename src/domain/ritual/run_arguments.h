/*
 * Between what a definition says and what a capsule takes and answers.
 */
#ifndef DEMON_RUN_ARGUMENTS_H
#define DEMON_RUN_ARGUMENTS_H

#include "definition.h"
#include "run_error.h"

/** Makes a capsule's arguments of the task's: *with is replaced where they differ (`run: shell`,
 * the templates in the URI of `http`). @p data is the task's input. DEMON_FAILED: *error says why.
 */
enum demon_rc demon_run_arguments(const struct demon_task *task, const json_t *data, json_t **with,
				  struct demon_run_error *error, struct demon_err *err)
    demon_must_check;

/** What comes out of the task, where that is not the envelope's data as it stands. @p input is the
 * task's. *ret_raw is new, or NULL. */
enum demon_rc demon_run_returned(const struct demon_task *task, const json_t *data,
				 const json_t *input, json_t **ret_raw, struct demon_err *err)
    demon_must_check;

#endif
