#include "support/test.h"

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/yaml.h"

#include <stdio.h>

/* Parses, and writes the canonical JSON, or the error, to @p out. */
static enum demon_rc convert(const char *text, size_t len, struct demon_buf *out)
{
	struct demon_yaml_doc *doc = NULL;
	struct demon_err err = {0};
	enum demon_rc rc = demon_yaml_parse("f", text, len, &demon_yaml_ritual_limits, &doc, &err);
	json_t *json;

	demon_buf_clear(out);
	if (rc) {
		demon_buf_str(out, err.msg);
		return rc;
	}
	json = demon_yaml_json(demon_yaml_root(doc));
	assert_ok(demon_json_canonical(json, out, &err), &err);
	json_decref(json);
	demon_yaml_free(doc);
	return DEMON_OK;
}

static const char *const values[][2] = {
    {"~", "null"},
    {"null", "null"},
    {"NULL", "null"},
    {"[,]", NULL},
    {"a:", "{\"a\":null}"},
    {"true", "true"},
    {"False", "false"},
    {"yes", "\"yes\""},
    {"on", "\"on\""},
    {"off", "\"off\""},
    {"y", "\"y\""},
    {"0", "0"},
    {"-0", "0"},
    {"+12", "12"},
    {"010", "10"},
    {"0o17", "15"},
    {"0x1F", "31"},
    {"0b11", "\"0b11\""},
    {"1_000", "\"1_000\""},
    {"0o8", "\"0o8\""},
    {"1.0", "1"},
    {"1.5", "1.5"},
    {".5", "0.5"},
    {"5.", "5"},
    {"-1.5e3", "-1500"},
    {"1e3", "1000"},
    {"12e-3", "0.012"},
    {"1:30", "\"1:30\""},
    {"2026-01-02", "\"2026-01-02\""},
    {"'1'", "\"1\""},
    {"\"true\"", "\"true\""},
    {"!!str 1", "\"1\""},
    {"! 1", "\"1\""},
    {"!!int 7", "7"},
    {"!!float 7", "7"},
    {"!!seq [1]", "[1]"},
    {"|\n a\n b\n", "\"a\\nb\\n\""},
    {">\n a\n b\n", "\"a b\\n\""},
    {"{\"a\": [1, 2.5, null]}", "{\"a\":[1,2.5,null]}"},
    {"- a\n- b: 1\n  c: 2\n", "[\"a\",{\"b\":1,\"c\":2}]"},
    {"9007199254740992", "9007199254740992"},
    {"a: \"\\u20ac\"", "{\"a\":\"\xe2\x82\xac\"}"},
    {"\xef\xbb\xbfx: 1", "{\"x\":1}"},
    {"x: e1", "{\"x\":\"e1\"}"},
    {"x: .", "{\"x\":\".\"}"},
    {"Null", "null"},
    {"nUll", "\"nUll\""},
    {"TRUE", "true"},
    {"tRue", "\"tRue\""},
    {"no", "\"no\""},
    {"n", "\"n\""},
    {"00", "0"},
    {"-017", "-17"},
    {"0o", "\"0o\""},
    {"0x", "\"0x\""},
    {"0xfg", "\"0xfg\""},
    {"0X1F", "\"0X1F\""},
    {"-0x1F", "\"-0x1F\""},
    {"+0o7", "\"+0o7\""},
    {"0x20000000000000", "9007199254740992"},
    {"+.5", "0.5"},
    {"-.5E-3", "-0.0005"},
    {"1.e3", "1000"},
    {"1e", "\"1e\""},
    {"1e+", "\"1e+\""},
    {"1e-400", "0"},
    {"+.nan", "\"+.nan\""},
    {"+", "\"+\""},
    {"'.inf'", "\".inf\""},
    {"!!null ''", "null"},
    {"!!int '7'", "7"},
    {"!!str", "\"\""},
    {"!!str ~", "\"~\""},
    {"!!map {a: 1}", "{\"a\":1}"},
    {"! [1]", "[1]"},
    {"!<tag:yaml.org,2002:str> 1", "\"1\""},
    {"%TAG ! tag:yaml.org,2002:\n---\n!str 1", "\"1\""},
    {"%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}"},
    {"{a:b}", "{\"a:b\":null}"},
    {"[a, b: c]", "[\"a\",{\"b\":\"c\"}]"},
    {"? a\n: b", "{\"a\":\"b\"}"},
    {"\"<<\": 1", "{\"<<\":1}"},
    {"'1': 1", "{\"1\":1}"},
    {"a: \"\\u2028\"", "{\"a\":\"\xe2\x80\xa8\"}"},
    {"a: 'x\n\n  y'", "{\"a\":\"x\\ny\"}"},
    {"a:\n- 1\n", "{\"a\":[1]}"},
    {"a: 1\r\nb: 2\rc: 3\n", "{\"a\":1,\"b\":2,\"c\":3}"},
};

