#include "support/test.h"

#include "base/fault.h"
#include "base/json.h"
#include "domain/schema.h"

/* JSON text in which ' stands for ". */
static json_t *json(const char *text)
{
	char *quoted = strdup(text);
	json_t *tree = NULL;
	struct demon_err err;

	for (char *at = quoted; *at; at++)
		if (*at == '\'')
			*at = '"';
	assert_ok(demon_json_parse(quoted, strlen(quoted), &demon_json_payload_limits, &tree, &err),
		  &err);
	free(quoted);
	return tree;
}

/* Compiles and checks; frees everything. The value is a tree, or NULL: only compile. */
static enum demon_rc check_tree(const char *schema, json_t *value_new, struct demon_err *err)
{
	struct demon_schemas *schemas = demon_schemas_new();
	const struct demon_schema *compiled = NULL;
	enum demon_rc rc = demon_schemas_add(schemas, json(schema), &compiled, err);

	if (!rc && value_new)
		rc = demon_schema_check(compiled, value_new, err);
	demon_schemas_free(schemas);
	json_decref(value_new);
	return rc;
}

static enum demon_rc check(const char *schema, const char *value, struct demon_err *err)
{
	json_t *boxed = json(value); /* a payload is an object or an array */
	json_t *inner = json_incref(json_array_get(boxed, 0));

	json_decref(boxed);
	return check_tree(schema, inner, err);
}

struct sample {
	const char *schema;
	const char *value;   /* boxed in an array */
	const char *message; /* NULL: it holds */
};

static void assert_samples(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct sample *s = &samples[i];
		struct demon_err err = {.msg = ""};
		enum demon_rc rc = check(s->schema, s->value, &err);

		if (rc != (s->message ? DEMON_INVALID : DEMON_OK) ||
		    (s->message && strcmp(err.msg, s->message) != 0))
			fail_msg("%s with %s: expected '%s', got %s '%s'", s->schema, s->value,
				 s->message ? s->message : "ok", demon_rc_text(rc), err.msg);
	}
}

