#include "support/test.h"

#include "domain/capsule/arguments.h"
#include "support/exec_calls.h"

#include <stdio.h>

static void every_capsule_is_found_by_its_name(void **state)
{
	size_t count;
	const char *const *names = demon_capsule_names(&count);

	(void)state;
	assert_true(count >= 4);
	for (size_t i = 0; i < count; i++) {
		const struct demon_capsule *c = demon_capsule_find(names[i]);

		assert_non_null(c);
		assert_string_equal(c->name, names[i]);
	}
	assert_null(names[count]);
	assert_null(demon_capsule_find("ech"));
	assert_null(demon_capsule_find(""));
}

static void durations_are_seconds_or_iso_8601(void **state)
{
	static const struct {
		const char *json;
		int64_t ms; /* 0: refused */
	} rows[] = {
	    {"30", 30000},
	    {"0.5", 500},
	    {"\"PT30S\"", 30000},
	    {"\"PT1M30S\"", 90000},
	    {"\"P1D\"", 86400000},
	    {"\"P1DT12H\"", 129600000},
	    {"\"P1W\"", 604800000},
	    {"\"PT0.25S\"", 250},
	    {"\"PT1.5H\"", 5400000},
	    {"0", 0},
	    {"-1", 0},
	    {"1e300", 0},
	    {"0.0001", 0},
	    {"\"\"", 0},
	    {"\"P\"", 0},
	    {"\"PT\"", 0},
	    {"\"P1DT\"", 0},
	    {"\"30\"", 0},
	    {"\"PT30\"", 0},
	    {"\"P1M\"", 0},
	    {"\"P1Y\"", 0},
	    {"\"PT1S1M\"", 0},
	    {"\"PT1M1M\"", 0},
	    {"\"P31D\"", 0},
	    {"\"PT-1S\"", 0},
	    {"\"pt1s\"", 0},
	    {"\"PT1S \"", 0},
	    {"\"PTT1S\"", 0},
	    {"\"P1.5D\"", 0},
	    {"true", 0},
	    {"null", 0},
	    {"[]", 0},
	    {"\"P1H\"", 0},
	};

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		int64_t ms = 0;
		bool ok = demon_arguments_duration(value, (int64_t)30 * 86400000, &ms);

		json_decref(value);
		if (ok != (rows[i].ms != 0) || ms != rows[i].ms)
			fail_msg("%s: got %s %lld", rows[i].json, ok ? "true" : "false",
				 (long long)ms);
	}
}

static void arguments_that_echo_does_not_know_are_refused(void **state)
{
	struct exec_calls *f = *state;
	const struct demon_capsule *echo = &demon_capsule_echo;

	assert_string_equal(exec_problems(f, echo, NULL), "");
	assert_string_equal(exec_problems(f, echo, "{}"), "");
	assert_string_equal(exec_problems(f, echo, "{\"mesage\":\"x\",\"message\":1}"),
			    "/mesage|key|unknown argument 'mesage' (did you mean 'message'?)\n"
			    "/message|value|argument 'message': expected a string, found an "
			    "integer\n");
	assert_string_equal(exec_problems(f, echo, "{\"a/b~c\":1}"),
			    "/a~1b~0c|key|unknown argument 'a/b~c', expected one of message\n");
	assert_string_equal(exec_problems(f, echo, "[]"),
			    "|value|arguments: expected a mapping, found a list\n");
}

static void echo_answers_with_its_message(void **state)
{
	struct exec_calls *f = *state;

	exec_leap(f, 1);
	exec_run(f, &demon_capsule_echo, "{\"message\":\"Grüße\"}");
	assert_string_equal(
	    f->text.data,
	    "{\"diagnostics\":[{\"level\":\"info\",\"message\":\"Echo completed at "
	    "2026-01-02T03:04:05Z\",\"timestamp\":\"2026-01-02T03:04:05.678Z\"}],"
	    "\"metrics\":{\"counters\":{\"characterCount\":5},\"duration\":{\"total_ms\":1}},"
	    "\"provenance\":{\"source\":{\"system\":\"echo-capsule\",\"version\":\"0.0.1\"},"
	    "\"timestamp\":\"2026-01-02T03:04:05.678Z\"},"
	    "\"result\":{\"data\":{\"character_count\":5,\"echoed_message\":\"Grüße\","
	    "\"timestamp\":\"2026-01-02T03:04:05.678Z\"},\"success\":true}}");
}

static void echo_warns_of_a_message_that_is_empty_or_long(void **state)
{
	struct exec_calls *f = *state;
	char with[256];

	exec_run(f, &demon_capsule_echo, NULL);
	exec_success(f);
	assert_int_equal(json_array_size(exec_at(f, "diagnostics")), 2);
	assert_contains(f->text.data, "\"level\":\"warning\",\"message\":\"The message is empty\"");
	assert_string_equal(exec_text(f, "result.data.echoed_message"), "");
	(void)snprintf(with, sizeof(with), "{\"message\":\"%0100d\"}", 1);
	exec_run(f, &demon_capsule_echo, with);
	assert_int_equal(json_array_size(exec_at(f, "diagnostics")), 1);
	(void)snprintf(with, sizeof(with), "{\"message\":\"%0101d\"}", 1);
	exec_run(f, &demon_capsule_echo, with);
	assert_contains(f->text.data, "The message is long: 101 characters");
}

static void echo_suggests_to_trim_white_space(void **state)
{
	struct exec_calls *f = *state;

	exec_run(f, &demon_capsule_echo, "{\"message\":\" \\u00a0hi there\\u3000\\n\"}");
	assert_contains(f->text.data,
			"\"patch\":[{\"op\":\"replace\",\"path\":\"/message\",\"value\":\"hi "
			"there\"}],\"priority\":\"low\"");
	assert_string_equal(exec_text(f, "result.data.echoed_message"), " \u00a0hi there\u3000\n");
	exec_run(f, &demon_capsule_echo, "{\"message\":\"   \"}");
	assert_contains(f->text.data, "\"value\":\"\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EXEC_TEST(every_capsule_is_found_by_its_name),
	    EXEC_TEST(durations_are_seconds_or_iso_8601),
	    EXEC_TEST(arguments_that_echo_does_not_know_are_refused),
	    EXEC_TEST(echo_answers_with_its_message),
	    EXEC_TEST(echo_warns_of_a_message_that_is_empty_or_long),
	    EXEC_TEST(echo_suggests_to_trim_white_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
