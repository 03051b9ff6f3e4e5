/*
 * Trying a run again: what a new run begins with.
 */
#include "support/test.h"

#include "support/run_desk.h"

#include <stdio.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

static const char loop[] =
    DSL("{'first':{'set':{'n':1}}},"
	"{'each':{'for':{'in':'[1,2,3]'},'do':[{'add':{'set':'${ {n: (.n + $item)} }'}},"
	"{'check':{'if':'.n == 4 and $workflow.id == \\\"r-1\\\"','raise':{'error':{'type':'odd',"
	"'status':500}}}}]}},{'last':{'set':'${ {sum: .n} }'}}");

static void a_failed_run_is_tried_again_from_the_step_that_failed(void **state)
{
	struct run_desk *f = *state;
	struct demon_err err;

	desk_run(f, loop, "Failed");
	assert_desk_steps(
	    f, &f->run,
	    "1:first=Completed 2:each=Failed 3<2[0]:add=Completed 4<2[0]:check=Skipped "
	    "5<2[1]:add=Completed 6<2[1]:check=Failed");
	assert_ok(desk_retry(f, NULL, &err), &err);
	assert_desk_status(f, &f->again, "Running");
	assert_desk_steps(f, &f->again, "1:each=Running");
	desk_go_on(f, &f->again, "Completed");
	assert_contains(f->outcome.terminal, "\"data\":{\"sum\":7}");
	assert_desk_steps(f, &f->again,
			  "1:each=Completed 2<1[1]:check=Skipped 3<1[2]:add=Completed "
			  "4<1[2]:check=Skipped 5:last=Completed");
	assert_contains(f->events.items[1].payload, "\"retryOf\":{\"origin\":\"");
	assert_contains(f->events.items[1].payload, "\"runId\":\"r-1\",\"stepId\":6}");
	assert_int_equal(f->events.items[2].group_first, f->events.items[0].group_first);
	assert_desk_status(f, &f->run, "Failed");
	assert_desk_verified(f);
}

static void a_run_is_tried_again_from_any_step_of_it(void **state)
{
	static const struct {
		const char *step;
		const char *steps;
	} cases[] = {
	    {"first", "1:first=Completed 2:each=Completed"},
	    {"/do/1/each", "1:each=Completed 2<1[0]:add=Completed"},
	    {"5", "1:each=Completed 2<1[1]:add=Completed 3<1[1]:check=Skipped"},
	    {"4", "1:each=Completed 2<1[0]:check=Skipped 3<1[1]:add=Completed"},
	};
	struct run_desk *f = *state;
	struct demon_err err;

	desk_run(f, loop, "Failed");
	for (size_t i = 0; i < demon_count(cases); i++) {
		const struct demon_run_options options = {.run_id = NULL};

		assert_ok(
		    demon_run_retry(f->store, &f->run, cases[i].step, &options, &f->again, &err),
		    &err);
		desk_go_on(f, &f->again, "Completed");
		assert_contains(f->outcome.terminal, "\"data\":{\"sum\":7}");
		desk_read_steps(f, &f->again);
		assert_ptr_equal(strstr(f->steps, cases[i].steps), f->steps);
	}
	assert_desk_verified(f);
}

static void a_step_that_is_not_one_is_told(void **state)
{
	struct run_desk *f = *state;
	struct demon_err err;

	desk_run(f, loop, "Failed");
	assert_rc(desk_retry(f, "nothing", &err), DEMON_NOTFOUND, &err);
	assert_rc(desk_retry(f, "99", &err), DEMON_NOTFOUND, &err);
	assert_rc(desk_retry(f, "check", &err), DEMON_CONFLICT, &err);
	assert_contains(err.msg, "2 steps 'check'");
	assert_contains(err.msg, "4 (round 0) 6 (round 1)");
	assert_ok(desk_retry(f, "6", &err), &err);
	/* the loop began in the other run */
	f->run = f->again;
	desk_cancel(f);
	assert_rc(desk_retry(f, "each", &err), DEMON_CONFLICT, &err);
	assert_contains(err.msg, "was under way when run 'r-2' began");
}

static void only_what_has_ended_badly_is_tried_again(void **state)
{
	struct run_desk *f = *state;
	struct demon_err err;

	desk_start(f, DSL("{'a':{'wait':'PT1H'}},{'b':{'set':{'v':1}}}"));
	assert_rc(desk_retry(f, NULL, &err), DEMON_CONFLICT, &err);
	desk_go_on(f, &f->run, "Waiting");
	assert_rc(desk_retry(f, NULL, &err), DEMON_CONFLICT, &err);
	assert_contains(err.msg, "Waiting");
	fake_env_advance(&f->clock, SECONDS(3600));
	desk_go_on(f, &f->run, "Completed");
	assert_rc(desk_retry(f, "b", &err), DEMON_CONFLICT, &err);
	assert_contains(err.msg, "Completed");
}