static void values_follow_the_core_schema(void **state)
{
	DEMON_BUF(out, 0);

	(void)state;
	for (size_t i = 0; i < demon_count(values); i++) {
		enum demon_rc rc = convert(values[i][0], strlen(values[i][0]), &out);

		if (!values[i][1]) {
			assert_int_equal(rc, DEMON_INVALID);
			continue;
		}
		if (rc || strcmp(out.data, values[i][1]) != 0)
			fail_msg("'%s' gives %s, not %s", values[i][0], out.data, values[i][1]);
	}
	demon_buf_done(&out);
}

static const struct {
	const char *text;
	const char *message;
} refusals[] = {
    {"a: &x 1\n", "f:1:4: anchors are not allowed"},
    {"a: 1\nb: *x\n", "f:2:4: aliases are not allowed"},
    {"a: &x [1]\n", "f:1:4: anchors"},
    {"a: 1\nb: 2\na: 3\n", "f:3:1: key 'a' stands twice, first at 1:1"},
    {"1: a\n", "f:1:1: a key has to be a string"},
    {"true: a\n", "f:1:1: a key has to be a string"},
    {"? [a]\n: b\n", "f:1:3: a key has to be a string"},
    {"<<: {a: 1}\n", "f:1:1: merge keys"},
    {"{a: 1, 'a': 2}\n", "f:1:8: key 'a' stands twice, first at 1:2"},
    {"a: !thing 1\n", "f:1:4: tag '!thing' is not allowed"},
    {"a: !!binary aGk=\n", "f:1:4: tag '!!binary' is not allowed"},
    {"!!set {a}\n", "f:1:1: tag '!!set' is not allowed"},
    {"a: !!map [1]\n", "f:1:4: the value is not what its tag says"},
    {"a: !!seq {}\n", "f:1:4: the value is not what its tag says"},
    {"a: !!map x\n", "f:1:4: the value is not what its tag says"},
    {"a: !!bool yes\n", "f:1:4: the value is not what its tag says"},
    {"&k a: 1\n", "f:1:1: anchors are not allowed"},
    {"*a : 1\n", "f:1:1: aliases are not allowed"},
    {"null: a\n", "f:1:1: a key has to be a string: put it in quotes"},
    {"~: a\n", "f:1:1: a key has to be a string: put it in quotes"},
    {"{a: {2.5: b}}\n", "f:1:6: a key has to be a string: put it in quotes"},
    {"? {a: 1}\n: b\n", "f:1:3: a key has to be a string"},
    {"a: 1\n...\nb: 2\n", "f:3:1: "},
    {"---\n", "f:2:1: the document is empty"},
    {"---\n...\n", "f:2:1: the document is empty"},
    {"\xef\xbb\xbf", "f:1:1: the file is empty"},
    {"x: -9007199254740993\n", "f:1:4: the number -9007199254740993"},
    {"x: 0o1000000000000000001\n", "f:1:4: the number 0o1000000000000000001"},
    {"x: -.INF\n", "f:1:4: -.INF has no place in JSON"},
    {"x: .NaN\n", "f:1:4: .NaN has no place in JSON"},
    {"a: 1\nb: x\xc2\x80y\n", "f:2:5: a control character"},
    {"a: 1\nb: x\x7f\n", "f:2:5: a control character"},
    {"a: \xef\xbf\xbe\n", "f:1:4: U+FFFE is not a character"},
    {"# c\xe2\x80\xa8 a: 1\n", "f:1:4: U+2028 is a line end for some readers"},
    {"a: \"\xe2\x80\xa9\"\n", "f:1:5: U+2029 is a line end for some readers"},
    {"a: \"x\xc2\x85y\"\n", "f:1:6: U+0085 is a line end for some readers"},
    {"\xef\xbb\xbf\xef\xbb\xbf"
     "a: 1\n",
     "f:1:1: a byte order mark within the text"},
    {"a: \xed\xa0\x80\n", "f:1:4: not valid UTF-8"},
    {"a: \xc0\xaf\n", "f:1:4: not valid UTF-8"},
    {"a: \xe2\x82", "f:1:4: not valid UTF-8"},
    {"\"\\u0000\": 1\n", "f:1:1: a NUL character"},
    {"a: \"\\ud83d\\ude00\"\n", "f:1:7: the escape is not a character"},
    {"a: @x\n", "f:1:4: '@' cannot begin a value: put it in quotes"},
    {"a: `x\n", "f:1:4: '`' cannot begin a value: put it in quotes"},
    {"a: !!int x\n", "f:1:4: the value is not what its tag says"},
    {"a: 1\n---\nb: 2\n", "f:2:1: a second document"},
    {"", "f:1:1: the file is empty"},
    {"# only a comment\n", "f:1:1: the file is empty"},
    {"a: [1\n", "f:2:1: "},
    {"a: \"x\n", "f:"},
    {"x: 9007199254740993\n", "f:1:4: the number 9007199254740993"},
    {"x: 0x20000000000001\n", "f:1:4: the number 0x20000000000001"},
    {"x: 1e999\n", "f:1:4: the number 1e999"},
    {"x: .inf\n", "f:1:4: .inf"},
    {"x: \"\\0\"\n", "f:1:4: a NUL character"},
    {"\xc3\xa9: 1\nx: \xff\n", "f:2:4: not valid UTF-8"},
    {"x: \x01\n", "f:1:4: a control character"},
    {"\tx: 1\n", "f:1:1: a tab cannot stand here: indent with spaces"},
};

