#include "support/test.h"

#include "domain/capsule/shell.h"
#include "support/exec_calls.h"

#include <stdio.h>
#include <sys/stat.h>

static void note(void *ctx, const char *pointer, bool at_key, const char *text)
{
	demon_buf_fmt(ctx, "%s|%s|%s\n", pointer, at_key ? "key" : "value", text);
}

static const char *check(struct exec_calls *f, const char *process, const char *object)
{
	exec_set(&f->with, object);
	demon_buf_clear(&f->problems);
	demon_shell_check(process, f->with, note, &f->problems);
	return f->problems.len ? f->problems.data : "";
}

/* exec's arguments, as canonical JSON; f->with has them. */
static const char *map(struct exec_calls *f, const char *process, const char *object,
		       const char *run)
{
	json_t *given = NULL;
	json_t *around = NULL;
	enum demon_rc rc;

	exec_set(&given, object);
	exec_set(&around, run);
	json_decref(f->with);
	f->with = NULL;
	rc = demon_shell_arguments(process, given, around, &f->with, &f->err);
	json_decref(given);
	json_decref(around);
	if (rc)
		return f->err.msg;
	demon_buf_clear(&f->text);
	assert_ok(demon_json_canonical(f->with, &f->text, &f->err), &f->err);
	return f->text.data;
}

/* Maps and calls; the task's raw output as canonical JSON, or the code of the error. */
static const char *play(struct exec_calls *f, const char *process, const char *object,
			const char *run)
{
	json_t *around = NULL;
	json_t *output;
	const json_t *data;

	(void)map(f, process, object, run);
	assert_non_null(f->with);
	demon_buf_clear(&f->problems);
	demon_capsule_exec.check(f->with, note, &f->problems);
	assert_int_equal(f->problems.len, 0);
	exec_call(f, &demon_capsule_exec);
	if (!json_is_true(exec_at(f, "result.success")))
		return exec_text(f, "result.error.message");
	data = exec_at(f, "result.data");
	exec_set(&around, run);
	output = demon_shell_output(around, data, f->input);
	json_decref(around);
	assert_non_null(output);
	demon_buf_clear(&f->problems);
	assert_ok(demon_json_canonical(output, &f->problems, &f->err), &f->err);
	json_decref(output);
	return f->problems.data;
}

static void what_is_no_shell_is_refused(void **state)
{
	struct exec_calls *f = *state;

	assert_string_equal(check(f, "shell", "{\"command\":\"ls\"}"), "");
	assert_string_equal(check(f, "shell",
				  "{\"command\":\"${ .c }\",\"arguments\":\" ${ .a } \","
				  "\"environment\":\"${ .e }\",\"stdin\":\"${ . }\"}"),
			    "");
	assert_string_equal(check(f, "shell", NULL), "|value|missing required key 'command'\n");
	assert_string_equal(check(f, "shell", "[]"),
			    "|value|arguments: expected a mapping, found a list\n");
	assert_string_equal(check(f, "shell", "{\"command\":[\"ls\"]}"),
			    "/command|value|command: expected a string, found a list\n");
	assert_string_equal(check(f, "shell", "{\"command\":\"\"}"),
			    "/command|value|command: is empty\n");
	assert_contains(check(f, "shell", "{\"comand\":\"ls\"}"),
			"/comand|key|unknown argument 'comand' (did you mean 'command'?)\n");
	assert_string_equal(check(f, "shell", "{\"command\":\"ls\",\"arguments\":\"-l\"}"),
			    "/arguments|value|arguments: expected a list or a mapping, found a "
			    "string\n");
	assert_string_equal(check(f, "shell", "{\"command\":\"ls\",\"environment\":[]}"),
			    "/environment|value|environment: expected a mapping, found a list\n");
	assert_string_equal(check(f, "shell", "{\"command\":\"ls\",\"environment\":{\"a b\":1}}"),
			    "/environment/a b|key|environment: 'a b' is not a name: expected "
			    "letters, digits and '_', no digit first\n");
	assert_string_equal(
	    check(f, "shell", "{\"command\":\"ls\",\"environment\":{\"DEMON_X\":1}}"),
	    "/environment/DEMON_X|key|environment: 'DEMON_X': names that begin "
	    "with DEMON_ are reserved\n");
}

