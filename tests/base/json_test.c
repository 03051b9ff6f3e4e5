#include "support/test.h"

#include "base/fault.h"
#include "base/json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>

#define LIMITS (&demon_json_payload_limits)

/* The canonical form of @p text (new), or fails the test. */
static char *canonical(const char *text)
{
	struct demon_buf out = {0};
	struct demon_err err;
	json_t *json = NULL;

	assert_ok(demon_json_parse(text, strlen(text), LIMITS, &json, &err), &err);
	assert_ok(demon_json_canonical(json, &out, &err), &err);
	json_decref(json);
	return demon_buf_take(&out);
}

static void assert_canonical(const char *text, const char *want)
{
	char *got = canonical(text);

	assert_string_equal(got, want);
	free(got);
}

static void assert_refused(const char *text, size_t len, const char *want)
{
	struct demon_err err = {.rc = DEMON_OK};
	json_t *json = NULL;

	assert_rc(demon_json_parse(text, len, LIMITS, &json, &err), DEMON_INVALID, &err);
	assert_null(json);
	assert_string_equal(err.msg, want);
	assert_false(demon_json_is_canonical(text, len, LIMITS));
}

struct refusal {
	const char *text;
	const char *want;
};

static void all_are_refused(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_refused(rows[i].text, strlen(rows[i].text), rows[i].want);
}

static void members_are_sorted_and_space_goes(void **state)
{
	(void)state;
	assert_canonical(" {\"b\" : [ 1 ,\t2 ],\r\n\"a\":{ } , \"\":[ ]}\n",
			 "{\"\":[],\"a\":{},\"b\":[1,2]}");
	assert_canonical("{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"\\u00f6\":3,\"z\":4}",
			 "{\"z\":4,\"\xc3\xb6\":3,\"\xf0\x9f\x98\x80\":2,\"\xef\xac\xb3\":1}");
	assert_canonical("[true,false,null]", "[true,false,null]");
}

static void many_members_are_sorted_too(void **state)
{
	DEMON_BUF(text, 0);
	struct demon_err err;
	char *got;

	(void)state;
	for (int i = 0; i < 100; i++)
		demon_buf_fmt(&text, "%s\"k%02d\":%d", i ? "," : "{", i * 37 % 100, i);
	demon_buf_char(&text, '}');
	assert_ok(demon_buf_rc(&text, &err), &err);
	got = canonical(text.data);
	for (int i = 0; i < 99; i++) {
		char key[8];
		char next[8];

		(void)snprintf(key, sizeof(key), "\"k%02d\"", i);
		(void)snprintf(next, sizeof(next), "\"k%02d\"", i + 1);
		assert_true(strstr(got, key) < strstr(got, next));
	}
	assert_true(demon_json_is_canonical(got, strlen(got), LIMITS));
	assert_false(demon_json_is_canonical(text.data, text.len, LIMITS));
	free(got);
	demon_buf_done(&text);
}

static void strings_take_the_shortest_escapes(void **state)
{
	(void)state;
	assert_canonical("\"\\u0001\\u001F\\b\\t\\n\\f\\r\\\"\\\\\\/\\u0041\\u007f\\ud83d\\ude00\"",
			 "\"\\u0001\\u001f\\b\\t\\n\\f\\r\\\"\\\\/A\x7f\xf0\x9f\x98\x80\"");
}

static void integers_are_exact_or_refused(void **state)
{
	static const struct refusal rows[] = {
	    {"9007199254740993",
	     "1:1: integer 9007199254740993 is not exact as a double, write it as a string"},
	    {"[1,\n -9007199254740993]", "2:2: at '/1': integer -9007199254740993 is not exact as "
					 "a double, write it as a string"},
	    {"{\"n\":18446744073709551615}",
	     "1:6: at '/n': integer 18446744073709551615 is not exact "
	     "as a double, write it as a string"},
	};

	(void)state;
	all_are_refused(rows, demon_count(rows));
	assert_canonical("9007199254740992", "9007199254740992");
	assert_canonical("-9007199254740992", "-9007199254740992");
	assert_canonical("18446744073709551616", "18446744073709552000");
	assert_canonical("100000000000000000000", "100000000000000000000");
	assert_canonical("1000000000000000000000", "1e+21");
}

