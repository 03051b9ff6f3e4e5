#include "support/test.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/json.h"
#include "domain/contract.h"

#include <pthread.h>

#define EVENTS DEMON_TEST_DATA "/events/"

static json_t *parse(const char *text, size_t len)
{
	json_t *tree = NULL;
	struct demon_err err;

	assert_ok(demon_json_parse(text, len, &demon_json_payload_limits, &tree, &err), &err);
	return tree;
}

static json_t *read_json(const char *path)
{
	size_t len;
	char *text = test_read(path, &len);
	json_t *tree = parse(text, len);

	free(text);
	return tree;
}

/* The good event of a type, read anew. */
static json_t *good(const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s%s.json", EVENTS, name);
	return read_json(path);
}

static void assert_refused(json_t *event_new, enum demon_rc rc, const char *message)
{
	struct demon_err err;

	assert_rc(demon_contract_check(event_new, &err), rc, &err);
	assert_string_equal(err.msg, message);
	json_decref(event_new);
}

static void the_first_lack_of_memory_is_not_remembered(void **state)
{
	json_t *event = good("ritual.started");
	struct demon_err err;

	(void)state;
	demon_fault_arm(DEMON_FAULT_ALLOC, 1, false);
	assert_null(demon_contract_find("ritual.started:v1"));
	for (unsigned nth = 1; nth < 200; nth += 13) {
		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
		assert_rc(demon_contract_check(event, &err), DEMON_NOMEM, &err);
	}
	(void)demon_fault_disarm();
	json_decref(event);
}

static void *check_in_thread(void *ctx)
{
	struct demon_err err;

	for (size_t i = 0; i < 50; i++)
		if (demon_contract_check(ctx, &err) || !demon_contract_find("step.failed:v1"))
			return ctx;
	return NULL;
}

static void many_threads_may_ask_first(void **state)
{
	pthread_t threads[8];
	json_t *events[8];
	void *failed[8];

	(void)state;
	for (size_t i = 0; i < 8; i++)
		events[i] = good(i % 2 ? "step.completed" : "ritual.started");
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, check_in_thread, events[i]), 0);
	for (size_t i = 0; i < 8; i++)
		(void)pthread_join(threads[i], &failed[i]);
	for (size_t i = 0; i < 8; i++) {
		assert_null(failed[i]);
		json_decref(events[i]);
	}
}

static void every_contract_names_an_event_and_is_closed(void **state)
{
	size_t count = 0;

	(void)state;
	for (const struct demon_embedded *file = demon_contracts; file->name; file++, count++) {
		json_t *schema = parse(file->text, file->len);
		const char *title = json_string_value(json_object_get(schema, "title"));
		char id[256];

		(void)snprintf(id, sizeof(id), "https://demon.example/contracts/%s", file->name);
		assert_string_equal(json_string_value(json_object_get(schema, "$id")), id);
		assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
		assert_string_equal(json_string_value(json_object_get(schema, "type")), "object");
		assert_non_null(json_string_value(json_object_get(schema, "description")));
		if (strcmp(file->name, "result-envelope.json") != 0)
			assert_ptr_equal(demon_contract_find(title), file);
		if (file[1].name)
			assert_true(strcmp(file[0].name, file[1].name) < 0);
		json_decref(schema);
	}
	assert_true(count > 30);
	assert_null(demon_contract_find("ritual.started"));
	assert_null(demon_contract_find(""));
}

static void assert_example_holds(const struct demon_embedded *file)
{
	json_t *schema = parse(file->text, file->len);
	const char *title = json_string_value(json_object_get(schema, "title"));
	struct demon_err err;
	char name[64];
	json_t *event;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(title, ":"), title);
	event = good(name);
	assert_ok(demon_contract_check(event, &err), &err);
	json_decref(event);
	json_decref(schema);
}

static void good_events_hold(void **state)
{
	(void)state;
	for (const struct demon_embedded *file = demon_contracts; file->name; file++)
		if (strcmp(file->name, "result-envelope.json") != 0)
			assert_example_holds(file);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
	json_t *event;

	(void)state;
	event = good("ritual.started");
	json_object_del(event, "runId");
	assert_refused(event, DEMON_INVALID, "ritual.started:v1: the key 'runId' is missing");

	event = good("ritual.started");
	json_object_set_new(event, "runId", json_string("r.9"));
	assert_refused(event, DEMON_INVALID,
		       "ritual.started:v1: at '/runId': expected a string that matches "
		       "'^[A-Za-z0-9_-]{1,64}$', found 'r.9'");

	event = good("ritual.failed");
	json_object_set_new(json_object_get(event, "error"), "status", json_integer(99));
	assert_refused(event, DEMON_INVALID,
		       "ritual.failed:v1: at '/error/status': expected at least 100, found 99");

	event = good("step.completed");
	json_object_set_new(json_object_get(json_object_get(event, "output"), "metrics"),
			    "durations", json_object());
	assert_refused(event, DEMON_INVALID,
		       "step.completed:v1: at '/output/metrics': unknown key 'durations' "
		       "(did you mean 'duration'?)");

	event = good("graph.tag.updated");
	json_object_del(event, "commitId");
	assert_refused(event, DEMON_INVALID, "graph.tag.updated:v1: the key 'commitId' is missing");
}

