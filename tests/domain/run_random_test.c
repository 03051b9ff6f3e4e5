/*
 * Random rituals, killed at every point where their process touches the world and taken up again:
 * they end as they do undisturbed. DEMON_CRASH_SEEDS sets how many rituals (default 2), DEMON_SEED
 * the first. With DEMON_CRASH_ALL each passing of a point is one to die at, else ever fewer of
 * them.
 */
#include "support/test.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/json_member.h"
#include "domain/expr/expr.h"
#include "store/readers.h"
#include "support/random_ritual.h"
#include "support/runs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN "r-1"

static const enum demon_fault points[] = {
    DEMON_FAULT_TXN_BEGUN,     DEMON_FAULT_APPEND_EVENT,   DEMON_FAULT_COMMIT_BEFORE,
    DEMON_FAULT_COMMIT_AFTER,  DEMON_FAULT_RUN_STARTED,    DEMON_FAULT_STEP_STARTED,
    DEMON_FAULT_STEP_RAN,      DEMON_FAULT_STEP_COMPLETED, DEMON_FAULT_RUN_ENDED,
    DEMON_FAULT_STEP_RETURNED,
};

struct fixture {
	char *dir;
	char *text;     /* the ritual */
	char *expected; /* what it comes to undisturbed */
	struct demon_definition *definition;
	struct demon_store *store;
};

static void load(struct fixture *f)
{
	struct demon_err err;

	demon_definition_free(f->definition);
	f->definition = NULL;
	if (demon_definition_load("random", f->text, strlen(f->text), &f->definition, NULL, &err))
		fail_msg("%s: %s", err.msg, f->text);
}

static void open_store(struct fixture *f, bool create)
{
	const struct demon_options options = {.create = create, .node_id = "n"};
	struct demon_err err;

	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
}

static void close_store(struct fixture *f)
{
	demon_close(f->store);
	f->store = NULL;
}

/* Starts the run, or finds it, and goes on with it to its end. */
static enum demon_rc play(struct demon_store *store, const struct demon_definition *definition,
			  struct demon_run_outcome *ret_outcome, struct demon_err *err)
{
	const struct demon_run_options options = {.run_id = RUN};
	struct demon_run_watch watch = {.wait = true};
	struct demon_run_id run;
	enum demon_rc rc =
	    demon_expr_open(&(struct demon_expr_options){.workers = 1}, &watch.expr, err);

	if (rc)
		return rc;
	rc = demon_run_find(store, NULL, RUN, &run, err);
	if (rc == DEMON_NOTFOUND)
		rc = demon_run_start(store, definition, &options, &run, err);
	if (!rc)
		rc = demon_run_execute_watched(store, &run, &watch, ret_outcome, err);
	demon_expr_close(watch.expr);
	return rc;
}

/* The life of a process that is killed at the point. Ends without a return. */
static void live(const struct fixture *f, enum demon_fault point, unsigned nth)
{
	const struct demon_options options = {.node_id = "n"};
	struct demon_run_outcome outcome = {0};
	struct demon_store *store;
	struct demon_err err;

	if (demon_open(test_path(f->dir, "demon.db"), &options, &store, &err))
		_exit(2);
	demon_fault_arm(point, nth, true);
	if (play(store, f->definition, &outcome, &err)) {
		(void)fprintf(stderr, "%s\n", err.msg);
		_exit(3);
	}
	demon_close(store);
	_exit(0);
}

static bool killed(const struct fixture *f, enum demon_fault point, unsigned nth)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0)
		live(f, point, nth);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	assert_int_equal(WTERMSIG(status), SIGKILL);
	return true;
}

/* What a run came to, without what differs from one time to the next. */
static char *result_of(const struct demon_run_outcome *outcome)
{
	struct demon_json_span part =
	    demon_json_member(outcome->terminal, strlen(outcome->terminal), "outputs");

	if (!part.at)
		part = demon_json_member(outcome->terminal, strlen(outcome->terminal), "error");
	return strndup(part.at ? part.at : "nothing", part.at ? part.len : 7);
}

/* No attempt at a step ran twice, and no step that is not idempotent has a second one that nobody
 * asked for. */
