/*
 * Definitions of rituals: the one internal representation, whatever notation it was written in.
 *
 * A definition is a tree of tasks. Its source is kept as the exact JSON value that the file held
 * (`spec`); the SHA-256 of that value's canonical form identifies it, and every task is referred to
 * by its JSON pointer into it. A run keeps the spec it was started with: it is loaded again from
 * the log by demon_definition_from_spec(), so loading must depend on nothing but the spec.
 */
#ifndef DEMON_DEFINITION_H
#define DEMON_DEFINITION_H

#include "base/bytes.h"
#include "base/json.h"

enum demon_notation {
	DEMON_NOTATION_SEED, /* id, version, states: [...] */
};

/** "seed", in static storage. */
const char *demon_notation_name(enum demon_notation notation);

enum demon_task_kind {
	DEMON_TASK_DO,   /* a list of tasks */
	DEMON_TASK_CALL, /* calls a capsule */
};

/** Where a run goes after a task: an index into the list that holds it, or the end of the run. */
#define DEMON_NEXT_END ((size_t)-1)

struct demon_task {
	enum demon_task_kind kind;
	const char *name;      /* unique within its list */
	const char *reference; /* JSON pointer into the spec, e.g. "/states/0" */
	size_t next;           /* index of the task that follows in this list, or DEMON_NEXT_END */
	/* DEMON_TASK_DO: */
	const struct demon_task *tasks;
	size_t count;
	/* DEMON_TASK_CALL: */
	const struct demon_capsule *capsule;
	const json_t *with; /* arguments, borrowed from the spec; NULL: none */
};

struct demon_definition {
	enum demon_notation notation;
	const char *ritual_id;
	const char *version;
	const char *title;     /* or NULL */
	const json_t *spec;    /* what the file held */
	const char *canonical; /* its canonical form */
	size_t canonical_len;
	unsigned char digest[DEMON_HASH_LEN]; /* SHA-256 of the canonical form */
	struct demon_task root;               /* a DEMON_TASK_DO; starts at its task 0 */
};

/** One thing that is wrong with a file. */
struct demon_problem {
	unsigned line;   /* from 1 */
	unsigned column; /* from 1 */
	char text[320];  /* what was expected, what was found, the nearest known key */
};

/** Problems found in one file, in order of their place. At most 100 are kept. */
struct demon_problems {
	struct demon_problem *items; /* owned */
	size_t count;
	size_t dropped; /* found beyond the hundredth */
};
void demon_problems_done(struct demon_problems *problems);

/**
 * Loads a definition from YAML or JSON text. @p name is the file's name for messages.
 *
 * On success *ret_definition is new (demon_definition_free). When the text is at fault,
 * DEMON_INVALID or DEMON_TOOBIG; all problems are in @p problems (may be NULL), the first one is in
 * @p err as "name:line:column: ...".
 */
enum demon_rc demon_definition_load(const char *name, const char *text, size_t len,
				    struct demon_definition **ret_definition,
				    struct demon_problems *problems, struct demon_err *err)
    demon_must_check;

/** Reads a whole file, at most 1 MiB, and loads it. DEMON_NOTFOUND, DEMON_TOOBIG, DEMON_IO. */
enum demon_rc demon_definition_load_file(const char *path, struct demon_definition **ret_definition,
					 struct demon_problems *problems, struct demon_err *err)
    demon_must_check;

/** Loads the spec that a run was started with. @p canonical is its canonical form. */
enum demon_rc demon_definition_from_spec(const char *canonical, size_t len,
					 struct demon_definition **ret_definition,
					 struct demon_err *err) demon_must_check;

void demon_definition_free(struct demon_definition *definition);
void demon_definition_free_p(struct demon_definition **definition);

#endif
