/*
 * What the DSL means when it runs, with a clock that the test moves.
 */
#include "support/test.h"

#include "domain/expr/expr.h"
#include "support/runs.h"

#include <stdio.h>

#define DSL(tasks)                                                                  \
	"{'document':{'dsl':'1.0.3','namespace':'default','name':'test','version':" \
	"'1'},'do':[" tasks "]}"
#define DSL_WITH(more, tasks)                                                       \
	"{'document':{'dsl':'1.0.3','namespace':'default','name':'test','version':" \
	"'1'}," more ",'do':[" tasks "]}"
#define SET(name, value)    "{'" name "':{'set':{'v':" value "}}}"
#define RAISE(name, status) "{'" name "':{'raise':{'error':{'type':'odd','status':" status "}}}}"

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_expr *expr;
	struct demon_definition *definition;
	struct run_events events;
	struct demon_run_outcome outcome;
	struct demon_run_id run;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct demon_expr_options expr = {.workers = 1};
	struct demon_options options = {.create = true, .node_id = "n"};
	struct demon_err err;

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
	assert_ok(demon_expr_open(&expr, &f->expr, &err), &err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	run_events_done(&f->events);
	free(f->outcome.terminal);
	demon_definition_free(f->definition);
	demon_expr_close(f->expr);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void go_on(struct fixture *f)
{
	const struct demon_run_watch watch = {.expr = f->expr};
	struct demon_err err;

	free(f->outcome.terminal);
	f->outcome = (struct demon_run_outcome){0};
	assert_ok(demon_run_execute_watched(f->store, &f->run, &watch, &f->outcome, &err), &err);
	run_events_done(&f->events);
	run_events_read(f->store, "r-1", &f->events);
}

/* Runs a ritual, up to its end or its first wait. */
static void run(struct fixture *f, const char *text)
{
	const struct demon_run_options options = {.run_id = "r-1"};
	struct demon_err err;

	f->definition = run_definition(text);
	assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
	go_on(f);
}

static void assert_data(const struct fixture *f, const char *want)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "\"outputs\":{\"result\":{\"data\":%s,", want);
	assert_string_equal(f->outcome.status, "Completed");
	assert_contains(f->outcome.terminal, whole);
}

static void assert_error(const struct fixture *f, const char *want)
{
	assert_string_equal(f->outcome.status, "Failed");
	assert_contains(f->outcome.terminal, want);
}

/* The runs that are due now, and when the next is. */
static size_t count_due(struct fixture *f, demon_time *ret_next)
{
	struct demon_run_due due;
	struct demon_err err;

	assert_ok(demon_run_due(f->store, 10, &due, &err), &err);
	free(due.runs);
	if (ret_next)
		*ret_next = due.next;
	return due.count;
}

static void what_is_only_computed_is_one_transaction(void **state)
{
	struct fixture *f = *state;

	run(f, DSL(SET("a", "1") "," SET("b", "'${ .v + 1 }'")));
	assert_data(f, "{\"v\":2}");
	assert_types(&f->events, "started opened step.evaluated state.transitioned step.evaluated "
				 "completed");
	assert_int_equal(run_events_groups(&f->events), 2);
}

static void a_wait_ends_when_its_time_has_come_and_not_before(void **state)
{
	struct fixture *f = *state;
	demon_time begun = f->clock.now;
	demon_time next;

	run(f, DSL(SET("a", "1") ",{'pause':{'wait':'PT10S'}}," SET("b", "2")));
	assert_string_equal(f->outcome.status, "Waiting");
	assert_int_equal(count_due(f, &next), 0);
	assert_int_equal(next, begun + 10000);
	fake_env_advance(&f->clock, 9999);
	go_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	assert_int_equal(count_due(f, NULL), 0);
	fake_env_advance(&f->clock, 1);
	assert_int_equal(count_due(f, NULL), 1);
	go_on(f);
	assert_data(f, "{\"v\":2}");
	assert_types(&f->events, "started opened step.evaluated state.transitioned step.started "
				 "timer.scheduled timer.fired step.completed state.transitioned "
				 "step.evaluated completed");
	assert_int_equal(count_due(f, &next), 0);
	assert_int_equal(next, 0);
}

static void a_clock_that_goes_back_keeps_a_run_waiting(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'pause':{'wait':{'seconds':10}}}"));
	fake_env_advance(&f->clock, -3600 * 1000);
	go_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 3600 * 1000 + 10000);
	go_on(f);
	assert_string_equal(f->outcome.status, "Completed");
}

static void a_skipped_task_passes_its_input_on(void **state)
{
	struct fixture *f = *state;

	run(f, DSL(SET("a", "1") ",{'b':{'if':'.v == 2','set':{'v':9}}}"));
	assert_data(f, "{\"v\":1}");
	assert_types(&f->events, "started opened step.evaluated state.transitioned step.skipped "
				 "completed");
}