static void what_cannot_be_trusted_is_refused_with_its_place(void **state)
{
	DEMON_BUF(out, 0);

	(void)state;
	for (size_t i = 0; i < demon_count(refusals); i++) {
		assert_int_equal(convert(refusals[i].text, strlen(refusals[i].text), &out),
				 DEMON_INVALID);
		if (strncmp(out.data, refusals[i].message, strlen(refusals[i].message)) != 0)
			fail_msg("'%s' says '%s', not '%s'", refusals[i].text, out.data,
				 refusals[i].message);
	}
	assert_int_equal(convert("a: \0b", 5, &out), DEMON_INVALID);
	assert_contains(out.data, "f:1:4: a NUL byte");
	demon_buf_done(&out);
}

static void limits_are_met_before_memory_or_time_is_spent(void **state)
{
	static const char *const fillers[] = {
	    "[",    "{",     "- ",    "? ",  ":",          "a:\n ",  "[[",        "{a: ",
	    "'",    "|\n",   "!",     "&",   "a,",         ": ",     "- - - -\n", "-\n",
	    "?\n",  "[a:",   "[{",    "{a,", "\"a\":",     "a\n",    "\n",        "#\n",
	    "%",    "---\n", "- a\n", "\"",  "- >\n\n",    "!!str ", "*a ",       "? - ",
	    "- ? ", "]",     "[1,\n", "\r",  "%TAG ! !\n", "&a ",    "\xc3\xa9",
	};
	DEMON_BUF(out, 0);
	DEMON_BUF(text, 0);

	(void)state;
	for (size_t i = 0; i < demon_count(fillers); i++) {
		demon_buf_clear(&text);
		while (text.len < (1 << 20) - 8)
			demon_buf_str(&text, fillers[i]);
		(void)convert(text.data, text.len, &out);
	}
	demon_buf_clear(&text);
	while (text.len <= 1 << 20)
		demon_buf_str(&text, "x");
	assert_int_equal(convert(text.data, text.len, &out), DEMON_TOOBIG);
	assert_contains(out.data, "the limit is 1048576");
	demon_buf_clear(&text);
	for (int i = 0; i < 101; i++)
		demon_buf_str(&text, "[");
	assert_int_equal(convert(text.data, text.len, &out), DEMON_TOOBIG);
	assert_contains(out.data, "f:1:101: more than 100 levels");
	demon_buf_clear(&text);
	for (int i = 0; i < 200001; i++)
		demon_buf_str(&text, "- 1\n");
	assert_int_equal(convert(text.data, text.len, &out), DEMON_TOOBIG);
	assert_contains(out.data, "more than 200000 nodes");
	demon_buf_done(&text);
	demon_buf_done(&out);
}

