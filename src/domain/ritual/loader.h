/*
 * Shared by the notations: a definition that is being made, and the problems found on the way.
 *
 * A notation reads the JSON value, the same whether it came from a file or from the log; beside
 * it goes the YAML node that it was made from, only to say where a problem is.
 */
#ifndef DEMON_LOADER_H
#define DEMON_LOADER_H

#include "base/arena.h"
#include "base/yaml.h"
#include "definition.h"

/** A value of the document. */
struct demon_value {
	const json_t *json;                 /* NULL: absent */
	const struct demon_yaml_node *node; /* NULL: there is no file */
};

struct demon_loader {
	struct demon_definition *definition;
	struct demon_arena *arena; /* what the definition is made of */
	struct demon_problems *problems;
	struct demon_expr_source *exprs; /* owned; become the definition's */
	struct demon_place *expr_places;
	size_t expr_count;
	size_t expr_size;
	struct demon_schemas *schemas; /* owned; becomes the definition's; or NULL */
	bool schemas_broken;
	json_t *kept; /* owned: an array of what demon_loader_keep() was given */
	bool failed;  /* memory ran out */
};

/** Zeroed memory that lives as long as the definition; NULL: memory ran out, l->failed is set. */
void *demon_loader_new(struct demon_loader *l, size_t count, size_t size);

/** A text that lives as long as the definition; "" when memory ran out. */
const char *demon_loader_text(struct demon_loader *l, const char *fmt, ...) demon_printf_like(2, 3);

/** Keeps a tree that the loader has made (stolen) as long as the definition; borrowed, or NULL. */
const json_t *demon_loader_keep(struct demon_loader *l, json_t *tree_new);

/**
 * Enters an expression that stands at @p at. @p text and @p variables (as in struct
 * demon_expr_source) live as long as the definition. What is returned goes into term.expr.
 */
size_t demon_loader_expr(struct demon_loader *l, struct demon_value at, const char *text,
			 const char *const *variables);

#define DEMON_PROBLEMS_MAX 100

/** Problems found so far, also those that are not kept. */
size_t demon_loader_problem_count(const struct demon_loader *l);

/** Adds a problem at a place, at the place of a value, or at that of its key. */
void demon_loader_problem_at(struct demon_loader *l, unsigned line, unsigned column,
			     const char *fmt, ...) demon_printf_like(4, 5);
void demon_loader_problem(struct demon_loader *l, struct demon_value at, const char *fmt, ...)
    demon_printf_like(3, 4);
void demon_loader_problem_key(struct demon_loader *l, struct demon_value at, const char *fmt, ...)
    demon_printf_like(3, 4);

/** A member of a mapping, an item of a list; absent: json is NULL. */
struct demon_value demon_value_get(struct demon_value mapping, const char *key);
struct demon_value demon_value_at(struct demon_value list, size_t index);

/** The member @p json of a mapping, which is its @p nth in order. */
struct demon_value demon_value_member(struct demon_value mapping, const json_t *json, size_t nth);

/** The value that a JSON pointer names, or the deepest one on the way to it. */
struct demon_value demon_value_find(struct demon_value from, const char *pointer);

/** What it is, for messages. */
const char *demon_value_describe(struct demon_value value);

/* What notations look at in the same way. Each tells of the problem that it finds. */

/** What can stand in a mapping, and what the notation has beside it. */
struct demon_keys {
	const char *const *known;
	size_t count;
	const char *const *later; /* ends with NULL: parts of the notation that are not read yet */
};

bool demon_loader_among(const char *word, const char *const *list);
/** "what 'word' (did you mean …)", at a value or at its key. */
void demon_loader_unknown(struct demon_loader *l, struct demon_value at, bool at_key,
			  const char *what, const char *word, const struct demon_keys *keys);
bool demon_loader_mapping(struct demon_loader *l, struct demon_value v, const char *what);
void demon_loader_keys(struct demon_loader *l, struct demon_value mapping, struct demon_keys keys);
/** A member that has to be there. */
bool demon_loader_require(struct demon_loader *l, struct demon_value mapping, const char *key,
			  struct demon_value *ret);
/** A string, or NULL. */
const char *demon_loader_string(struct demon_loader *l, struct demon_value v, const char *key);
/** A string on one line, 1 to 256 characters, or NULL. */
const char *demon_loader_line(struct demon_loader *l, struct demon_value v, const char *key);
/** [A-Za-z0-9_-]{1,64} */
bool demon_loader_is_id(const char *text);
/** Whether a string is an expression, "${ … }" as a whole; *ret_text is what stands between. */
bool demon_loader_marked(const json_t *json, const char **ret_text, size_t *ret_len);
/** Tells what is wrong with an expression, as far as that can be told without jq. A secret cannot
 * be named in one: nothing would put its value in place. */
void demon_loader_syntax(struct demon_loader *l, struct demon_value at, const char *text,
			 size_t len);
/** JSON pointers to the strings in @p json that name secrets; NULL: there are none. */
const json_t *demon_loader_secrets(struct demon_loader *l, const json_t *json);
/** Whether a string names a secret. */
bool demon_loader_names_secret(struct demon_loader *l, const char *text, size_t len);
/** Lets a capsule look at arguments; @p at is where they stand. What an expression makes is not
 * known yet, and is passed over. */
void demon_loader_arguments(struct demon_loader *l, const struct demon_capsule *capsule,
			    struct demon_value at, const json_t *with);

/** The same for `run: shell` and `run: script` of the DSL: @p run is the object that holds it. */
void demon_loader_process(struct demon_loader *l, const char *process, struct demon_value run);

/** Checks what holds for every notation: a mapping, no deeper than @p depth levels, and one of the
 * notations that are read. False: there is nothing more to look at. */
bool demon_loader_accepts(struct demon_loader *l, struct demon_value top, unsigned depth);

/** Reads the Serverless Workflow DSL into the definition. DEMON_NOMEM only; else see the problems.
 */
enum demon_rc demon_dsl_load(struct demon_loader *l, struct demon_value root, struct demon_err *err)
    demon_must_check;

/** Reads the seed notation into the definition. DEMON_NOMEM only; else see the problems. */
enum demon_rc demon_seed_load(struct demon_loader *l, struct demon_value root,
			      struct demon_err *err) demon_must_check;

#endif
