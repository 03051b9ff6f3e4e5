#include "support/test.h"

#include "base/bytes.h"
#include "store/store.h"
#include "support/runs.h"

#include <stdio.h>

static const char one_step[] = RITUAL(ECHO("Say", "hello", "true"));
struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_definition *definition;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct demon_options options = {.create = true, .env = &f->clock.env, .node_id = "n"};
	struct demon_err err;

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
	f->definition = run_definition(one_step);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_definition_free(f->definition);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* Starts run @p id. */
static struct demon_run_id start(struct fixture *f, const char *id)
{
	const struct demon_run_options options = {.run_id = id};
	struct demon_run_id run;
	struct demon_err err;

	assert_ok(demon_run_start(f->store, f->definition, &options, &run, &err), &err);
	return run;
}

static void the_start_carries_definition_and_input(void **state)
{
	struct fixture *f = *state;
	json_t *input = json_pack("{s:i,s:s}", "b", 2, "a", "x");
	const struct demon_run_options options = {.run_id = "r-1",
						  .tenant_id = "blue",
						  .input = input,
						  .requester = "ada",
						  .source = "test.yaml"};
	const struct demon_filter filter = {.tenant_id = "blue", .run_id = "r-1"};
	const struct demon_event *ev;
	struct demon_reader *reader;
	struct demon_run_id run;
	struct demon_err err;
	char digest[2 * DEMON_HASH_LEN + 1];
	char want[512];

	assert_ok(demon_run_start(f->store, f->definition, &options, &run, &err), &err);
	json_decref(input);
	assert_string_equal(run.tenant_id, "blue");
	assert_memory_equal(run.origin, demon_store_origin(f->store), sizeof(run.origin));
	assert_ok(demon_reader_open(f->store, &filter, &reader, &err), &err);
	assert_ok(demon_reader_next(reader, 0, &ev, &err), &err);
	assert_contains(ev->payload, f->definition->canonical);
	assert_ok(demon_reader_next(reader, 0, &ev, &err), &err);
	demon_hex(f->definition->digest, sizeof(f->definition->digest), digest);
	(void)snprintf(
	    want, sizeof(want),
	    "{\"definitionDigest\":\"%s\",\"event\":\"ritual.opened:v1\","
	    "\"input\":{\"a\":\"x\",\"b\":2},\"notation\":\"seed\",\"requester\":\"ada\","
	    "\"ritualId\":\"test\",\"runId\":\"r-1\",\"source\":\"test.yaml\","
	    "\"tenantId\":\"blue\",\"ts\":\"2026-01-02T03:04:05.000Z\","
	    "\"version\":\"1.0\"}",
	    digest);
	assert_string_equal(ev->payload, want);
	demon_reader_close(reader);
}

static void a_second_start_is_refused_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options same = {.run_id = "r-1"};
	const struct demon_run_options other = {.run_id = "r-1", .tenant_id = "blue"};
	struct demon_run_id run = start(f, "r-1");
	struct demon_run_id second;
	struct demon_run_outcome outcome;
	int64_t seq;
	struct demon_err err;

	assert_rc(demon_run_start(f->store, f->definition, &same, &second, &err), DEMON_EXISTS,
		  &err);
	assert_ok(demon_last_seq(f->store, &seq, &err), &err);
	assert_int_equal(seq, 2);
	assert_ok(demon_run_start(f->store, f->definition, &other, &second, &err), &err);
	assert_ok(demon_run_execute(f->store, &run, NULL, NULL, &outcome, &err), &err);
	free(outcome.terminal);
	assert_rc(demon_run_start(f->store, f->definition, &same, &second, &err), DEMON_EXISTS,
		  &err);
}

static void ids_that_are_not_valid_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options cases[] = {
	    {.run_id = ""}, {.run_id = "a.b"}, {.run_id = "r-1", .tenant_id = "a b"}};
	struct demon_run_id run;
	struct demon_err err;
	int64_t seq;

	for (size_t i = 0; i < demon_count(cases); i++)
		assert_rc(demon_run_start(f->store, f->definition, &cases[i], &run, &err),
			  DEMON_INVALID, &err);
	assert_ok(demon_last_seq(f->store, &seq, &err), &err);
	assert_int_equal(seq, 0);
}

static void a_run_without_an_id_gets_one(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id a = start(f, NULL);
	struct demon_run_id b = start(f, NULL);

	assert_int_equal(strlen(a.run_id), DEMON_UUID_LEN);
	assert_string_not_equal(a.run_id, b.run_id);
}

static void input_that_is_too_large_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t n = (size_t)600 * 1024;
	char *text = malloc(n);
	json_t *input;
	struct demon_run_options options = {.run_id = "r-1"};
	struct demon_run_id run;
	struct demon_err err;
	int64_t seq;

	memset(text, 'x', n);
	input = json_stringn(text, n);
	free(text);
	options.input = input;
	assert_rc(demon_run_start(f->store, f->definition, &options, &run, &err), DEMON_TOOBIG,
		  &err);
	json_decref(input);
	assert_ok(demon_last_seq(f->store, &seq, &err), &err);
	assert_int_equal(seq, 0);
}

int main(void)
{
#define START_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    START_TEST(the_start_carries_definition_and_input),
	    START_TEST(a_second_start_is_refused_and_changes_nothing),
	    START_TEST(ids_that_are_not_valid_are_refused),
	    START_TEST(a_run_without_an_id_gets_one),
	    START_TEST(input_that_is_too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
