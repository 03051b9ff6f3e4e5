/*
 * Where a machine stands, as JSON: what ritual.restored:v1 carries.
 *
 * Only a machine that is about to begin a task can be kept (AT_START, AT_TASK, AT_LIST_END), and
 * one that had a leaf under way as if it had not begun.
 */
#ifndef DEMON_RUN_CHECKPOINT_H
#define DEMON_RUN_CHECKPOINT_H

#include "run_machine.h"

/** *ret_saved is new. Times of the future are moved by @p shift ms. DEMON_INVALID: it stands where
 * it cannot be kept. */
enum demon_rc demon_machine_save(const struct demon_machine *m, int64_t shift, json_t **ret_saved,
				 struct demon_err *err) demon_must_check;

/** Puts a machine that has begun where another one stood. DEMON_CORRUPT: @p saved does not fit the
 * definition. */
enum demon_rc demon_machine_load(struct demon_machine *m, const json_t *saved,
				 struct demon_err *err) demon_must_check;

#endif
