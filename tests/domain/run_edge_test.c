/*
 * Where a run meets its limits: values that no event can hold, errors that do not fit, times that
 * are over before they begin.
 */
#include "support/test.h"

#include "base/fault.h"
#include "domain/ritual/run_control.h"
#include "support/play.h"

#include <stdio.h>

#define BIG "${ \\\"x\\\" * 600000 }"

static void an_output_that_fits_no_event_is_an_error_of_its_list(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'d':{'do':[" SET("a", "1") "],'output':{'as':'" BIG "'}}}"));
	assert_failed(f, "OUTPUT_TOO_LARGE");
	assert_contains(f->outcome.terminal, "\"instance\":\"/do/0/d\"");
}

static void an_output_that_fits_no_event_is_an_error_of_its_wait(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'w':{'wait':'PT1S','output':{'as':'" BIG "'}}}"));
	fake_env_advance(&f->clock, 1000);
	play_on(f);
	assert_failed(f, "OUTPUT_TOO_LARGE");
}

static void an_output_that_fits_no_event_is_an_error_of_the_workflow(void **state)
{
	struct play *f = *state;

	play(f, DSL_WITH("'output':{'as':'" BIG "'}", SET("a", "1")));
	assert_failed(f, "OUTPUT_TOO_LARGE");
}

static void an_output_that_fits_no_event_can_be_caught(void **state)
{
	struct play *f = *state;

	play(f,
	     DSL("{'t':{'try':[{'d':{'do':[" SET(
		 "a", "1") "],'export':{'as':'" BIG "'}}}],'catch':{'do':[" SET("b", "2") "]}}}"));
	assert_output(f, "{\"v\":2}");
}

static void what_no_result_can_hold_fails_the_run(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'a':{'set':'${ reduce range(62) as $i ({}; {v: .}) }'}}"));
	assert_failed(f, "OUTPUT_INVALID");
}

