/*
 * The Serverless Workflow DSL 1.0: what its parts share while a definition is loaded.
 *
 *	dsl        the document: names, `use`, the workflow's own input, output and time
 *	dsl_use    what tasks refer to by name
 *	dsl_list   lists of tasks: names, references, where the flow goes
 *	dsl_flow   whether every task is reached, and every circle is left
 *	dsl_task   tasks by their kind
 *	dsl_call   what is called: capsules, functions of `use`, programs
 *	dsl_try    try, catch, retry; errors
 *	dsl_term   values: literals, expressions, trees with expressions in them
 */
#ifndef DEMON_DSL_H
#define DEMON_DSL_H

#include "loader.h"

#define DEMON_DSL_VARS  64    /* variables around a task */
#define DEMON_DSL_TASKS 20000 /* in a definition */

struct demon_dsl {
	struct demon_loader *loader;
	struct demon_value use; /* or absent */
	const char *vars[DEMON_DSL_VARS + 1];
	size_t var_count;
	const char *const
	    *bound; /* a copy of vars that lasts; NULL: to be made, or there are none */
	size_t task_count;
	size_t used;      /* bytes that have been put in place of names of `use` */
	bool dry;         /* expressions are looked at and not entered */
	size_t end_count; /* tasks so far that may end the run: `then: end`, `raise` */
};

#define DEMON_KEYS(known, later) ((struct demon_keys){known, demon_count(known), later})
extern const char *const demon_dsl_none[];

/** The name of a variable that @p mapping gives under @p key, or @p fallback. */
const char *demon_dsl_variable(struct demon_dsl *d, struct demon_value mapping, const char *key,
			       const char *fallback);
/** Binds a variable until _unbind(); false: there are too many. */
bool demon_dsl_bind(struct demon_dsl *d, struct demon_value at, const char *name);
void demon_dsl_unbind(struct demon_dsl *d, size_t count);

/** A value that may have expressions in it: a string that is "${ … }" as a whole, or a tree. */
struct demon_term demon_dsl_value(struct demon_dsl *d, struct demon_value v);
/** The same, where a string is an expression also without "${ }". */
struct demon_term demon_dsl_expression(struct demon_dsl *d, struct demon_value v);
/** The member @p key of a mapping as an expression that must be a string. */
struct demon_term demon_dsl_condition(struct demon_dsl *d, struct demon_value mapping,
				      const char *key);
/** A call's arguments, and where they name secrets. */
struct demon_term demon_dsl_arguments(struct demon_dsl *d, struct demon_value v,
				      const json_t **ret_secrets);
/** The same for what arguments are made of later: where it names secrets it is always computed, so
 * that they are marked. */
struct demon_term demon_dsl_marked(struct demon_dsl *d, struct demon_value v);
/** Whether any string in @p json is an expression. */
bool demon_dsl_is_dynamic(const json_t *json);
struct demon_duration demon_dsl_duration(struct demon_dsl *d, struct demon_value v,
					 const char *what);
/** The same for a limit, of which 0 would be none at all: refused. */
struct demon_duration demon_dsl_limit(struct demon_dsl *d, struct demon_value v, const char *what);
/** A length of time without expressions; 0 where it is none. */
int64_t demon_dsl_ms(struct demon_dsl *d, struct demon_value v, const char *what);
int64_t demon_dsl_limit_ms(struct demon_dsl *d, struct demon_value v, const char *what);
/** `timeout` of @p mapping: {after: …}, or a name in use.timeouts. */
struct demon_duration demon_dsl_timeout(struct demon_dsl *d, struct demon_value mapping);
/** {after: …} */
struct demon_duration demon_dsl_after(struct demon_dsl *d, struct demon_value v);

/** Reads and checks `use` of the document. */
void demon_dsl_use(struct demon_dsl *d, struct demon_value top);
/** A member of use.KIND that the string @p name names; absent, with a problem told, when there is
 * none. */
struct demon_value demon_dsl_used(struct demon_dsl *d, const char *kind, struct demon_value name);
/** Whether @p json may be put in place of a name: all that is comes to no more than some MiB,
 * however often a name is used. False: told. */
bool demon_dsl_afford(struct demon_dsl *d, struct demon_value at, const json_t *json);

/** The list at @p v becomes tasks of @p parent, which has the reference and the name. */
void demon_dsl_list(struct demon_dsl *d, struct demon_value v, const char *reference,
		    struct demon_task *parent);

/** Looks where the tasks of @p parent, the list at @p list, lead. leaves[i]: something in task i
 * may end the run. */
void demon_dsl_flow(struct demon_dsl *d, struct demon_value list, const struct demon_task *parent,
		    const bool *leaves);

/** Where `then` of @p mapping leads within @p names (name → index); @p after: without one. */
size_t demon_dsl_then(struct demon_dsl *d, struct demon_value mapping, const json_t *names,
		      size_t after);

/** Input, output, export of a task or of the workflow. */
void demon_dsl_data(struct demon_dsl *d, struct demon_value mapping, struct demon_task *task);

/** Reads a task. @p names: of its list. */
void demon_dsl_task(struct demon_dsl *d, struct demon_value v, const json_t *names,
		    struct demon_task *task);
/** A function of `use`: what it calls (NULL: a problem was told), and its own arguments. */
const struct demon_capsule *demon_dsl_function(struct demon_dsl *d, struct demon_value function,
					       struct demon_value *ret_with);
void demon_dsl_call(struct demon_dsl *d, struct demon_value v, struct demon_task *task);
void demon_dsl_run(struct demon_dsl *d, struct demon_value v, struct demon_task *task);
void demon_dsl_try(struct demon_dsl *d, struct demon_value v, struct demon_task *task);
void demon_dsl_raise(struct demon_dsl *d, struct demon_value v, struct demon_task *task);
/** An error as `raise` has it: a mapping. */
struct demon_term demon_dsl_error(struct demon_dsl *d, struct demon_value v);
/** A policy, or the name of one; NULL: a problem was told. */
const struct demon_retry *demon_dsl_retry(struct demon_dsl *d, struct demon_value v);

#endif
