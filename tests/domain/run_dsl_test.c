/*
 * What the DSL means when it runs, with a clock that the test moves.
 */
#include "support/test.h"

#include "support/play.h"

#include <stdio.h>

static void what_is_only_computed_is_one_transaction(void **state)
{
	struct play *f = *state;

	play(f, DSL(SET("a", "1") "," SET("b", "'${ .v + 1 }'")));
	assert_output(f, "{\"v\":2}");
	assert_types(&f->events, "started opened step.evaluated state.transitioned step.evaluated "
				 "completed");
	assert_int_equal(run_events_groups(&f->events), 2);
}

static void a_wait_ends_when_its_time_has_come_and_not_before(void **state)
{
	struct play *f = *state;
	demon_time begun = f->clock.now;
	demon_time next;

	play(f, DSL(SET("a", "1") ",{'pause':{'wait':'PT10S'}}," SET("b", "2")));
	assert_string_equal(f->outcome.status, "Waiting");
	assert_int_equal(play_due(f, &next), 0);
	assert_int_equal(next, begun + 10000);
	fake_env_advance(&f->clock, 9999);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	assert_int_equal(play_due(f, NULL), 0);
	fake_env_advance(&f->clock, 1);
	assert_int_equal(play_due(f, NULL), 1);
	play_on(f);
	assert_output(f, "{\"v\":2}");
	assert_types(&f->events, "started opened step.evaluated state.transitioned step.started "
				 "timer.scheduled timer.fired step.completed state.transitioned "
				 "step.evaluated completed");
	assert_int_equal(play_due(f, &next), 0);
	assert_int_equal(next, 0);
}

static void a_clock_that_goes_back_keeps_a_run_waiting(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'pause':{'wait':{'seconds':10}}}"));
	fake_env_advance(&f->clock, -3600 * 1000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 3600 * 1000 + 10000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Completed");
}

static void a_skipped_task_passes_its_input_on(void **state)
{
	struct play *f = *state;

	play(f, DSL(SET("a", "1") ",{'b':{'if':'.v == 2','set':{'v':9}}}"));
	assert_output(f, "{\"v\":1}");
	assert_types(&f->events, "started opened step.evaluated state.transitioned step.skipped "
				 "completed");
}

static void a_loop_stops_where_while_says(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'loop':{'for':{'each':'x','in':'[5,6,7]','at':'i'},'while':'$i < 2','do':["
		    "{'add':{'set':{'sum':'${ (.sum // 0) + $x }','last':'${ $i }'}}}]}}"));
	assert_output(f, "{\"last\":1,\"sum\":11}");
}

static void a_loop_over_nothing_passes_its_input_on(void **state)
{
	struct play *f = *state;

	play(f, DSL(SET("a", "1") ",{'loop':{'for':{'in':'[]'},'do':[" SET("b", "2") "]}}"));
	assert_output(f, "{\"v\":1}");
}

static void what_is_no_list_cannot_be_gone_through(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'loop':{'for':{'in':'5'},'do':[" SET("b", "2") "]}}"));
	assert_failed(f, "expected a list");
	assert_contains(f->outcome.terminal, "\"instance\":\"/do/0/loop\"");
}

static void a_caught_error_is_seen_under_its_name(void **state)
{
	struct play *f = *state;

	play(
	    f,
	    DSL("{'t':{'try':[" RAISE(
		"bad",
		"418") "],'catch':{'as':'e','do':["
		       "{'seen':{'set':{'status':'${ $e.status }','at':'${ $e.instance }'}}}]}}}"));
	assert_output(f, "{\"at\":\"/do/0/t/try/0/bad\",\"status\":418}");
}

static void an_error_that_the_filter_does_not_name_goes_on(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'t':{'try':[" RAISE(
		    "bad",
		    "418") "],'catch':{'errors':{'with':{'status':500}},'do':[" SET("no",
										    "1") "]}}}"));
	assert_failed(f, "\"status\":418");
	run_events_done(&f->events);
	run_events_read(f->store, "r-1", &f->events);
	assert_types(&f->events, "started opened step.started step.started step.failed "
				 "step.failed failed");
}