static void a_retry_can_be_tried_again(void **state)
{
	struct run_desk *f = *state;
	const struct demon_run_options third = {.run_id = "r-3"};
	struct demon_err err;

	desk_run(f,
		 DSL("{'each':{'for':{'in':'[1,2]'},'do':[{'in':{'do':[{'check':{'if':"
		     "'$item == 2 and $workflow.id != \\\"r-3\\\"','raise':{'error':{'type':'odd',"
		     "'status':500}}}}]}}]}}"),
		 "Failed");
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Failed");
	assert_desk_steps(f, &f->again, "1:each=Failed 2<1[1]:in=Failed 3<2:check=Failed");
	assert_ok(demon_run_retry(f->store, &f->again, NULL, &third, &f->run, &err), &err);
	desk_go_on(f, &f->run, "Completed");
	assert_desk_steps(f, &f->run, "1:each=Completed 2<1[1]:in=Completed 3<2:check=Skipped");
	assert_desk_verified(f);
}

static void a_run_that_was_canceled_before_a_step_goes_on_with_it(void **state)
{
	struct run_desk *f = *state;
	struct demon_err err;

	f->input = json_pack("{s:i}", "n", 3);
	desk_start(f, DSL_WITH("'input':{'from':'${ {n: (.n + 1)} }'},",
			       "{'a':{'set':'${ {n: (.n * 2)} }'}}"));
	desk_cancel(f);
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Completed");
	assert_contains(f->outcome.terminal, "\"data\":{\"n\":8}");
	assert_null(strstr(f->events.items[1].payload, "stepId"));
}

static void a_wait_that_was_canceled_begins_anew(void **state)
{
	struct run_desk *f = *state;
	demon_time began;
	size_t count;
	struct demon_err err;

	desk_run(f, DSL("{'a':{'wait':'PT1H'}},{'b':{'set':{'v':1}}}"), "Waiting");
	fake_env_advance(&f->clock, SECONDS(1800));
	desk_cancel(f);
	began = f->clock.now;
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Waiting");
	assert_int_equal(desk_next_due(f, &count), began + SECONDS(3600));
	fake_env_advance(&f->clock, SECONDS(3600));
	desk_go_on(f, &f->again, "Completed");
}

static void a_try_that_paused_pauses_for_what_was_left(void **state)
{
	struct run_desk *f = *state;
	demon_time began;
	size_t count;
	struct demon_err err;

	desk_run(f,
		 DSL("{'t':{'try':[{'r':{'raise':{'error':{'type':'odd','status':500}}}}],'catch':"
		     "{'retry':{'delay':{'seconds':10},'limit':{'attempt':{'count':2}}}}}}"),
		 "Waiting");
	fake_env_advance(&f->clock, 4000);
	desk_cancel(f);
	fake_env_advance(&f->clock, SECONDS(86400));
	began = f->clock.now;
	assert_ok(desk_retry(f, NULL, &err), &err);
	/* it waits without anybody having looked at it */
	assert_desk_status(f, &f->again, "Waiting+");
	assert_int_equal(desk_next_due(f, &count), began + 6000);
	assert_int_equal(count, 0);
	fake_env_advance(&f->clock, 6000);
	desk_go_on(f, &f->again, "Waiting");
	assert_desk_steps(f, &f->again, "1:t=Running 2<1:r=Failed");
	fake_env_advance(&f->clock, 10000);
	desk_go_on(f, &f->again, "Failed");
	assert_desk_steps(f, &f->again, "1:t=Failed 2<1:r=Failed 3<1:r=Failed");
	assert_desk_verified(f);
}

static void a_deadline_is_as_far_away_as_it_was(void **state)
{
	struct run_desk *f = *state;
	size_t count;
	struct demon_err err;

	desk_run(f,
		 DSL_WITH("'timeout':{'after':'PT1H'},",
			  "{'a':{'wait':'PT30M'}},{'b':" FAILS(
			      "$workflow.id == \\\"r-1\\\"") "},"
							     "{'c':{'wait':'PT2H'}}"),
		 "Waiting");
	fake_env_advance(&f->clock, SECONDS(1800));
	desk_go_on(f, &f->run, "Failed");
	fake_env_advance(&f->clock, SECONDS(7200));
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Waiting");
	(void)desk_next_due(f, &count);
	fake_env_advance(&f->clock, SECONDS(1799));
	desk_go_on(f, &f->again, "Waiting");
	fake_env_advance(&f->clock, 1000);
	desk_go_on(f, &f->again, "Failed");
	assert_contains(f->outcome.terminal, "errors/timeout");
}

