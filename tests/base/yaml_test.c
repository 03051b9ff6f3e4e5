#include "support/test.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/suggest.h"
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

static void values_follow_the_core_schema(void **state)
{
	static const char *const rows[][2] = {
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
	};
	DEMON_BUF(out, 0);

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		enum demon_rc rc = convert(rows[i][0], strlen(rows[i][0]), &out);

		if (!rows[i][1]) {
			assert_int_equal(rc, DEMON_INVALID);
			continue;
		}
		if (rc || strcmp(out.data, rows[i][1]) != 0)
			fail_msg("'%s' gives %s, not %s", rows[i][0], out.data, rows[i][1]);
	}
	demon_buf_done(&out);
}

static void what_cannot_be_trusted_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} rows[] = {
	    {"a: &x 1\n", "f:1:4: anchors are not allowed"},
	    {"a: 1\nb: *x\n", "f:2:4: aliases are not allowed"},
	    {"a: &x [1]\n", "f:1:4: anchors"},
	    {"a: 1\nb: 2\na: 3\n", "f:3:1: key 'a' stands twice, first in line 1"},
	    {"1: a\n", "f:1:1: a key has to be a string"},
	    {"true: a\n", "f:1:1: a key has to be a string"},
	    {"? [a]\n: b\n", "f:1:3: a key has to be a string"},
	    {"<<: {a: 1}\n", "f:1:1: merge keys"},
	    {"a: !thing 1\n", "f:1:4: tags of its own kind"},
	    {"a: !!binary aGk=\n", "f:1:4: tags of its own kind"},
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
	    {"\tx: 1\n", "f:1:1: "},
	};
	DEMON_BUF(out, 0);

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		assert_int_equal(convert(rows[i].text, strlen(rows[i].text), &out), DEMON_INVALID);
		if (strncmp(out.data, rows[i].message, strlen(rows[i].message)) != 0)
			fail_msg("'%s' says '%s', not '%s'", rows[i].text, out.data,
				 rows[i].message);
	}
	assert_int_equal(convert("a: \0b", 5, &out), DEMON_INVALID);
	assert_contains(out.data, "f:1:4: a NUL byte");
	demon_buf_done(&out);
}

static void limits_are_met_before_memory_or_time_is_spent(void **state)
{
	static const char *const fillers[] = {"[",    "{", "- ",  "? ", ":", "a:\n ", "[[",
					      "{a: ", "'", "|\n", "!",  "&", "a,"};
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

static void the_nearest_known_word_is_suggested(void **state)
{
	static const char *const words[] = {"name", "type", "action", "transition", "end"};
	static const char *const rows[][2] = {
	    {"nmae", "name"}, {"Name", "name"}, {"transitons", "transition"}, {"ends", "end"},
	    {"xyz", NULL},    {"", NULL},       {"acton", "action"}};

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		const char *found = demon_suggest(rows[i][0], words, demon_count(words));

		if (rows[i][1])
			assert_string_equal(found, rows[i][1]);
		else
			assert_null(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_follow_the_core_schema),
	    cmocka_unit_test(what_cannot_be_trusted_is_refused_with_its_place),
	    cmocka_unit_test(limits_are_met_before_memory_or_time_is_spent),
	    cmocka_unit_test(nodes_keep_their_places),
	    cmocka_unit_test(the_nearest_known_word_is_suggested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
