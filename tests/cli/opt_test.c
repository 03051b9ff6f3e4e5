#include "support/test.h"

#include "cli/opt.h"

static const struct demon_opt command[] = {
    {.name = "input", .value = "JSON", .help = ""},
    {.name = "param", .value = "K=V", .help = "", .many = true},
    {.name = "limit", .value = "N", .help = ""},
    {.name = "detach", .help = ""},
    {.name = NULL},
};
static const struct demon_opt globals[] = {
    {.name = "db", .value = "FILE", .help = ""},
    {.name = "quiet", .help = "", .letter = 'q'},
    {.name = "verbose", .help = "", .letter = 'v'},
    {.name = NULL},
};
static const struct demon_opt *const tables[] = {command, globals, NULL};

struct fixture {
	struct demon_args args;
	struct demon_err err;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){.args = {.tables = tables}};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_args_done(&f->args);
	return 0;
}

/* Reads the words, which end with a NULL, to their end. */
static enum demon_rc read_all(struct fixture *f, const char *const *words)
{
	int count = 0;
	int at = 0;

	while (words[count])
		count++;
	return demon_args_read(&f->args, count, (char *const *)(uintptr_t)words, &at, false,
			       &f->err);
}

#define READ(f, ...) read_all((f), (const char *const[]){__VA_ARGS__, NULL})

static void options_and_words_mix(void **state)
{
	struct fixture *f = *state;

	assert_ok(READ(f, "a", "--db", "x", "b", "--detach", "--input=y", "-qv", "-", "c"),
		  &f->err);
	assert_int_equal(f->args.word_count, 4);
	assert_string_equal(f->args.words[0], "a");
	assert_string_equal(f->args.words[2], "-");
	assert_string_equal(f->args.words[3], "c");
	assert_string_equal(demon_args_get(&f->args, "db"), "x");
	assert_string_equal(demon_args_get(&f->args, "input"), "y");
	assert_true(demon_args_has(&f->args, "detach"));
	assert_true(demon_args_has(&f->args, "quiet"));
	assert_true(demon_args_has(&f->args, "verbose"));
	assert_null(demon_args_get(&f->args, "limit"));
}

static void reading_stops_behind_the_first_word_when_asked(void **state)
{
	char *words[] = {(char[]){"--quiet"}, (char[]){"run"}, (char[]){"--nonsense"}};
	struct fixture *f = *state;
	int at = 0;

	assert_ok(demon_args_read(&f->args, 3, words, &at, true, &f->err), &f->err);
	assert_int_equal(at, 2);
	assert_int_equal(f->args.word_count, 1);
	assert_rc(demon_args_read(&f->args, 3, words, &at, true, &f->err), DEMON_USAGE, &f->err);
}

static void after_two_dashes_everything_is_a_word(void **state)
{
	struct fixture *f = *state;

	assert_ok(READ(f, "--", "--db", "-q", "--"), &f->err);
	assert_int_equal(f->args.word_count, 3);
	assert_false(demon_args_has(&f->args, "quiet"));
	assert_string_equal(f->args.words[2], "--");
}

static void the_last_value_counts_but_all_can_be_had(void **state)
{
	struct fixture *f = *state;
	size_t at = 0;

	assert_ok(READ(f, "--param", "a=1", "--db=x", "--param=b=2", "--db", "y"), &f->err);
	assert_string_equal(demon_args_get(&f->args, "db"), "y");
	assert_string_equal(demon_args_next(&f->args, "param", &at), "a=1");
	assert_string_equal(demon_args_next(&f->args, "param", &at), "b=2");
	assert_null(demon_args_next(&f->args, "param", &at));
}

static void a_value_may_be_empty_or_look_like_a_letter(void **state)
{
	struct fixture *f = *state;

	assert_ok(READ(f, "--db=", "--input", "-q", "--param", ""), &f->err);
	assert_string_equal(demon_args_get(&f->args, "db"), "");
	assert_string_equal(demon_args_get(&f->args, "input"), "-q");
	assert_false(demon_args_has(&f->args, "quiet"));
}

static void a_forgotten_value_does_not_swallow_the_next_option(void **state)
{
	struct fixture *f = *state;

	assert_rc(READ(f, "--input", "--detach"), DEMON_USAGE, &f->err);
	assert_contains(f->err.msg, "--input=--detach");
	assert_rc(READ(f, "--db"), DEMON_USAGE, &f->err);
	assert_contains(f->err.msg, "needs a value: FILE");
	assert_rc(READ(f, "--detach=yes"), DEMON_USAGE, &f->err);
	assert_contains(f->err.msg, "takes no value");
}

static void what_is_unknown_is_refused_and_the_nearest_named(void **state)
{
	struct fixture *f = *state;

	assert_rc(READ(f, "--inptu", "x"), DEMON_USAGE, &f->err);
	assert_contains(f->err.msg, "'--inptu'");
	assert_contains(f->err.msg, "'--input'");
	assert_rc(READ(f, "--zzzzzzzz=1"), DEMON_USAGE, &f->err);
	assert_null(strstr(f->err.msg, "mean"));
	assert_rc(READ(f, "--inp", "x"), DEMON_USAGE, &f->err);
	assert_rc(READ(f, "-qx"), DEMON_USAGE, &f->err);
	assert_contains(f->err.msg, "'-x'");
	assert_rc(READ(f, "---"), DEMON_USAGE, &f->err);
	assert_rc(READ(f, "--=x"), DEMON_USAGE, &f->err);
}

static void numbers_are_whole_and_within_bounds(void **state)
{
	static const char *const bad[] = {"",   " ",  "x",   "1x",  "0",
					  "11", "-1", "1.5", "1e1", "99999999999999999999"};
	struct fixture *f = *state;
	int64_t n = 7;

	assert_ok(demon_args_number(&f->args, "limit", 1, 10, &n, &f->err), &f->err);
	assert_int_equal(n, 7);
	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_ok(READ(f, "--limit", bad[i]), &f->err);
		assert_rc(demon_args_number(&f->args, "limit", 1, 10, &n, &f->err), DEMON_USAGE,
			  &f->err);
		assert_int_equal(n, 7);
	}
	assert_ok(READ(f, "--limit", "10"), &f->err);
	assert_ok(demon_args_number(&f->args, "limit", 1, 10, &n, &f->err), &f->err);
	assert_int_equal(n, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(options_and_words_mix, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(reading_stops_behind_the_first_word_when_asked, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(after_two_dashes_everything_is_a_word, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_last_value_counts_but_all_can_be_had, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_value_may_be_empty_or_look_like_a_letter, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_forgotten_value_does_not_swallow_the_next_option,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_unknown_is_refused_and_the_nearest_named,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(numbers_are_whole_and_within_bounds, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