static void an_error_that_fits_no_event_is_cut(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'t':{'try':[{'a':{'raise':{'error':{'type':'odd','status':400,'detail':'" BIG
		    "'}}}}],'catch':{'as':'e','do':[{'b':{'set':{'v':'${ $e.detail | length < "
		    "100000 }'}}}]}}}"));
	assert_output(f, "{\"v\":true}");
}

static void an_expression_is_quoted_in_whole_characters(void **state)
{
	struct play *f = *state;

	char letters[401] = "";
	char text[1024];

	for (size_t i = 0; i < 400; i += 2)
		memcpy(letters + i, "é", 3);
	(void)snprintf(text, sizeof(text), DSL("{'a':{'set':{'v':'${  error(\\\"%s\\\") }'}}}"),
		       letters);
	play(f, text);
	assert_failed(f, "/errors/expression");
}

static void items_go_where_they_fit(void **state)
{
	struct play *f = *state;

	play(f,
	     DSL("{'l':{'for':{'in':'[(\\\"x\\\" * 250000), (\\\"y\\\" * 400000), 3]'},'do':[{'a'"
		 ":{'set':{'v':'${ ($item | length) }'}}}]}}"));
	assert_output(f, "{\"v\":3}");
}

static void a_long_item_may_be_the_first(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'l':{'input':{'from':'{z: (\\\"z\\\" * 300000)}'},'for':{'in':'[(\\\"x\\\" * "
		    "400000), 2]'},'do':[{'a':{'set':{'v':'${ [.v, ($item | length)] }'}}}]}}"));
	assert_output(f, "{\"v\":[[null,400000],2]}");
}

static void an_item_that_fits_no_event_is_an_error_of_its_loop(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'t':{'try':[{'l':{'for':{'in':'[range(9), (\\\"x\\\" * 300000), (\\\"y\\\" * "
		    "600000)]'},'do':[" SET("a", "1") "]}}],'catch':{'as':'e','do':[{'b':{'set':{"
						      "'v':'${ $e.instance }'}}}]}}}"));
	assert_output(f, "{\"v\":\"/do/0/t/try/0/l\"}");
}

static void a_wait_passes_on_what_its_input_was_made_into(void **state)
{
	struct play *f = *state;

	play(f, DSL(SET("a", "1") ",{'w':{'input':{'from':'{w: .v}'},'wait':'PT1S'}}"));
	fake_env_advance(&f->clock, 1000);
	play_on(f);
	assert_output(f, "{\"w\":1}");
}

static void who_waits_is_woken_when_the_time_of_its_list_is_up(void **state)
{
	struct play *f = *state;
	demon_time begun = f->clock.now;
	demon_time next;

	play(f, DSL("{'d':{'timeout':{'after':'PT5S'},'do':[{'w':{'wait':'PT1H'}}]}}"));
	assert_string_equal(f->outcome.status, "Waiting");
	(void)play_due(f, &next);
	assert_int_equal(next, begun + 5000);
	fake_env_advance(&f->clock, 5000);
	assert_int_equal(play_due(f, NULL), 1);
	play_on(f);
	assert_failed(f, "/errors/timeout");
}

static void who_waits_is_woken_when_its_own_time_is_up(void **state)
{
	struct play *f = *state;
	demon_time begun = f->clock.now;
	demon_time next;

	play(f, DSL("{'w':{'wait':'PT1H','timeout':{'after':'PT5S'}}}"));
	(void)play_due(f, &next);
	assert_int_equal(next, begun + 5000);
	fake_env_advance(&f->clock, 5000);
	play_on(f);
	assert_failed(f, "/errors/timeout");
}

static void a_pause_is_ended_when_the_time_of_its_list_is_up(void **state)
{
	struct play *f = *state;
	demon_time begun = f->clock.now;
	demon_time next;

	play(f, DSL("{'d':{'timeout':{'after':'PT5S'},'do':[{'t':{'try':[" RAISE(
		    "bad", "500") "],'catch':{'retry':{'delay':'PT1H'}}}}]}}"));
	assert_string_equal(f->outcome.status, "Waiting");
	(void)play_due(f, &next);
	assert_int_equal(next, begun + 5000);
	fake_env_advance(&f->clock, 5000);
	play_on(f);
	assert_failed(f, "/errors/timeout");
}

static void an_inner_list_does_not_hide_what_is_bound_around_it(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'o':{'for':{'each':'x','in':'[7]'},'do':[{'i':{'for':{'each':'x','in':'[1]'}"
		    ",'do':[" SET("a", "1") "],'output':{'as':'{v: $x}'}}}]}}"));
	assert_output(f, "{\"v\":7}");
}

static void states_may_have_the_names_of_ways(void **state)
{
	struct play *f = *state;

#define SEED_ECHO(name, text, more)                                                                \
	"{'name':'" name "','type':'task','action':{'functionRef':{'refName':'echo','arguments':{" \
	"'message':'" text "'}}}" more "}"
	play(f,
	     "{'id':'test','version':'1','states':[{'name':'S','type':'switch','dataConditions':[{"
	     "'condition':'true','transition':'end'}],'defaultCondition':{'transition':'exit'}}"
	     "," SEED_ECHO("exit", "x", ",'end':true") "," SEED_ECHO("end", "y",
								     ",'end':true") "]}");
	assert_string_equal(f->outcome.status, "Completed");
	assert_contains(f->outcome.terminal, "\"echoed_message\":\"y\"");
}

static void a_century_is_waited_for(void **state)
{
	struct play *f = *state;
	demon_time next;

	play(f, DSL("{'w':{'wait':'P36500D'}}"));
	assert_string_equal(f->outcome.status, "Waiting");
	(void)play_due(f, &next);
	assert_true(next == f->clock.now + (demon_time)36500 * 24 * 3600 * 1000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
}

static void no_wait_is_no_wait(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'w':{'wait':{'seconds':0}}}"));
	assert_string_equal(f->outcome.status, "Completed");
}

static void a_caught_error_may_shadow_what_is_known(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'l':{'for':{'each':'input','at':'context','in':'[1]'},'do':[{'t':{'try':["
		    "{'a':{'raise':{'error':{'type':'odd','status':400,'detail':'${ $input | "
		    "tostring }'}}}}],'catch':{'as':'input','when':'$input.status == 400','do':["
		    "{'b':{'set':{'v':'${ [$input.detail, $context] }'}}}]}}}]}}"));
	assert_output(f, "{\"v\":[\"1\",0]}");
}

/* A call that writes its attempt to the file "ran". */
#define CALL(name, idempotent, more)                                                       \
	"{'" name "':{'call':'exec','with':{'command':['sh','-c','echo $DEMON_ATTEMPT >> " \
	"$DEMON_PARAM_DIR/ran'],'idempotent':" idempotent "}" more "}}"

/* Plays up to where the process of a call ends. */
static void play_up_to(struct play *f, enum demon_fault point, const char *text)
{
	struct demon_run_options options = {.run_id = "r-1"};
	json_t *input = json_pack("{s:s}", "dir", f->dir);
	struct demon_err err;

	options.input = input;
	f->definition = run_definition(text);
	assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
	json_decref(input);
	demon_fault_arm(point, 1, false);
	assert_rc(play_try(f, &err), DEMON_IO, &err);
	assert_int_equal(demon_fault_disarm(), 1);
}

/* The same, with the call in flight. */
static void play_cut_off(struct play *f, const char *text)
{
	play_up_to(f, DEMON_FAULT_STEP_STARTED, text);
}

static void assert_ran(const struct play *f, const char *want)
{
	FILE *file = fopen(test_path(f->dir, "ran"), "r");
	char got[64] = "";

	if (file) {
		got[fread(got, 1, sizeof(got) - 1, file)] = '\0';
		(void)fclose(file);
	}
	assert_string_equal(got, want);
}

static void what_was_in_flight_when_its_time_was_up_is_for_an_operator(void **state)
{
	struct play *f = *state;

	play_cut_off(f, DSL("{'t':{'try':[{'d':{'timeout':{'after':'PT5S'},'do':[" CALL(
			    "c", "false", "") "]}}],'catch':{'retry':{}}}}"));
	fake_env_advance(&f->clock, 10000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Suspended");
	assert_ran(f, "");
}

static void what_may_be_repeated_is_not_begun_when_its_time_is_up(void **state)
{
	struct play *f = *state;

	play_cut_off(f, DSL(CALL("c", "true", ",'timeout':{'after':'PT5S'}")));
	fake_env_advance(&f->clock, 10000);
	play_on(f);
	assert_failed(f, "/errors/timeout");
	assert_ran(f, "");
}

static void what_an_operator_lets_run_again_has_its_time_again(void **state)
{
	const struct demon_run_request request = {.by = "op"};
	struct play *f = *state;
	struct demon_err err;

	play_cut_off(
	    f, DSL(CALL("c", "false", ",'timeout':{'after':'PT50S'},'output':{'as':'.exitCode'}")));
	for (unsigned i = 0; i < 2; i++) {
		fake_env_advance(&f->clock, 100000);
		play_on(f);
		assert_string_equal(f->outcome.status, "Suspended");
		assert_ok(demon_run_resume(f->store, &f->run, &request, &err), &err);
		fake_env_advance(&f->clock, 100000);
		if (i)
			break;
		demon_fault_arm(DEMON_FAULT_STEP_STARTED, 1, false);
		assert_rc(play_try(f, &err), DEMON_IO, &err);
		assert_int_equal(demon_fault_disarm(), 1);
	}
	play_on(f);
	assert_output(f, "0");
	assert_ran(f, "3\n");
}

static void what_has_returned_needs_no_operator_to_be_gone_on_with(void **state)
{
	struct play *f = *state;

	play_up_to(f, DEMON_FAULT_STEP_RETURNED,
		   DSL(CALL("c", "false",
			    ",'timeout':{'after':'PT5S'},'output':{'as':'[.exitCode]'},'export':"
			    "{'as':'{code: .}'}") ",{'d':{'set':{'v':'${ $context }'}}}"));
	fake_env_advance(&f->clock, 10000);
	play_on(f);
	assert_output(f, "{\"v\":{\"code\":[0]}}");
	assert_ran(f, "1\n");
}

static void what_has_returned_can_still_fail(void **state)
{
	struct play *f = *state;

	play_up_to(f, DEMON_FAULT_STEP_RETURNED,
		   DSL(CALL("c", "false", ",'output':{'as':'error(\\\"no\\\")'}")));
	play_on(f);
	assert_failed(f, "/errors/expression");
	assert_ran(f, "1\n");
}

static void runs_of_two_tenants_with_one_id_are_strangers(void **state)
{
	const struct demon_run_request request = {.by = "op"};
	struct play *f = *state;
	struct demon_run_watch watch = {.expr = f->expr};
	struct demon_run_options options = {.run_id = "r-1", .tenant_id = "other"};
	struct demon_run_outcome outcome = {0};
	struct demon_run_id other;
	struct demon_err err;
	bool changed;

	play(f, DSL("{'w':{'wait':'PT1S'}}," SET("a", "'${ $workflow.id }'")));
	assert_ok(demon_run_start(f->store, f->definition, &options, &other, &err), &err);
	assert_ok(demon_run_execute_watched(f->store, &other, &watch, &outcome, &err), &err);
	assert_string_equal(outcome.status, "Waiting");
	fake_env_advance(&f->clock, 1000);
	assert_int_equal(play_due(f, NULL), 2);
	assert_ok(demon_run_cancel(f->store, &other, &request, &changed, &err), &err);
	assert_true(changed);
	assert_int_equal(play_due(f, NULL), 1);
	play_on(f);
	assert_output(f, "{\"v\":\"r-1\"}");
	assert_ok(demon_run_execute_watched(f->store, &other, &watch, &outcome, &err), &err);
	assert_string_equal(outcome.status, "Canceled");
	assert_contains(outcome.terminal, "\"tenantId\":\"other\"");
	free(outcome.terminal);
}

static void a_run_that_was_canceled_in_its_pause_does_nothing_more(void **state)
{
	const struct demon_run_request request = {.by = "op"};
	struct play *f = *state;
	struct demon_err err;
	demon_time next;
	bool changed;

	play(f, DSL("{'t':{'try':[" RAISE("bad", "500") "],'catch':{'retry':{'delay':'PT1S'}}}}"));
	assert_string_equal(f->outcome.status, "Waiting");
	assert_ok(demon_run_cancel(f->store, &f->run, &request, &changed, &err), &err);
	fake_env_advance(&f->clock, 1000);
	assert_int_equal(play_due(f, &next), 0);
	assert_int_equal(next, 0);
	play_on(f);
	assert_string_equal(f->outcome.status, "Canceled");
	assert_types(&f->events, "started opened step.started step.started step.failed "
				 "step.caught timer.scheduled canceled");
}

/* A clock that goes back never makes a later event earlier, and a wait is as late as it. */
static void a_clock_that_jumps_loses_no_order(void **state)
{
	struct play *f = *state;
	demon_time last = 0;

	play(f, DSL("{'w':{'wait':'PT10S'}}," SET("a", "1") ",{'x':{'wait':'PT10S'}}"));
	fake_env_advance(&f->clock, 86400 * 1000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, -86400 * 1000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 86400 * 1000 + 10000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Completed");
	for (size_t i = 0; i < f->events.count; i++) {
		assert_true(f->events.items[i].ts >= last);
		last = f->events.items[i].ts;
	}
}

int main(void)
{
#define EDGE_TEST(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)
	const struct CMUnitTest tests[] = {
	    EDGE_TEST(an_output_that_fits_no_event_is_an_error_of_its_list),
	    EDGE_TEST(an_output_that_fits_no_event_is_an_error_of_its_wait),
	    EDGE_TEST(an_output_that_fits_no_event_is_an_error_of_the_workflow),
	    EDGE_TEST(an_output_that_fits_no_event_can_be_caught),
	    EDGE_TEST(what_no_result_can_hold_fails_the_run),
	    EDGE_TEST(an_error_that_fits_no_event_is_cut),
	    EDGE_TEST(an_expression_is_quoted_in_whole_characters),
	    EDGE_TEST(items_go_where_they_fit),
	    EDGE_TEST(a_long_item_may_be_the_first),
	    EDGE_TEST(an_item_that_fits_no_event_is_an_error_of_its_loop),
	    EDGE_TEST(a_wait_passes_on_what_its_input_was_made_into),
	    EDGE_TEST(who_waits_is_woken_when_the_time_of_its_list_is_up),
	    EDGE_TEST(who_waits_is_woken_when_its_own_time_is_up),
	    EDGE_TEST(a_pause_is_ended_when_the_time_of_its_list_is_up),
	    EDGE_TEST(an_inner_list_does_not_hide_what_is_bound_around_it),
	    EDGE_TEST(states_may_have_the_names_of_ways),
	    EDGE_TEST(a_century_is_waited_for),
	    EDGE_TEST(no_wait_is_no_wait),
	    EDGE_TEST(a_caught_error_may_shadow_what_is_known),
	    EDGE_TEST(runs_of_two_tenants_with_one_id_are_strangers),
	    EDGE_TEST(a_run_that_was_canceled_in_its_pause_does_nothing_more),
	    EDGE_TEST(a_clock_that_jumps_loses_no_order),
	    EDGE_TEST(what_was_in_flight_when_its_time_was_up_is_for_an_operator),
	    EDGE_TEST(what_may_be_repeated_is_not_begun_when_its_time_is_up),
	    EDGE_TEST(what_an_operator_lets_run_again_has_its_time_again),
	    EDGE_TEST(what_has_returned_needs_no_operator_to_be_gone_on_with),
	    EDGE_TEST(what_has_returned_can_still_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
