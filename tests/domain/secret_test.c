#include "support/test.h"

#include "base/fault.h"
#include "domain/secret/secret.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct demon_err err;

struct fixture {
	char *dir;
	const char *file;
	struct demon_secrets *secrets;
};

static int set_up(void **state)
{
	struct fixture *f = demon_calloc(1, sizeof(*f));

	f->dir = test_dir();
	f->file = test_path(f->dir, "secrets.json");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_secrets_close(f->secrets);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void open_secrets(struct fixture *f, const char *const *env, const char *file,
			 const char *const *command)
{
	const struct demon_secrets_options options = {env, file, command};

	demon_secrets_close(demon_take(f->secrets));
	assert_ok(demon_secrets_open(&options, &f->secrets, &err), &err);
}

/* The file has this text, with ' for ", and is its owner's alone. */
static void write_file(const struct fixture *f, const char *text)
{
	char *copy = strdup(text);

	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	test_write(f->file, copy, strlen(copy));
	assert_int_equal(chmod(f->file, 0600), 0);
	free(copy);
}

static void assert_value(struct fixture *f, const char *scope, const char *key, const char *want)
{
	DEMON_BUF(value, 0);

	demon_buf_str(&value, "=");
	assert_ok(demon_secrets_get(f->secrets, scope, key, &value, &err), &err);
	assert_string_equal(value.data + 1, want);
}

/* Fails with this code and this in the message, appends nothing, and the message does not tell
 * what "hunter2" is. */
static void assert_fails(struct fixture *f, const char *scope, const char *key, enum demon_rc rc,
			 const char *part)
{
	DEMON_BUF(value, 0);

	assert_rc(demon_secrets_get(f->secrets, scope, key, &value, &err), rc, &err);
	assert_contains(err.msg, part);
	assert_null(strstr(err.msg, "hunter2"));
	assert_int_equal(value.len, 0);
}

static void the_environment_comes_first(void **state)
{
	static const char *const env[] = {"PATH=/bin", "SECRET_DB_PASS_WORD=from env",
					  "SECRET_DB_EMPTY=", "SECRET_A_B_C=both", NULL};
	struct fixture *f = *state;

	write_file(f, "{'db':{'pass-word':'from file','user':'root','empty':'x'}}");
	open_secrets(f, env, f->file, NULL);
	assert_value(f, "db", "pass-word", "from env");
	assert_value(f, "DB", "Pass_Word", "from env");
	assert_value(f, "db", "user", "root");
	assert_value(f, "a-b", "c", "both");
	assert_value(f, "a", "b-c", "both");
	assert_fails(f, "db", "empty", DEMON_INVALID, "secret 'db/empty': the value is empty");
	assert_fails(f, "db", "pass", DEMON_NOTFOUND, "SECRET_DB_PASS is not set: ");
}

static void names_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "a/b",
	    "a b",
	    "a.b",
	    "\xc3\xa9",
	    "a=b",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct fixture *f = *state;

	open_secrets(f, NULL, NULL, NULL);
	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_fails(f, bad[i], "k", DEMON_INVALID, "scope of a secret");
		assert_fails(f, "s", bad[i], DEMON_INVALID, "key of a secret");
	}
	assert_fails(
	    f, "s", "k", DEMON_NOTFOUND,
	    "secret 's/k': SECRET_S_K is not set, and no file or command of secrets is given");
}

static void a_file_that_others_may_use_is_refused(void **state)
{
	struct fixture *f = *state;

	write_file(f, "{'s':{'k':'hunter2'}}");
	open_secrets(f, NULL, f->file, NULL);
	for (mode_t mode = 0; mode < 01000; mode++) {
		if (!(mode & 0400) && geteuid() != 0)
			continue;
		assert_int_equal(chmod(f->file, mode), 0);
		if (mode & 077)
			assert_fails(f, "s", "k", DEMON_DENIED, "0600 is needed");
		else
			assert_value(f, "s", "k", "hunter2");
	}
}

static void a_file_of_someone_else_is_refused(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	write_file(f, "{'s':{'k':'hunter2'}}");
	assert_int_equal(chown(f->file, 12345, 0), 0);
	open_secrets(f, NULL, f->file, NULL);
	assert_fails(f, "s", "k", DEMON_DENIED, "belongs to user 12345");
}