static void a_loop_stops_where_while_says(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'loop':{'for':{'each':'x','in':'[5,6,7]','at':'i'},'while':'$i < 2','do':["
		   "{'add':{'set':{'sum':'${ (.sum // 0) + $x }','last':'${ $i }'}}}]}}"));
	assert_data(f, "{\"last\":1,\"sum\":11}");
}

static void a_loop_over_nothing_passes_its_input_on(void **state)
{
	struct fixture *f = *state;

	run(f, DSL(SET("a", "1") ",{'loop':{'for':{'in':'[]'},'do':[" SET("b", "2") "]}}"));
	assert_data(f, "{\"v\":1}");
}

static void what_is_no_list_cannot_be_gone_through(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'loop':{'for':{'in':'5'},'do':[" SET("b", "2") "]}}"));
	assert_error(f, "expected a list");
	assert_contains(f->outcome.terminal, "\"instance\":\"/do/0/loop\"");
}

static void a_caught_error_is_seen_under_its_name(void **state)
{
	struct fixture *f = *state;

	run(f,
	    DSL("{'t':{'try':[" RAISE(
		"bad",
		"418") "],'catch':{'as':'e','do':["
		       "{'seen':{'set':{'status':'${ $e.status }','at':'${ $e.instance }'}}}]}}}"));
	assert_data(f, "{\"at\":\"/do/0/t/try/0/bad\",\"status\":418}");
}

static void an_error_that_the_filter_does_not_name_goes_on(void **state)
{
	struct fixture *f = *state;

	run(f,
	    DSL("{'t':{'try':[" RAISE(
		"bad",
		"418") "],'catch':{'errors':{'with':{'status':500}},'do':[" SET("no", "1") "]}}}"));
	assert_error(f, "\"status\":418");
	run_events_done(&f->events);
	run_events_read(f->store, "r-1", &f->events);
	assert_types(&f->events, "started opened step.started step.started step.failed "
				 "step.failed failed");
}

static void an_error_in_a_handler_is_not_caught_by_its_own_try(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'t':{'try':[" RAISE("bad", "418") "],'catch':{'do':[" RAISE("worse",
										 "419") "]}}}"));
	assert_error(f, "\"status\":419");
}

static void when_decides_about_what_is_caught(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'outer':{'try':[{'t':{'try':[" RAISE(
		   "bad", "418") "],'catch':{'as':'e','when':'$"
				 "e.status < 400','do':[" SET("no", "1") "]}}}],"
									 "'catch':{'as':'e','"
									 "exceptWhen':'$e."
									 "status < "
									 "400','do':[" SET(
									     "yes", "2") "]}}}"));
	assert_data(f, "{\"v\":2}");
}

static void tries_come_after_longer_and_longer_waits(void **state)
{
	struct fixture *f = *state;
	demon_time next;
	demon_time begun = f->clock.now;

	run(f,
	    DSL("{'t':{'try':[" RAISE(
		"bad",
		"503") "],'catch':{'retry':{'delay':{'seconds':1},"
		       "'backoff':{'exponential':{}},'limit':{'attempt':{'count':3}}},'do':[" SET(
			   "gave", "0") "]}}}"));
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(f->outcome.status, "Waiting");
		(void)count_due(f, &next);
		assert_int_equal(next, begun + (1000 << i));
		fake_env_advance(&f->clock, 1000 << i);
		begun = f->clock.now;
		go_on(f);
	}
	assert_data(f, "{\"v\":0}");
}

static void used_up_tries_without_a_handler_end_the_run(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'t':{'try':[" RAISE("bad", "503") "],'catch':{'retry':{'delay':{'seconds':1},"
						       "'limit':{'attempt':{'count':1}}}}}}"));
	fake_env_advance(&f->clock, 1000);
	go_on(f);
	assert_error(f, "\"status\":503");
}

static void a_policy_has_a_name_in_use(void **state)
{
	struct fixture *f = *state;

	run(f, DSL_WITH("'use':{'retries':{'twice':{'delay':{'seconds':2}}},'errors':{'gone':{"
			"'type':'g','status':410}}}",
			"{'t':{'try':[{'bad':{'raise':{'error':'gone'}}}],'catch':{'retry':'twice'}"
			"}}"));
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 2000);
	go_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
}

static void the_time_of_a_composite_ends_what_waits_in_it(void **state)
{
	struct fixture *f = *state;
	demon_time next;
	demon_time begun = f->clock.now;

	run(f, DSL("{'t':{'try':[{'slow':{'timeout':{'after':{'seconds':5}},'do':[{'w':{'wait':"
		   "'PT1H'}}]}}],'catch':{'as':'e','do':[{'late':{'set':{'type':'${ $e.type }',"
		   "'at':'${ $e.instance }'}}}]}}}"));
	(void)count_due(f, &next);
	assert_int_equal(next, begun + 3600 * 1000);
	fake_env_advance(&f->clock, 5000);
	go_on(f);
	assert_data(f, "{\"at\":\"/do/0/t/try/0/slow\",\"type\":\"https://serverlessworkflow.io/"
		       "spec/1.0.0/errors/timeout\"}");
}

static void end_leaves_every_list_and_makes_the_workflows_output(void **state)
{
	struct fixture *f = *state;

	run(f, DSL_WITH("'output':{'as':'{out: .v}'}",
			"{'d':{'do':[{'a':{'if':'true','set':{'v':1},'then':'end'}}," SET(
			    "b", "2") "]}}"));
	assert_data(f, "{\"out\":1}");
}

static void exit_leaves_the_list_alone(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'d':{'do':[{'a':{'if':'true','set':{'v':1},'then':'exit'}}," SET(
		   "b", "2") "]}}," SET("c", "'${ .v + 10 }'")));
	assert_data(f, "{\"v\":11}");
}