static void check_effects(const struct fixture *f, unsigned retried)
{
	FILE *file = fopen(test_path(f->dir, "ran"), "r");
	char lines[512][80];
	char key[65];
	char attempt[8];
	char idempotent[8];
	unsigned count = 0;
	unsigned again = 0;
	unsigned doubled = 0;

	while (file && count < demon_count(lines) &&
	       fscanf(file, "%64s %7s %7s", key, attempt, idempotent) == 3) {
		(void)snprintf(lines[count], sizeof(lines[0]), "%s %s", key, attempt);
		for (unsigned i = 0; i < count; i++)
			assert_string_not_equal(lines[i], lines[count]);
		again += strcmp(attempt, "1") != 0;
		doubled += strcmp(attempt, "1") != 0 && strcmp(idempotent, "true") != 0;
		count++;
	}
	if (file)
		(void)fclose(file);
	assert_true(again <= retried + 1);
	assert_true(doubled <= retried);
}

static void resume_by_operator(struct fixture *f)
{
	struct demon_run_id run;
	struct demon_err err;
	char payload[512];
	char ts[32];

	assert_ok(demon_run_find(f->store, NULL, RUN, &run, &err), &err);
	demon_rfc3339(demon_env_real()->now(NULL) + 2, ts);
	(void)snprintf(payload, sizeof(payload),
		       "{\"by\":\"op\",\"event\":\"ritual.resumed:v1\",\"reason\":\"test\","
		       "\"ritualId\":\"random\",\"runId\":\"" RUN "\",\"tenantId\":\"default\","
		       "\"ts\":\"%s\"}",
		       ts);
	run_append(f->store, &run, "random", "ritual.resumed:v1", payload);
}

/* Goes on where the killed process was. */
static void resume(struct fixture *f)
{
	struct demon_run_outcome outcome = {0};
	struct demon_verified verified;
	struct demon_err err;
	unsigned suspended = 0;
	char *got;

	open_store(f, false);
	assert_ok(play(f->store, f->definition, &outcome, &err), &err);
	while (strcmp(outcome.status, "Suspended") == 0) {
		assert_true(suspended++ == 0);
		check_effects(f, 0);
		resume_by_operator(f);
		assert_ok(play(f->store, f->definition, &outcome, &err), &err);
	}
	got = result_of(&outcome);
	assert_string_equal(got, f->expected);
	free(got);
	free(outcome.terminal);
	check_effects(f, suspended);
	assert_ok(demon_verify(f->store, &verified, &err), &err);
	close_store(f);
}

static bool survive(struct fixture *f, enum demon_fault point, unsigned nth)
{
	bool hit;

	(void)unlink(test_path(f->dir, "ran"));
	(void)unlink(test_path(f->dir, "demon.db"));
	(void)unlink(test_path(f->dir, "demon.db-wal"));
	(void)unlink(test_path(f->dir, "demon.db-shm"));
	open_store(f, true);
	close_store(f);
	hit = killed(f, point, nth);
	resume(f);
	return hit;
}

/* What the ritual comes to when nothing happens to it. */
static void expect(struct fixture *f)
{
	struct demon_run_outcome outcome = {0};
	struct demon_err err;

	open_store(f, true);
	assert_ok(play(f->store, f->definition, &outcome, &err), &err);
	assert_non_null(outcome.terminal);
	free(f->expected);
	f->expected = result_of(&outcome);
	free(outcome.terminal);
	close_store(f);
}

static unsigned try_seed(struct fixture *f, uint64_t seed)
{
	bool all = getenv("DEMON_CRASH_ALL") != NULL; /* NOLINT(concurrency-mt-unsafe) */
	unsigned kills = 0;

	f->dir = test_dir();
	free(f->text);
	f->text = random_ritual(f->dir, seed, false);
	load(f);
	expect(f);
	for (size_t i = 0; i < demon_count(points); i++) {
		unsigned nth = 1;

		print_message("seed %llu, %s\n", (unsigned long long)seed,
			      demon_fault_name(points[i]));
		while (survive(f, points[i], nth)) {
			nth += all ? 1 : 1 + nth / 2;
			kills++;
		}
	}
	test_dir_remove(f->dir);
	return kills;
}

static void a_killed_ritual_ends_as_it_would_have(void **state)
{
	struct fixture f = {0};
	const char *seeds = getenv("DEMON_CRASH_SEEDS"); /* NOLINT(concurrency-mt-unsafe) */
	uint64_t first = test_seed(11);
	unsigned count = seeds ? (unsigned)strtoul(seeds, NULL, 10) : 2;
	unsigned kills = 0;

	(void)state;
	for (uint64_t seed = first; seed < first + count; seed++)
		kills += try_seed(&f, seed);
	print_message("%u kills\n", kills);
	assert_true(kills > 10 * count);
	demon_definition_free(f.definition);
	free(f.text);
	free(f.expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_killed_ritual_ends_as_it_would_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
