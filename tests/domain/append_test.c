#include "support/test.h"

#include <demon/store.h>
#include <stdio.h>

struct fixture {
	char *dir;
	struct fake_env fake;
	struct demon_store *store;
	struct demon_err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "n1"};

	f->dir = test_dir();
	fake_env_init(&f->fake, 3);
	options.env = &f->fake.env;
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void the_library_adds_what_an_event_needs(void **state)
{
	struct fixture *f = *state;
	struct demon_draft drafts[] = {
	    {.type = "app.a:v1", .ritual_id = "ri", .run_id = "ru", .data = "{\"n\": 1.50}"},
	    {.type = "app.b:v2", .ritual_id = "ri", .run_id = "ru"}};
	struct demon_filter filter = {0};
	const struct demon_event *ev;
	struct demon_reader *reader;
	struct demon_receipt last;

	assert_ok(demon_append(f->store, drafts, 2, &last, &f->err), &f->err);
	assert_int_equal(last.sequence, 2);
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_string_equal(ev->payload,
			    "{\"event\":\"app.a:v1\",\"n\":1.5,\"ritualId\":\"ri\",\"runId\":"
			    "\"ru\",\"tenantId\":\"default\","
			    "\"ts\":\"2026-01-02T03:04:05.000Z\"}");
	assert_int_equal(ev->group_count, 2);
	demon_reader_close(reader);
}

static void the_gate_of_the_data_is_that_of_the_event(void **state)
{
	struct fixture *f = *state;
	const struct demon_draft draft = {
	    .type = "app.a:v1", .ritual_id = "ri", .run_id = "ru", .data = "{\"gateId\":\"prod\"}"};
	struct demon_filter filter = {0};
	const struct demon_event *ev;
	struct demon_reader *reader;

	assert_ok(demon_append(f->store, &draft, 1, NULL, &f->err), &f->err);
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_string_equal(ev->gate_id, "prod");
	demon_reader_close(reader);
}

static void bad_drafts_are_refused_and_nothing_is_written(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct demon_draft draft;
		const char *text;
	} rows[] = {
	    {{"app.a:v1", NULL, "ri", "ru", "{"}, "event 1: 1:2"},
	    {{"app.a:v1", NULL, "ri", "ru", "[]"}, "not a JSON object"},
	    {{"app.a:v1", NULL, "ri", "ru", "{\"ts\":1}"}, "'ts' is the library's"},
	    {{"app.a:v1", NULL, "ri", "ru", "{\"n\":9007199254740993}"}, "/n"},
	    {{"app.a:v1", NULL, "ri", "ru", "{\"gateId\":1}"}, "'gateId' is not a string"},
	    {{"app.a:v1", NULL, "ri", "ru", "{\"gateId\":\"a b\"}"}, "gate id 'a b'"},
	    {{"app.a:v1", "a.b", "ri", "ru", NULL}, "tenant id 'a.b'"},
	    {{"app.a:v1", NULL, NULL, "ru", NULL}, "ritual id is empty"},
	    {{"app.a:v1", NULL, "ri", "r>", NULL}, "run id 'r>'"},
	    {{"app.a", NULL, "ri", "ru", NULL}, "not an event type"},
	    {{"ritual.completed:v1", NULL, "ri", "ru", NULL}, "belongs to the library"},
	};
	struct demon_draft two[] = {{"app.a:v1", NULL, "ri", "ru", NULL},
				    {"app.a:v1", NULL, "ri", "other", NULL}};
	int64_t seq;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_rc(demon_append(f->store, &rows[i].draft, 1, NULL, &f->err), DEMON_INVALID,
			  &f->err);
		assert_contains(f->err.msg, rows[i].text);
	}
	assert_rc(demon_append(f->store, two, 2, NULL, &f->err), DEMON_INVALID, &f->err);
	assert_rc(demon_append(f->store, two, 0, NULL, &f->err), DEMON_INVALID, &f->err);
	assert_ok(demon_last_seq(f->store, &seq, &f->err), &f->err);
	assert_int_equal(seq, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_library_adds_what_an_event_needs, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_gate_of_the_data_is_that_of_the_event, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(bad_drafts_are_refused_and_nothing_is_written, setup,
					    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