static void an_error_in_a_handler_is_not_caught_by_its_own_try(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'t':{'try':[" RAISE("bad", "418") "],'catch':{'do':[" RAISE("worse",
										  "419") "]}}}"));
	assert_failed(f, "\"status\":419");
}

static void when_decides_about_what_is_caught(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'outer':{'try':[{'t':{'try':[" RAISE(
		    "bad", "418") "],'catch':{'as':'e','when':'$"
				  "e.status < 400','do':[" SET("no", "1") "]}}}],"
									  "'catch':{'as':'e','"
									  "exceptWhen':'$e."
									  "status < "
									  "400','do':[" SET(
									      "yes", "2") "]}}}"));
	assert_output(f, "{\"v\":2}");
}

static void tries_come_after_longer_and_longer_waits(void **state)
{
	struct play *f = *state;
	demon_time next;
	demon_time begun = f->clock.now;

	play(f,
	     DSL("{'t':{'try':[" RAISE(
		 "bad",
		 "503") "],'catch':{'retry':{'delay':{'seconds':1},"
			"'backoff':{'exponential':{}},'limit':{'attempt':{'count':3}}},'do':[" SET(
			    "gave", "0") "]}}}"));
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(f->outcome.status, "Waiting");
		(void)play_due(f, &next);
		assert_int_equal(next, begun + (1000 << i));
		fake_env_advance(&f->clock, 1000 << i);
		begun = f->clock.now;
		play_on(f);
	}
	assert_output(f, "{\"v\":0}");
}

static void used_up_tries_without_a_handler_end_the_run(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'t':{'try':[" RAISE("bad", "503") "],'catch':{'retry':{'delay':{'seconds':1},"
							"'limit':{'attempt':{'count':1}}}}}}"));
	fake_env_advance(&f->clock, 1000);
	play_on(f);
	assert_failed(f, "\"status\":503");
}

static void a_policy_has_a_name_in_use(void **state)
{
	struct play *f = *state;

	play(f,
	     DSL_WITH("'use':{'retries':{'twice':{'delay':{'seconds':2}}},'errors':{'gone':{"
		      "'type':'g','status':410}}}",
		      "{'t':{'try':[{'bad':{'raise':{'error':'gone'}}}],'catch':{'retry':'twice'}"
		      "}}"));
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 2000);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
}

static void the_time_of_a_composite_ends_what_waits_in_it(void **state)
{
	struct play *f = *state;
	demon_time next;
	demon_time begun = f->clock.now;

	play(f, DSL("{'t':{'try':[{'slow':{'timeout':{'after':{'seconds':5}},'do':[{'w':{'wait':"
		    "'PT1H'}}]}}],'catch':{'as':'e','do':[{'late':{'set':{'type':'${ $e.type }',"
		    "'at':'${ $e.instance }'}}}]}}}"));
	(void)play_due(f, &next);
	assert_int_equal(next, begun + 5000);
	fake_env_advance(&f->clock, 5000);
	play_on(f);
	assert_output(f, "{\"at\":\"/do/0/t/try/0/slow\",\"type\":\"https://serverlessworkflow.io/"
			 "spec/1.0.0/errors/timeout\"}");
}

static void let_time_pass(void *ctx, const char *type, const char *payload, size_t len)
{
	struct play *f = ctx;

	(void)len;
	if (strcmp(type, "step.started:v1") == 0 && strstr(payload, "\"call\":\"exec\""))
		fake_env_advance(&f->clock, 6000);
}

static void a_try_whose_time_is_up_catches_nothing(void **state)
{
	struct play *f = *state;
	const struct demon_run_options options = {.run_id = "r-1"};
	const struct demon_run_watch watch = {.expr = f->expr, .listener = let_time_pass, .ctx = f};
	struct demon_err err;

	f->definition = run_definition(
	    DSL("{'t':{'timeout':{'after':'PT5S'},'try':[{'x':{'call':'exec',"
		"'with':{'command':['false']}}}],'catch':{'do':[" SET("no", "1") "]}}}"));
	assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
	assert_ok(demon_run_execute_watched(f->store, &f->run, &watch, &f->outcome, &err), &err);
	assert_failed(f, "/errors/timeout");
	assert_contains(f->outcome.terminal, "\"instance\":\"/do/0/t\"");
	run_events_read(f->store, "r-1", &f->events);
	assert_types(&f->events, "started opened step.started step.started step.failed "
				 "step.failed failed");
}

static void end_leaves_every_list_and_makes_the_workflows_output(void **state)
{
	struct play *f = *state;

	play(f, DSL_WITH("'output':{'as':'{out: .v}'}",
			 "{'d':{'do':[{'a':{'if':'true','set':{'v':1},'then':'end'}}," SET(
			     "b", "2") "]}}"));
	assert_output(f, "{\"out\":1}");
}

static void exit_leaves_the_list_alone(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'d':{'do':[{'a':{'if':'true','set':{'v':1},'then':'exit'}}," SET(
		    "b", "2") "]}}," SET("c", "'${ .v + 10 }'")));
	assert_output(f, "{\"v\":11}");
}