static void of_a_link_the_target_counts(void **state)
{
	struct fixture *f = *state;
	const char *link = test_path(f->dir, "link");

	write_file(f, "{'s':{'k':'hunter2'}}");
	assert_int_equal(symlink(f->file, link), 0);
	open_secrets(f, NULL, link, NULL);
	assert_value(f, "s", "k", "hunter2");
	assert_int_equal(chmod(f->file, 0640), 0);
	assert_fails(f, "s", "k", DEMON_DENIED, "0640");
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
	struct fixture *f = *state;
	const char *pipe = test_path(f->dir, "pipe");

	assert_int_equal(mkfifo(pipe, 0600), 0);
	open_secrets(f, NULL, pipe, NULL);
	assert_fails(f, "s", "k", DEMON_INVALID, "is no file");
	open_secrets(f, NULL, f->dir, NULL);
	assert_fails(f, "s", "k", DEMON_INVALID, "is no file");
	open_secrets(f, NULL, "/dev/zero", NULL);
	assert_fails(f, "s", "k", DEMON_INVALID, "is no file");
}

static void a_file_is_read_as_it_is_now(void **state)
{
	struct fixture *f = *state;

	open_secrets(f, NULL, f->file, NULL);
	assert_fails(f, "s", "k", DEMON_NOTFOUND, "there is no file");
	write_file(f, "{'s':{'k':'one'}}");
	assert_value(f, "s", "k", "one");
	write_file(f, "{'s':{'k':'two'}}");
	assert_value(f, "s", "k", "two");
	assert_int_equal(unlink(f->file), 0);
	assert_fails(f, "s", "k", DEMON_NOTFOUND, "there is no file");
}

static void a_file_that_is_not_as_it_should_be_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "hunter2",
	    "'hunter2'",
	    "{'s':'hunter2'}",
	    "{'s':['hunter2']}",
	    "{'s':{'k':'hunter2','n':1}}",
	    "{'s':{'k':{'k':'hunter2'}}}",
	    "{'s':{'k':'hunter2'}}{",
	    "{'s':{'k':'hunter2','k':'hunter2'}}",
	    "{'s':{'hunter2','k':'x'}}",
	    "{'s':{'k':'hunter2",
	    "{'s':{'k':'a\\u0000hunter2'}}",
	    "{'s':{'k':'\xff hunter2'}}",
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	    "\xef\xbb\xbf{'s':{'k':'hunter2'}}",
	};
	struct fixture *f = *state;

	open_secrets(f, NULL, f->file, NULL);
	for (size_t i = 0; i < demon_count(bad); i++) {
		write_file(f, bad[i]);
		assert_fails(f, "s", "k", DEMON_INVALID, f->file);
	}
	write_file(f, "{'s':{'k':''}}");
	assert_fails(f, "s", "k", DEMON_INVALID, "empty");
	write_file(f, "{'s':{'k':'x'},'t':{}}");
	assert_fails(f, "t", "k", DEMON_NOTFOUND, "does not have it");
	assert_fails(f, "u", "k", DEMON_NOTFOUND, "does not have it");
	assert_value(f, "s", "k", "x");
}

static void a_file_that_is_too_large_is_not_read(void **state)
{
	struct fixture *f = *state;

	write_file(f, "{}");
	assert_int_equal(truncate(f->file, 1024 * 1024 + 1), 0);
	open_secrets(f, NULL, f->file, NULL);
	assert_fails(f, "s", "k", DEMON_INVALID, "larger than");
}

static void values_have_a_limit_in_a_file_too(void **state)
{
	struct fixture *f = *state;
	DEMON_BUF(text, 0);

	demon_buf_str(&text, "{\"s\":{\"k\":\"");
	for (int i = 0; i < 65536; i++)
		demon_buf_char(&text, 'x');
	demon_buf_str(&text, "\"}}");
	open_secrets(f, NULL, f->file, NULL);
	write_file(f, text.data);
	assert_value(f, "s", "k",
		     (text.data[text.len - 3] = '\0', text.data + strlen("{\"s\":{\"k\":\"")));
	text.data[text.len - 3] = 'x';
	text.data[text.len - 2] = '"';
	demon_buf_char(&text, '}');
	write_file(f, text.data);
	assert_fails(f, "s", "k", DEMON_INVALID, "more than 65536 bytes");
}

/* Secrets from a shell that gets scope and key as $1 and $2. */
static void open_script(struct fixture *f, const char *script)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "SECRET_OTHER_KEY=hunter2", "X=y",
					  NULL};
	const char *const command[] = {"sh", "-c", script, "sh", NULL};

	open_secrets(f, env, NULL, command);
}

