#include "support/test.h"

#include "support/runs.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define RUNS    12

struct fixture {
	char *dir;
	struct demon_store *store;
	struct demon_definition *definition;
	struct demon_run_id runs[RUNS];
	struct run_events events;
};

/** What one thread found. */
struct worker {
	pthread_t thread;
	struct fixture *f;
	unsigned done;
	unsigned busy;
	enum demon_rc failure;
	char why[512];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct demon_options options = {.create = true, .node_id = "n"};
	struct demon_err err;

	f->dir = test_dir();
	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
	f->definition =
	    run_definition(RITUAL(ECHO("First", "one", "false") "," ECHO("Second", "two", "true")));
	for (unsigned i = 0; i < RUNS; i++) {
		const struct demon_run_options run_options = {0};

		assert_ok(demon_run_start(f->store, f->definition, &run_options, &f->runs[i], &err),
			  &err);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	run_events_done(&f->events);
	demon_definition_free(f->definition);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* Executes every run; others do the same. */
static void *work(void *ctx)
{
	struct worker *w = ctx;

	for (unsigned i = 0; i < RUNS; i++) {
		struct demon_run_outcome outcome = {0};
		struct demon_err err;
		enum demon_rc rc =
		    demon_run_execute(w->f->store, &w->f->runs[i], NULL, NULL, &outcome, &err);

		if (rc == DEMON_OK && strcmp(outcome.status, "Completed") == 0) {
			w->done++;
		} else if (rc == DEMON_BUSY) {
			w->busy++;
		} else {
			w->failure = rc;
			(void)snprintf(w->why, sizeof(w->why), "%s", err.msg);
		}
		free(outcome.terminal);
	}
	return NULL;
}

static void executors_that_compete_run_each_step_once(void **state)
{
	struct fixture *f = *state;
	struct worker workers[THREADS] = {0};
	unsigned done = 0;
	struct demon_verified verified;
	struct demon_err err;

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].f = f;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_string_equal(workers[i].why, "");
		assert_int_equal(workers[i].done + workers[i].busy, RUNS);
		done += workers[i].done;
	}
	assert_true(done >= RUNS);
	for (unsigned i = 0; i < RUNS; i++) {
		run_events_done(&f->events);
		run_events_read(f->store, f->runs[i].run_id, &f->events);
		assert_types(&f->events,
			     "started opened step.started step.completed "
			     "state.transitioned step.started step.completed completed");
	}
	assert_ok(demon_verify(f->store, &verified, &err), &err);
	assert_int_equal(verified.events, 8 * RUNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(executors_that_compete_run_each_step_once, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
