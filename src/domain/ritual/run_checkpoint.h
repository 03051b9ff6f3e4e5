/*
 * Where a machine stands, as JSON: what ritual.restored:v1 carries, for a run that begins where
 * another one stood. docs/journal.md has its members.
 *
 * Step ids begin anew: the steps under way are numbered from 1, the outermost first. A leaf under
 * way is kept as if it had not begun.
 */
#ifndef DEMON_RUN_CHECKPOINT_H
#define DEMON_RUN_CHECKPOINT_H

#include "run_machine.h"

/** *ret_saved is new; what is the run's @p input (NULL: none) is left out of it. All times are
 * moved by @p shift ms. DEMON_CONFLICT: an error goes up there, or the run has ended. */
enum demon_rc demon_machine_save(const struct demon_machine *m, const json_t *input, int64_t shift,
				 json_t **ret_saved, struct demon_err *err) demon_must_check;

/** Puts a machine that has begun, with the same input, where another one stood. DEMON_CORRUPT: @p
 * saved does not fit the definition; DEMON_NEWER. */
enum demon_rc demon_machine_load(struct demon_machine *m, const json_t *saved,
				 struct demon_err *err) demon_must_check;

#endif