static void a_command_answers_on_its_output(void **state)
{
	struct fixture *f = *state;

	open_script(f, "echo \"$# $1 $2 $X $SECRET_OTHER_KEY\"; echo hunter2 >&2");
	assert_value(f, "scope", "some-key", "2 scope some-key y ");
	open_script(f, "printf 'a\\n\\n'");
	assert_value(f, "s", "k", "a\n");
	open_script(f, "printf 'a\\nb'");
	assert_value(f, "s", "k", "a\nb");
	open_script(f, "cat; echo x"); /* there is nothing to read */
	assert_value(f, "s", "k", "x");
}

static void a_command_is_asked_last(void **state)
{
	static const char *const env[] = {"SECRET_S_A=env", NULL};
	static const char *const command[] = {"/bin/sh", "-c", "echo command", NULL};
	struct fixture *f = *state;

	write_file(f, "{'s':{'a':'file','b':'file'}}");
	open_secrets(f, env, f->file, command);
	assert_value(f, "s", "a", "env");
	assert_value(f, "s", "b", "file");
	assert_value(f, "s", "c", "command");
	assert_int_equal(unlink(f->file), 0);
	assert_value(f, "s", "b", "command");
	write_file(f, "{}");
	assert_int_equal(chmod(f->file, 0644), 0);
	assert_fails(f, "s", "c", DEMON_DENIED, "0644");
}

