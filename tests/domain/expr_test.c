/*
 * Expressions, by the real worker: what they yield, what is refused, and that whatever a program
 * does to its worker, the next one is served.
 */
#include "support/test.h"

#include "support/expr.h"

#include <stdio.h>
#include <unistd.h>

#define assert_yields(f, program, input, want)                            \
	do {                                                              \
		assert_ok(expr_eval((f), (program), (input)), &(f)->err); \
		assert_string_equal((f)->text, (want));                   \
	} while (0)

#define assert_fails(f, program, input, want, words)                              \
	do {                                                                      \
		assert_rc(expr_eval((f), (program), (input)), (want), &(f)->err); \
		assert_contains((f)->err.msg, (words));                           \
		expr_assert_usable(f);                                            \
	} while (0)

#define assert_refused(f, program, words)                                               \
	do {                                                                            \
		assert_rc(expr_check((f), (program)), DEMON_INVALID, &(f)->err);        \
		assert_contains((f)->err.msg, (words));                                 \
		assert_rc(expr_eval((f), (program), "null"), DEMON_INVALID, &(f)->err); \
		assert_contains((f)->err.msg, (words));                                 \
		expr_assert_usable(f);                                                  \
	} while (0)

static int set_up(void **state)
{
	static struct expr_user f;
	struct demon_expr_options options = {.timeout_ms = 500};

	f = (struct expr_user){.expr = NULL};
	assert_ok(demon_expr_open(&options, &f.expr, &f.err), &f.err);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct expr_user *f = *state;

	demon_expr_close(f->expr);
	f->expr = NULL;
	return expr_workers(getpid(), NULL);
}

static void an_expression_yields_its_value(void **state)
{
	struct expr_user *f = *state;

	assert_yields(f, ".", "{\"a\":[1,null,true,\"x\"]}", "{\"a\":[1,null,true,\"x\"]}");
	assert_yields(f, ".colors + [\"red\"]", "{\"colors\":[\"blue\"]}", "[\"blue\",\"red\"]");
	assert_yields(f, "def f(x): x * 2; f(.a)", "{\"a\":21}", "42");
	assert_yields(f, "\"a\\(.b)c\"", "{\"b\":[1]}", "\"a[1]c\"");
	assert_yields(f, "[.[] | select(. > 1)] | length", "[1,2,3]", "2");
	assert_yields(f, ". # the input", "7", "7");
	assert_yields(f, "if . then 1 else 2 end", "false", "2");
	assert_yields(f, "test(\"^a+$\")", "\"aaa\"", "true");
	assert_yields(f, "localtime | mktime", "0", "0");
	assert_yields(f, ".", NULL, "null");
}

static void variables_are_bound_and_null_without_a_value(void **state)
{
	static const char *const own[] = {"color", "index", NULL};
	static const struct demon_expr_source sources[] = {
	    {.text =
		 "[$context, $input.a, $output, $secrets, $task, $workflow, $runtime, $__nonce]"},
	    {.text = "[$color, $index, $context, .]", .variables = own},
	    {.text = "$color"},
	};
	struct expr_user *f = *state;
	struct demon_expr_unit unit = expr_unit(sources, 2);
	struct demon_expr_unit third = expr_unit(sources, 3);
	size_t index = 0;

	assert_ok(demon_expr_check(f->expr, &unit, &index, &f->err), &f->err);
	assert_ok(expr_eval_unit(f, &unit, 0, "{}", "{\"context\":{\"b\":1},\"input\":{\"a\":2}}"),
		  &f->err);
	assert_string_equal(f->text, "[{\"b\":1},2,null,null,null,null,null,null]");
	assert_ok(expr_eval_unit(f, &unit, 1, "5", "{\"color\":\"red\",\"context\":1}"), &f->err);
	assert_string_equal(f->text, "[\"red\",null,1,5]");
	assert_ok(expr_eval_unit(f, &unit, 1, "5", NULL), &f->err);
	assert_string_equal(f->text, "[null,null,null,5]");
	/* a variable belongs to the expression that names it */
	assert_rc(demon_expr_check(f->expr, &third, &index, &f->err), DEMON_INVALID, &f->err);
	assert_int_equal(index, 2);
	assert_string_equal(f->err.msg, "line 1: $color is not defined");
	assert_rc(expr_eval_unit(f, &unit, 1, "5", "[1]"), DEMON_INVALID, &f->err);
	assert_rc(expr_eval_unit(f, &unit, 0, "5]", NULL), DEMON_INVALID, &f->err);
	assert_rc(expr_eval_unit(f, &unit, 2, "5", NULL), DEMON_INVALID, &f->err);
	expr_assert_usable(f);
}