static void an_event_of_no_known_type_is_not_found(void **state)
{
	char type[200];

	(void)state;
	assert_refused(json_pack("{s:s}", "event", "ritual.startd:v1"), DEMON_NOTFOUND,
		       "the event type 'ritual.startd:v1' has no contract (did you mean "
		       "'ritual.started:v1'?)");
	assert_refused(json_pack("{s:s}", "event", "app.paid:v1"), DEMON_NOTFOUND,
		       "the event type 'app.paid:v1' has no contract");
	assert_refused(json_pack("{}"), DEMON_INVALID, "the key 'event' is missing");
	assert_refused(json_pack("{s:i}", "event", 1), DEMON_INVALID,
		       "at '/event': expected a string, found another type");
	assert_refused(json_array(), DEMON_INVALID, "expected an object");
	memset(type, 'x', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	assert_refused(
	    json_pack("{s:s}", "event", type), DEMON_NOTFOUND,
	    "the event type 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "...' has no contract");
}

static void an_event_type_with_a_nul_is_refused(void **state)
{
	json_t *event = good("ritual.started");

	(void)state;
	json_object_set_new(event, "event", json_stringn("ritual.started:v1\0x", 19));
	assert_refused(event, DEMON_INVALID,
		       "ritual.started:v1: at '/event': expected 'ritual.started:v1', found "
		       "'ritual.started:v1'");
}

static void envelopes_have_a_contract_of_their_own(void **state)
{
	json_t *event = good("step.failed");
	json_t *envelope = json_object_get(event, "output");
	struct demon_err err;

	(void)state;
	assert_ok(demon_contract_check_envelope(envelope, &err), &err);
	json_object_del(json_object_get(envelope, "result"), "success");
	assert_rc(demon_contract_check_envelope(envelope, &err), DEMON_INVALID, &err);
	assert_string_equal(err.msg, "result envelope: at '/result': the key 'success' is missing");
	json_decref(event);
}

static void the_bundle_holds_every_file_as_text(void **state)
{
	const struct demon_embedded *file = demon_contracts;
	const json_t *schemas;
	const char *name;
	json_t *bundle;
	json_t *text;
	struct demon_err err;
	DEMON_BUF(out, 0);

	(void)state;
	assert_ok(demon_contract_bundle_json(&out, &err), &err);
	assert_true(
	    demon_json_is_canonical(out.data, out.len, &(struct demon_json_limits){out.len, 4}));
	bundle = parse(out.data, out.len);
	assert_string_equal(json_string_value(json_object_get(bundle, "version")), "1.0.0");
	assert_int_equal(json_object_size(json_object_get(bundle, "apiContracts")), 0);
	assert_int_equal(json_object_size(json_object_get(bundle, "wit")), 0);
	assert_int_equal(json_object_size(bundle), 4);
	schemas = json_object_get(bundle, "schemas");
	json_object_foreach(json_object_get(bundle, "schemas"), name, text)
	{
		assert_string_equal(name, file->name);
		assert_string_equal(json_string_value(text), file->text);
		file++;
	}
	assert_null(file->name);
	assert_int_equal(json_object_size(schemas), file - demon_contracts);
	json_decref(bundle);
}

static void the_summary_lists_every_file(void **state)
{
	struct demon_err err;
	size_t files = 0;
	char text[128];
	DEMON_BUF(out, 0);

	(void)state;
	assert_ok(demon_contract_bundle_summary(&out, &err), &err);
	for (const struct demon_embedded *file = demon_contracts; file->name; file++, files++)
		assert_contains(out.data, file->name);
	(void)snprintf(text, sizeof(text),
		       "Contract bundle 1.0.0\n=====================\n\nSchemas (%zu):\n"
		       "  - approval.denied.v1.json (",
		       files);
	assert_contains(out.data, text);
	(void)snprintf(text, sizeof(text), " bytes)\n\nTotal contracts: %zu\n", files);
	assert_contains(out.data, text);
}

int main(void)
{
	/* the order matters to the first two: contracts are read once in a process */
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_lack_of_memory_is_not_remembered),
	    cmocka_unit_test(many_threads_may_ask_first),
	    cmocka_unit_test(every_contract_names_an_event_and_is_closed),
	    cmocka_unit_test(good_events_hold),
	    cmocka_unit_test(what_is_wrong_is_named_with_its_place),
	    cmocka_unit_test(an_event_of_no_known_type_is_not_found),
	    cmocka_unit_test(an_event_type_with_a_nul_is_refused),
	    cmocka_unit_test(envelopes_have_a_contract_of_their_own),
	    cmocka_unit_test(the_bundle_holds_every_file_as_text),
	    cmocka_unit_test(the_summary_lists_every_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