static void a_command_that_does_not_answer_is_at_fault(void **state)
{
	static const struct {
		const char *script;
		const char *message;
	} samples[] = {
	    {"echo hunter2; echo hunter2 >&2; exit 3",
	     "secret 's/k': command 'sh' ended with status 3"},
	    {"echo hunter2; kill -9 $$", "was ended by signal 9"},
	    {"true", "the value is empty"},
	    {"echo", "the value is empty"},
	    {"printf 'a\\0hunter2'", "has a NUL"},
	    {"printf '\\377hunter2'", "is not UTF-8"},
	    {"head -c 65537 /dev/zero", "more than 65536 bytes"},
	    {"head -c 10000000 /dev/zero", "more than 65536 bytes"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(samples); i++) {
		open_script(f, samples[i].script);
		assert_fails(f, "s", "k", DEMON_INVALID, samples[i].message);
	}
}

static void a_command_may_answer_with_the_most_there_is(void **state)
{
	struct fixture *f = *state;
	DEMON_BUF(value, 0);

	open_script(f, "head -c 65536 /dev/zero | tr '\\0' x");
	assert_ok(demon_secrets_get(f->secrets, "s", "k", &value, &err), &err);
	assert_int_equal(value.len, 65536);
}

static void a_command_that_hangs_is_ended(void **state)
{
	struct fixture *f = *state;

	open_script(f, "echo hunter2; exec sleep 100");
	assert_fails(f, "s", "k", DEMON_INVALID, "did not end within 10 s");
}

static void a_command_that_is_not_there(void **state)
{
	static const char *const env[] = {"PATH=relative:/nonexistent", NULL};
	static const char *const absent[] = {"sh", NULL};
	static const char *const nowhere[] = {"/nonexistent/x", NULL};
	static const char *const none[] = {NULL};
	const char *folder[] = {NULL, NULL};
	struct fixture *f = *state;
	struct demon_secrets_options options = {.command = none};

	folder[0] = f->dir;
	open_secrets(f, env, NULL, absent);
	assert_fails(f, "s", "k", DEMON_INVALID, "not found in PATH");
	open_secrets(f, NULL, NULL, nowhere);
	assert_fails(f, "s", "k", DEMON_INVALID, "cannot start");
	open_secrets(f, NULL, NULL, folder);
	assert_fails(f, "s", "k", DEMON_INVALID, "cannot start");
	demon_secrets_close(demon_take(f->secrets));
	assert_rc(demon_secrets_open(&options, &f->secrets, &err), DEMON_INVALID, &err);
	options = (struct demon_secrets_options){.file = ""};
	assert_rc(demon_secrets_open(&options, &f->secrets, &err), DEMON_INVALID, &err);
}

/* Notes names as "scope/key@at+len ". */
static enum demon_rc note_name(void *ctx, const char *scope, const char *key, size_t at, size_t len,
			       struct demon_err *why)
{
	if (strcmp(scope, "stop") == 0)
		return demon_err_set(why, DEMON_CONFLICT, "stopped");
	demon_buf_fmt(ctx, "%s/%s@%zu+%zu ", scope, key, at, len);
	return DEMON_OK;
}

static void names_are_found_in_text(void **state)
{
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	static const struct {
		const char *text;
		const char *names;
	} samples[] = {
	    {"", ""},
	    {"secret://a/b", "a/b@0+12 "},
	    {"x=secret://a-1/B_2, y=secret://c/d/e.", "a-1/B_2@2+16 c/d@22+12 "},
	    {"secret://a", ""},
	    {"secret://a/", ""},
	    {"secret:///b", ""},
	    {"secret://a//b", ""},
	    {"secret://a b/c", ""},
	    {"secret:/a/b Secret://a/b secret//a/b", ""},
	    {"secret://secret://a/b", "a/b@9+12 "},
	    {"secret://a/secret://b/c", "a/secret@0+17 "},
	    {"secret://" C64 "/" C64, C64 "/" C64 "@0+138 "},
	    {"secret://" C64 "c/k secret://a/b", "a/b@77+12 "},
	    {"secret://k/" C64 "c", ""},
	};

	(void)state;
	for (size_t i = 0; i < demon_count(samples); i++) {
		DEMON_BUF(names, 0);

		assert_ok(demon_secret_each(samples[i].text, strlen(samples[i].text), note_name,
					    &names, &err),
			  &err);
		assert_string_equal(names.data, samples[i].names);
	}
	for (size_t len = 0; len < 12; len++) { /* does not read beyond */
		DEMON_BUF(names, 0);

		assert_ok(demon_secret_each("secret://a/b", len, note_name, &names, &err), &err);
		assert_string_equal(names.data, "");
	}
}

static void looking_for_names_stops_where_it_is_told(void **state)
{
	const char *text = "secret://a/b secret://stop/x secret://c/d";
	DEMON_BUF(names, 0);

	(void)state;
	assert_rc(demon_secret_each(text, strlen(text), note_name, &names, &err), DEMON_CONFLICT,
		  &err);
	assert_string_equal(names.data, "a/b@0+12 ");
}

static json_t *tree(const char *text)
{
	char *copy = strdup(text);
	json_t *json = NULL;

	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	assert_ok(demon_json_parse(copy, strlen(copy), &demon_json_payload_limits, &json, &err),
		  &err);
	free(copy);
	return json;
}

static const char *const fill_env[] = {"SECRET_DB_PW=hunter2", "SECRET_DB_USER=ro\"ot",
				       "SECRET_X_Y=secret://db/pw", NULL};

/* Fills and compares, by canonical text. */
static void assert_filled(struct fixture *f, const char *with, const char *places, enum demon_rc rc,
			  const char *want)
{
	json_t *tree_with = tree(with);
	json_t *tree_places = tree(places);
	json_t *tree_want = tree(want);
	DEMON_REDACTOR(r);
	DEMON_BUF(got, 0);

	open_secrets(f, fill_env, NULL, NULL);
	assert_rc(demon_secrets_fill(f->secrets, tree_with, tree_places, &r, &err), rc, &err);
	assert_ok(demon_json_canonical(tree_with, &got, &err), &err);
	if (!json_equal(tree_with, tree_want))
		fail_msg("%s became %s", with, got.data);
	json_decref(tree_with);
	json_decref(tree_places);
	json_decref(tree_want);
}

static void values_take_the_place_of_names(void **state)
{
	struct fixture *f = *state;

	assert_filled(f, "{'a':'secret://db/pw'}", "['/a']", DEMON_OK, "{'a':'hunter2'}");
	assert_filled(f, "{'a':['x',{'b/c~d':'-secret://db/user:secret://db/pw.'}]}",
		      "['/a/1/b~1c~0d']", DEMON_OK, "{'a':['x',{'b/c~d':'-ro\\'ot:hunter2.'}]}");
	assert_filled(f, "['secret://db/pw','secret://db/user']", "['/0','/1']", DEMON_OK,
		      "['hunter2','ro\\'ot']");
	assert_filled(f, "{'':'secret://db/pw'}", "['/']", DEMON_OK, "{'':'hunter2'}");
	assert_filled(f, "'secret://db/pw'", "['']", DEMON_OK, "'hunter2'");
	assert_filled(f, "{'a':'plain'}", "['/a']", DEMON_OK, "{'a':'plain'}");
}

static void only_named_places_are_filled(void **state)
{
	struct fixture *f = *state;

	assert_filled(f, "{'a':'secret://db/pw','b':'secret://db/pw'}", "['/b']", DEMON_OK,
		      "{'a':'secret://db/pw','b':'hunter2'}");
	assert_filled(f, "{'a':'secret://db/pw'}", "[]", DEMON_OK, "{'a':'secret://db/pw'}");
}

static void what_a_value_says_is_no_name(void **state)
{
	struct fixture *f = *state;

	assert_filled(f, "{'a':'secret://x/y'}", "['/a','/a']", DEMON_OK, "{'a':'secret://db/pw'}");
}

static void a_failure_changes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_filled(f, "{'a':'secret://db/pw','b':'secret://no/no'}", "['/a','/b']",
		      DEMON_NOTFOUND, "{'a':'secret://db/pw','b':'secret://no/no'}");
	assert_contains(err.msg, "at '/b': secret 'no/no'");
	static const char *const places[] = {"['/b']",   "['/a/0']", "['a']",     "['/c']",
					     "['']",     "[1]",      "['/l/01']", "['/l/-']",
					     "['/l/9']", "['/l/x']"};
	for (size_t i = 0; i < demon_count(places); i++)
		assert_filled(f, "{'a':'secret://db/pw','c':1,'l':['secret://db/pw']}", places[i],
			      DEMON_INVALID, "{'a':'secret://db/pw','c':1,'l':['secret://db/pw']}");
}