static void canonical_text_above_2_to_the_53_reads_back(void **state)
{
	(void)state;
	assert_canonical("[18446744073709552000,1152921504606847000]",
			 "[18446744073709552000,1152921504606847000]");
	assert_true(demon_json_is_canonical("{\"n\":18446744073709552000}", 26, LIMITS));
	assert_false(demon_json_is_canonical("{\"n\":18446744073709551616}", 26, LIMITS));
}

static void overflow_is_refused(void **state)
{
	char text[402];

	(void)state;
	memset(text, '0', sizeof(text));
	text[0] = '1';
	text[401] = '\0';
	assert_refused("1e400", 5, "1:1: number 1e400 is too large for a double");
	assert_refused("-1e309", 6, "1:1: number -1e309 is too large for a double");
	assert_refused("1e99999999999999999999", 22,
		       "1:1: number 1e99999999999999999999 is too large for a double");
	assert_refused(
	    text, 401,
	    "1:1: number 1000000000000000000000000000000000000000... is too large for a double");
	assert_canonical("1e-400", "0");
}

static void numbers_become_integers_where_they_are(void **state)
{
	struct demon_err err;
	json_t *json = NULL;

	(void)state;
	assert_ok(demon_json_parse("[1.0,-0,-0.0,1e3,9007199254740992,9007199254740994,0.5]", 55,
				   LIMITS, &json, &err),
		  &err);
	for (size_t i = 0; i < 5; i++)
		assert_true(json_is_integer(json_array_get(json, i)));
	assert_true(json_is_real(json_array_get(json, 5)));
	assert_true(json_is_real(json_array_get(json, 6)));
	assert_int_equal(json_integer_value(json_array_get(json, 1)), 0);
	json_decref(json);
	assert_canonical("[-0,-0.0,-1e-400,1.0]", "[0,0,0,1]");
}

static void numbers_do_not_depend_on_the_locale(void **state)
{
	locale_t comma = newlocale(LC_ALL_MASK, "de_DE.UTF-8", (locale_t)0);
	locale_t before;

	(void)state;
	if (!comma) {
		skip();
		return;
	}
	before = uselocale(comma);
	assert_canonical("[0.30000000000000004,1.5e300,2.5]", "[0.30000000000000004,1.5e+300,2.5]");
	assert_canonical("1234567.12345678915", "1234567.1234567892");
	(void)uselocale(before);
	freelocale(comma);
}

static void malformed_text_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
	    {"", "1:1: expected a value, found the end"},
	    {"{\"a\":1,}", "1:8: expected a key in double quotes, found '}'"},
	    {"[1,]", "1:4: at '/1': expected a value, found ']'"},
	    {"[1 2]", "1:4: expected ',' or ']', found '2'"},
	    {"{\"a\" 1}", "1:6: at '/a': expected ':', found '1'"},
	    {"{\"a\":1", "1:7: expected ',' or '}', found the end"},
	    {"{} x", "1:4: expected the end after the value, found 'x'"},
	    {"[01]", "1:2: at '/0': malformed number"},
	    {"[1.]", "1:2: at '/0': malformed number"},
	    {"[-]", "1:2: at '/0': malformed number"},
	    {"[1e+]", "1:2: at '/0': malformed number"},
	    {"[.5]", "1:2: at '/0': expected a value, found '.'"},
	    {"[NaN]", "1:2: at '/0': expected a value, found 'N'"},
	    {"tru", "1:1: expected a value, found 't'"},
	    {"\xef\xbb\xbf{}", "1:1: expected a value, found a byte order mark"},
	    {"{\"a\":\"\\q\"}", "1:7: at '/a': unknown escape in a string"},
	    {"\"\\u12\"", "1:2: \\u needs four hexadecimal digits"},
	    {"\"abc", "1:5: a string has no end"},
	    {"\"abc\\", "1:5: unknown escape in a string"},
	    {"\"a\tb\"", "1:3: a string holds byte 0x09, write it as \\u0009"},
	    {"{\n \"\xc3\xa9\xf0\x9f\x98\x80\": x}",
	     "2:8: at '/\xc3\xa9\xf0\x9f\x98\x80': expected a value, found 'x'"},
	};

	(void)state;
	all_are_refused(rows, demon_count(rows));
}