static void a_variable_needs_a_name_that_jq_takes(void **state)
{
	static const char *const names[] = {
	    "", "a b", "1a", "__in", "__loc__", "end", "ENV", "é", "a}]|env|. as [$b"};
	struct expr_user *f = *state;

	for (size_t i = 0; i < demon_count(names); i++) {
		const char *const own[] = {names[i], NULL};
		struct demon_expr_source source = {.text = ".", .variables = own};
		struct demon_expr_unit unit = expr_unit(&source, 1);
		size_t index = 9;

		assert_rc(demon_expr_check(f->expr, &unit, &index, &f->err), DEMON_INVALID,
			  &f->err);
		assert_int_equal(index, 0);
		assert_contains(f->err.msg, "cannot be a variable's name");
	}
}

static void what_is_no_program_is_refused_in_words_about_it(void **state)
{
	struct expr_user *f = *state;

	assert_refused(f, "", "is empty");
	assert_refused(f, " # only a comment", "is empty");
	assert_refused(f, "1 +", "line 1: syntax error, unexpected $end");
	assert_refused(f, ".a |\n\nfoo(1)", "foo/1 is not defined");
	assert_refused(f, "$nothing", "line 1: $nothing is not defined");
	assert_refused(f, "def f: 1;", "syntax error");
	assert_refused(f, "break $x", "is not defined");
	assert_refused(f, ". as $x", "syntax error");
	assert_refused(f, "\"\\xff\"", "Invalid escape");
}

static void nothing_gets_out_of_its_parentheses(void **state)
{
	struct expr_user *f = *state;

	assert_refused(f, "1) | (2", "1:2: ')' closes nothing");
	assert_refused(f, "(1", "1:1: '(' is not closed");
	assert_refused(f, "[1)", "1:3: ')' closes nothing");
	assert_refused(f, "\"a", "1:1: the string has no end");
	assert_refused(f, "\"a\\(1\"", "the string has no end");
	assert_refused(f, "\"a\\", "the string has no end");
	assert_refused(f, "\"\\(\"", "the string has no end");
	assert_refused(f, "{a:1", "'{' is not closed");
	assert_refused(f, "1 end", "1:3: 'end' without 'if'");
	assert_refused(f, "1 else 2", "syntax error");
	assert_refused(f, "1 end; if 1 then 2", "'end' without 'if'");
	assert_refused(f, "if . then 1", "1:1: 'if' is not closed");
	assert_refused(f, "\n  1; 2", "line 2: syntax error");
	assert_refused(f, "\xff", "1:1: is not valid UTF-8");
	assert_refused(f, "\"a\xc3\"", "1:3: is not valid UTF-8");
	assert_yields(f, "\")\" # )", "1", "\")\"");
	assert_yields(f, "\"(\\(\")\" + \"\\(.)\")\"", "1", "\"()1\"");
	assert_yields(f, "\"\\\\\"", "1", "\"\\\\\"");
	assert_yields(f, "{if: 1, end: 2} | .if + .end", "1", "3");
}

