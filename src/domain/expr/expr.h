/*
 * Expressions: jq programs, compiled and evaluated in worker processes.
 *
 * libjq may abort its process, cannot be interrupted everywhere, hands out the environment and
 * takes tens of milliseconds to compile anything. So nothing but the program `demon-expr` links
 * it: a worker with an empty environment and limits of time, memory and output, which is started
 * by the first expression and kept for all that follow. A worker that dies, or has to be killed,
 * costs its expression an error; the next one gets a new worker.
 *
 * All expressions of a definition form a *unit*, which is compiled once and kept by each worker
 * under its id. Compiling loads jq's builtins, so a unit of a hundred costs little more than one.
 *
 * Inside an expression `.` is the input; the variables of the unit's source and the standard ones
 * ($context, $input, $output, $secrets, $task, $workflow, $runtime, and $__nonce for the loader's
 * own use) are bound, to null where the caller gives no value. $ENV, env, input, inputs, debug,
 * stderr, input_filename, $__loc__, import, include and module are not to be had: a check refuses
 * them by name.
 *
 * Any thread; each evaluation has a worker to itself, or waits for one.
 */
#ifndef DEMON_EXPR_H
#define DEMON_EXPR_H

#include "base/base.h"
#include "base/json_member.h"

#include <jansson.h>

/** One expression. Borrowed. */
struct demon_expr_source {
	const char *text; /* a jq program, e.g. ".colors + [$color]" */
	/* names without "$", ended by NULL, beside the standard ones; or NULL */
	const char *const *variables;
};

/** The expressions of a definition. Borrowed; equal ids mean equal sources. */
struct demon_expr_unit {
	unsigned char id[32];
	const struct demon_expr_source *sources;
	size_t count;
};

/** Bytes of a list that a ritual may go through: what the interpreter allows an evaluation to
 * yield. What goes into one event is held to the limit of events there. */
#define DEMON_EXPR_LIST_MAX ((size_t)8 * 1024 * 1024)

/** Zero members mean the default. */
struct demon_expr_options {
	const char *program; /* path of demon-expr; NULL: beside the running program, in the folder
			      * above it, or where it was installed */
	size_t workers;      /* at most so many processes; 0: 2 */
	int64_t timeout_ms;  /* of one evaluation; 0: 2 000 */
	size_t memory;       /* bytes of address space of a worker; 0: 192 MiB */
	size_t output_max;   /* bytes of JSON that one evaluation may yield; 0: 480 KiB */
};

struct demon_expr;

/** Makes the pool; starts no process. *ret_expr is new: demon_expr_close(). */
enum demon_rc demon_expr_open(const struct demon_expr_options *options,
			      struct demon_expr **ret_expr, struct demon_err *err) demon_must_check;

/** Ends the workers and waits for them. NULL is allowed. */
void demon_expr_close(struct demon_expr *expr);

/**
 * Compiles every expression of @p unit by itself. DEMON_INVALID: *ret_index is the first that is
 * not a jq program (or uses what is not to be had), err says why. DEMON_TIMEOUT, DEMON_TOOBIG:
 * compiling met a limit. DEMON_UNAVAIL: no worker can be started.
 */
enum demon_rc demon_expr_check(struct demon_expr *expr, const struct demon_expr_unit *unit,
			       size_t *ret_index, struct demon_err *err) demon_must_check;

/**
 * Evaluates expression @p index of a unit that has been checked. @p input and @p variables are JSON
 * texts, the latter an object by name without "$"; a NULL span of it: none. *ret_value is new.
 *
 * DEMON_INVALID: jq's error, no result, more than one, or one that no event can hold.
 * DEMON_TIMEOUT, DEMON_TOOBIG: a limit of time, or of memory or output. DEMON_FAILED: the worker
 * died of it. DEMON_UNAVAIL as above.
 */
enum demon_rc demon_expr_eval(struct demon_expr *expr, const struct demon_expr_unit *unit,
			      size_t index, struct demon_json_span input,
			      struct demon_json_span variables, json_t **ret_value,
			      struct demon_err *err) demon_must_check;

#endif
