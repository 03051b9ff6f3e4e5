/*
 * Canceling runs, and letting suspended ones go on.
 */
#include "support/test.h"

#include "base/fault.h"
#include "support/run_desk.h"

#include <stdio.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

static void a_run_that_waits_is_canceled_and_never_wakes(void **state)
{
	struct run_desk *f = *state;
	size_t count;

	desk_run(f, DSL("{'a':{'wait':'PT1H'}}"), "Waiting");
	assert_desk_status(f, &f->run, "Waiting+");
	desk_cancel(f);
	assert_desk_status(f, &f->run, "Canceled");
	assert_desk_steps(f, &f->run, "1:a=Canceled");
	fake_env_advance(&f->clock, SECONDS(7200));
	assert_int_equal(desk_next_due(f, &count), 0);
	assert_int_equal(count, 0);
	desk_go_on(f, &f->run, "Canceled");
	assert_types(&f->events, "started opened step.started timer.scheduled canceled");
	assert_string_equal(run_events_text(&f->events, 4, "by"), "kim");
	assert_string_equal(run_events_text(&f->events, 4, "reason"), "enough");
	assert_desk_verified(f);
}

static void a_second_cancellation_changes_nothing(void **state)
{
	struct run_desk *f = *state;
	const struct demon_run_request nobody = {.by = NULL};
	bool changed = true;
	struct demon_err err;

	desk_start(f, DSL("{'a':{'wait':'PT1H'}}"));
	desk_cancel(f);
	assert_ok(demon_run_cancel(f->store, &f->run, &nobody, &changed, &err), &err);
	assert_false(changed);
	desk_read_events(f, &f->run);
	assert_types(&f->events, "started opened canceled");
}

static void what_has_ended_is_not_canceled(void **state)
{
	struct run_desk *f = *state;
	bool changed = true;
	struct demon_err err;

	desk_run(f, DSL("{'a':{'set':{'v':1}}}"), "Completed");
	assert_rc(demon_run_cancel(f->store, &f->run, &desk_kim, &changed, &err), DEMON_CONFLICT,
		  &err);
	assert_contains(err.msg, "Completed");
	assert_false(changed);
	desk_read_events(f, &f->run);
	assert_types(&f->events, "started opened step.evaluated completed");
}

static void runs_of_other_nodes_are_refused(void **state)
{
	struct run_desk *f = *state;
	struct demon_run_id other;
	bool changed;
	struct demon_err err;

	desk_run(f, DSL("{'a':{'wait':'PT1H'}}"), "Waiting");
	other = f->run;
	other.origin[3] ^= 1;
	assert_rc(demon_run_cancel(f->store, &other, &desk_kim, &changed, &err), DEMON_DENIED,
		  &err);
	assert_contains(err.msg, "another node");
	assert_rc(demon_run_resume(f->store, &other, &desk_kim, &err), DEMON_DENIED, &err);
	f->run.origin[3] ^= 1;
	assert_rc(desk_retry(f, NULL, &err), DEMON_DENIED, &err);
	f->run.origin[3] ^= 1;
	(void)snprintf(other.run_id, sizeof(other.run_id), "nobody");
	other.origin[3] ^= 1;
	assert_rc(demon_run_cancel(f->store, &other, &desk_kim, &changed, &err), DEMON_NOTFOUND,
		  &err);
	assert_desk_status(f, &f->run, "Waiting+");
}

static void a_cancellation_is_never_earlier_than_what_came_before(void **state)
{
	struct run_desk *f = *state;

	desk_run(f, DSL("{'a':{'wait':'PT1H'}}"), "Waiting");
	fake_env_advance(&f->clock, -5000);
	desk_cancel(f);
	desk_read_events(f, &f->run);
	assert_int_equal(f->events.items[4].ts, f->events.items[3].ts);
}

static void cut_off(struct run_desk *f)
{
	struct demon_err err;

	demon_fault_arm(DEMON_FAULT_STEP_STARTED, 1, false);
	assert_rc(desk_execute(f, &f->run, &err), DEMON_IO, &err);
	assert_int_equal(demon_fault_disarm(), 1);
}

static void a_suspended_run_goes_on_with_the_same_key_and_the_next_attempt(void **state)
{
	struct run_desk *f = *state;
	char key[65];
	struct demon_err err;

	desk_start(f, RITUAL(SHELL("One", "true", "", "true")));
	cut_off(f);
	desk_go_on(f, &f->run, "Suspended");
	(void)snprintf(key, sizeof(key), "%s", run_events_text(&f->events, 2, "idempotencyKey"));
	assert_ok(demon_run_resume(f->store, &f->run, &desk_kim, &err), &err);
	assert_desk_status(f, &f->run, "Running");
	assert_rc(demon_run_resume(f->store, &f->run, &desk_kim, &err), DEMON_CONFLICT, &err);
	desk_go_on(f, &f->run, "Completed");
	assert_types(&f->events, "started opened step.started suspended resumed step.started "
				 "step.completed completed");
	assert_string_equal(run_events_text(&f->events, 4, "by"), "kim");
	assert_string_equal(run_events_text(&f->events, 5, "idempotencyKey"), key);
	assert_contains(f->events.items[5].payload, "\"attempt\":2");
	assert_desk_verified(f);
}

static void what_was_resumed_and_is_cut_off_again_is_suspended_again(void **state)
{
	struct run_desk *f = *state;
	struct demon_err err;

	desk_start(f, RITUAL(SHELL("One", "true", "", "true")));
	cut_off(f);
	desk_go_on(f, &f->run, "Suspended");
	assert_ok(demon_run_resume(f->store, &f->run, &desk_kim, &err), &err);
	cut_off(f);
	desk_go_on(f, &f->run, "Suspended");
	assert_desk_steps(f, &f->run, "1:One=Suspended");
}

static void a_suspended_run_can_be_canceled(void **state)
{
	struct run_desk *f = *state;
	struct demon_err err;

	desk_start(f, RITUAL(SHELL("One", "true", "", "true")));
	cut_off(f);
	desk_go_on(f, &f->run, "Suspended");
	desk_cancel(f);
	assert_desk_steps(f, &f->run, "1:One=Canceled");
	assert_rc(demon_run_resume(f->store, &f->run, &desk_kim, &err), DEMON_CONFLICT, &err);
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Completed");
	assert_desk_steps(f, &f->again, "1:One=Completed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_run_that_waits_is_canceled_and_never_wakes),
	    TEST(a_second_cancellation_changes_nothing),
	    TEST(what_has_ended_is_not_canceled),
	    TEST(runs_of_other_nodes_are_refused),
	    TEST(a_cancellation_is_never_earlier_than_what_came_before),
	    TEST(a_suspended_run_goes_on_with_the_same_key_and_the_next_attempt),
	    TEST(what_was_resumed_and_is_cut_off_again_is_suspended_again),
	    TEST(a_suspended_run_can_be_canceled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