static void what_is_passed_over_leads_nowhere(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'a':{'if':'false','set':{'v':1},'then':'end'}}," SET("b", "2")));
	assert_output(f, "{\"v\":2}");
}

static void the_context_is_what_was_exported_last(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'a':{'set':{'v':1},'export':{'as':'{first: .v}'}}}," SET(
		    "b", "2") ",{'c':{"
			      "'set':{'v':'${ [.v, $context.first] }'}}}"));
	assert_output(f, "{\"v\":[2,1]}");
}

static void an_expression_that_fails_is_an_error_of_its_task(void **state)
{
	struct play *f = *state;

	play(f, DSL("{'a':{'set':{'v':'${ .x.y + {} | error }'}}}"));
	assert_failed(f, "/errors/expression");
	assert_contains(f->outcome.terminal, "\"instance\":\"/do/0/a\"");
}

static void input_is_held_against_its_schema(void **state)
{
	struct play *f = *state;

	play(f, DSL_WITH("'input':{'schema':{'document':{'type':'object','required':['n']}}}",
			 SET("a", "1")));
	assert_failed(f, "/errors/validation");
}

static void a_function_takes_what_its_caller_adds(void **state)
{
	struct play *f = *state;

	play(f, DSL_WITH("'use':{'functions':{'say':{'call':'echo','with':{'message':'one'}}}}",
			 "{'a':{'call':'say','with':{'message':'two'},'output':{'as':"
			 "'.echoed_message'}}}"));
	assert_output(f, "\"two\"");
}

#define SEED(states) "{'id':'test','version':'1','states':[" states "]}"
#define SEED_TASK(name, call, more) \
	"{'name':'" name "','type':'task','action':{'functionRef':{" call "}}" more "}"
#define SEED_ECHO(name, text, more) \
	SEED_TASK(name, "'refName':'echo','arguments':{'message':'" text "'}", more)
#define SEED_TIMER(name, timer, seconds)                                   \
	SEED_TASK(name,                                                    \
		  "'refName':'scheduleTimer','arguments':{'timer':'" timer \
		  "','delaySeconds':" seconds "}",                         \
		  "")

static void a_state_waits_for_the_timer_that_fires_first(void **state)
{
	struct play *f = *state;
	demon_time next;
	demon_time begun = f->clock.now;

	play(f,
	     SEED(SEED_TIMER("A", "late", "60") "," SEED_TIMER(
		 "B", "soon", "5") ",{'name':'W','type':'event','on':[{'eventRef':'late',"
				   "'transition':'Late'},{'eventRef':'soon','transition':'Soon'}]}"
				   "," SEED_ECHO("Late", "late", ",'end':true") "," SEED_ECHO(
				       "Soon", "soon", ",'end':true")));
	assert_string_equal(f->outcome.status, "Waiting");
	(void)play_due(f, &next);
	assert_int_equal(next, begun + 5000);
	fake_env_advance(&f->clock, 4999);
	play_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 1);
	play_on(f);
	assert_string_equal(f->outcome.status, "Completed");
	assert_contains(f->outcome.terminal, "\"echoed_message\":\"soon\"");
}

