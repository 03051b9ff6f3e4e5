#include "support/test.h"

#include "store/liveness.h"
#include "support/runs.h"

static const char text[] = RITUAL(ECHO("First", "one", "false") "," ECHO(
    "Second", "two", "false") "," ECHO("Third", "three", "true"));

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_store *other; /* of another process, as far as locks go */
	struct demon_definition *definition;
	struct run_events events;
	struct demon_run_outcome outcome;
	struct demon_run_id run;
	struct demon_run_due due;
	int steps_left; /* until stop says so; below zero: never */
};

static struct demon_store *open_store(struct fixture *f)
{
	const struct demon_options options = {.create = true, .env = &f->clock.env, .node_id = "n"};
	struct demon_store *store = NULL;
	struct demon_err err;

	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &store, &err), &err);
	return store;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->store = open_store(f);
	f->other = open_store(f);
	f->definition = run_definition(text);
	f->steps_left = -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	run_events_done(&f->events);
	free(f->due.runs);
	free(f->outcome.terminal);
	demon_definition_free(f->definition);
	demon_close(f->store);
	demon_close(f->other);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void start(struct fixture *f, bool claim)
{
	const struct demon_run_options options = {.run_id = "r-1", .claim = claim};
	struct demon_err err;

	assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
}

static bool stop(void *ctx)
{
	struct fixture *f = ctx;

	return f->steps_left >= 0 && f->steps_left-- == 0;
}

static enum demon_rc execute(struct fixture *f, struct demon_store *store, bool claimed,
			     struct demon_err *err)
{
	const struct demon_run_watch watch = {.stop = stop, .ctx = f, .claimed = claimed};

	free(f->outcome.terminal);
	f->outcome = (struct demon_run_outcome){0};
	return demon_run_execute_watched(store, &f->run, &watch, &f->outcome, err);
}

static size_t count_orphans(struct fixture *f, struct demon_store *store)
{
	struct demon_err err;

	free(f->due.runs);
	f->due = (struct demon_run_due){0};
	assert_ok(demon_run_due(store, &(struct demon_run_sought){.limit = 10}, &f->due, &err),
		  &err);
	return f->due.count;
}

static void a_run_that_is_left_goes_on_with_its_next_step(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	start(f, false);
	f->steps_left = 2;
	assert_rc(execute(f, f->store, false, &err), DEMON_CANCELED, &err);
	run_events_read(f->store, "r-1", &f->events);
	assert_types(&f->events, "started opened step.started step.completed state.transitioned "
				 "step.started step.completed state.transitioned");
	assert_int_equal(count_orphans(f, f->store), 1);
	f->steps_left = -1;
	assert_ok(execute(f, f->other, false, &err), &err);
	assert_string_equal(f->outcome.status, "Completed");
	run_events_done(&f->events);
	run_events_read(f->store, "r-1", &f->events);
	assert_types(&f->events, "started opened step.started step.completed state.transitioned "
				 "step.started step.completed state.transitioned "
				 "step.started step.completed completed");
}

static void a_run_can_be_left_before_its_first_step(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	start(f, false);
	f->steps_left = 0;
	assert_rc(execute(f, f->store, false, &err), DEMON_CANCELED, &err);
	run_events_read(f->store, "r-1", &f->events);
	assert_types(&f->events, "started opened");
	assert_int_equal(count_orphans(f, f->store), 1);
}

static void the_end_of_a_run_is_not_put_off(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	start(f, false);
	f->steps_left = 3;
	assert_ok(execute(f, f->store, false, &err), &err);
	assert_string_equal(f->outcome.status, "Completed");
}

static void a_run_that_is_claimed_at_its_start_is_never_an_orphan(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	start(f, true);
	assert_int_equal(count_orphans(f, f->store), 0);
	assert_int_equal(count_orphans(f, f->other), 0);
	assert_rc(execute(f, f->other, false, &err), DEMON_BUSY, &err);
	assert_rc(execute(f, f->store, false, &err), DEMON_BUSY, &err);
	assert_ok(execute(f, f->store, true, &err), &err);
	assert_string_equal(f->outcome.status, "Completed");
}

static void a_claim_ends_with_its_store(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	start(f, true);
	demon_close(f->store);
	f->store = NULL;
	assert_int_equal(count_orphans(f, f->other), 1);
	assert_ok(execute(f, f->other, false, &err), &err);
}

static void a_claimed_run_that_was_canceled_meanwhile_is_let_go(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	start(f, true);
	assert_true(demon_store_claimed(f->other, 1)); /* the first scope of the database */
	run_cancel(f->store, &f->run, "test", f->clock.now);
	assert_ok(execute(f, f->store, true, &err), &err);
	assert_string_equal(f->outcome.status, "Canceled");
	assert_false(demon_store_claimed(f->store, 1));
}

static void a_start_that_is_refused_claims_nothing(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options again = {.run_id = "r-1", .claim = true};
	struct demon_run_id run;
	struct demon_err err;

	start(f, false);
	assert_rc(demon_run_start(f->store, f->definition, &again, &run, &err), DEMON_EXISTS, &err);
	assert_int_equal(count_orphans(f, f->other), 1);
	assert_ok(execute(f, f->other, false, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_run_that_is_left_goes_on_with_its_next_step, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_run_can_be_left_before_its_first_step, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_end_of_a_run_is_not_put_off, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_run_that_is_claimed_at_its_start_is_never_an_orphan,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_claim_ends_with_its_store, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_claimed_run_that_was_canceled_meanwhile_is_let_go,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_start_that_is_refused_claims_nothing, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
