/*
 * An operator's desk: one run, and one that tries it again, with a clock that the test moves.
 */
#ifndef DEMON_TEST_RUN_DESK_H
#define DEMON_TEST_RUN_DESK_H

#include "test.h"

#include "domain/expr/expr.h"
#include "domain/ritual/run_control.h"
#include "runs.h"

#define DSL_WITH(more, tasks)                                                       \
	"{'document':{'dsl':'1.0.3','namespace':'default','name':'test','version':" \
	"'1'}," more "'do':[" tasks "]}"
#define DSL(tasks)       DSL_WITH("", tasks)
#define FAILS(condition) "{'if':'" condition "','raise':{'error':{'type':'odd','status':500}}}"

#define SECONDS(n)       ((int64_t)(n)*1000)

extern const struct demon_run_request desk_kim;

struct run_desk {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_expr *expr;
	struct demon_definition *definition;
	struct run_events events; /* of the run that was executed last */
	struct demon_run_outcome outcome;
	struct demon_run_id run;   /* r-1 */
	struct demon_run_id again; /* r-2 */
	json_t *input;             /* of the run; NULL: none; owned */
	char *trace;               /* what a test has read from a file; owned */
	char steps[1024];
};

int desk_set_up(void **state);
int desk_tear_down(void **state);

/** Starts r-1 with the definition @p text (run_definition()). */
void desk_start(struct run_desk *f, const char *text);
/** Executes a run up to its end or first wait, and reads its events. */
enum demon_rc desk_execute(struct run_desk *f, const struct demon_run_id *run,
			   struct demon_err *err);
/** The same; fails unless it has status @p want then. */
void desk_go_on(struct run_desk *f, const struct demon_run_id *run, const char *want);
/** Starts r-1 and goes on with it. */
void desk_run(struct run_desk *f, const char *text, const char *want);
void desk_read_events(struct run_desk *f, const struct demon_run_id *run);

/** Tries r-1 again, as r-2. */
enum demon_rc desk_retry(struct run_desk *f, const char *step, struct demon_err *err);
/** Cancels r-1, as desk_kim says. */
void desk_cancel(struct run_desk *f);

/** When the next run is due; *ret_count: how many are now. */
demon_time desk_next_due(struct run_desk *f, size_t *ret_count);

/** Fails unless that is the status in the table; "+" behind it: it has a time to wake at. */
void assert_desk_status(struct run_desk *f, const struct demon_run_id *run, const char *want);
/** Reads the steps of a run into f->steps, as ID<PARENT[ROUND]:NAME=STATUS, separated by blanks. */
void desk_read_steps(struct run_desk *f, const struct demon_run_id *run);
/** Fails unless these are the steps. */
void assert_desk_steps(struct run_desk *f, const struct demon_run_id *run, const char *want);
/** Fails unless the database is sound. */
void assert_desk_verified(struct run_desk *f);

#endif
