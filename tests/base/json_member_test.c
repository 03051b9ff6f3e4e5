#include "support/test.h"

#include "base/json_member.h"

#define TEXT(s) (s), sizeof(s) - 1

static void assert_member(const char *text, const char *key, const char *want)
{
	struct demon_json_span span = demon_json_member(text, strlen(text), key);

	if (!want) {
		assert_null(span.at);
		return;
	}
	assert_non_null(span.at);
	assert_int_equal(span.len, strlen(want));
	assert_memory_equal(span.at, want, span.len);
}

static void members_are_found_behind_nested_values(void **state)
{
	const char *text =
	    "{\"a\":{\"stepId\":9,\"x\":[\"}]\",{}]},\"b\":\"\\\"stepId\\\":8\",\"c\":[],"
	    "\"stepId\":7,\"z\":null}";

	(void)state;
	assert_member(text, "stepId", "7");
	assert_member(text, "a", "{\"stepId\":9,\"x\":[\"}]\",{}]}");
	assert_member(text, "b", "\"\\\"stepId\\\":8\"");
	assert_member(text, "c", "[]");
	assert_member(text, "z", "null");
	assert_member(text, "step", NULL);
	assert_member("{}", "a", NULL);
	assert_member("[1]", "a", NULL);
}

static void cut_off_text_is_never_read_beyond_its_end(void **state)
{
	const char text[] = "{\"a\":{\"b\":[1,\"x\\\"y\"]},\"c\":\"\\u001f\",\"d\":-12}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = malloc(len ? len : 1); /* ASan sees a step too far */

		memcpy(copy, text, len);
		assert_null(demon_json_member(copy, len, "e").at);
		free(copy);
	}
	assert_member(text, "d", "-12");
}

static void strings_lose_their_escapes(void **state)
{
	struct demon_json_span span = demon_json_member(
	    TEXT("{\"a\":\"q\\\"s\\\\ \\b\\f\\n\\r\\t \\u001f\\u000b \xc3\xa9\"}"), "a");
	DEMON_BUF(b, 0);

	(void)state;
	assert_true(demon_json_span_str(span, &b));
	assert_string_equal(b.data, "q\"s\\ \b\f\n\r\t \x1f\x0b \xc3\xa9");
	assert_false(demon_json_span_str(demon_json_member(TEXT("{\"a\":1}"), "a"), &b));
	assert_false(demon_json_span_str((struct demon_json_span){0}, &b));
}

static void integers_are_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t want;
	} cases[] = {
	    {"{\"a\":0}", true, 0},
	    {"{\"a\":-12}", true, -12},
	    {"{\"a\":9007199254740992}", true, INT64_C(9007199254740992)},
	    {"{\"a\":9007199254740993}", false, 0},
	    {"{\"a\":99999999999999999999}", false, 0},
	    {"{\"a\":1.5}", false, 0},
	    {"{\"a\":-}", false, 0},
	    {"{\"a\":\"1\"}", false, 0},
	    {"{\"b\":1}", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t v = 0;
		struct demon_json_span span =
		    demon_json_member(cases[i].text, strlen(cases[i].text), "a");

		assert_int_equal(demon_json_span_i64(span, &v), cases[i].ok);
		assert_int_equal(v, cases[i].want);
	}
}

static void booleans_are_true_or_not(void **state)
{
	(void)state;
	assert_true(demon_json_span_true(demon_json_member(TEXT("{\"a\":true}"), "a")));
	assert_false(demon_json_span_true(demon_json_member(TEXT("{\"a\":false}"), "a")));
	assert_false(demon_json_span_true(demon_json_member(TEXT("{\"a\":\"true\"}"), "a")));
	assert_false(demon_json_span_true((struct demon_json_span){0}));
}

static void keys_are_ordered_by_what_they_mean(void **state)
{
	(void)state;
	assert_true(demon_json_key_cmp((struct demon_json_span){TEXT("\"event\"")}, "event") == 0);
	assert_true(demon_json_key_cmp((struct demon_json_span){TEXT("\"even\"")}, "event") < 0);
	assert_true(demon_json_key_cmp((struct demon_json_span){TEXT("\"events\"")}, "event") > 0);
	assert_true(
	    demon_json_key_cmp((struct demon_json_span){TEXT("\"ritual\\\"\"")}, "ritualId") < 0);
	assert_true(
	    demon_json_key_cmp((struct demon_json_span){TEXT("\"ritual\\\\\"")}, "ritualId") > 0);
	assert_true(demon_json_key_cmp((struct demon_json_span){TEXT("\"ritual\\u001f\"")},
				       "ritualId") < 0);
	assert_true(demon_json_key_cmp((struct demon_json_span){TEXT("\"\xc3\xa9\"")}, "ts") > 0);
	assert_true(demon_json_key_cmp((struct demon_json_span){TEXT("\"\"")}, "ts") < 0);
}

static void several_members_are_found_in_one_pass(void **state)
{
	static const char text[] = "{\"a\":1,\"b\":\"x\\ny\",\"c\":{\"d\":2},\"e\":\"plain\"}";
	static const char *const keys[] = {"0", "a", "b", "bb", "d", "e", "f"};
	struct demon_json_span v[7];

	(void)state;
	demon_json_members(text, strlen(text), keys, v, 7);
	assert_null(v[0].at);
	assert_int_equal(v[1].len, 1);
	assert_null(demon_json_span_plain(v[2]).at);
	assert_null(v[3].at);
	assert_null(v[4].at);
	assert_int_equal(demon_json_span_plain(v[5]).len, 5);
	assert_null(v[6].at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(several_members_are_found_in_one_pass),
	    cmocka_unit_test(members_are_found_behind_nested_values),
	    cmocka_unit_test(cut_off_text_is_never_read_beyond_its_end),
	    cmocka_unit_test(strings_lose_their_escapes),
	    cmocka_unit_test(integers_are_read_whole_or_not_at_all),
	    cmocka_unit_test(booleans_are_true_or_not),
	    cmocka_unit_test(keys_are_ordered_by_what_they_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
