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
#include "domain/expr/expr.h"

struct demon_schema;  /* domain/schema.h */
struct demon_capsule; /* domain/capsule/capsule.h */

enum demon_notation {
	DEMON_NOTATION_SEED, /* id, version, states: [...] */
	DEMON_NOTATION_DSL,  /* Serverless Workflow DSL 1.0: document:, do: [...] */
};

/** "seed" or "dsl", in static storage. */
const char *demon_notation_name(enum demon_notation notation);

enum demon_task_kind {
	DEMON_TASK_DO,         /* a list of tasks */
	DEMON_TASK_CALL,       /* calls a capsule */
	DEMON_TASK_SET,        /* makes a value */
	DEMON_TASK_SWITCH,     /* chooses what follows */
	DEMON_TASK_FOR,        /* runs its list once for each item */
	DEMON_TASK_TRY,        /* runs its list, and catches errors of it */
	DEMON_TASK_RAISE,      /* raises an error */
	DEMON_TASK_WAIT,       /* lets time pass */
	DEMON_TASK_TIMER,      /* sets a named timer and goes on (seed: scheduleTimer) */
	DEMON_TASK_LISTEN,     /* waits for the first of some named timers (seed: event) */
	DEMON_TASK_COMPENSATE, /* runs the compensations of what was done, last first (seed) */
};

/** Where a run goes after a task: an index into the list that holds it, or one of these. */
#define DEMON_NEXT_END  ((size_t)-1) /* the run ends */
#define DEMON_NEXT_EXIT ((size_t)-2) /* the list ends: the task that holds it is done */

/** A value of the definition, which may have to be computed. Zeroed: absent. */
struct demon_term {
	const json_t *json; /* as written; NULL: absent */
	size_t expr;        /* 0: json as it stands; else 1 + index into definition->exprs */
};

/** A length of time. Zeroed: absent. */
struct demon_duration {
	int64_t ms;             /* when term.expr is 0 */
	struct demon_term term; /* its value is read by demon_duration_read() */
};

/** A way out of a switch. */
struct demon_case {
	const char *name;
	struct demon_term when; /* absent: always */
	size_t next;
};

enum demon_backoff { DEMON_BACKOFF_CONSTANT, DEMON_BACKOFF_LINEAR, DEMON_BACKOFF_EXPONENTIAL };

/** When and how often what has failed is tried again. */
struct demon_retry {
	struct demon_term when;        /* absent: always */
	struct demon_term except_when; /* absent: never */
	int64_t delay_ms;
	enum demon_backoff backoff; /* delay, delay * n, delay * 2^(n-1) before try n + 1 */
	int64_t jitter_from_ms;
	int64_t jitter_to_ms;     /* a random time between the two is added; equal: none */
	int64_t attempts;         /* tries after the first one; -1: no limit */
	int64_t duration_ms;      /* no retry starts later than this after the first; 0: no limit */
	int64_t attempt_limit_ms; /* of one try; 0: none */
};

struct demon_task {
	enum demon_task_kind kind;
	const char *name;      /* unique within its list */
	const char *reference; /* JSON pointer into the spec, e.g. "/states/0" or "/do/0/greet" */
	const char *call;      /* what a step of it is said to call: "exec", "set", "for", … */
	size_t next;           /* what follows, unless the task itself says otherwise */

	struct demon_term condition;              /* `if`: absent: always */
	struct demon_term input_from;             /* makes the task's input of what came in */
	struct demon_term output_as;              /* makes the task's output of what came out */
	struct demon_term export_as;              /* makes the run's context */
	const struct demon_schema *input_schema;  /* of what came in; NULL: anything */
	const struct demon_schema *output_schema; /* of the task's output */
	const struct demon_schema *export_schema; /* of the run's context */
	struct demon_duration timeout;

	/* DO, FOR, TRY: what is run */
	const struct demon_task *tasks;
	size_t count;
	/* CALL */
	const struct demon_capsule *capsule;
	const char *process; /* "shell" or "script": `with` is such an object of the DSL, from which
			      * demon_shell_arguments() makes the capsule's arguments; else NULL */
	const json_t *run;   /* the object that holds it: `await`, `return`; else NULL */
	const json_t
	    *idempotent;       /* true or false: the definition knows better; NULL: the capsule */
	const json_t *secrets; /* JSON pointers into `with` at which the definition names secrets,
				* or NULL; those that come of expressions are found later */
	/* CALL: arguments. SET: the value. RAISE: the error (an object). absent: none */
	struct demon_term with;
	/* SWITCH */
	const struct demon_case *cases;
	size_t case_count;
	/* FOR */
	const char *each; /* names of variables */
	const char *at;
	struct demon_term in;
	struct demon_term while_;
	/* TRY: what to do about an error of the list */
	const json_t *catch_with;     /* members that the error must have; NULL: any */
	const char *catch_as;         /* name of the variable that holds the error */
	struct demon_term catch_when; /* absent: always */
	struct demon_term catch_except_when;
	const struct demon_retry *retry;  /* or NULL */
	const struct demon_task *handler; /* a DO, or NULL: the error is dropped */
	/* WAIT, TIMER: how long. */
	struct demon_duration duration;
	/* TIMER: the timer's name. LISTEN: cases[i].name is that of a timer */
	const char *timer;
	/* what undoes it (a CALL), or NULL */
	const struct demon_task *compensation;
};

/** Where something stands in the file, both from 1; 0: there is no file. */
struct demon_place {
	unsigned line;
	unsigned column;
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
	/* A DEMON_TASK_DO that starts at its task 0. Its input_from, output_as, schemas and timeout
	 * are the workflow's. */
	struct demon_task root;
	/* Expressions, as a unit with the digest as its id: what a term refers to. A term with
	 * parts that are expressions is one expression that makes the whole value. */
	const struct demon_expr_source *exprs;
	const struct demon_place *expr_places;
	size_t expr_count;
	const json_t
	    *secrets; /* an array of the names "KEY" or "SCOPE/KEY" that `use` lists, or NULL */
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

/**
 * Compiles the expressions of a definition that was loaded. DEMON_INVALID: one is not jq; all
 * problems are in @p problems (may be NULL), the first in @p err as "name:line:column: …". Other
 * codes as demon_expr_check(). A definition without expressions starts no worker.
 */
enum demon_rc demon_definition_check(const struct demon_definition *definition, const char *name,
				     struct demon_expr *expr, struct demon_problems *problems,
				     struct demon_err *err) demon_must_check;

/** Reads a length of time: a DSL object {days, hours, minutes, seconds, milliseconds}, an ISO 8601
 * duration of weeks or of days, hours, minutes and seconds, or seconds as a number. False: it is
 * none, negative, or above 100 years. */
bool demon_duration_read(const json_t *value, int64_t *ret_ms);

void demon_definition_free(struct demon_definition *definition);
void demon_definition_free_p(struct demon_definition **definition);

#endif
