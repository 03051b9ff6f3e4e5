#include "support/test.h"

#include "base/base.h"
#include "cli/settings.h"

#include <unistd.h>

struct fixture {
	struct demon_args args;
	struct demon_settings settings;
	struct demon_err err;
};

/* Tests run on one thread, so changing the environment is safe. */
static void set_env(const char *name, const char *value)
{
	if (value)
		assert_int_equal(setenv(name, value, 1), 0); /* NOLINT(concurrency-mt-unsafe) */
	else
		assert_int_equal(unsetenv(name), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static int set_up(void **state)
{
	static const char *const names[] = {"DEMON_API_URL",       "DEMON_DB",
					    "DEMON_HOME",          "DEMON_TENANT",
					    "DEMON_SECRETS_FILE",  "DEMON_SECRETS_COMMAND",
					    "CONFIG_SECRETS_FILE", "SECRET_S_K"};
	static struct fixture f;

	f = (struct fixture){.settings = {.json = false}};
	for (size_t i = 0; i < demon_count(names); i++)
		set_env(names[i], NULL);
	set_env("HOME", "/home/somebody");
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_settings_done(&f->settings);
	demon_args_done(&f->args);
	return 0;
}

static enum demon_rc read_settings(struct fixture *f, const char *const *words)
{
	static const struct demon_opt *const tables[] = {demon_global_options, NULL};
	const union {
		const char *const *given;
		char *const *wanted;
	} argv = {words};
	int count = 0;
	int at = 0;

	demon_settings_done(&f->settings);
	demon_args_done(&f->args);
	f->args = (struct demon_args){.tables = tables};
	while (words[count])
		count++;
	assert_ok(demon_args_read(&f->args, count, argv.wanted, &at, false, &f->err), &f->err);
	return demon_settings_read(&f->args, &f->settings, &f->err);
}

#define READ(f, ...) read_settings((f), (const char *const[]){__VA_ARGS__})

static void a_flag_wins_over_the_environment(void **state)
{
	struct fixture *f = *state;

	assert_ok(READ(f, NULL), &f->err);
	assert_string_equal(f->settings.db.value, "/home/somebody/.demon/demon.db");
	assert_string_equal(f->settings.db.from, "default");
	set_env("DEMON_DB", "env.db");
	assert_ok(READ(f, NULL), &f->err);
	assert_string_equal(f->settings.db.value, "env.db");
	assert_ok(READ(f, "--db", "flag.db", NULL), &f->err);
	assert_string_equal(f->settings.db.value, "flag.db");
	assert_string_equal(f->settings.db.from, "--db");
	set_env("DEMON_DB", NULL);
}

static void without_settings_secrets_come_from_the_environment_only(void **state)
{
	struct fixture *f = *state;
	struct demon_secrets_options options;

	assert_ok(READ(f, NULL), &f->err);
	options = demon_settings_secrets(&f->settings);
	assert_ptr_equal(options.environ, environ);
	assert_null(options.file);
	assert_null(options.command);
}

static void the_file_of_secrets_has_an_older_name(void **state)
{
	struct fixture *f = *state;

	set_env("CONFIG_SECRETS_FILE", "older");
	assert_ok(READ(f, NULL), &f->err);
	assert_string_equal(demon_settings_secrets(&f->settings).file, "older");
	assert_string_equal(f->settings.secrets_file.from, "CONFIG_SECRETS_FILE");
	set_env("DEMON_SECRETS_FILE", "env");
	assert_ok(READ(f, NULL), &f->err);
	assert_string_equal(demon_settings_secrets(&f->settings).file, "env");
	assert_ok(READ(f, "--secrets-file", "flag", NULL), &f->err);
	assert_string_equal(demon_settings_secrets(&f->settings).file, "flag");
	assert_rc(READ(f, "--secrets-file=", NULL), DEMON_USAGE, &f->err);
}

/* Fails unless @p command becomes these words, each with a '|' behind it. */
static void assert_words(struct fixture *f, const char *command, const char *want)
{
	const char *const *words;
	char all[256] = "";

	assert_ok(READ(f, "--secrets-command", command, NULL), &f->err);
	words = demon_settings_secrets(&f->settings).command;
	for (size_t i = 0; words[i]; i++) {
		(void)strncat(all, words[i], 64);
		(void)strncat(all, "|", 2);
	}
	assert_string_equal(all, want);
}

static void a_command_is_words_or_json(void **state)
{
	struct fixture *f = *state;

	assert_words(f, "vault-get", "vault-get|");
	assert_words(f, "  pass \t show 'a\"b  ", "pass|show|'a\"b|");
	assert_words(f, "[\"/opt/my tool\", \"--x\", \"\", \"$HOME\"]", "/opt/my tool|--x||$HOME|");
	set_env("DEMON_SECRETS_COMMAND", "from env");
	assert_ok(READ(f, NULL), &f->err);
	assert_string_equal(demon_settings_secrets(&f->settings).command[1], "env");
	assert_words(f, "flag", "flag|");
}

static void a_command_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", "  ", "[]", "[\"\"]", "[1]", "[\"a\",null]", "[\"a\"", "[\"a\\u0000\"]", "\xff"};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_rc(READ(f, "--secrets-command", bad[i], NULL), DEMON_USAGE, &f->err);
		assert_contains(f->err.msg, "command of secrets (--secrets-command): ");
	}
}

static void what_is_set_can_be_used(void **state)
{
	struct fixture *f = *state;
	struct demon_secrets_options options;
	struct demon_secrets *secrets = NULL;
	DEMON_BUF(value, 0);

	set_env("SECRET_S_K", "from env");
	assert_ok(READ(f, "--secrets-command", "/bin/echo -n", NULL), &f->err);
	options = demon_settings_secrets(&f->settings);
	assert_ok(demon_secrets_open(&options, &secrets, &f->err), &f->err);
	assert_ok(demon_secrets_get(secrets, "s", "k", &value, &f->err), &f->err);
	assert_string_equal(value.data, "from env");
	demon_buf_clear(&value);
	assert_ok(demon_secrets_get(secrets, "s", "other", &value, &f->err), &f->err);
	assert_string_equal(value.data, "s other");
	demon_secrets_close(secrets);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_flag_wins_over_the_environment),
	    TEST(without_settings_secrets_come_from_the_environment_only),
	    TEST(the_file_of_secrets_has_an_older_name),
	    TEST(a_command_is_words_or_json),
	    TEST(a_command_that_is_none_is_refused),
	    TEST(what_is_set_can_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
