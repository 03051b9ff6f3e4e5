/*
 * Values of the DSL: the programs that become of them, what these yield, and where secrets may be
 * named.
 */
#include "support/test.h"

#include "domain/ritual/definition.h"

#include <stdio.h>
#include <string.h>

#define NONCE "0123456789abcdef"

struct fixture {
	struct demon_expr *expr;
	struct demon_definition *definition;
	struct demon_definition *again;
	struct demon_problems problems;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	return 0;
}

static void reset(struct fixture *f)
{
	demon_definition_free_p(&f->definition);
	demon_definition_free_p(&f->again);
	f->definition = NULL;
	f->again = NULL;
	demon_problems_done(&f->problems);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	reset(f);
	demon_expr_close(f->expr);
	free(f);
	return 0;
}

/* Loads tasks in YAML, of which the first line begins with "- ". */
static enum demon_rc load(struct fixture *f, const char *tasks)
{
	char text[4096];

	reset(f);
	(void)snprintf(text, sizeof(text),
		       "document: {dsl: '1.0.3', namespace: default, name: t, version: '1'}\n"
		       "use: {secrets: [db/pass, key]}\ndo:\n%s\n",
		       tasks);
	return demon_definition_load("file", text, strlen(text), &f->definition, &f->problems,
				     &f->err);
}

static const struct demon_task *task(const struct fixture *f, size_t i)
{
	assert_true(i < f->definition->root.count);
	return &f->definition->root.tasks[i];
}

static const struct demon_expr_source *source(const struct fixture *f, const struct demon_term *t)
{
	assert_true(t->expr > 0 && t->expr <= f->definition->expr_count);
	return &f->definition->exprs[t->expr - 1];
}

/* What a term yields, as canonical JSON, is @p want. */
static void assert_yields(struct fixture *f, const struct demon_term *t, const char *input,
			  const char *variables, const char *want)
{
	struct demon_expr_unit unit = {.sources = f->definition->exprs,
				       .count = f->definition->expr_count};
	json_auto_t *value = NULL;
	DEMON_BUF(text, 0);

	if (!f->expr)
		assert_ok(
		    demon_expr_open(&(struct demon_expr_options){.workers = 1}, &f->expr, &f->err),
		    &f->err);
	assert_ok(demon_definition_check(f->definition, "file", f->expr, &f->problems, &f->err),
		  &f->err);
	memcpy(unit.id, f->definition->digest, sizeof(unit.id));
	assert_ok(demon_expr_eval(
		      f->expr, &unit, t->expr - 1, (struct demon_json_span){input, strlen(input)},
		      (struct demon_json_span){variables, strlen(variables)}, &value, &f->err),
		  &f->err);
	assert_ok(demon_json_canonical(value, &text, &f->err), &f->err);
	assert_string_equal(text.data, want);
}

static void assert_literal(const struct demon_term *t)
{
	assert_non_null(t->json);
	assert_int_equal(t->expr, 0);
}

static void what_has_no_expression_stands_as_it_is(void **state)
{
	struct fixture *f = *state;

	assert_ok(load(f,
		       "- a: {set: {v: '\\(1) ${x}y', w: '$ {1}', x: ['{1}', '${', '${}x']}}\n"
		       "- b: {wait: PT0S}\n- c: {wait: {seconds: 0.5}}\n- d: {if: true, wait: 3}"),
		  &f->err);
	assert_literal(&task(f, 0)->with);
	assert_int_equal(task(f, 1)->duration.ms, 0);
	assert_int_equal(task(f, 2)->duration.ms, 500);
	assert_int_equal(task(f, 3)->duration.ms, 3000);
	assert_literal(&task(f, 3)->condition);
	assert_int_equal(f->definition->expr_count, 0);
}

