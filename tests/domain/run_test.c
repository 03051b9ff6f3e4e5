#include "support/test.h"

#include "base/fault.h"
#include "base/json_member.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/store.h"
#include "support/runs.h"

#include <stdio.h>

static const char one_step[] = RITUAL(ECHO("Say", "hello", "true"));
static const char three_steps[] = RITUAL(ECHO("First", "one", "false") "," ECHO(
    "Second", "two", "false") "," ECHO("Third", "three", "true"));
static const char failing[] = RITUAL(ECHO("Good", "one", "false") "," SHELL(
    "Bad", "echo no >&2; exit 3", "", "false") "," ECHO("Never", "two", "true"));

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_definition *definition;
	struct run_events events;
	struct demon_run_outcome outcome;
	unsigned heard;
	const struct demon_run_id *cancel; /* by the listener */
};

static void open_store(struct fixture *f)
{
	const struct demon_options options = {.create = true, .env = &f->clock.env, .node_id = "n"};
	struct demon_err err;

	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	open_store(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)demon_fault_disarm();
	run_events_done(&f->events);
	free(f->outcome.terminal);
	demon_definition_free(f->definition);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* Starts run @p id of the ritual @p text. */
static struct demon_run_id start(struct fixture *f, const char *text, const char *id)
{
	const struct demon_run_options options = {.run_id = id};
	struct demon_run_id run;
	struct demon_err err;

	demon_definition_free(f->definition);
	f->definition = NULL;
	f->definition = run_definition(text);
	assert_ok(demon_run_start(f->store, f->definition, &options, &run, &err), &err);
	return run;
}

static void listen(void *ctx, const char *type, const char *payload, size_t len)
{
	struct fixture *f = ctx;
	int64_t seq;
	struct demon_err err;

	assert_non_null(type);
	assert_int_equal(strlen(payload), len);
	f->heard++;
	assert_ok(demon_last_seq(f->store, &seq, &err), &err);
	assert_true(seq >= f->heard + 2);
	fake_env_advance(&f->clock, 10);
	if (f->cancel && strcmp(type, "step.started:v1") == 0)
		run_cancel(f->store, f->cancel, "test", f->clock.now);
}

static void execute(struct fixture *f, const struct demon_run_id *run)
{
	struct demon_err err;

	free(f->outcome.terminal);
	f->outcome = (struct demon_run_outcome){0};
	f->heard = 0;
	assert_ok(demon_run_execute(f->store, run, listen, f, &f->outcome, &err), &err);
}

static void read_events(struct fixture *f, const char *run_id)
{
	run_events_done(&f->events);
	run_events_read(f->store, run_id, &f->events);
}

struct rows {
	unsigned count;
	char text[2048];
	demon_time started_at;
	demon_time ended_at;
};

static enum demon_rc add_run(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct rows *rows = ctx;
	size_t len = strlen(rows->text);

	(void)err;
	rows->started_at = row->started_at;
	rows->ended_at = row->ended_at;
	(void)snprintf(rows->text + len, sizeof(rows->text) - len, "%s%s %s %s %s %s",
		       rows->count++ ? "|" : "", row->run_id, row->ritual_id, row->status,
		       row->version ? row->version : "-", row->error_type ? row->error_type : "-");
	return DEMON_OK;
}

static enum demon_rc add_step(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	struct rows *rows = ctx;
	size_t len = strlen(rows->text);

	(void)err;
	rows->ended_at = row->ended_at;
	(void)snprintf(rows->text + len, sizeof(rows->text) - len, "%s%d %s %s %s %s %d",
		       rows->count++ ? "|" : "", (int)row->step_id, row->name, row->reference,
		       row->call, row->status, (int)row->attempt);
	return DEMON_OK;
}

static void assert_row(struct fixture *f, const struct demon_run_id *run, const char *want)
{
	struct rows rows = {0};
	struct demon_err err;

	assert_ok(demon_run_get(f->store, run, add_run, &rows, &err), &err);
	assert_string_equal(rows.text, want);
}

static void assert_steps(struct fixture *f, const struct demon_run_id *run, const char *want)
{
	struct rows rows = {0};
	struct demon_err err;

	assert_ok(demon_run_steps(f->store, run, add_step, &rows, &err), &err);
	assert_string_equal(rows.text, want);
}

/* The projections are what the log says. */
static void assert_rebuilds(struct fixture *f)
{
	char *before;
	char *after;
	int64_t events;
	struct demon_verified verified;
	struct demon_err err;

	assert_ok(demon_digest(f->store, &before, &err), &err);
	assert_ok(demon_rebuild(f->store, &events, &err), &err);
	assert_ok(demon_digest(f->store, &after, &err), &err);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_ok(demon_verify(f->store, &verified, &err), &err);
}

static void a_run_of_one_step_completes_with_its_result(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, one_step, "r-1");

	assert_row(f, &run, "r-1 test Running 1.0 -");
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Completed");
	assert_string_equal(
	    f->outcome.terminal,
	    "{\"event\":\"ritual.completed:v1\",\"outputs\":{\"result\":{\"data\":{"
	    "\"character_count\":5,\"echoed_message\":\"hello\",\"timestamp\":"
	    "\"2026-01-02T03:04:05.010Z\"},\"success\":true}},\"ritualId\":\"test\","
	    "\"runId\":\"r-1\",\"tenantId\":\"default\","
	    "\"ts\":\"2026-01-02T03:04:05.010Z\"}");
	read_events(f, "r-1");
	assert_types(&f->events, "started opened step.started step.completed completed");
	assert_int_equal(run_events_groups(&f->events), 3);
	assert_int_equal(f->heard, 3);
	assert_row(f, &run, "r-1 test Completed 1.0 -");
	assert_steps(f, &run, "1 Say /states/0 echo Completed 1");
	assert_rebuilds(f);
}