static void what_is_passed_over_leads_nowhere(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'a':{'if':'false','set':{'v':1},'then':'end'}}," SET("b", "2")));
	assert_data(f, "{\"v\":2}");
}

static void the_context_is_what_was_exported_last(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'a':{'set':{'v':1},'export':{'as':'{first: .v}'}}}," SET(
		   "b", "2") ",{'c':{"
			     "'set':{'v':'${ [.v, $context.first] }'}}}"));
	assert_data(f, "{\"v\":[2,1]}");
}

static void an_expression_that_fails_is_an_error_of_its_task(void **state)
{
	struct fixture *f = *state;

	run(f, DSL("{'a':{'set':{'v':'${ .x.y + {} | error }'}}}"));
	assert_error(f, "/errors/expression");
	assert_contains(f->outcome.terminal, "\"instance\":\"/do/0/a\"");
}

static void input_is_held_against_its_schema(void **state)
{
	struct fixture *f = *state;

	run(f, DSL_WITH("'input':{'schema':{'document':{'type':'object','required':['n']}}}",
			SET("a", "1")));
	assert_error(f, "/errors/validation");
}

static void a_function_takes_what_its_caller_adds(void **state)
{
	struct fixture *f = *state;

	run(f, DSL_WITH("'use':{'functions':{'say':{'call':'echo','with':{'message':'one'}}}}",
			"{'a':{'call':'say','with':{'message':'two'},'output':{'as':"
			"'.echoed_message'}}}"));
	assert_data(f, "\"two\"");
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
	struct fixture *f = *state;
	demon_time next;
	demon_time begun = f->clock.now;

	run(f,
	    SEED(SEED_TIMER("A", "late", "60") "," SEED_TIMER(
		"B", "soon", "5") ",{'name':'W','type':'event','on':[{'eventRef':'late',"
				  "'transition':'Late'},{'eventRef':'soon','transition':'Soon'}]}"
				  "," SEED_ECHO("Late", "late", ",'end':true") "," SEED_ECHO(
				      "Soon", "soon", ",'end':true")));
	assert_string_equal(f->outcome.status, "Waiting");
	(void)count_due(f, &next);
	assert_int_equal(next, begun + 5000);
	fake_env_advance(&f->clock, 4999);
	go_on(f);
	assert_string_equal(f->outcome.status, "Waiting");
	fake_env_advance(&f->clock, 1);
	go_on(f);
	assert_string_equal(f->outcome.status, "Completed");
	assert_contains(f->outcome.terminal, "\"echoed_message\":\"soon\"");
}

static void a_state_that_waits_too_long_fails(void **state)
{
	struct fixture *f = *state;

	run(f, SEED(SEED_TIMER(
		   "A", "late",
		   "60") ",{'name':'W','type':'event','timeout':'PT3S','on':[{'eventRef':'late',"
			 "'end':true}]}"));
	fake_env_advance(&f->clock, 3000);
	go_on(f);
	assert_error(f, "/errors/timeout");
}

static void a_switch_asks_about_the_last_output(void **state)
{
	struct fixture *f = *state;

	run(f,
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
	struct fixture *f = *state;
	unsigned found = 0;
	const char *names[3] = {""};

#define UNDO(text) \
	",'compensatedBy':{'functionRef':{'refName':'echo','arguments':{'message':'" text "'}}}"
	run(f, SEED(SEED_ECHO("A", "a", UNDO("undo a")) "," SEED_ECHO(
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
#define DSL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
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