static void nodes_keep_their_places(void **state)
{
	static const char text[] = "id: x\nstates:\n  - name: \xc3\xa9 a\n    end: true\n";
	struct demon_yaml_doc *doc;
	struct demon_err err;
	const struct demon_yaml_node *states;
	const struct demon_yaml_node *end;

	(void)state;
	assert_ok(demon_yaml_parse("f", text, strlen(text), &demon_yaml_ritual_limits, &doc, &err),
		  &err);
	states = demon_yaml_get(demon_yaml_root(doc), "states");
	assert_int_equal(states->kind, DEMON_YAML_SEQUENCE);
	assert_int_equal(states->key_line, 2);
	assert_int_equal(states->key_column, 1);
	end = demon_yaml_get(states->items[0], "end");
	assert_int_equal(end->line, 4);
	assert_int_equal(end->column, 10);
	assert_int_equal(end->key_column, 5);
	assert_string_equal(demon_yaml_describe(end), "a boolean");
	assert_null(demon_yaml_get(states->items[0], "nothing"));
	demon_yaml_free(doc);
}

static void a_place_counts_characters_not_bytes(void **state)
{
	DEMON_BUF(out, 0);

	(void)state;
	(void)convert("{\"\xe2\x82\xac\xf0\x9f\x98\x80\": *a}", 15, &out);
	assert_contains(out.data, "f:1:8: aliases");
	(void)convert("\xef\xbb\xbf*a", 5, &out);
	assert_contains(out.data, "f:1:1: aliases");
	(void)convert("a\r\nb\r\x01", 6, &out);
	assert_contains(out.data, "f:3:1: a control");
	demon_buf_done(&out);
}

static void kinds_are_described(void **state)
{
	static const char text[] = "[{}, [], a, 1, 1.5, true, null]";
	static const char *const words[] = {"a mapping", "a list",    "a string", "an integer",
					    "a number",  "a boolean", "nothing"};
	const struct demon_yaml_node *root;
	struct demon_yaml_doc *doc;
	struct demon_err err;

	(void)state;
	assert_ok(demon_yaml_parse("f", text, strlen(text), &demon_yaml_ritual_limits, &doc, &err),
		  &err);
	root = demon_yaml_root(doc);
	assert_int_equal(root->count, demon_count(words));
	for (size_t i = 0; i < demon_count(words); i++)
		assert_string_equal(demon_yaml_describe(root->items[i]), words[i]);
	demon_yaml_free(doc);
}