static void places_are_json_pointers(void **state)
{
	static const struct refusal rows[] = {
	    {"{\"steps\":[{},{},{\"id\":\n  1e999}]}",
	     "2:3: at '/steps/2/id': number 1e999 is too large for a double"},
	    {"{\"a/b\":{\"m~n\":[[],[x]]}}",
	     "1:20: at '/a~1b/m~0n/1/0': expected a value, found 'x'"},
	    {"{\"\":{\"\\u00e9\\n\":x}}", "1:17: at '//\xc3\xa9 ': expected a value, found 'x'"},
	};
	DEMON_BUF(text, 0);
	struct demon_err err;
	json_t *json = NULL;

	(void)state;
	all_are_refused(rows, demon_count(rows));
	demon_buf_str(&text, "{\"");
	for (int i = 0; i < 150; i++)
		demon_buf_str(&text, "\xc3\xa9");
	demon_buf_str(&text, "\":x}");
	assert_rc(demon_json_parse(text.data, text.len, LIMITS, &json, &err), DEMON_INVALID, &err);
	assert_contains(err.msg, "1:155: at '/\xc3\xa9");
	assert_contains(err.msg, "\xc3\xa9...': expected a value, found 'x'");
	demon_buf_done(&text);
}

static void duplicate_keys_are_refused(void **state)
{
	static const struct refusal rows[] = {
	    {"{\"a\":1,\"b\":2,\"a\":3}", "1:14: at '/a': duplicate key"},
	    {"[{\"a\":1,\n\"\\u0061\":3}]", "2:1: at '/0/a': duplicate key"},
	};

	(void)state;
	all_are_refused(rows, demon_count(rows));
}

static void nul_and_lone_surrogates_are_refused(void **state)
{
	static const struct refusal rows[] = {
	    {"\"a\\u0000\"", "1:3: a string cannot hold U+0000"},
	    {"{\"\\u0000\":1}", "1:3: a string cannot hold U+0000"},
	    {"\"\\ud800\"", "1:2: lone surrogate \\ud800"},
	    {"\"\\udc00\"", "1:2: lone surrogate \\udc00"},
	    {"\"\\ud800\\ud800\"", "1:2: lone surrogate \\ud800"},
	    {"\"\\ud800x\"", "1:2: lone surrogate \\ud800"},
	};

	(void)state;
	all_are_refused(rows, demon_count(rows));
	assert_refused("\"a\0b\"", 5, "1:3: a string holds byte 0x00, write it as \\u0000");
	assert_refused("{}\0", 3, "1:3: expected the end after the value, found byte 0x00");
}

