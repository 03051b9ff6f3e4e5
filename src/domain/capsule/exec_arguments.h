/*
 * Arguments of the exec capsule: how they are checked and read.
 */
#ifndef DEMON_EXEC_ARGUMENTS_H
#define DEMON_EXEC_ARGUMENTS_H

#include "arguments.h"
#include "process.h"

#define DEMON_PROGRAM_LIMITS     6
/* bytes of each output that are kept, unless the step says otherwise; at most, and then also of its
 * JSON string in the envelope */
#define DEMON_PROGRAM_OUTPUT     ((size_t)64 * 1024)
#define DEMON_PROGRAM_OUTPUT_MAX ((size_t)180 * 1024)

void demon_program_check(const json_t *with, demon_argument_problem_fn *report, void *ctx);

/** What a step wants beside its program. */
struct demon_program_options {
	struct demon_process_limit limits[DEMON_PROGRAM_LIMITS];
	size_t limit_count;
	size_t keep;        /* bytes of each output */
	int64_t timeout_ms; /* default one hour */
	bool awaited;
	bool any_status; /* every exit status is a success */
};

/** Reads arguments that hold to the check. */
struct demon_program_options demon_program_options_of(const json_t *with);

#endif