static void steps_run_in_order_and_share_their_transactions(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, three_steps, "r-1");

	execute(f, &run);
	read_events(f, "r-1");
	assert_types(&f->events,
		     "started opened step.started "
		     "step.completed state.transitioned step.started "
		     "step.completed state.transitioned step.started step.completed completed");
	assert_int_equal(run_events_groups(&f->events), 5);
	assert_string_equal(run_events_text(&f->events, 4, "fromState"), "First");
	assert_string_equal(run_events_text(&f->events, 4, "toState"), "Second");
	assert_steps(f, &run,
		     "1 First /states/0 echo Completed 1|2 Second /states/1 echo Completed 1|"
		     "3 Third /states/2 echo Completed 1");
	assert_contains(f->outcome.terminal, "\"three\"");
	assert_rebuilds(f);
}

static void a_failed_step_fails_the_run(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, failing, "r-1");

	execute(f, &run);
	assert_string_equal(f->outcome.status, "Failed");
	assert_contains(f->outcome.terminal, "\"event\":\"ritual.failed:v1\"");
	assert_contains(f->outcome.terminal, "\"instance\":\"/states/1\",\"status\":500,"
					     "\"title\":\"Step failed\",\"type\":\"https://"
					     "serverlessworkflow.io/spec/1.0.0/errors/runtime\"");
	assert_contains(f->outcome.terminal, "\"detail\":\"EXEC_EXIT: ");
	read_events(f, "r-1");
	assert_types(&f->events, "started opened step.started step.completed state.transitioned "
				 "step.started step.failed failed");
	assert_int_equal(run_events_groups(&f->events), 4);
	assert_row(f, &run,
		   "r-1 test Failed 1.0 https://serverlessworkflow.io/spec/1.0.0/errors/runtime");
	assert_steps(f, &run, "1 Good /states/0 echo Completed 1|2 Bad /states/1 exec Failed 1");
	assert_rebuilds(f);
}

static void a_run_that_has_ended_stays_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, one_step, "r-1");
	char *terminal;
	int64_t before;
	int64_t after;
	struct demon_err err;

	execute(f, &run);
	terminal = f->outcome.terminal;
	f->outcome.terminal = NULL;
	assert_ok(demon_last_seq(f->store, &before, &err), &err);
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Completed");
	assert_string_equal(f->outcome.terminal, terminal);
	free(terminal);
	assert_int_equal(f->heard, 0);
	assert_ok(demon_last_seq(f->store, &after, &err), &err);
	assert_int_equal(before, after);
}

static void unknown_and_foreign_runs_are_not_found(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, one_step, "r-1");
	struct demon_run_id unknown = run;
	struct demon_run_id foreign = run;
	struct demon_err err;

	unknown.run_id[0] = 'x';
	foreign.origin[0] ^= 1;
	assert_rc(demon_run_execute(f->store, &unknown, NULL, NULL, &f->outcome, &err),
		  DEMON_NOTFOUND, &err);
	assert_rc(demon_run_execute(f->store, &foreign, NULL, NULL, &f->outcome, &err),
		  DEMON_NOTFOUND, &err);
	assert_rc(demon_run_get(f->store, &unknown, add_run, NULL, &err), DEMON_NOTFOUND, &err);
}

