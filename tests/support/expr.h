/*
 * Expressions in tests: units without ids to think of, values as text, a look at the workers.
 */
#ifndef DEMON_TEST_EXPR_H
#define DEMON_TEST_EXPR_H

#include "test.h"

#include "domain/expr/expr.h"

#include <sys/types.h>

/** One thread's use of a pool. */
struct expr_user {
	struct demon_expr *expr;
	struct demon_err err;
	char text[1024]; /* the last value, cut */
};

/** The span of a string; NULL: none. */
struct demon_json_span expr_span(const char *text);

/** A unit with an id that no other has. Any thread. */
struct demon_expr_unit expr_unit(const struct demon_expr_source *sources, size_t count);

/** Evaluates; the value goes to u->text. */
enum demon_rc expr_eval_unit(struct expr_user *u, const struct demon_expr_unit *unit, size_t index,
			     const char *input, const char *variables);

/** The same for a program that is a unit of its own. */
enum demon_rc expr_eval(struct expr_user *u, const char *program, const char *input);

/** Checks one program. */
enum demon_rc expr_check(struct expr_user *u, const char *program);

/** Fails the test unless the pool evaluates something. */
void expr_assert_usable(struct expr_user *u);

/** How many workers @p parent has, and the first. */
int expr_workers(pid_t parent, pid_t *ret_first);

#endif