static void an_expression_may_stand_without_its_mark_where_one_is_due(void **state)
{
	static const char tasks[] =
	    "- a:\n    if: .a\n    input: {from: '.b'}\n    output: {as: '${ .c }'}\n"
	    "    export: {as: ' ${ .d } '}\n    timeout: {after: '${ .e }'}\n"
	    "    for: {in: .f}\n    while: .g\n    do: [{s: {set: '${ .h }'}}]\n"
	    "- t:\n    try: [{s: {set: {v: 1}}}]\n"
	    "    catch: {when: .i, exceptWhen: .j, retry: {when: .k, exceptWhen: .l}}";
	static const char letters[] = "abcdefghijkl";
	const struct demon_task *t;
	struct fixture *f = *state;

	assert_ok(load(f, tasks), &f->err);
	assert_int_equal(f->definition->expr_count, strlen(letters));
	t = task(f, 0);
	assert_contains(source(f, &t->condition)->text, ".a");
	assert_contains(source(f, &t->input_from)->text, ".b");
	assert_contains(source(f, &t->output_as)->text, ".c");
	assert_contains(source(f, &t->export_as)->text, ".d");
	assert_contains(source(f, &t->timeout.term)->text, ".e");
	assert_contains(source(f, &t->in)->text, ".f");
	assert_contains(source(f, &t->while_)->text, ".g");
	assert_contains(source(f, &t->tasks[0].with)->text, ".h");
	t = task(f, 1);
	assert_contains(source(f, &t->catch_when)->text, ".i");
	assert_contains(source(f, &t->catch_except_when)->text, ".j");
	assert_contains(source(f, &t->retry->when)->text, ".k");
	assert_contains(source(f, &t->retry->except_when)->text, ".l");
}

static void a_tree_with_expressions_is_one_program(void **state)
{
	struct fixture *f = *state;

	assert_ok(load(f,
		       "- a:\n    set:\n      z: '${ .x # none }'\n      a: [1.5, null, true, "
		       "'${ .y | length }']\n      \"k\\\"\\\\(2)\": \"a\\\\(1)\\\"b\\n\\u0001\"\n"
		       "      e: {}\n      l: []"),
		  &f->err);
	assert_int_equal(f->definition->expr_count, 1);
	assert_yields(
	    f, &task(f, 0)->with, "{\"x\":{\"q\":1},\"y\":[1,2]}", "{}",
	    "{\"a\":[1.5,null,true,2],\"e\":{},\"k\\\"\\\\(2)\":\"a\\\\(1)\\\"b\\n\\u0001\","
	    "\"l\":[],\"z\":{\"q\":1}}");
}

static void a_program_is_the_same_however_its_mapping_was_written(void **state)
{
	struct fixture *f = *state;

	assert_ok(load(f, "- a: {set: {b: '${ .x }', a: {d: 1, c: '${ .y }'}}}"), &f->err);
	assert_ok(demon_definition_from_spec(f->definition->canonical, f->definition->canonical_len,
					     &f->again, &f->err),
		  &f->err);
	assert_int_equal(f->again->expr_count, 1);
	assert_string_equal(f->again->exprs[0].text, f->definition->exprs[0].text);
	assert_int_equal(f->again->expr_places[0].line, 0);
	assert_int_equal(f->definition->expr_places[0].line, 4);
}