static void what_is_no_script_is_refused(void **state)
{
	struct exec_calls *f = *state;

	assert_string_equal(check(f, "script", "{\"language\":\"js\",\"code\":\"1\"}"), "");
	assert_string_equal(check(f, "script", "{\"language\":\"ruby\",\"code\":\"1\"}"),
			    "/language|value|language: 'ruby' is not supported, expected one of "
			    "sh, bash, python, javascript, js\n");
	assert_contains(check(f, "script", "{\"language\":\"${ .l }\",\"code\":\"1\"}"),
			"/language|value|language: '${ .l }' is not supported");
	assert_string_equal(check(f, "script", "{\"code\":\"1\"}"),
			    "|value|missing required key 'language'\n");
	assert_string_equal(check(f, "script", "{\"language\":7,\"code\":\"1\"}"),
			    "/language|value|language: expected a string, found an integer\n");
	assert_string_equal(check(f, "script", "{\"language\":\"js\"}"),
			    "|value|expected either 'code' or 'source'\n");
	assert_contains(check(f, "script", "{\"language\":\"js\",\"code\":\"1\",\"source\":{}}"),
			"expected either 'code' or 'source'");
	assert_string_equal(check(f, "script", "{\"language\":\"js\",\"source\":\"a.js\"}"),
			    "/source|value|source: expected a mapping, found a string\n");
	assert_string_equal(check(f, "script", "{\"language\":\"js\",\"source\":{}}"),
			    "/source|value|source: missing required key 'endpoint'\n");
	assert_string_equal(
	    check(f, "script", "{\"language\":\"js\",\"source\":{\"endpoint\":{\"uri\":1}}}"),
	    "/source/endpoint/uri|value|source: expected a URI, found an integer\n");
	assert_string_equal(
	    check(f, "script",
		  "{\"language\":\"js\",\"source\":{\"endpoint\":\"https://a/b.js\"}}"),
	    "/source/endpoint|value|source: only file:///PATH is supported, found "
	    "'https://a/b.js'\n");
	assert_contains(
	    check(f, "script", "{\"language\":\"js\",\"source\":{\"endpoint\":\"file:///a%0\"}}"),
	    "only file:///PATH");
	assert_contains(
	    check(f, "script", "{\"language\":\"js\",\"source\":{\"endpoint\":\"file:///a%00\"}}"),
	    "only file:///PATH");
	assert_string_equal(
	    check(f, "script", "{\"language\":\"js\",\"source\":{\"endpoint\":\"${ .u }\"}}"), "");
}

static void what_is_around_a_process_is_checked(void **state)
{
	struct exec_calls *f = *state;

	exec_set(&f->with, "{\"await\":1,\"return\":\"stdin\",\"shell\":{}}");
	demon_shell_check_run(f->with, note, &f->problems);
	exec_set(&f->with, "{\"return\":1}");
	demon_shell_check_run(f->with, note, &f->problems);
	exec_set(&f->with, "{\"await\":false,\"return\":\"all\"}");
	demon_shell_check_run(f->with, note, &f->problems);
	assert_string_equal(f->problems.data,
			    "/await|value|await: expected true or false, found an integer\n"
			    "/return|value|return: expected one of stdout, stderr, code, all, "
			    "none, found another string\n"
			    "/return|value|return: expected one of stdout, stderr, code, all, "
			    "none, found an integer\n");
}

static void a_shell_becomes_a_command(void **state)
{
	struct exec_calls *f = *state;

	assert_string_equal(map(f, "shell", "{\"command\":\"ls $1\"}", NULL),
			    "{\"command\":[\"sh\",\"-c\",\"ls $1\",\"sh\"],\"timeout\":\"P30D\"}");
	assert_string_equal(
	    map(f, "shell",
		"{\"command\":\"x\",\"arguments\":[\"a b\",1,true,null,{\"b\":1,\"a\":[]}],"
		"\"environment\":{\"A\":\"x\",\"B\":2.5},\"stdin\":{\"k\":1}}",
		"{\"return\":\"code\"}"),
	    "{\"anyStatus\":true,\"command\":[\"sh\",\"-c\",\"x\",\"sh\",\"a b\",\"1\",\"true\","
	    "\"null\",\"{\\\"a\\\":[],\\\"b\\\":1}\"],\"env\":{\"A\":\"x\",\"B\":\"2.5\"},"
	    "\"stdin\":\"{\\\"k\\\":1}\",\"timeout\":\"P30D\"}");
	assert_string_equal(map(f, "shell",
				"{\"command\":\"x\",\"arguments\":{\"z\":1,\"a\":\"b c\"}}",
				"{\"await\":false}"),
			    "{\"await\":false,\"command\":[\"sh\",\"-c\",\"x\",\"sh\",\"a=b c\","
			    "\"z=1\"]}");
}

static void what_expressions_made_is_looked_at_again(void **state)
{
	struct exec_calls *f = *state;

	assert_string_equal(map(f, "shell", "{\"command\":7}", NULL),
			    "shell: command: expected a string, found an integer");
	assert_int_equal(f->err.rc, DEMON_INVALID);
	assert_string_equal(map(f, "shell", "{\"command\":\"x\",\"arguments\":\"${ .a }\"}", NULL),
			    "shell: arguments: expected a list or a mapping, found a string");
	assert_string_equal(
	    map(f, "script", "{\"language\":\"js\",\"source\":{\"endpoint\":\"${ . }\"}}", NULL),
	    "script: source: only file:///PATH is supported, found '${ . }'");
	assert_null(f->with);
}