/* The first scope of an empty database is that of its first run. */
static void a_run_has_one_executor_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, one_step, "r-1");
	struct demon_err err;

	assert_ok(demon_store_claim(f->store, 1, &err), &err);
	assert_rc(demon_run_execute(f->store, &run, NULL, NULL, &f->outcome, &err), DEMON_BUSY,
		  &err);
	assert_contains(err.msg, "r-1");
	demon_store_unclaim(f->store, 1);
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Completed");
	assert_false(demon_store_claimed(f->store, 1));
}

static void a_cancellation_that_came_first_wins(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, three_steps, "r-1");

	f->cancel = &run;
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Canceled");
	assert_contains(f->outcome.terminal, "\"event\":\"ritual.canceled:v1\"");
	read_events(f, "r-1");
	assert_types(&f->events, "started opened step.started canceled");
	assert_row(f, &run, "r-1 test Canceled 1.0 -");
	assert_steps(f, &run, "1 First /states/0 echo Canceled 1");
	assert_rebuilds(f);
}

/* A rival that the lock did not keep out starts the step's second attempt. */
static void take_over(void *ctx, const char *type, const char *payload, size_t len)
{
	struct fixture *f = ctx;
	struct demon_run_id run;
	struct demon_err err;
	char *rival = strdup(payload);

	if (strcmp(type, "step.started:v1") == 0) {
		assert_memory_equal(rival, "{\"attempt\":1", 12);
		rival[11] = '2';
		assert_ok(demon_run_find(f->store, NULL, "r-1", &run, &err), &err);
		run_append(f->store, &run, "test", type, rival);
		assert_int_equal(strlen(rival), len);
	}
	free(rival);
}

static void an_executor_that_lost_the_run_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, one_step, "r-1");
	struct demon_err err;

	assert_rc(demon_run_execute(f->store, &run, take_over, f, &f->outcome, &err),
		  DEMON_CONFLICT, &err);
	read_events(f, "r-1");
	assert_types(&f->events, "started opened step.started step.started");
	assert_row(f, &run, "r-1 test Running 1.0 -");
	execute(f, &run);
	assert_steps(f, &run, "1 Say /states/0 echo Completed 3");
}

/* Breaks an execution at a point, as a crash would, but in this process. */
static void break_at(struct fixture *f, const struct demon_run_id *run, enum demon_fault point,
		     unsigned nth)
{
	struct demon_err err;

	demon_fault_arm(point, nth, false);
	assert_rc(demon_run_execute(f->store, run, NULL, NULL, &f->outcome, &err), DEMON_IO, &err);
	assert_int_equal(demon_fault_disarm(), 1);
	demon_close(f->store);
	f->store = NULL;
	open_store(f);
}

static void an_idempotent_step_in_flight_is_run_again_with_its_key(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, three_steps, "r-1");
	char key[65];

	break_at(f, &run, DEMON_FAULT_STEP_RAN, 2);
	assert_steps(f, &run,
		     "1 First /states/0 echo Completed 1|2 Second /states/1 echo Running 1");
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Completed");
	read_events(f, "r-1");
	assert_types(&f->events, "started opened step.started "
				 "step.completed state.transitioned step.started step.started "
				 "step.completed state.transitioned step.started "
				 "step.completed completed");
	(void)snprintf(key, sizeof(key), "%s", run_events_text(&f->events, 5, "idempotencyKey"));
	assert_string_equal(run_events_text(&f->events, 6, "idempotencyKey"), key);
	assert_contains(f->events.items[6].payload, "\"attempt\":2");
	assert_string_not_equal(run_events_text(&f->events, 2, "idempotencyKey"), key);
	assert_steps(f, &run,
		     "1 First /states/0 echo Completed 1|2 Second /states/1 echo Completed 2|"
		     "3 Third /states/2 echo Completed 1");
	assert_rebuilds(f);
}

static void a_step_in_flight_that_may_not_be_repeated_suspends_the_run(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(
	    f, RITUAL(ECHO("Say", "one", "false") "," SHELL("Do", "true", "", "true")), "r-1");

	break_at(f, &run, DEMON_FAULT_STEP_STARTED, 2);
	for (int i = 0; i < 2; i++) {
		execute(f, &run);
		assert_string_equal(f->outcome.status, "Suspended");
		assert_null(f->outcome.terminal);
		read_events(f, "r-1");
		assert_types(&f->events, "started opened step.started step.completed "
					 "state.transitioned step.started suspended");
	}
	assert_string_equal(run_events_text(&f->events, 6, "reason"), "step_in_flight");
	assert_contains(f->events.items[6].payload, "\"stepId\":2");
	assert_row(f, &run, "r-1 test Suspended 1.0 -");
	assert_steps(f, &run, "1 Say /states/0 echo Completed 1|2 Do /states/1 exec Suspended 1");
	assert_rebuilds(f);
}