static void states_keep_their_timers_and_what_undoes_them(void **state)
{
	static const char text[] =
	    "{'id':'test','version':'1','states':["
	    "{'name':'Set','type':'task','action':{'functionRef':{'refName':'scheduleTimer',"
	    "'arguments':{'timer':'T','delaySeconds':60}}}},"
	    "{'name':'Do','type':'task','action':{'functionRef':{'refName':'echo','arguments':"
	    "{'message':'done'}}},'compensatedBy':{'functionRef':{'refName':'echo','arguments':"
	    "{'message':'undone'}}}},"
	    "{'name':'Wait','type':'event','on':[{'eventRef':'T','transition':'Undo'}]},"
	    "{'name':'Undo','type':'task','action':{'functionRef':{'refName':'compensate'}},"
	    "'end':true}]}";
	struct run_desk *f = *state;
	demon_time began;
	size_t count;
	struct demon_err err;

	desk_run(f, text, "Waiting");
	fake_env_advance(&f->clock, SECONDS(20));
	desk_cancel(f);
	fake_env_advance(&f->clock, SECONDS(3600));
	began = f->clock.now;
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Waiting");
	/* as the state began to wait at once, all of the time is left */
	assert_int_equal(desk_next_due(f, &count), began + SECONDS(60));
	fake_env_advance(&f->clock, SECONDS(60));
	desk_go_on(f, &f->again, "Completed");
	assert_contains(f->outcome.terminal, "\"echoed_message\":\"undone\"");
}

static void what_undoes_goes_on_where_it_failed(void **state)
{
#define UNDONE(name, script)                                                              \
	"{'name':'" name "','type':'task','action':{'functionRef':{'refName':'echo',"     \
	"'arguments':{'message':'x'}}},'compensatedBy':{'functionRef':{'refName':'exec'," \
	"'arguments':{'command':['/bin/sh','-c','" script "']}}}},"
	struct run_desk *f = *state;
	char text[2048];
	struct demon_err err;

	(void)snprintf(text, sizeof(text),
		       "{'id':'test','version':'1','states':[" UNDONE("A", "echo A >> %s/trace")
			   UNDONE("B", "test -e %s/flag && echo B >> %s/trace")
			       UNDONE("C", "echo C >> %s/trace") "{'name':'Undo','type':'task',"
								 "'action':{'functionRef':{"
								 "'refName':'compensate'}},"
								 "'end':true}]}",
		       f->dir, f->dir, f->dir, f->dir);
	desk_run(f, text, "Failed");
	test_write(test_path(f->dir, "flag"), "", 0);
	assert_ok(desk_retry(f, NULL, &err), &err);
	desk_go_on(f, &f->again, "Completed");
	desk_read_steps(f, &f->again);
	assert_ptr_equal(strstr(f->steps, "1:Undo=Completed 2<1[1]:B"), f->steps);
	free(f->trace);
	f->trace = test_read(test_path(f->dir, "trace"), NULL);
	assert_string_equal(f->trace, "C\nB\nA\n");
	assert_desk_verified(f);
}

static void the_result_of_the_last_call_is_kept(void **state)
{
	static const char text[] =
	    "{'id':'test','version':'1','states':["
	    "{'name':'Say','type':'task','action':{'functionRef':{'refName':'echo','arguments':"
	    "{'message':'hello'}}}},"
	    "{'name':'Set','type':'task','action':{'functionRef':{'refName':'scheduleTimer',"
	    "'arguments':{'timer':'T','delaySeconds':60}}}},"
	    "{'name':'Wait','type':'event','on':[{'eventRef':'T','end':true}]}]}";
	struct run_desk *f = *state;
	char *want;
	struct demon_err err;

	desk_run(f, text, "Waiting");
	desk_cancel(f);
	assert_ok(desk_retry(f, "Wait", &err), &err);
	desk_go_on(f, &f->again, "Waiting");
	fake_env_advance(&f->clock, SECONDS(60));
	desk_go_on(f, &f->again, "Completed");
	want = demon_strndup(strstr(f->outcome.terminal, "\"outputs\""), 40);
	assert_contains(f->outcome.terminal, want);
	free(want);
}