static void what_was_filled_in_is_redacted_from_then_on(void **state)
{
	struct fixture *f = *state;
	json_t *with = tree("{'a':'secret://db/pw','b':'secret://db/user'}");
	json_t *places = tree("['/a','/b']");
	DEMON_REDACTOR(r);
	DEMON_BUF(out, 0);

	open_secrets(f, fill_env, NULL, NULL);
	assert_ok(demon_secrets_fill(f->secrets, with, places, &r, &err), &err);
	demon_redact_text(&r, "hunter2 ro\"ot ro\\\"ot", 20, &out);
	assert_string_equal(out.data, DEMON_REDACTED " " DEMON_REDACTED " " DEMON_REDACTED);
	assert_ok(demon_redact_json(&r, with, &err), &err);
	assert_string_equal(json_string_value(json_object_get(with, "a")), DEMON_REDACTED);
	json_decref(with);
	json_decref(places);
}

static void running_out_of_memory_is_an_error(void **state)
{
	static const char *const command[] = {"/bin/echo", NULL};
	struct fixture *f = *state;
	enum demon_rc rc = DEMON_NOMEM;

	write_file(f, "{'db':{'x':'a\\nb'}}");
	for (unsigned nth = 1; rc; nth++) {
		const struct demon_secrets_options options = {fill_env, f->file, command};
		json_t *with = tree("['secret://db/pw','secret://db/x','secret://db/y']");
		json_t *places = tree("['/0','/1','/2']");
		DEMON_REDACTOR(r);

		demon_secrets_close(demon_take(f->secrets));
		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
		rc = demon_secrets_open(&options, &f->secrets, &err);
		if (!rc)
			rc = demon_secrets_fill(f->secrets, with, places, &r, &err);
		(void)demon_fault_disarm();
		assert_string_equal(json_string_value(json_array_get(with, 2)),
				    rc ? "secret://db/y" : "db y");
		if (rc)
			assert_int_equal(rc, DEMON_NOMEM);
		json_decref(with);
		json_decref(places);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_environment_comes_first),
	    TEST(names_that_are_none_are_refused),
	    TEST(a_file_that_others_may_use_is_refused),
	    TEST(a_file_of_someone_else_is_refused),
	    TEST(of_a_link_the_target_counts),
	    TEST(what_is_no_file_is_refused_without_waiting),
	    TEST(a_file_is_read_as_it_is_now),
	    TEST(a_file_that_is_not_as_it_should_be_is_refused),
	    TEST(a_file_that_is_too_large_is_not_read),
	    TEST(values_have_a_limit_in_a_file_too),
	    TEST(a_command_answers_on_its_output),
	    TEST(a_command_is_asked_last),
	    TEST(a_command_that_does_not_answer_is_at_fault),
	    TEST(a_command_may_answer_with_the_most_there_is),
	    TEST(a_command_that_hangs_is_ended),
	    TEST(a_command_that_is_not_there),
	    TEST(names_are_found_in_text),
	    TEST(looking_for_names_stops_where_it_is_told),
	    TEST(values_take_the_place_of_names),
	    TEST(only_named_places_are_filled),
	    TEST(what_a_value_says_is_no_name),
	    TEST(a_failure_changes_nothing),
	    TEST(what_was_filled_in_is_redacted_from_then_on),
	    TEST(running_out_of_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