static void what_is_not_to_be_had_is_refused_by_name(void **state)
{
	static const char *const names[] = {"env",
					    "input",
					    "inputs",
					    "debug",
					    "stderr",
					    "input_filename",
					    "input_line_number",
					    "halt",
					    "halt_error",
					    "modulemeta",
					    "get_search_list",
					    "$ENV",
					    "$__loc__",
					    "$__in",
					    "$__i",
					    "$__prog_args",
					    "import \"a\" as a; .",
					    "include \"a\"; .",
					    "module {}; ."};
	static const char *const around[][2] = {{"", ""},          {". | ", ""},
						{"[1, ", "]"},     {"{a: (", ")}"},
						{"\"x\\(", ")\""}, {"def f(g): g; f(", ")"},
						{"..|", ""}};
	struct expr_user *f = *state;
	char text[128];

	for (size_t i = 0; i < demon_count(names); i++)
		for (size_t j = 0; j < demon_count(around); j++) {
			(void)snprintf(text, sizeof(text), "%s%s%s", around[j][0], names[i],
				       around[j][1]);
			assert_rc(expr_check(f, text), DEMON_INVALID, &f->err);
			assert_contains(f->err.msg, "is not to be had in an expression");
			assert_rc(expr_eval(f, text, "1"), DEMON_INVALID, &f->err);
		}
	assert_refused(f, "$ # a comment\n ENV", "2:2: '$ENV' is not to be had");
	assert_refused(f, "{a: 1 | env}", "1:9: 'env' is not to be had");
	assert_refused(f, "{a: (if . then 1, env else 2 end)}", "'env' is not to be had");
	assert_refused(f, "[{a: 1}, env]", "'env' is not to be had");
	expr_assert_usable(f);
}

static void names_of_fields_are_free(void **state)
{
	struct expr_user *f = *state;

	assert_yields(f, ".env", "{\"env\":1}", "1");
	assert_yields(f, "{env: 1, input: 2}", "1", "{\"env\":1,\"input\":2}");
	assert_yields(f, "{env}", "{\"env\":3}", "{\"env\":3}");
	assert_yields(f, "{a: 1, env}", "{\"env\":3}", "{\"a\":1,\"env\":3}");
	assert_yields(f, ". as {env: $x} | $x", "{\"env\":3}", "3");
	assert_yields(f, "\"env\" # env", "1", "\"env\"");
	assert_yields(f, ".a.env.input.debug", "{\"a\":{\"env\":{\"input\":{\"debug\":4}}}}", "4");
	assert_yields(f, "$input.env", "1", "null");
	assert_yields(f, "{$context, import: 2}", "1", "{\"context\":null,\"import\":2}");
	assert_yields(f, ".\"env\"", "{\"env\":5}", "5");
}

static void just_one_result_is_a_value(void **state)
{
	struct expr_user *f = *state;

	assert_fails(f, "empty", "1", DEMON_INVALID, "there is no result");
	assert_fails(f, "1, 2", "1", DEMON_INVALID, "there is more than one result");
	assert_fails(f, ".[]", "[1,2]", DEMON_INVALID, "there is more than one result");
	assert_fails(f, "repeat(1)", "1", DEMON_INVALID, "there is more than one result");
	assert_fails(f, "1, error(\"late\")", "1", DEMON_INVALID, "late");
	assert_fails(f, "1, (def f: f; f)", "1", DEMON_TIMEOUT, "takes more than 500 ms");
	assert_yields(f, "first(1, 2)", "1", "1");
}

static void an_error_has_jqs_words(void **state)
{
	struct expr_user *f = *state;

	assert_fails(f, ".a", "5", DEMON_INVALID, "Cannot index number with string \"a\"");
	assert_fails(f, "error(\"two\\nlines\")", "5", DEMON_INVALID, "two lines");
	assert_fails(f, "error({code: 7})", "5", DEMON_INVALID, "{\"code\":7}");
	assert_fails(f, "error(null)", "5", DEMON_INVALID, "no result");
	assert_fails(f, "error(\"x\" * 100000)", "5", DEMON_INVALID, "xxxxxxxx");
	assert_fails(f, "error([range(300000)])", "5", DEMON_INVALID, "[0,1,2");
	assert_yields(f, "try error(\"x\") catch .", "5", "\"x\"");
}

static void numbers_are_what_events_can_hold(void **state)
{
	struct expr_user *f = *state;

	assert_yields(f, "9007199254740991, 1 | select(. > 2)", "1", "9007199254740991");
	assert_yields(f, "-9007199254740991 | . + 0", "1", "-9007199254740991");
	assert_yields(f, "0.1 + 0.2", "1", "0.30000000000000004");
	assert_yields(f, "-0", "1", "0");
	assert_yields(f, "5e-324", "1", "4.9406564584124654e-324");
	assert_ok(expr_eval(f, "[1e17, 18446744073709551616, 1e300, 123456789012345680000]", "1"),
		  &f->err);
	assert_yields(f, "18446744073709551616 == 18446744073709552000", "1", "true");
	assert_yields(f, ". == 18446744073709552000", "18446744073709552000", "true");
	assert_fails(f, "nan", "1", DEMON_INVALID, "NaN");
	assert_fails(f, "[infinite]", "1", DEMON_INVALID, "infinite");
	assert_fails(f, "{a: -infinite}", "1", DEMON_INVALID, "infinite");
	assert_fails(f, "1e1000", "1", DEMON_INVALID, "infinite");
	assert_fails(f, "1 / 0", "1", DEMON_INVALID, "");
}

