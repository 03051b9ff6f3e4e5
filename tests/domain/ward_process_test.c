/*
 * A quota under eight processes on one database, some of which are killed: in every window exactly
 * as many uses are allowed as the quota has, and never more.
 */
#include "support/test.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/json_member.h"
#include "domain/ward/ward.h"
#include "store/readers.h"
#include "support/fork.h"
#include "support/play.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 8
#define LIMIT     7
#define WINDOWS   4096

DEMON_SQL_SCAN(sql_decisions, "a test's own",
	       "SELECT ts, payload FROM events WHERE type = 'policy.decision:v1'");

struct life {
	const char *path;
	int number;
};

/* Asks on and on, in runs of its own, each use caught when it is denied. */
static int live(void *arg)
{
	static const char text[] =
	    DSL("{'l':{'for':{'in':'[range(40)]'},'do':[{'t':{'try':[{'c':{'call':'echo','with':{"
		"'message':'m'}}}],'catch':{'errors':{'with':{'type':"
		"'https://demon.example/errors/policy'}}}}}]}}");
	const struct life *life = arg;
	const struct demon_options options = {.node_id = "n"};
	const struct demon_wards_options given = {.capabilities = "GLOBAL:echo=7:1"};
	const struct demon_expr_options expr = {.workers = 1, .output_max = DEMON_EXPR_LIST_MAX};
	struct demon_run_watch watch = {.listener = NULL};
	struct demon_definition *definition = run_definition(text);
	struct demon_wards *wards = NULL;
	struct demon_store *store = NULL;
	struct demon_err err;

	if (demon_wards_open(&given, &wards, &err) || demon_expr_open(&expr, &watch.expr, &err) ||
	    demon_open(life->path, &options, &store, &err)) {
		(void)fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	watch.wards = wards;
	for (;;) {
		struct demon_run_outcome outcome = {0};
		struct demon_run_id run;
		enum demon_rc rc =
		    demon_run_start(store, definition, &(struct demon_run_options){0}, &run, &err);

		if (!rc)
			rc = demon_run_execute_watched(store, &run, &watch, &outcome, &err);
		free(outcome.terminal);
		if (rc && rc != DEMON_BUSY) {
			(void)fprintf(stderr, "process %d: %s\n", life->number, err.msg);
			return 3;
		}
	}
}

static void sleep_ms(long ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&t, NULL);
}

static void check_windows(struct demon_store *store, int64_t first)
{
	static struct {
		int allowed;
		int denied;
	} windows[WINDOWS];
	int full = 0;
	int total = 0;
	struct demon_err err;
	bool row;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(store, &loan, &err), &err);
	DEMON_STMT(q, loan.db, &sql_decisions);

	for (;;) {
		int64_t window;
		demon_time ts;

		assert_ok(demon_step(&q, &row, &err), &err);
		if (!row)
			break;
		assert_ok(demon_rfc3339_parse(demon_col_str(&q, 0), &ts, &err), &err);
		window = ts / 1000 - first;
		assert_true(window >= 0 && window < WINDOWS);
		if (strstr(demon_col_str(&q, 1), "\"allowed\":true"))
			windows[window].allowed++;
		else
			windows[window].denied++;
		total++;
	}
	for (int i = 0; i < WINDOWS; i++) {
		const struct demon_ward_span span = {"*", "capsule.echo", first + i, first + i + 1};
		int64_t uses = -1;

		if (windows[i].allowed > LIMIT)
			fail_msg("%d uses in window %d", windows[i].allowed, i);
		/* who was denied was denied because it was full */
		if (windows[i].denied && windows[i].allowed != LIMIT)
			fail_msg("%d denied and %d allowed in window %d", windows[i].denied,
				 windows[i].allowed, i);
		full += windows[i].denied > 0;
		assert_ok(demon_ward_uses(loan.db, &span, &uses, &err), &err);
		assert_int_equal(uses, windows[i].allowed);
	}
	(void)fprintf(stderr, "%d decisions, %d windows full\n", total, full);
	assert_true(full >= 2);
}

static void eight_processes_share_a_quota_to_the_last_use_across_kill_9(void **state)
{
	char *dir = test_dir();
	const struct demon_options options = {.create = true, .node_id = "n"};
	const struct demon_env *env = demon_env_real();
	int64_t first = env->now(env->ctx) / 1000;
	uint64_t seed = test_seed(8);
	struct life lives[PROCESSES];
	pid_t children[PROCESSES];
	struct demon_store *store = NULL;
	struct demon_err err;

	(void)state;
	assert_ok(demon_open(test_path(dir, "demon.db"), &options, &store, &err), &err);
	demon_close(store);
	for (int i = 0; i < PROCESSES; i++) {
		lives[i] = (struct life){test_path(dir, "demon.db"), i};
		children[i] = test_fork_start(live, &lives[i]);
	}
	for (int i = 0; i < 24; i++) {
		int victim = (int)(test_random(&seed) % PROCESSES);

		sleep_ms(100 + (long)(test_random(&seed) % 150));
		assert_int_equal(kill(children[victim], SIGKILL), 0);
		assert_true(WIFSIGNALED(test_fork_wait(children[victim])));
		children[victim] = test_fork_start(live, &lives[victim]);
	}
	for (int i = 0; i < PROCESSES; i++) {
		(void)kill(children[i], SIGKILL);
		assert_true(WIFSIGNALED(test_fork_wait(children[i])));
	}
	assert_ok(demon_open(test_path(dir, "demon.db"), &options, &store, &err), &err);
	check_windows(store, first);
	demon_close(store);
	test_dir_remove(dir);
}