static void assert_variables(const struct demon_expr_source *s, const char *want)
{
	char text[256] = "";

	for (const char *const *name = s->variables; name && *name; name++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", *name);
	assert_string_equal(text, want);
}

static void expressions_know_the_variables_around_them(void **state)
{
	static const char tasks[] =
	    "- a:\n    for: {each: host, at: n, in: '${ .hosts }'}\n    while: $n < 2\n    do:\n"
	    "      - t:\n          try: [{x: {set: '${ $host }'}}]\n          catch:\n"
	    "            as: e\n            when: $e\n            do: [{y: {set: '${ $e }'}}]\n"
	    "- b: {set: '${ 1 }'}";
	const struct demon_task *loop;
	const struct demon_task *t;
	struct fixture *f = *state;

	assert_ok(load(f, tasks), &f->err);
	loop = task(f, 0);
	t = &loop->tasks[0];
	assert_variables(source(f, &loop->in), "");
	assert_variables(source(f, &loop->while_), "host n ");
	assert_variables(source(f, &t->tasks[0].with), "host n ");
	assert_variables(source(f, &t->catch_when), "host n e ");
	assert_variables(source(f, &t->handler->tasks[0].with), "host n e ");
	assert_variables(source(f, &task(f, 1)->with), "");
	assert_yields(f, &t->handler->tasks[0].with, "null", "{\"e\":7,\"host\":1,\"n\":0}", "7");
}

static void literal_arguments_say_where_they_name_secrets(void **state)
{
	struct fixture *f = *state;

	assert_ok(load(f, "- a: {call: exec, with: {command: [x, 'u:secret://db/pass'], env: "
			  "{A_B: 'secret://x/y'}, stdin: 'secret:/x/y'}}\n- b: {call: echo}"),
		  &f->err);
	assert_literal(&task(f, 0)->with);
	assert_int_equal(json_array_size(task(f, 0)->secrets), 2);
	assert_string_equal(json_string_value(json_array_get(task(f, 0)->secrets, 0)),
			    "/command/1");
	assert_string_equal(json_string_value(json_array_get(task(f, 0)->secrets, 1)), "/env/A_B");
	assert_null(task(f, 1)->secrets);
}

static void computed_arguments_mark_the_secrets_that_the_file_names(void **state)
{
	struct fixture *f = *state;

	assert_ok(load(f,
		       "- a: {call: exec, with: {command: ['secret://db/pass', '${ .x }', "
		       "'a secret://x/y b']}}\n"
		       "- r: {run: {shell: {command: x, environment: {T: 'secret://db/pass'}}}}"),
		  &f->err);
	assert_null(task(f, 0)->secrets);
	assert_yields(f, &task(f, 0)->with, "{\"x\":\"secret://x/y\"}",
		      "{\"__nonce\":\"" NONCE "\"}",
		      "{\"command\":[\"secret://db/pass" NONCE "\",\"secret://x/y\","
		      "\"a secret://x/y" NONCE " b\"]}");
	assert_yields(f, &task(f, 1)->with, "{}", "{\"__nonce\":\"" NONCE "\"}",
		      "{\"command\":\"x\",\"environment\":{\"T\":\"secret://db/pass" NONCE "\"}}");
}

static void arguments_of_the_seed_say_where_they_name_secrets(void **state)
{
	static const char text[] =
	    "id: s\nversion: '1'\nstates:\n  - name: A\n    type: task\n    action: {functionRef: "
	    "{refName: echo, arguments: {message: 'secret://db/pass'}}}\n    compensatedBy: "
	    "{functionRef: {refName: exec, arguments: {command: ['secret://a/b']}}}\n";
	struct fixture *f = *state;

	assert_ok(demon_definition_load("file", text, strlen(text), &f->definition, &f->problems,
					&f->err),
		  &f->err);
	assert_string_equal(json_string_value(json_array_get(task(f, 0)->secrets, 0)), "/message");
	assert_string_equal(json_string_value(json_array_get(task(f, 0)->compensation->secrets, 0)),
			    "/command/0");
}

static void what_is_wrong_with_a_value_is_told_where_it_stands(void **state)
{
	static const char only[] = "only arguments of a call can name a secret";
	static const char in_it[] = "expression: a secret cannot be named in it";
	static const struct {
		const char *tasks;
		unsigned column;
		const char *want;
	} cases[] = {
	    {"- a: {set: {v: [x, 'secret://db/pass']}}", 20, only},
	    {"- a: {set: {v: '${ 1 }', w: 'secret://db/pass'}}", 29, only},
	    {"- a: {raise: {error: {type: 'secret://db/pass', status: 400}}}", 29, only},
	    {"- a: {set: {v: 1}, output: {as: {v: 'secret://db/pass'}}}", 37, only},
	    {"- a: {if: '\"secret://db/pass\" == .x', set: {v: 1}}", 11, in_it},
	    {"- a: {call: echo, with: {message: '${ \"secret://db/pass\" }'}}", 35, in_it},
	    {"- a: {set: {v: '${ $__nonce }'}}", 16, "expression: '$__nonce' is not to be had"},
	    {"- a: {set: {v: '${ $ __nonce }'}}", 16, "expression: '$__nonce' is not to be had"},
	    {"- a: {set: {v: 1, w: '${ 1), x: (2 }'}}", 22, "expression: 1:3: ')' closes nothing"},
	    {"- a: {set: {v: 1, w: '${ }'}}", 22, "expression: is empty"},
	    {"- a: {set: {w: ['${ \"a }', '${ b\" }']}}", 17,
	     "expression: 1:2: the string has no end"},
	    {"- a: {set: '${ $ENV }'}", 12, "expression: 1:3: '$ENV' is not to be had"},
	    {"- a: {if: 'env.HOME', set: {v: 1}}", 11, "expression: 1:1: 'env' is not to be had"},
	    {"- a: {if: 5, set: {v: 1}}", 11, "if: expected a string, found an integer"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(cases); i++) {
		assert_rc(load(f, cases[i].tasks), DEMON_INVALID, &f->err);
		assert_null(f->definition);
		if (strncmp(f->problems.items[0].text, cases[i].want, strlen(cases[i].want)) != 0 ||
		    f->problems.items[0].line != 4 ||
		    f->problems.items[0].column != cases[i].column)
			fail_msg("%s: expected %u '%s', found %s", cases[i].tasks, cases[i].column,
				 cases[i].want, f->err.msg);
	}
}

static void what_only_jq_can_tell_is_told_by_the_check(void **state)
{
	struct fixture *f = *state;

	assert_ok(load(f, "- a: {set: {v: 1}}\n- b: {set: {v: [1, '${ . + }']}}"), &f->err);
	assert_ok(demon_expr_open(&(struct demon_expr_options){.workers = 1}, &f->expr, &f->err),
		  &f->err);
	assert_rc(demon_definition_check(f->definition, "file", f->expr, &f->problems, &f->err),
		  DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "file:5:12: expression: ");
	assert_int_equal(f->problems.count, 1);
	assert_ok(load(f, "- a: {set: '${ $absent }'}"), &f->err);
	assert_rc(demon_definition_check(f->definition, "file", f->expr, NULL, &f->err),
		  DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "file:4:12: expression: ");
}

static void lengths_of_time_are_read_in_three_ways(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: it is none */
	} cases[] = {
	    {"\"PT30S\"", 30000},
	    {"\"P1DT2H\"", 93600000},
	    {"\"P2W\"", 1209600000},
	    {"\"PT0S\"", 0},
	    {"\"P0D\"", 0},
	    {"{\"seconds\":0}", 0},
	    {"{\"days\":1,\"hours\":1,\"minutes\":1,\"seconds\":1,\"milliseconds\":1}", 90061001},
	    {"{\"minutes\":1.5}", 90000},
	    {"2.5", 2500},
	    {"0", 0},
	    {"-1", -1},
	    {"{\"seconds\":-1}", -1},
	    {"{}", -1},
	    {"{\"second\":1}", -1},
	    {"{\"seconds\":\"1\"}", -1},
	    {"{\"days\":1e300}", -1},
	    {"{\"days\":36601}", -1},
	    {"\"P\"", -1},
	    {"\"PT\"", -1},
	    {"\"P1Y\"", -1},
	    {"\"30s\"", -1},
	    {"\"\"", -1},
	    {"\"P99999999999W\"", -1},
	    {"true", -1},
	    {"null", -1},
	    {"[]", -1},
	};

	(void)state;
	for (size_t i = 0; i < demon_count(cases); i++) {
		json_auto_t *value = json_loads(cases[i].text, JSON_DECODE_ANY, NULL);
		int64_t ms = -1;
		bool read = demon_duration_read(value, &ms);

		assert_non_null(value);
		if (read != (cases[i].ms >= 0) || (read && ms != cases[i].ms))
			fail_msg("%s: %s %lld", cases[i].text, read ? "read as" : "not read",
				 (long long)ms);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_has_no_expression_stands_as_it_is),
	    TEST(an_expression_may_stand_without_its_mark_where_one_is_due),
	    TEST(a_tree_with_expressions_is_one_program),
	    TEST(a_program_is_the_same_however_its_mapping_was_written),
	    TEST(expressions_know_the_variables_around_them),
	    TEST(literal_arguments_say_where_they_name_secrets),
	    TEST(computed_arguments_mark_the_secrets_that_the_file_names),
	    TEST(arguments_of_the_seed_say_where_they_name_secrets),
	    TEST(what_is_wrong_with_a_value_is_told_where_it_stands),
	    TEST(what_only_jq_can_tell_is_told_by_the_check),
	    TEST(lengths_of_time_are_read_in_three_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