static void what_flows_is_kept_once_so_that_large_runs_fit(void **state)
{
	struct run_desk *f = *state;
	char *text = calloc(1, 400 * 1024 + 1);
	struct demon_err err;

	memset(text, 'x', (size_t)400 * 1024);
	f->input = json_pack("{s:s}", "text", text);
	free(text);
	desk_run(f,
		 DSL("{'o':{'do':[{'i':{'do':[{'b':" FAILS(
		     "$workflow.id == \\\"r-1\\\"") "}]}}]}},"
						    "{'c':{'set':{'v':1}}}"),
		 "Failed");
	assert_ok(desk_retry(f, NULL, &err), &err);
	assert_true(strlen(f->events.items[0].payload) > 0);
	desk_go_on(f, &f->again, "Completed");
	assert_true(strlen(f->events.items[2].payload) < 2048);
}

static void a_state_that_fits_into_no_event_is_refused(void **state)
{
	struct run_desk *f = *state;
	struct demon_run_id found;
	struct demon_err err;

	desk_run(f,
		 DSL("{'each':{'for':{'in':'${ [range(90000) | 1000000] }'},"
		     "'while':'$index < 1','do':[{'b':" FAILS("true") "}]}}"),
		 "Failed");
	assert_rc(desk_retry(f, NULL, &err), DEMON_TOOBIG, &err);
	assert_contains(err.msg, "does not fit into an event");
	assert_rc(demon_run_find(f->store, NULL, "r-2", &found, &err), DEMON_NOTFOUND, &err);
	assert_ok(desk_retry(f, "each", &err), &err);
}

/* What is written holds to no contract. */
static void a_damaged_state_is_told(void **state)
{
	static const char *const states[] = {
	    "{\"control\":\"task\",\"frames\":[],\"timers\":{},\"version\":1}",
	    "{\"control\":\"odd\",\"frames\":[],\"timers\":{},\"version\":1}",
	    "{\"control\":\"end\",\"frames\":[{\"call\":\"do\",\"index\":0,\"iteration\":0,"
	    "\"name\":\"x\",\"reference\":\"/odd\",\"stepId\":0}],\"timers\":{},\"version\":1}",
	    "{\"control\":\"pause\",\"frames\":[{\"call\":\"do\",\"index\":0,\"iteration\":0,"
	    "\"name\":\"x\",\"reference\":\"\",\"stepId\":0}],\"timers\":{},\"version\":1}",
	    "{\"control\":\"task\",\"frames\":[{\"call\":\"do\",\"index\":7,\"iteration\":0,"
	    "\"name\":\"x\",\"reference\":\"\",\"stepId\":0}],\"timers\":{},\"version\":1}",
	};
	struct run_desk *f = *state;
	struct demon_err err;

	desk_run(f, DSL("{'a':{'set':{'v':1}}}"), "Completed");
	test_sink_close();
	for (size_t i = 0; i < demon_count(states); i++) {
		char id[8];
		struct demon_run_retry from = {.of = &f->run, .state = states[i]};
		const struct demon_run_options options = {.run_id = id, .retry = &from};

		(void)snprintf(id, sizeof(id), "d-%zu", i);
		assert_ok(demon_run_start(f->store, f->definition, &options, &f->again, &err),
			  &err);
		assert_rc(desk_execute(f, &f->again, &err), DEMON_CORRUPT, &err);
		assert_contains(err.msg, "the restored state does not fit");
	}
	test_sink_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_failed_run_is_tried_again_from_the_step_that_failed),
	    TEST(a_run_is_tried_again_from_any_step_of_it),
	    TEST(a_step_that_is_not_one_is_told),
	    TEST(only_what_has_ended_badly_is_tried_again),
	    TEST(a_retry_can_be_tried_again),
	    TEST(a_run_that_was_canceled_before_a_step_goes_on_with_it),
	    TEST(a_wait_that_was_canceled_begins_anew),
	    TEST(a_try_that_paused_pauses_for_what_was_left),
	    TEST(a_deadline_is_as_far_away_as_it_was),
	    TEST(states_keep_their_timers_and_what_undoes_them),
	    TEST(what_undoes_goes_on_where_it_failed),
	    TEST(the_result_of_the_last_call_is_kept),
	    TEST(what_flows_is_kept_once_so_that_large_runs_fit),
	    TEST(a_state_that_fits_into_no_event_is_refused),
	    TEST(a_damaged_state_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