/* A run that is allowed one call and denied the next, in a process that dies at a point. */
struct death {
	const char *dir;
	struct demon_definition *definition;
	enum demon_fault point;
	unsigned nth;
};

static const struct demon_wards_options one_is_denied = {.capabilities = "GLOBAL:echo=9:60"};

/* To the end of the run, if that is not to be: 7, and -1 on an error. */
static int go(const char *dir, const char **ret_status)
{
	const struct demon_options options = {.node_id = "n"};
	struct demon_run_outcome outcome = {0};
	struct demon_run_watch watch = {.listener = NULL};
	struct demon_wards *wards = NULL;
	struct demon_store *store = NULL;
	struct demon_run_id run;
	struct demon_err err;
	int result = -1;

	if (demon_wards_open(&one_is_denied, &wards, &err) == DEMON_OK &&
	    demon_open(test_path(dir, "demon.db"), &options, &store, &err) == DEMON_OK &&
	    demon_run_find(store, "default", "r-1", &run, &err) == DEMON_OK) {
		watch.wards = wards;
		if (demon_run_execute_watched(store, &run, &watch, &outcome, &err) == DEMON_OK)
			result = 7;
	}
	*ret_status = outcome.status;
	free(outcome.terminal);
	demon_close(store);
	demon_wards_close(wards);
	return result;
}

static int die(void *arg)
{
	const struct death *d = arg;
	const char *status;

	demon_fault_arm(d->point, d->nth, true);
	return go(d->dir, &status);
}

static void begin(const struct death *d)
{
	const struct demon_options options = {.create = true, .node_id = "n"};
	struct demon_store *store = NULL;
	struct demon_run_id run;
	struct demon_err err;

	assert_ok(demon_open(test_path(d->dir, "demon.db"), &options, &store, &err), &err);
	assert_ok(demon_run_start(store, d->definition,
				  &(struct demon_run_options){.run_id = "r-1"}, &run, &err),
		  &err);
	demon_close(store);
}

/* Every start of a call has its decision, and nothing else has one. */
static void check_decisions(const struct death *d)
{
	const struct demon_options options = {.node_id = "n"};
	struct demon_store *store = NULL;
	struct run_events events = {0};
	size_t decisions = 0;
	size_t denied = 0;
	struct demon_err err;

	assert_ok(demon_open(test_path(d->dir, "demon.db"), &options, &store, &err), &err);
	run_events_read(store, "r-1", &events);
	for (size_t i = 0; i < events.count; i++) {
		bool call = strcmp(events.items[i].type, "step.started:v1") == 0;
		bool next = i + 1 < events.count &&
			    strcmp(events.items[i + 1].type, "policy.decision:v1") == 0;

		assert_int_equal(call, next);
		decisions += next;
		denied += strstr(events.items[i].payload, "\"limit_exceeded\"") != NULL;
	}
	assert_int_equal(denied, 1);
	assert_true(decisions >= 2);
	run_events_done(&events);
	demon_close(store);
}

static void a_process_that_is_killed_anywhere_leaves_a_decision_or_no_start(void **state)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_TXN_BEGUN,    DEMON_FAULT_APPEND_EVENT,  DEMON_FAULT_APPEND_APPLIED,
	    DEMON_FAULT_JOB_DONE,     DEMON_FAULT_COMMIT_BEFORE, DEMON_FAULT_COMMIT_AFTER,
	    DEMON_FAULT_STEP_STARTED, DEMON_FAULT_STEP_RAN,      DEMON_FAULT_STEP_COMPLETED,
	};
	struct death d = {.nth = 0};
	unsigned deaths = 0;

	(void)state;
	for (size_t i = 0; i < demon_count(points); i++) {
		bool died = true;

		for (d.nth = 1; died; d.nth++) {
			char *dir = test_dir();
			const char *status = NULL;

			d.dir = dir;
			d.point = points[i];
			d.definition = run_definition(
			    DSL("{'a':{'call':'echo','with':{'message':'m'}}},{'b':{'call':'exec',"
				"'with':{'command':['false'],'idempotent':false}}}"));
			begin(&d);
			died = WIFSIGNALED(test_fork(die, &d));
			deaths += died;
			assert_int_equal(go(d.dir, &status), 7);
			assert_string_equal(status, "Denied");
			check_decisions(&d);
			demon_definition_free(d.definition);
			test_dir_remove(dir);
		}
	}
	(void)fprintf(stderr, "%u deaths\n", deaths);
	assert_true(deaths >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_that_is_killed_anywhere_leaves_a_decision_or_no_start),
	    cmocka_unit_test(eight_processes_share_a_quota_to_the_last_use_across_kill_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