static void a_state_that_waits_too_long_fails(void **state)
{
	struct play *f = *state;

	play(f, SEED(SEED_TIMER(
		    "A", "late",
		    "60") ",{'name':'W','type':'event','timeout':'PT3S','on':[{'eventRef':'late',"
			  "'end':true}]}"));
	fake_env_advance(&f->clock, 3000);
	play_on(f);
	assert_failed(f, "/errors/timeout");
}

static void a_switch_asks_about_the_last_output(void **state)
{
	struct play *f = *state;

	play(
	    f,
	    SEED(SEED_ECHO(
		"A", "four",
		"") ",{'name':'S','type':'switch','dataConditions':[{'condition':'.character_count "
		    "> 10','transition':'Long'}],'defaultCondition':{'transition':'Short'}}"
		    "," SEED_ECHO("Long", "long", ",'end':true") "," SEED_ECHO("Short", "short",
									       ",'end':true")));
	assert_string_equal(f->outcome.status, "Completed");
	assert_contains(f->outcome.terminal, "\"echoed_message\":\"short\"");
}

static void what_was_done_is_undone_last_first(void **state)
{
	struct play *f = *state;
	unsigned found = 0;
	const char *names[3] = {""};

#define UNDO(text) \
	",'compensatedBy':{'functionRef':{'refName':'echo','arguments':{'message':'" text "'}}}"
	play(f, SEED(SEED_ECHO("A", "a", UNDO("undo a")) "," SEED_ECHO(
		    "B", "b", UNDO("undo b")) "," SEED_TASK("C", "'refName':'compensate'",
							    ",'end':true")));
	assert_string_equal(f->outcome.status, "Completed");
	for (size_t i = 0; i < f->events.count; i++)
		if (strstr(f->events.items[i].payload, "compensatedBy\"") &&
		    strcmp(f->events.items[i].type, "step.started:v1") == 0 &&
		    !strstr(f->events.items[i].payload, "\"items\"") && found < 3)
			names[found++] = f->events.items[i].payload;
	assert_int_equal(found, 2);
	assert_contains(names[0], "undo b");
	assert_contains(names[1], "undo a");
}

int main(void)
{
#define DSL_TEST(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)
	const struct CMUnitTest tests[] = {
	    DSL_TEST(what_is_only_computed_is_one_transaction),
	    DSL_TEST(a_wait_ends_when_its_time_has_come_and_not_before),
	    DSL_TEST(a_clock_that_goes_back_keeps_a_run_waiting),
	    DSL_TEST(a_skipped_task_passes_its_input_on),
	    DSL_TEST(a_loop_stops_where_while_says),
	    DSL_TEST(a_loop_over_nothing_passes_its_input_on),
	    DSL_TEST(what_is_no_list_cannot_be_gone_through),
	    DSL_TEST(a_caught_error_is_seen_under_its_name),
	    DSL_TEST(an_error_that_the_filter_does_not_name_goes_on),
	    DSL_TEST(an_error_in_a_handler_is_not_caught_by_its_own_try),
	    DSL_TEST(when_decides_about_what_is_caught),
	    DSL_TEST(tries_come_after_longer_and_longer_waits),
	    DSL_TEST(used_up_tries_without_a_handler_end_the_run),
	    DSL_TEST(a_policy_has_a_name_in_use),
	    DSL_TEST(the_time_of_a_composite_ends_what_waits_in_it),
	    DSL_TEST(a_try_whose_time_is_up_catches_nothing),
	    DSL_TEST(end_leaves_every_list_and_makes_the_workflows_output),
	    DSL_TEST(exit_leaves_the_list_alone),
	    DSL_TEST(what_is_passed_over_leads_nowhere),
	    DSL_TEST(the_context_is_what_was_exported_last),
	    DSL_TEST(an_expression_that_fails_is_an_error_of_its_task),
	    DSL_TEST(input_is_held_against_its_schema),
	    DSL_TEST(a_function_takes_what_its_caller_adds),
	    DSL_TEST(a_state_waits_for_the_timer_that_fires_first),
	    DSL_TEST(a_state_that_waits_too_long_fails),
	    DSL_TEST(a_switch_asks_about_the_last_output),
	    DSL_TEST(what_was_done_is_undone_last_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