static void text_is_kept_as_it_is(void **state)
{
	struct expr_user *f = *state;

	assert_yields(f, ".", "\"\\u0001\\u001f\\\"\\\\/é€😀\"", "\"\\u0001\\u001F\\\"\\\\/é€😀\"");
	assert_fails(f, "\"a\\u0000b\"", "1", DEMON_INVALID, "the result cannot be kept");
	assert_fails(f, "[0] | implode", "1", DEMON_INVALID, "the result cannot be kept");
	assert_yields(f, "\"\\ud83d\\ude00\" | length", "1", "1");
}

static void time_is_limited_wherever_it_goes(void **state)
{
	static const char *const programs[] = {
	    "def f: f; f",
	    "range(1e12) | empty",
	    "last(range(1e12))",
	    "[limit(1; repeat(empty))]",
	};
	struct expr_user *f = *state;

	for (size_t i = 0; i < demon_count(programs); i++)
		assert_fails(f, programs[i], "1", DEMON_TIMEOUT, "takes more than 500 ms");
}

/* How each ends, by time or by memory, depends on the machine; that it ends does not. */
static void a_greedy_program_costs_its_own_result_alone(void **state)
{
	static const char *const programs[] = {
	    "range(1e12)",
	    "def f: 1 + f; f",
	    "def f: [f]; f",
	    "\"x\" * 1e9",
	    "\"x\" * 1e9 | length",
	    "[range(1e9)]",
	    "tojson * 1e8",
	    ".[1e9] = 1",
	    ".[2147483647] = 1",
	    ".[1e300] = 1",
	    "reduce range(100) as $i (\"x\"; . + .)",
	    "reduce range(100) as $i ([0]; . + .)",
	    "reduce range(1e7) as $i (null; [.])",
	    "[range(1e6)] | tojson",
	    "reduce range(1e5) as $i (null; [.]) | tojson",
	    "reduce range(1e5) as $i (null; {a: .}) | [..]",
	    "[range(1e5)] | combinations",
	    "\"x\" * 5e6",
	    "[55296] | implode",
	    "[1e300] | implode",
	    "\"\\(1e1000)\" | ltrimstr(\"1\")",
	    "splits(\"a\"; \"b\"; \"c\")",
	    "@base64d",
	    "\"1 2\" | strptime(\"%s\")",
	    "1e300 | todate",
	    "getpath([range(1e5)|\"a\"])",
	    "setpath([range(1e5)|\"a\"]; 1)",
	    "[limit(1e7; repeat(\"x\" * 1000))]",
	    "(\"a\" * 30 + \"!\") | test(\"^(a+)+$\")",
	    "ltrimstr(1)",
	};
	struct expr_user *f = *state;

	for (size_t i = 0; i < demon_count(programs); i++) {
		enum demon_rc rc = expr_eval(f, programs[i], "null");

		if (rc != DEMON_OK && rc != DEMON_INVALID && rc != DEMON_TIMEOUT &&
		    rc != DEMON_TOOBIG && rc != DEMON_FAILED)
			fail_msg("%s: %s: %s", programs[i], demon_rc_text(rc), f->err.msg);
		expr_assert_usable(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_expression_yields_its_value, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(variables_are_bound_and_null_without_a_value, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_variable_needs_a_name_that_jq_takes, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(what_is_no_program_is_refused_in_words_about_it, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(nothing_gets_out_of_its_parentheses, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_not_to_be_had_is_refused_by_name, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(names_of_fields_are_free, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(just_one_result_is_a_value, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_error_has_jqs_words, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(numbers_are_what_events_can_hold, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(text_is_kept_as_it_is, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(time_is_limited_wherever_it_goes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_greedy_program_costs_its_own_result_alone, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
