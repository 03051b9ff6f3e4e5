#include "support/test.h"

#include "domain/ritual/run_events.h"

static const struct demon_run_id run = {.tenant_id = "default", .run_id = "r-1"};
static const struct demon_run_step step = {.step_id = 3,
					   .attempt = 2,
					   .key = "k",
					   .name = "Say",
					   .reference = "/states/0",
					   .call = "echo"};

struct fixture {
	struct demon_run_group group;
	struct demon_buf text;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->text = (struct demon_buf){.data = demon_buf_empty};
	demon_run_group_begin(&f->group, &run, "test", 1767323045000);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_run_group_done(&f->group);
	demon_buf_done(&f->text);
	free(f);
	return 0;
}

/* A string value of @p n bytes. */
static struct demon_json_span large(struct fixture *f, size_t n)
{
	demon_buf_char(&f->text, '"');
	for (size_t i = 2; i < n; i++)
		demon_buf_char(&f->text, 'x');
	demon_buf_char(&f->text, '"');
	return (struct demon_json_span){f->text.data, f->text.len};
}

static void output_that_does_not_fit_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	demon_run_event_step_completed(&f->group, &step, large(f, (size_t)512 * 1024));
	demon_run_event_completed(&f->group, (struct demon_json_span){0});
	assert_rc(demon_run_group_rc(&f->group, &err), DEMON_TOOBIG, &err);
	assert_contains(err.msg, "step.completed:v1");
}

static void input_that_does_not_fit_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct demon_err err;

	demon_run_event_step_started(&f->group, &step, large(f, (size_t)512 * 1024));
	assert_ok(demon_run_group_rc(&f->group, &err), &err);
	assert_string_equal(
	    f->group.records[0].payload,
	    "{\"attempt\":2,\"call\":\"echo\",\"event\":\"step.started:v1\","
	    "\"idempotencyKey\":\"k\",\"idempotent\":false,\"name\":\"Say\","
	    "\"reference\":\"/states/0\",\"ritualId\":\"test\",\"runId\":\"r-1\",\"stepId\":3,"
	    "\"tenantId\":\"default\",\"ts\":\"2026-01-02T03:04:05.000Z\"}");
}

static void a_failure_outlives_its_output(void **state)
{
	struct fixture *f = *state;
	struct demon_run_error error;
	struct demon_err err;

	demon_run_error_set(&error, true, "EXEC_TIMEOUT", "too slow");
	demon_run_event_step_failed(&f->group, &step, large(f, (size_t)512 * 1024), &error);
	assert_ok(demon_run_group_rc(&f->group, &err), &err);
	assert_string_equal(
	    f->group.records[0].payload,
	    "{\"attempt\":2,\"error\":{\"detail\":\"EXEC_TIMEOUT: too slow\",\"instance\":"
	    "\"/states/0\",\"status\":408,\"title\":\"Step timed out\",\"type\":\"https://"
	    "serverlessworkflow.io/spec/1.0.0/errors/timeout\"},\"event\":\"step.failed:v1\","
	    "\"name\":\"Say\",\"reference\":\"/states/0\",\"ritualId\":\"test\",\"runId\":\"r-1\","
	    "\"stepId\":3,\"tenantId\":\"default\",\"ts\":\"2026-01-02T03:04:05.000Z\"}");
}

static void a_long_detail_is_cut_between_characters(void **state)
{
	struct fixture *f = *state;
	struct demon_run_error error;

	for (size_t pad = 0; pad < 4; pad++) {
		demon_buf_clear(&f->text);
		for (size_t i = 0; i < pad; i++)
			demon_buf_char(&f->text, 'x');
		for (int i = 0; i < 400; i++)
			demon_buf_str(&f->text, "\xe2\x82\xac"); /* the euro sign */
		demon_run_error_set(&error, false, "C", f->text.data);
		assert_true(strlen(error.detail) > sizeof(error.detail) - 5);
		assert_int_equal((strlen(error.detail) - 3 - pad) % 3, 0);
	}
}

int main(void)
{
#define EVENTS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    EVENTS_TEST(output_that_does_not_fit_is_an_error),
	    EVENTS_TEST(input_that_does_not_fit_is_left_out),
	    EVENTS_TEST(a_failure_outlives_its_output),
	    EVENTS_TEST(a_long_detail_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
