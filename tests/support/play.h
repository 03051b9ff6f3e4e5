/*
 * A run that a test plays: its store, a clock that the test moves, expressions.
 */
#ifndef DEMON_TEST_PLAY_H
#define DEMON_TEST_PLAY_H

#include "domain/expr/expr.h"
#include "runs.h"
#include "test.h"

/* Rituals in the DSL as text for run_definition(). */
#define DSL(tasks)                                                                  \
	"{'document':{'dsl':'1.0.3','namespace':'default','name':'test','version':" \
	"'1'},'do':[" tasks "]}"
#define DSL_WITH(more, tasks)                                                       \
	"{'document':{'dsl':'1.0.3','namespace':'default','name':'test','version':" \
	"'1'}," more ",'do':[" tasks "]}"
#define SET(name, value)    "{'" name "':{'set':{'v':" value "}}}"
#define RAISE(name, status) "{'" name "':{'raise':{'error':{'type':'odd','status':" status "}}}}"

struct play {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_expr *expr;
	struct demon_definition *definition;
	struct run_events events; /* of the run, as far as it has come */
	struct demon_run_outcome outcome;
	const struct demon_gate_config *gates; /* what holds for gates; NULL: nothing */
	const struct demon_wards *wards;       /* the same of policies */
	struct demon_run_id run;
};

/** For cmocka: *state is a new fixture. */
int play_set_up(void **state);
int play_tear_down(void **state);

/** Runs a ritual as run "r-1", up to its end or its first wait. */
void play(struct play *f, const char *text);
/** Goes on with it. */
void play_on(struct play *f);
/** The same, as far as that works. */
enum demon_rc play_try(struct play *f, struct demon_err *err);

/** How many runs are due now; *ret_next: when the next one is. */
size_t play_due(struct play *f, demon_time *ret_next);

/** Fails unless the run has completed with that as its data. */
void assert_output(const struct play *f, const char *want);
/** Fails unless the run has failed, and its error has that text. */
void assert_failed(const struct play *f, const char *want);

#endif