static void types_are_told_apart(void **state)
{
	static const struct sample samples[] = {
	    {"{}", "[null]", NULL},
	    {"{'type':'string'}", "['']", NULL},
	    {"{'type':'string'}", "[1]", "expected a string, found 1"},
	    {"{'type':'integer'}", "[1]", NULL},
	    {"{'type':'integer'}", "[1.0]", NULL},
	    {"{'type':'integer'}", "[1e300]", NULL},
	    {"{'type':'integer'}", "[-1e300]", NULL},
	    {"{'type':'integer'}", "[9007199254740993.5]", NULL},
	    {"{'type':'integer'}", "[1.5]", "expected an integer, found 1.5"},
	    {"{'type':'integer'}", "[true]", "expected an integer, found true"},
	    {"{'type':'number'}", "[1]", NULL},
	    {"{'type':'number'}", "[1.5]", NULL},
	    {"{'type':'number'}", "['1']", "expected a number, found '1'"},
	    {"{'type':'boolean'}", "[false]", NULL},
	    {"{'type':'boolean'}", "[0]", "expected true or false, found 0"},
	    {"{'type':'null'}", "[null]", NULL},
	    {"{'type':'null'}", "[false]", "expected null, found false"},
	    {"{'type':'array'}", "[[]]", NULL},
	    {"{'type':'array'}", "[{}]", "expected an array, found an object"},
	    {"{'type':'object'}", "[{}]", NULL},
	    {"{'type':'object'}", "[[]]", "expected an object, found an array"},
	    {"{'type':['string','null']}", "[null]", NULL},
	    {"{'type':['null','string']}", "[1]", "expected a string or null, found 1"},
	    {"{'type':['number','object']}", "[3]", NULL},
	};

	(void)state;
	assert_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void words_are_compared_exactly(void **state)
{
	static const struct sample samples[] = {
	    {"{'const':'a'}", "['a']", NULL},
	    {"{'const':'a'}", "['a ']", "expected 'a', found 'a '"},
	    {"{'const':null}", "[null]", NULL},
	    {"{'const':true}", "[1]", "expected true, found 1"},
	    {"{'enum':['seed','dsl']}", "['dsl']", NULL},
	    {"{'enum':['seed','dsl']}", "['sed']",
	     "expected one of 'seed', 'dsl', found 'sed' (did you mean 'seed'?)"},
	    {"{'enum':['seed','dsl']}", "['xyz']", "expected one of 'seed', 'dsl', found 'xyz'"},
	    {"{'enum':['x']}", "[null]", "expected 'x', found null"},
	    {"{'enum':['x',null,false]}", "[null]", NULL},
	    {"{'enum':['x',null,false]}", "[0]", "expected one of 'x', null, false, found 0"},
	};

	(void)state;
	assert_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void strings_are_measured_in_characters_and_matched_whole(void **state)
{
	static const struct sample samples[] = {
	    {"{'minLength':1}", "['']", "expected at least 1 character, found 0"},
	    {"{'minLength':2,'maxLength':2}", "['\xc3\xbc\xf0\x9f\x94\x91']", NULL},
	    {"{'maxLength':2}", "['\xc3\xbc\xc3\xbc\xc3\xbc']",
	     "expected at most 2 characters, found 3"},
	    {"{'maxLength':2}", "[333]", NULL},
	    {"{'pattern':'^[a-z]{1,3}$'}", "['abc']", NULL},
	    {"{'pattern':'^[a-z]{1,3}$'}", "['abcd']",
	     "expected a string that matches '^[a-z]{1,3}$', found 'abcd'"},
	    {"{'pattern':'^[a-z]+$'}", "['abc\\n']",
	     "expected a string that matches '^[a-z]+$', found 'abc '"},
	    {"{'pattern':'^[a-z]+$'}", "['\xc3\xa4']",
	     "expected a string that matches '^[a-z]+$', found '\xc3\xa4'"},
	    {"{'pattern':'b'}", "['abc']", NULL},
	    {"{'pattern':'^a$'}", "[1]", NULL},
	    {"{'format':'date-time'}", "['2026-02-28T23:59:59.5+01:00']", NULL},
	    {"{'format':'date-time'}", "['2026-02-29T00:00:00Z']",
	     "expected a time as in RFC 3339, found '2026-02-29T00:00:00Z'"},
	    {"{'format':'date-time','type':['string','null']}", "[null]", NULL},
	};

	(void)state;
	assert_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void numbers_and_arrays_have_bounds(void **state)
{
	static const struct sample samples[] = {
	    {"{'minimum':1,'maximum':2}", "[1]", NULL},
	    {"{'minimum':1,'maximum':2}", "[2.0]", NULL},
	    {"{'minimum':1,'maximum':2}", "[0.999]", "expected at least 1, found 0.999"},
	    {"{'minimum':1,'maximum':2}", "[3]", "expected at most 2, found 3"},
	    {"{'minimum':0.5}", "['x']", NULL},
	    {"{'minItems':1}", "[[]]", "expected at least 1 item, found 0"},
	    {"{'maxItems':1}", "[[1,2]]", "expected at most 1 item, found 2"},
	    {"{'items':{'type':'integer'}}", "[[1,2]]", NULL},
	    {"{'items':{'type':'integer'}}", "[[1,'b','c']]",
	     "at '/1': expected an integer, found 'b'"},
	    {"{'items':{'type':'integer'}}", "[{'a':'b'}]", NULL},
	};

	(void)state;
	assert_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void objects_are_closed_open_or_typed(void **state)
{
	static const char closed[] =
	    "{'properties':{'runId':{'type':'string'},'x':{}},'required':['runId'],"
	    "'additionalProperties':false}";
	const struct sample samples[] = {
	    {closed, "[{'runId':'r'}]", NULL},
	    {closed, "[{'x':1}]", "the key 'runId' is missing"},
	    {closed, "[{'runid':'r'}]", "unknown key 'runid' (did you mean 'runId'?)"},
	    {closed, "[{'runId':'r','zzz':1}]", "unknown key 'zzz'"},
	    {closed, "[{'runId':1}]", "at '/runId': expected a string, found 1"},
	    {closed, "['no object']", NULL},
	    {"{'additionalProperties':false}", "[{'a':1}]", "unknown key 'a'"},
	    {"{'properties':{'a':{}},'additionalProperties':true}", "[{'b':1}]", NULL},
	    {"{'properties':{'a':{}},'additionalProperties':{'type':'string'}}",
	     "[{'a':1,'b':'x'}]", NULL},
	    {"{'additionalProperties':{'additionalProperties':{'type':'string'}}}",
	     "[{'a/b':{'c~d':1}}]", "at '/a~1b/c~0d': expected a string, found 1"},
	};

	(void)state;
	assert_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void schemas_are_combined(void **state)
{
	static const char condition[] =
	    "{'if':{'properties':{'op':{'const':'set'}},'required':['op']},"
	    "'then':{'required':['id']},'else':{'required':['why']}}";
	static const char reference[] =
	    "{'properties':{'a':{'$ref':'#/$defs/id'},'b':{'$ref':'#/$defs/id','maxLength':1}},"
	    "'$defs':{'id':{'$ref':'#/$defs/text'},'text':{'type':'string'}}}";
	const struct sample samples[] = {
	    {condition, "[{'op':'set','id':1}]", NULL},
	    {condition, "[{'op':'set','why':1}]", "the key 'id' is missing"},
	    {condition, "[{'op':'no','id':1}]", "the key 'why' is missing"},
	    {condition, "[{'why':1}]", NULL},
	    {"{'if':{'type':'string'},'then':{'minLength':1}}", "[1]", NULL},
	    {"{'if':{'type':'string'}}", "['']", NULL},
	    {"{'allOf':[{'minimum':1},{'maximum':2}]}", "[1.5]", NULL},
	    {"{'allOf':[{'minimum':1},{'maximum':2}]}", "[0]", "expected at least 1, found 0"},
	    {"{'allOf':[{'minimum':1},{'maximum':2}]}", "[3]", "expected at most 2, found 3"},
	    {reference, "[{'a':'long','b':'x'}]", NULL},
	    {reference, "[{'a':1}]", "at '/a': expected a string, found 1"},
	    {reference, "[{'b':'xy'}]", "at '/b': expected at most 1 character, found 2"},
	};

	(void)state;
	assert_samples(samples, sizeof(samples) / sizeof(samples[0]));
}

static void a_schema_with_anything_unknown_is_refused(void **state)
{
	static const struct {
		const char *schema;
		const char *message;
	} bad[] = {
	    {"{'minimun':1}", "unknown keyword 'minimun' (did you mean 'minimum'?)"},
	    {"{'oneOf':[{}]}", "unknown keyword 'oneOf'"},
	    {"{'properties':{'a':{'items':{'uniqueItems':true}}}}",
	     "at '/properties/a/items': unknown keyword 'uniqueItems'"},
	    {"{'$defs':{'unused':{'nullable':true}}}",
	     "at '/$defs/unused': unknown keyword 'nullable'"},
	    {"[]", "expected a schema"},
	    {"{'items':true}", "at '/items': expected a schema"},
	    {"{'title':1}", "at '/title': expected a string"},
	    {"{'type':'text'}", "at '/type': expected the name of a type"},
	    {"{'type':[]}", "at '/type': expected the name of a type"},
	    {"{'type':[1]}", "at '/type': expected the name of a type"},
	    {"{'const':1}", "at '/const': expected a string, a boolean or null"},
	    {"{'enum':[]}", "at '/enum': expected an array that is not empty"},
	    {"{'enum':['a',1]}", "at '/enum': expected strings, booleans and null"},
	    {"{'pattern':'('}", "at '/pattern': expected a regular expression"},
	    {"{'pattern':1}", "at '/pattern': expected a regular expression"},
	    {"{'format':'email'}", "at '/format': expected 'date-time'"},
	    {"{'minLength':-1}", "at '/minLength': expected an integer from 0"},
	    {"{'maxItems':1.5}", "at '/maxItems': expected an integer from 0"},
	    {"{'maximum':'1'}", "at '/maximum': expected a number"},
	    {"{'properties':[]}", "at '/properties': expected an object"},
	    {"{'required':'a'}", "at '/required': expected an array of strings"},
	    {"{'required':[1]}", "at '/required': expected an array of strings"},
	    {"{'additionalProperties':1}", "at '/additionalProperties': expected a schema"},
	    {"{'allOf':[]}", "at '/allOf': expected an array that is not empty"},
	    {"{'allOf':[{},{'type':1}]}", "at '/allOf/1/type': expected the name of a type"},
	    {"{'items':{'$defs':{}}}",
	     "at '/items/$defs': expected an object, at the top of the document"},
	    {"{'$ref':'#/$defs/no'}", "at '/$ref': expected '#/$defs/NAME' of a definition"},
	    {"{'$ref':'other.json'}", "at '/$ref': expected '#/$defs/NAME' of a definition"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct demon_err err;

		assert_rc(check_tree(bad[i].schema, NULL, &err), DEMON_INVALID, &err);
		assert_string_equal(err.msg, bad[i].message);
	}
}

static void a_schema_that_refers_to_itself_is_refused(void **state)
{
	struct demon_err err;

	(void)state;
	assert_rc(check_tree("{'$ref':'#/$defs/a','$defs':{'a':{'items':{'$ref':'#/$defs/b'}},"
			     "'b':{'items':{'$ref':'#/$defs/a'}}}}",
			     NULL, &err),
		  DEMON_INVALID, &err);
	assert_contains(err.msg, "a schema that refers to itself");
}

static void a_string_with_a_nul_matches_nothing(void **state)
{
	struct demon_err err;

	(void)state;
	assert_rc(check_tree("{'pattern':'^a'}", json_stringn("a\0b", 3), &err), DEMON_INVALID,
		  &err);
	assert_rc(
	    check_tree("{'format':'date-time'}", json_stringn("2026-01-01T00:00:00Z\0x", 22), &err),
	    DEMON_INVALID, &err);
	assert_rc(check_tree("{'const':'a'}", json_stringn("a\0b", 3), &err), DEMON_INVALID, &err);
}

static void long_texts_are_cut_between_characters(void **state)
{
	struct demon_err err;
	char value[1 + 2 * 100 + 1] = "x";

	(void)state;
	for (size_t i = 1; i < sizeof(value) - 1; i += 2)
		value[i] = '\xc3', value[i + 1] = '\xbc';
	assert_rc(check_tree("{'type':'null'}", json_string(value), &err), DEMON_INVALID, &err);
	assert_contains(err.msg, "expected null, found 'x\xc3\xbc");
	assert_contains(err.msg, "\xc3\xbc...'");
	assert_int_equal(strlen(err.msg), strlen("expected null, found '...'") + 59);
}

static void schemas_share_patterns_and_outlive_each_other(void **state)
{
	static const char schema[] = "{'items':{'pattern':'^a$'}}";
	struct demon_schemas *schemas = demon_schemas_new();
	const struct demon_schema *first = NULL;
	const struct demon_schema *second = NULL;
	json_t *good = json("['a']");
	json_t *bad = json("['a','b']");
	struct demon_err err;

	(void)state;
	assert_ok(demon_schemas_add(schemas, json(schema), &first, &err), &err);
	assert_ok(demon_schemas_add(schemas, json(schema), &second, &err), &err);
	assert_ptr_not_equal(first, second);
	assert_ok(demon_schema_check(first, good, &err), &err);
	assert_ok(demon_schema_check(second, good, &err), &err);
	assert_rc(demon_schema_check(first, bad, &err), DEMON_INVALID, &err);
	assert_rc(demon_schema_check(second, bad, &err), DEMON_INVALID, &err);
	demon_schemas_free(schemas);
	json_decref(good);
	json_decref(bad);
}

static void lack_of_memory_is_an_error(void **state)
{
	static const char schema[] =
	    "{'properties':{'a':{'pattern':'^a$'},'b':{'$ref':'#/$defs/b'}},"
	    "'allOf':[{'required':['a']}],'$defs':{'b':{'type':'string'}}}";
	unsigned nth = 0;
	unsigned hit;

	(void)state;
	do {
		json_t *document = json(schema);
		const struct demon_schema *compiled = NULL;
		enum demon_rc rc = DEMON_NOMEM;
		struct demon_schemas *schemas;
		struct demon_err err;

		demon_fault_arm(DEMON_FAULT_ALLOC, ++nth, false);
		schemas = demon_schemas_new();
		if (schemas)
			rc = demon_schemas_add(schemas, document, &compiled, &err);
		else
			json_decref(document);
		hit = demon_fault_disarm();
		demon_schemas_free(schemas);
		assert_int_equal(rc, hit ? DEMON_NOMEM : DEMON_OK);
	} while (hit);
	assert_true(nth > 8);
}

static void a_verdict_does_not_depend_on_memory(void **state)
{
	struct demon_schemas *schemas = demon_schemas_new();
	const struct demon_schema *compiled = NULL;
	json_t *bad = json("[{'a':'x'}]");
	struct demon_err err;
	unsigned hit;
	unsigned nth = 0;

	(void)state;
	assert_ok(demon_schemas_add(schemas, json("{'items':{'properties':{'a':{'enum':['b']}}}}"),
				    &compiled, &err),
		  &err);
	do {
		enum demon_rc rc;

		demon_fault_arm(DEMON_FAULT_ALLOC, ++nth, false);
		rc = demon_schema_check(compiled, bad, &err);
		hit = demon_fault_disarm();
		assert_int_equal(rc, DEMON_INVALID);
		assert_contains(err.msg, "at '/0/a': ");
	} while (hit);
	demon_schemas_free(schemas);
	json_decref(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(types_are_told_apart),
	    cmocka_unit_test(words_are_compared_exactly),
	    cmocka_unit_test(strings_are_measured_in_characters_and_matched_whole),
	    cmocka_unit_test(numbers_and_arrays_have_bounds),
	    cmocka_unit_test(objects_are_closed_open_or_typed),
	    cmocka_unit_test(schemas_are_combined),
	    cmocka_unit_test(a_schema_with_anything_unknown_is_refused),
	    cmocka_unit_test(a_schema_that_refers_to_itself_is_refused),
	    cmocka_unit_test(a_string_with_a_nul_matches_nothing),
	    cmocka_unit_test(long_texts_are_cut_between_characters),
	    cmocka_unit_test(schemas_share_patterns_and_outlive_each_other),
	    cmocka_unit_test(lack_of_memory_is_an_error),
	    cmocka_unit_test(a_verdict_does_not_depend_on_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