static void invalid_utf8_is_refused(void **state)
{
	static const char *const bad[] = {
	    "\x80",
	    "\xbf",
	    "\xc0\x80",
	    "\xc1\xbf",
	    "\xe0\x80\x80",
	    "\xe0\x9f\xbf",
	    "\xed\xa0\x80",
	    "\xed\xbf\xbf",
	    "\xf0\x80\x80\x80",
	    "\xf0\x8f\xbf\xbf",
	    "\xf5\x80\x80\x80",
	    "\xf4\x90\x80\x80",
	    "\xff",
	    "\xfe",
	    "\xc3",
	    "\xe2\x82",
	    "\xf0\x9f\x98",
	    "\xc3(",
	    "\xe2\x82(",
	};
	static const char *const good[] = {"\xc2\x80",         "\xdf\xbf",        "\xe0\xa0\x80",
					   "\xed\x9f\xbf",     "\xee\x80\x80",    "\xef\xbf\xbf",
					   "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	char text[32];

	(void)state;
	for (size_t i = 0; i < demon_count(bad); i++) {
		struct demon_err err;
		json_t *json = NULL;
		int n = snprintf(text, sizeof(text), "{\"k\":\"x%s\"}", bad[i]);

		assert_rc(demon_json_parse(text, (size_t)n, LIMITS, &json, &err), DEMON_INVALID,
			  &err);
		assert_contains(err.msg, "1:8: at '/k': byte 0x");
		assert_contains(err.msg, "is not UTF-8");
		assert_false(demon_json_is_canonical(text, (size_t)n, LIMITS));
	}
	for (size_t i = 0; i < demon_count(good); i++) {
		(void)snprintf(text, sizeof(text), "{\"k\":\"x%s\"}", good[i]);
		assert_canonical(text, text);
		assert_true(demon_json_is_canonical(text, strlen(text), LIMITS));
	}
}

/* @p levels arrays within an object. */
static size_t nest(char *text, size_t levels)
{
	for (size_t i = 0; i < 5; i++)
		text[i] = "{\"a\":"[i];
	memset(text + 5, '[', levels);
	memset(text + 5 + levels, ']', levels);
	text[5 + 2 * levels] = '}';
	return 6 + 2 * levels;
}

static void limits_of_size_and_depth_are_kept(void **state)
{
	const struct demon_json_limits small = {8, 2};
	const struct demon_json_limits deep = {10000, 5000};
	char text[1000];
	struct demon_err err;
	json_t *json = NULL;
	size_t n;

	(void)state;
	assert_ok(demon_json_parse("{\"a\":[]}", 8, &small, &json, &err), &err);
	json_decref(json);
	json = NULL;
	assert_true(demon_json_is_canonical("{\"a\":[]}", 8, &small));
	assert_rc(demon_json_parse("{\"a\":[] }", 9, &small, &json, &err), DEMON_TOOBIG, &err);
	assert_string_equal(err.msg, "9 bytes of JSON, at most 8 are allowed");
	assert_false(demon_json_is_canonical("{\"a\":[1]}", 9, &small));
	assert_rc(demon_json_parse("[[[]]]", 6, &small, &json, &err), DEMON_TOOBIG, &err);
	assert_string_equal(err.msg, "1:3: at '/0/0': nested deeper than 2 levels");
	n = nest(text, 63);
	assert_ok(demon_json_parse(text, n, &deep, &json, &err), &err);
	assert_true(demon_json_is_canonical(text, n, &deep));
	json_decref(json);
	json = NULL;
	n = nest(text, 64);
	assert_rc(demon_json_parse(text, n, &deep, &json, &err), DEMON_TOOBIG, &err);
	assert_false(demon_json_is_canonical(text, n, &deep));
	assert_null(json);
}

static void what_json_cannot_say_is_not_written(void **state)
{
	DEMON_BUF(out, 0);
	struct demon_err err;
	json_t *bad[] = {json_pack("{s:[i,I]}", "n", 1, (json_int_t)9007199254740993),
			 json_pack("[I]", (json_int_t)INT64_MAX), json_array(), json_object()};
	json_t *cycle = json_array();

	(void)state;
	json_array_append_new(bad[2], json_stringn_nocheck("a\0b", 3));
	json_object_set_new_nocheck(bad[3], "\xff", json_null());
	demon_buf_str(&out, "kept");
	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_rc(demon_json_canonical(bad[i], &out, &err), DEMON_INVALID, &err);
		if (i == 0)
			assert_string_equal(err.msg,
					    "at '/n/1': an integer is not exact as a double");
		assert_string_equal(out.data, "kept");
		json_decref(bad[i]);
	}
	for (int i = 0; i < 200; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, cycle);
		cycle = outer;
	}
	assert_rc(demon_json_canonical(cycle, &out, &err), DEMON_TOOBIG, &err);
	assert_string_equal(out.data, "kept");
	json_decref(cycle);
	demon_buf_done(&out);
}

static void pretty_text_is_indented_and_sorted(void **state)
{
	DEMON_BUF(out, 0);
	struct demon_err err;
	json_t *json = json_pack("{s:[i,{}],s:{s:[]}}", "b", 1, "a", "x");

	(void)state;
	assert_ok(demon_json_pretty(json, &out, &err), &err);
	assert_string_equal(
	    out.data, "{\n  \"a\": {\n    \"x\": []\n  },\n  \"b\": [\n    1,\n    {}\n  ]\n}");
	json_decref(json);
	demon_buf_done(&out);
}

static void strings_replace_what_is_not_text(void **state)
{
	DEMON_BUF(out, 0);

	(void)state;
	demon_json_string(&out, "", 0);
	demon_json_string(&out, "a\xff\xc3\xa9\0b\xe2\x82", 8);
	demon_json_string(&out, "\x1b\"", 2);
	assert_string_equal(out.data, "\"\"\"a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd"
				      "b\xef\xbf\xbd\xef\xbf\xbd\"\"\\u001b\\\"\"");
	demon_buf_done(&out);
}