static void json_files_are_read_alike(void **state)
{
	static const char *const texts[] = {
	    "{\"a\":1,\"b\":[true,false,null,-0,1.5e3,\"\\u20ac\\n\\/\\\"\"]}",
	    "{\n\t\"a\": {\n\t\t\"b\": [\n\t\t\t1,\n\t\t\t2\n\t\t]\n\t}\n}\n",
	    " [ ] ",
	    "\"# no: comment\"",
	    "{\"\":{\"null\":{}}}",
	    "1e-7",
	};
	DEMON_BUF(yaml, 0);
	DEMON_BUF(json, 0);

	(void)state;
	for (size_t i = 0; i < demon_count(texts); i++) {
		struct demon_err err;
		json_t *tree;

		demon_buf_clear(&json);
		assert_ok(demon_json_parse(texts[i], strlen(texts[i]), &demon_json_payload_limits,
					   &tree, &err),
			  &err);
		assert_ok(demon_json_canonical(tree, &json, &err), &err);
		json_decref(tree);
		assert_int_equal(convert(texts[i], strlen(texts[i]), &yaml), DEMON_OK);
		assert_string_equal(yaml.data, json.data);
	}
	demon_buf_done(&yaml);
	demon_buf_done(&json);
}

/* Without the limit a file of 1 MiB takes libyaml many seconds, which CTest's timeout would not
 * notice: so it is the answer that is looked at. */
static void what_grows_by_the_square_is_cut_short(void **state)
{
	DEMON_BUF(out, 0);
	DEMON_BUF(text, 0);

	(void)state;
	for (int i = 0; i < 50000; i++)
		demon_buf_fmt(&text, "%%TAG !t%d! tag:x\n", i);
	assert_int_equal(convert(text.data, text.len, &out), DEMON_TOOBIG);
	assert_contains(out.data, "f:17:1: more than 16 %TAG directives");
	demon_buf_clear(&text);
	demon_buf_str(&text, "a: 1\n...\n");
	for (int i = 0; i < 50000; i++)
		demon_buf_fmt(&text, "%%TAG !t%d! tag:x\n", i);
	assert_int_equal(convert(text.data, text.len, &out), DEMON_TOOBIG);
	assert_contains(out.data, "f:19:1: more than 16 %TAG directives");
	demon_buf_done(&text);
	demon_buf_done(&out);
}

static const char all_kinds[] = "a: [1, 2.5, x, true, ~, 0x1F, {b: 'c', d: []}]\ne: |\n  f\n";

/* One more parse, which may be out of memory. Returns whether it was. */
static bool runs_out(void)
{
	struct demon_yaml_doc *doc = NULL;
	struct demon_err err = {.rc = DEMON_OK};
	enum demon_rc rc = demon_yaml_parse("f", all_kinds, strlen(all_kinds),
					    &demon_yaml_ritual_limits, &doc, &err);

	assert_int_equal(rc, doc ? DEMON_OK : DEMON_NOMEM);
	if (rc)
		assert_contains(err.msg, "out of memory");
	demon_yaml_free(doc);
	return rc == DEMON_NOMEM;
}

static void every_failed_allocation_of_ours_is_an_error(void **state)
{
	unsigned nth = 0;
	bool failed;

	(void)state;
	do {
		demon_fault_arm(DEMON_FAULT_ALLOC, ++nth, false);
		failed = runs_out();
		assert_int_equal(demon_fault_disarm(), failed);
	} while (failed);
	assert_true(nth > 5);
}

static unsigned until_failure;

static void *failing_malloc(size_t n)
{
	return until_failure && --until_failure == 0 ? NULL : malloc(n);
}

static void every_failed_allocation_of_a_value_is_an_error(void **state)
{
	unsigned nth = 0;
	bool failed = true;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	while (failed) {
		until_failure = ++nth;
		failed = runs_out();
		assert_int_equal(until_failure == 0, failed);
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(nth > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_follow_the_core_schema),
	    cmocka_unit_test(what_cannot_be_trusted_is_refused_with_its_place),
	    cmocka_unit_test(limits_are_met_before_memory_or_time_is_spent),
	    cmocka_unit_test(nodes_keep_their_places),
	    cmocka_unit_test(a_place_counts_characters_not_bytes),
	    cmocka_unit_test(kinds_are_described),
	    cmocka_unit_test(json_files_are_read_alike),
	    cmocka_unit_test(what_grows_by_the_square_is_cut_short),
	    cmocka_unit_test(every_failed_allocation_of_ours_is_an_error),
	    cmocka_unit_test(every_failed_allocation_of_a_value_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