static void a_shell_gets_arguments_environment_and_input(void **state)
{
	struct exec_calls *f = *state;
	static const char shell[] = "{\"command\":\"printf '%s|' \\\"$@\\\"; cat; echo $A >&2\","
				    "\"arguments\":[\"Foo\",\"Bar Baz\"],\"stdin\":\"in\","
				    "\"environment\":{\"A\":\"x\"}}";

	assert_string_equal(play(f, "shell", shell, NULL), "\"Foo|Bar Baz|in\"");
	assert_string_equal(play(f, "shell", shell, "{\"return\":\"stderr\"}"), "\"x\\n\"");
	assert_string_equal(play(f, "shell", shell, "{\"return\":\"code\"}"), "0");
	assert_string_equal(play(f, "shell", shell, "{\"return\":\"none\"}"), "null");
	assert_string_equal(play(f, "shell", shell, "{\"return\":\"all\"}"),
			    "{\"code\":0,\"stderr\":\"x\\n\",\"stdout\":\"Foo|Bar Baz|in\"}");
}

static void a_status_that_is_asked_for_is_no_error(void **state)
{
	struct exec_calls *f = *state;
	static const char shell[] = "{\"command\":\"echo no >&2; exit 3\"}";

	assert_contains(play(f, "shell", shell, NULL), "exited with status 3: no");
	assert_contains(play(f, "shell", shell, "{\"return\":\"none\"}"), "exited with status 3");
	assert_string_equal(play(f, "shell", shell, "{\"return\":\"code\"}"), "3");
	assert_string_equal(play(f, "shell", shell, "{\"return\":\"all\"}"),
			    "{\"code\":3,\"stderr\":\"no\\n\",\"stdout\":\"\"}");
	assert_contains(play(f, "shell", "{\"command\":\"kill -9 $$\"}", "{\"return\":\"code\"}"),
			"was killed by signal 9");
}

/* A script of each language that prints its first two arguments. */
static const struct {
	const char *language;
	const char *program;
	const char *code;
} scripts[] = {
    {"sh", "sh", "printf '%s,%s' \"$1\" \"$2\""},
    {"bash", "bash", "a=($1 $2); printf '%s,%s' \"${a[0]}\" \"${a[1]}\""},
    {"python", "python3", "import sys\nprint(*sys.argv[1:], sep=',', end='')"},
    {"javascript", "node", "const [_, __, a, b] = process.argv; process.stdout.write(a + ',' + b)"},
    {"js", "node", "const [_, __, a, b] = process.argv; process.stdout.write(a + ',' + b)"},
};

static bool is_installed(struct exec_calls *f, const char *program)
{
	char script[128];

	(void)snprintf(script, sizeof(script), "command -v %s", program);
	exec_script(f, script, NULL);
	return json_is_true(exec_at(f, "result.success"));
}

static void scripts_get_their_arguments_in_every_language(void **state)
{
	struct exec_calls *f = *state;

	for (size_t i = 0; i < demon_count(scripts); i++) {
		json_t *script = json_pack("{s:s, s:s, s:[s,s]}", "language", scripts[i].language,
					   "code", scripts[i].code, "arguments", "one", "two");
		char *text = json_dumps(script, 0);
		bool there = is_installed(f, scripts[i].program);

		json_decref(script);
		if (there)
			assert_string_equal(play(f, "script", text, NULL), "\"one,two\"");
		else
			print_message("no %s here\n", scripts[i].program);
		free(text);
	}
}

static void scripts_are_read_from_files(void **state)
{
	struct exec_calls *f = *state;

	for (size_t i = 0; i < demon_count(scripts); i++) {
		const char *path = test_path(f->dir, "a b");
		char text[1024];
		bool there = is_installed(f, scripts[i].program);

		test_write(path, scripts[i].code, strlen(scripts[i].code));
		(void)snprintf(text, sizeof(text),
			       "{\"language\":\"%s\",\"source\":{\"endpoint\":{\"uri\":"
			       "\"file://%s/a%%20b\"}},\"arguments\":[\"one\",\"two\"]}",
			       scripts[i].language, f->dir);
		if (there)
			assert_string_equal(play(f, "script", text, NULL), "\"one,two\"");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EXEC_TEST(what_is_no_shell_is_refused),
	    EXEC_TEST(what_is_no_script_is_refused),
	    EXEC_TEST(what_is_around_a_process_is_checked),
	    EXEC_TEST(a_shell_becomes_a_command),
	    EXEC_TEST(what_expressions_made_is_looked_at_again),
	    EXEC_TEST(a_shell_gets_arguments_environment_and_input),
	    EXEC_TEST(a_status_that_is_asked_for_is_no_error),
	    EXEC_TEST(scripts_get_their_arguments_in_every_language),
	    EXEC_TEST(scripts_are_read_from_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