static void known_shapes_are_written_without_a_tree(void **state)
{
	DEMON_BUF(out, 0);
	struct demon_jw w = demon_jw_begin(&out);
	struct demon_jw inner;

	(void)state;
	inner = demon_jw_object(&w, "a");
	demon_jw_end(&inner);
	demon_jw_bool(&w, "b", true);
	demon_jw_i64(&w, "c", -9007199254740992);
	inner = demon_jw_object(&w, "d");
	demon_jw_bool(&inner, "x", false);
	demon_jw_str(&inner, "y", "\"\n");
	demon_jw_end(&inner);
	demon_jw_str(&w, "e", NULL);
	demon_jw_raw(&w, "f", NULL, 0);
	demon_jw_raw(&w, "g", "[1]", 3);
	demon_jw_str(&w, "h", "");
	demon_jw_time(&w, "t", 1770091506789);
	demon_jw_end(&w);
	assert_string_equal(out.data, "{\"a\":{},\"b\":true,\"c\":-9007199254740992,"
				      "\"d\":{\"x\":false,\"y\":\"\\\"\\n\"},\"g\":[1],\"h\":\"\","
				      "\"t\":\"2026-02-03T04:05:06.789Z\"}");
	assert_true(demon_json_is_canonical(out.data, out.len, LIMITS));
	demon_buf_done(&out);
}

static const char faulty[] =
    "{\"plain\":[1,2.5,\"x\"],\"\\u0065\":\"\\n and more\",\"z\":[\"\\\\\"]}";

/* Reads, writes and writes again; what is left behind is checked by the sanitizers. */
static enum demon_rc round_trip(struct demon_buf *out, struct demon_err *err)
{
	json_t *json = NULL;
	enum demon_rc rc = demon_json_parse(faulty, sizeof(faulty) - 1, LIMITS, &json, err);

	if (!rc)
		rc = demon_json_canonical(json, out, err);
	for (int i = 0; !rc && i < 20; i++) {
		char key[8];

		(void)snprintf(key, sizeof(key), "k%d", i);
		json_object_set_new(json, key, json_integer(i));
	}
	if (!rc)
		rc = demon_json_pretty(json, out, err);
	json_decref(json);
	return rc;
}

static void lost_memory_is_an_error_at_every_allocation(void **state)
{
	struct demon_buf out = {0};
	struct demon_err err;
	unsigned hits = 0;

	(void)state;
	for (unsigned nth = 1;; nth++) {
		enum demon_rc rc;

		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
		rc = round_trip(&out, &err);
		demon_buf_done(&out);
		if (demon_fault_disarm() == 0) {
			assert_int_equal(rc, DEMON_OK);
			break;
		}
		assert_int_equal(rc, DEMON_NOMEM);
		hits++;
	}
	assert_true(hits >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_are_sorted_and_space_goes),
	    cmocka_unit_test(many_members_are_sorted_too),
	    cmocka_unit_test(strings_take_the_shortest_escapes),
	    cmocka_unit_test(integers_are_exact_or_refused),
	    cmocka_unit_test(canonical_text_above_2_to_the_53_reads_back),
	    cmocka_unit_test(overflow_is_refused),
	    cmocka_unit_test(numbers_become_integers_where_they_are),
	    cmocka_unit_test(numbers_do_not_depend_on_the_locale),
	    cmocka_unit_test(malformed_text_is_refused_with_its_place),
	    cmocka_unit_test(places_are_json_pointers),
	    cmocka_unit_test(duplicate_keys_are_refused),
	    cmocka_unit_test(nul_and_lone_surrogates_are_refused),
	    cmocka_unit_test(invalid_utf8_is_refused),
	    cmocka_unit_test(limits_of_size_and_depth_are_kept),
	    cmocka_unit_test(what_json_cannot_say_is_not_written),
	    cmocka_unit_test(pretty_text_is_indented_and_sorted),
	    cmocka_unit_test(strings_replace_what_is_not_text),
	    cmocka_unit_test(known_shapes_are_written_without_a_tree),
	    cmocka_unit_test(lost_memory_is_an_error_at_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