static void a_step_that_says_so_may_be_repeated(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run =
	    start(f, RITUAL(SHELL("Do", "true", ",'idempotent':true", "true")), "r-1");

	break_at(f, &run, DEMON_FAULT_STEP_STARTED, 1);
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Completed");
	assert_steps(f, &run, "1 Do /states/0 exec Completed 2");
}

/* A step's key is a function of its place, stated in docs/journal.md. */
static void the_idempotency_key_is_what_the_manual_says(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, one_step, "r-1");
	unsigned char digest[DEMON_HASH_LEN];
	char want[2 * DEMON_HASH_LEN + 1];
	struct demon_err err;
	DEMON_BUF(text, 0);

	execute(f, &run);
	demon_buf_add(&text, "demon.step", 11);
	demon_buf_add(&text, run.origin, 16);
	demon_buf_add(&text, "default\0r-1\0001", 13);
	assert_ok(demon_sha256(text.data, text.len, digest, &err), &err);
	demon_buf_done(&text);
	demon_hex(digest, sizeof(digest), want);
	read_events(f, "r-1");
	assert_string_equal(run_events_text(&f->events, 2, "idempotencyKey"), want);
}

static void a_step_as_large_as_a_definition_may_be_completes(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run;
	DEMON_BUF(text, 0);

	demon_buf_str(&text, "{'id':'test','version':'1','states':[{'name':'Say','type':'task',"
			     "'action':{'functionRef':{'refName':'echo','arguments':{'message':'");
	for (int i = 0; i < 470 * 1024; i++)
		demon_buf_char(&text, 'x');
	demon_buf_str(&text, "'}}},'end':true}]}");
	run = start(f, text.data, "r-1");
	demon_buf_done(&text);
	execute(f, &run);
	assert_string_equal(f->outcome.status, "Completed");
	read_events(f, "r-1");
	assert_true(strlen(f->events.items[2].payload) > (size_t)470 * 1024);
	assert_rebuilds(f);
}

static void time_in_a_run_never_goes_back(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run = start(f, three_steps, "r-1");
	struct rows rows = {0};
	struct demon_err err;

	f->clock.now -= 3600000;
	execute(f, &run);
	read_events(f, "r-1");
	for (size_t i = 1; i < f->events.count; i++)
		assert_true(f->events.items[i].ts >= f->events.items[i - 1].ts);
	assert_ok(demon_run_get(f->store, &run, add_run, &rows, &err), &err);
	assert_true(rows.ended_at >= rows.started_at);
}

static void orphans_are_runs_that_nobody_executes(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id done = start(f, one_step, "done");
	struct demon_run_due due;
	struct demon_err err;

	execute(f, &done);
	(void)start(f, one_step, "a");
	(void)start(f, one_step, "b");
	assert_ok(demon_store_claim(f->store, 2, &err), &err);
	assert_ok(demon_run_due(f->store, &(struct demon_run_sought){.limit = 10}, &due, &err),
		  &err);
	assert_int_equal(due.count, 1);
	assert_string_equal(due.runs[0].run_id, "b");
	assert_string_equal(due.runs[0].tenant_id, "default");
	assert_memory_equal(due.runs[0].origin, done.origin, sizeof(done.origin));
	free(due.runs);
	demon_store_unclaim(f->store, 2);
	assert_ok(demon_run_due(f->store, &(struct demon_run_sought){.limit = 10}, &due, &err),
		  &err);
	assert_int_equal(due.count, 2);
	free(due.runs);
}

int main(void)
{
#define RUN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    RUN_TEST(a_run_of_one_step_completes_with_its_result),
	    RUN_TEST(steps_run_in_order_and_share_their_transactions),
	    RUN_TEST(a_failed_step_fails_the_run),
	    RUN_TEST(a_run_that_has_ended_stays_as_it_is),
	    RUN_TEST(unknown_and_foreign_runs_are_not_found),
	    RUN_TEST(a_run_has_one_executor_at_a_time),
	    RUN_TEST(a_cancellation_that_came_first_wins),
	    RUN_TEST(an_executor_that_lost_the_run_writes_nothing),
	    RUN_TEST(an_idempotent_step_in_flight_is_run_again_with_its_key),
	    RUN_TEST(a_step_in_flight_that_may_not_be_repeated_suspends_the_run),
	    RUN_TEST(a_step_that_says_so_may_be_repeated),
	    RUN_TEST(the_idempotency_key_is_what_the_manual_says),
	    RUN_TEST(a_step_as_large_as_a_definition_may_be_completes),
	    RUN_TEST(time_in_a_run_never_goes_back),
	    RUN_TEST(orphans_are_runs_that_nobody_executes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
