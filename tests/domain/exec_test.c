#include "support/test.h"

#include "support/exec_calls.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static void arguments_that_exec_cannot_use_are_refused(void **state)
{
	struct exec_calls *f = *state;
	const struct demon_capsule *exec = &demon_capsule_exec;

	assert_string_equal(exec_problems(f, exec, NULL),
			    "|value|missing required argument 'command'\n");
	assert_contains(exec_problems(f, exec, "{\"command\":\"ls\"}"),
			"/command|value|argument 'command': expected a list of strings, found a "
			"string");
	assert_contains(exec_problems(f, exec, "{\"command\":[]}"), "found an empty list");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"\"]}"),
			"/command/0|value|argument 'command': the program's name is empty");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\",1]}"),
			"/command/1|value|argument 'command': expected a string, found an integer");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"comand\":1}"),
			"/comand|key|unknown argument 'comand' (did you mean 'command'?)");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"workdir\":\"\"}"),
			"/workdir|value|argument 'workdir': is empty");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"env\":{\"A\":1}}"),
			"/env/A|value|argument 'env': value of 'A': expected a string, found an "
			"integer");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"env\":{\"A=B\":\"\"}}"),
			"/env/A=B|key|argument 'env': 'A=B' is not a name");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"env\":{\"DEMON_STEP\":\"\"}}"),
	    "/env/DEMON_STEP|key|argument 'env': 'DEMON_STEP': names that begin with "
	    "DEMON_ are reserved");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"timeout\":\"soon\"}"),
			"/timeout|value|argument 'timeout': expected seconds above 0 or a "
			"duration such as PT30S, at most 30 days, found another string");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"idempotent\":\"yes\"}"),
			"/idempotent|value|argument 'idempotent': expected true or false, found a "
			"string");
}

static void exec_is_repeated_only_where_it_says_so(void **state)
{
	struct exec_calls *f = *state;

	exec_set(&f->with, "{\"command\":[\"a\"]}");
	assert_false(demon_capsule_exec.idempotent(f->with));
	exec_set(&f->with, "{\"command\":[\"a\"],\"idempotent\":true}");
	assert_true(demon_capsule_exec.idempotent(f->with));
	assert_true(demon_capsule_echo.idempotent(NULL));
}

static void exec_answers_with_status_and_output(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "echo out; echo err >&2", NULL);
	exec_success(f);
	assert_int_equal(exec_number(f, "result.data.exitCode"), 0);
	assert_string_equal(exec_text(f, "result.data.stdout"), "out\n");
	assert_string_equal(exec_text(f, "result.data.stderr"), "err\n");
	assert_true(json_is_number(exec_at(f, "result.data.durationMs")));
	assert_int_equal(exec_number(f, "metrics.counters.stdoutBytes"), 4);
	assert_string_equal(exec_text(f, "provenance.source.system"), "exec-capsule");
}

static void exec_fails_with_the_exit_status_and_the_last_word_of_stderr(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "echo part; echo one >&2; echo '  disk is full ' >&2; echo >&2; exit 3",
		    NULL);
	exec_failure(f, "EXEC_EXIT", "'/bin/sh' exited with status 3: disk is full");
	assert_int_equal(exec_number(f, "result.error.details.exitCode"), 3);
	assert_string_equal(exec_text(f, "result.error.details.stdout"), "part\n");
}

static void exec_fails_with_the_signal_that_killed_the_program(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "kill -SEGV $$", NULL);
	exec_failure(f, "EXEC_SIGNAL", "was killed by signal 11 (SIGSEGV)");
	assert_int_equal(exec_number(f, "result.error.details.signal"), SIGSEGV);
}

static void output_that_grows_when_escaped_is_cut_to_fit(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f,
		    "head -c 65536 /dev/zero | tr '\\0' '\\1'; head -c 65536 /dev/zero >&2; exit 1",
		    NULL);
	exec_failure(f, "EXEC_EXIT", "exited with status 1");
	assert_true(f->text.len > (size_t)300 * 1024);
	assert_contains(f->text.data, "stdout was cut: 30709 of 65536 bytes are kept");
	assert_contains(f->text.data, "stderr was cut: 61418 of 65536 bytes are kept");
}

static void output_that_is_not_utf_8_is_repaired(void **state)
{
	struct exec_calls *f = *state;

	exec_script(
	    f, "printf 'a\\000b\\377c\\303\\251d\\355\\240\\200e\\360\\237\\230\\200f\\303'", NULL);
	assert_string_equal(exec_text(f, "result.data.stdout"),
			    "a\ufffdb\ufffdc\u00e9d\ufffd\ufffd\ufffde\U0001f600f\ufffd");
}

static void a_character_at_the_cut_is_left_out_whole(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "head -c 65535 /dev/zero | tr '\\0' x; printf '\\303\\251'", NULL);
	assert_int_equal(json_string_length(exec_at(f, "result.data.stdout")),
			 65535 + strlen("\n\u2026 [cut: 2 bytes]\n"));
	assert_contains(f->text.data, "stdout was cut: 65535 of 65537 bytes are kept");
}

static void a_program_that_cannot_start_is_told_from_one_that_failed(void **state)
{
	struct exec_calls *f = *state;
	char with[4096];

	exec_run(f, &demon_capsule_exec, "{\"command\":[\"no-such-program\"]}");
	exec_failure(f, "EXEC_START",
		     "cannot start the program: 'no-such-program' was not found in PATH");
	assert_string_equal(exec_text(f, "result.error.details.program"), "no-such-program");
	exec_run(f, &demon_capsule_exec, "{\"command\":[\"/no/such/program\"]}");
	exec_failure(f, "EXEC_START", "cannot start '/no/such/program': No such file");
	exec_run(f, &demon_capsule_exec,
		 "{\"command\":[\"/bin/true\"],\"workdir\":\"/no/folder\"}");
	exec_failure(f, "EXEC_START", "cannot enter the folder '/no/folder': No such file");
	test_write(test_path(f->dir, "text"), "no program", 10);
	assert_int_equal(chmod(test_path(f->dir, "text"), 0755), 0);
	(void)snprintf(with, sizeof(with), "{\"command\":[\"./text\"],\"workdir\":\"%s\"}", f->dir);
	exec_run(f, &demon_capsule_exec, with);
	exec_failure(f, "EXEC_START", "cannot start './text': Exec format error");
}

static void the_environment_is_made_anew(void **state)
{
	struct exec_calls *f = *state;
	const char *out;
	char mark[128];

	/* NOLINTBEGIN(concurrency-mt-unsafe): no other thread is there */
	assert_int_equal(setenv("SECRET_OF_THE_NODE", "hush", 1), 0);
	assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
	/* NOLINTEND(concurrency-mt-unsafe) */
	exec_set(&f->input,
		 "{\"backup\":\"/b/c d.db\",\"n\":1.5,\"ok\":true,\"list\":[1],\"a-b\":\"x\","
		 "\"_x1\":\"y\",\"none\":null}");
	exec_run(f, &demon_capsule_exec,
		 "{\"command\":[\"env\"],\"env\":{\"MINE\":\"a=b\",\"HOME\":\"/h\"}}");
	exec_success(f);
	out = exec_text(f, "result.data.stdout");
	assert_null(strstr(out, "SECRET_OF_THE_NODE"));
	assert_contains(out, "TZ=Europe/Berlin\n");
	assert_contains(out, "PATH=");
	assert_contains(out, "MINE=a=b\n");
	assert_contains(out, "HOME=/h\n");
	(void)snprintf(mark, sizeof(mark), "DEMON_IDEMPOTENCY_KEY=%s\n", f->key);
	assert_contains(out, mark);
	assert_contains(out, "DEMON_TENANT=blue\nDEMON_RITUAL=greet\nDEMON_RUN_ID=r-1\n"
			     "DEMON_STEP=Say hello\nDEMON_ATTEMPT=2\n");
	assert_contains(out, "\nDEMON_INPUT={\"_x1\":\"y\",\"a-b\":\"x\",\"backup\":\"/b/c d.db\","
			     "\"list\":[1],\"n\":1.5,\"none\":null,\"ok\":true}\n");
	assert_contains(out, "DEMON_PARAM_BACKUP=/b/c d.db\nDEMON_PARAM_N=1.5\n"
			     "DEMON_PARAM_OK=true\nDEMON_PARAM__X1=y\n");
	assert_null(strstr(out, "DEMON_PARAM_LIST"));
	assert_null(strstr(out, "DEMON_PARAM_NONE"));
	/* NOLINTBEGIN(concurrency-mt-unsafe) */
	assert_int_equal(unsetenv("SECRET_OF_THE_NODE"), 0);
	assert_int_equal(unsetenv("TZ"), 0);
	/* NOLINTEND(concurrency-mt-unsafe) */
}

static void the_step_can_set_the_path_that_finds_its_program(void **state)
{
	struct exec_calls *f = *state;
	char with[8192];

	test_write(test_path(f->dir, "tool"), "#!/bin/sh\necho found\n", 21);
	(void)snprintf(with, sizeof(with), "{\"command\":[\"tool\"],\"env\":{\"PATH\":\"%s\"}}",
		       f->dir);
	exec_run(f, &demon_capsule_exec, with);
	exec_failure(f, "EXEC_START", "'tool' was not found in PATH");
	assert_int_equal(chmod(test_path(f->dir, "tool"), 0755), 0);
	exec_run(f, &demon_capsule_exec, with);
	exec_success(f);
	assert_string_equal(exec_text(f, "result.data.stdout"), "found\n");
	(void)snprintf(with, sizeof(with),
		       "{\"command\":[\"tool\"],\"workdir\":\"%s\",\"env\":{\"PATH\":\".:\"}}",
		       f->dir);
	exec_run(f, &demon_capsule_exec, with);
	exec_failure(f, "EXEC_START", "'tool' was not found in PATH");
}

static void input_members_that_become_one_variable_stop_the_step(void **state)
{
	struct exec_calls *f = *state;

	exec_set(&f->input, "{\"a\":1,\"A\":2}");
	exec_run(f, &demon_capsule_exec, "{\"command\":[\"true\"]}");
	exec_failure(f, "EXEC_START", "two members of the run's input become DEMON_PARAM_A");
}

static void input_that_is_too_large_for_a_variable_is_left_out(void **state)
{
	struct exec_calls *f = *state;
	size_t len = (size_t)200 * 1024;
	char *large = malloc(len + 1);

	assert_non_null(large);
	memset(large, 'x', len);
	large[len] = '\0';
	json_decref(f->input);
	f->input = json_pack("{s:s, s:s}", "large", large, "small", "s");
	free(large);
	exec_run(f, &demon_capsule_exec, "{\"command\":[\"env\"]}");
	exec_success(f);
	assert_contains(f->text.data, "variable DEMON_INPUT was left out");
	assert_contains(f->text.data, "variable DEMON_PARAM_LARGE was left out");
	assert_contains(exec_text(f, "result.data.stdout"), "DEMON_PARAM_SMALL=s\n");
}

static void stdin_is_the_text_or_nothing(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "cat; echo end", NULL);
	assert_string_equal(exec_text(f, "result.data.stdout"), "end\n");
	exec_script(f, "wc -c; head -c 3 /dev/stdin", ",\"stdin\":\"hello\"");
	assert_contains(exec_text(f, "result.data.stdout"), "5\n");
	/* nobody reads it: no signal, no failure */
	exec_run(f, &demon_capsule_exec, "{\"command\":[\"true\"],\"stdin\":\"hello\"}");
	exec_success(f);
}

static void limits_that_make_no_sense_are_refused(void **state)
{
	struct exec_calls *f = *state;
	const struct demon_capsule *exec = &demon_capsule_exec;

	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":[]}"),
			"/limits|value|argument 'limits': expected a mapping, found a list");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":{\"cpuSecond\":1}}"),
	    "/limits/cpuSecond|key|unknown argument 'cpuSecond' (did you mean "
	    "'cpuSeconds'?)");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":{\"cpuSeconds\":0}}"),
	    "/limits/cpuSeconds|value|limit 'cpuSeconds': expected an integer from 1 "
	    "to 2592000\n");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":{\"openFiles\":\"9\"}}"),
	    "/limits/openFiles|value|limit 'openFiles': expected an integer from 1 to "
	    "1048576, found a string\n");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":{\"memoryBytes\":1.5}}"),
	    "expected an integer from 1 to 70368744177664, found a number");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":{\"outputBytes\":200000}}"),
	    "expected an integer from 1 to 184320");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"limits\":{\"coreBytes\":-1}}"),
	    "expected an integer from 0 to");
	assert_string_equal(
	    exec_problems(f, exec,
			  "{\"command\":[\"a\"],\"limits\":{\"cpuSeconds\":1,\"memoryBytes\":1,"
			  "\"fileBytes\":1,\"openFiles\":1,\"processes\":1,\"coreBytes\":0,"
			  "\"outputBytes\":1}}"),
	    "");
}

static void names_that_are_not_passed_on_are_refused(void **state)
{
	struct exec_calls *f = *state;
	const struct demon_capsule *exec = &demon_capsule_exec;
	json_t *many = json_array();

	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"passEnv\":\"A\"}"),
			"/passEnv|value|argument 'passEnv': expected a list of names, found a "
			"string");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"passEnv\":[\"A\",1]}"),
			"/passEnv/1|value|argument 'passEnv': expected a string, found an integer");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"passEnv\":[\"A*\"]}"),
			"/passEnv/0|value|argument 'passEnv': 'A*' is not a name");
	assert_contains(exec_problems(f, exec, "{\"command\":[\"a\"],\"passEnv\":[\"DEMON_KEY\"]}"),
			"/passEnv/0|value|argument 'passEnv': 'DEMON_KEY': names that begin with "
			"DEMON_ are reserved");
	assert_contains(
	    exec_problems(f, exec, "{\"command\":[\"a\"],\"passEnv\":[\"SECRET_A_B\"]}"),
	    "'SECRET_A_B': secrets are not passed on");
	for (int i = 0; i < 257; i++)
		(void)json_array_append_new(many, json_string("A"));
	json_decref(f->with);
	f->with = json_pack("{s:[s], s:o}", "command", "a", "passEnv", many);
	exec_call(f, exec);
	exec_failure(f, "EXEC_ARGUMENTS", "argument 'passEnv': more than 256 names");
}

static void variables_are_passed_on_by_name(void **state)
{
	struct exec_calls *f = *state;

	/* NOLINTBEGIN(concurrency-mt-unsafe): no other thread is there */
	assert_int_equal(setenv("OF_THE_NODE", "given", 1), 0);
	assert_int_equal(setenv("OF_THE_NODE_TOO", "kept", 1), 0);
	assert_int_equal(setenv("LD_LIBRARY_PATH", "/nowhere", 1), 0);
	/* NOLINTEND(concurrency-mt-unsafe) */
	exec_run(f, &demon_capsule_exec,
		 "{\"command\":[\"env\"],\"passEnv\":[\"OF_THE_NODE\",\"OF_NOBODY\","
		 "\"OF_THE_NODE\",\"HOME\"]}");
	exec_success(f);
	assert_contains(exec_text(f, "result.data.stdout"), "\nOF_THE_NODE=given\n");
	assert_null(
	    strstr(strstr(exec_text(f, "result.data.stdout"), "OF_THE_NODE=") + 1, "OF_THE_NODE"));
	assert_null(strstr(exec_text(f, "result.data.stdout"), "OF_NOBODY"));
	assert_null(strstr(exec_text(f, "result.data.stdout"), "LD_LIBRARY_PATH"));
	exec_run(f, &demon_capsule_exec,
		 "{\"command\":[\"env\"],\"passEnv\":[\"OF_THE_NODE\",\"LD_LIBRARY_PATH\"],"
		 "\"env\":{\"OF_THE_NODE\":\"set\"}}");
	assert_contains(exec_text(f, "result.data.stdout"), "OF_THE_NODE=set\n");
	assert_contains(exec_text(f, "result.data.stdout"), "LD_LIBRARY_PATH=/nowhere\n");
	assert_null(strstr(exec_text(f, "result.data.stdout"), "given"));
	/* NOLINTBEGIN(concurrency-mt-unsafe) */
	assert_int_equal(unsetenv("OF_THE_NODE"), 0);
	assert_int_equal(unsetenv("OF_THE_NODE_TOO"), 0);
	assert_int_equal(unsetenv("LD_LIBRARY_PATH"), 0);
	/* NOLINTEND(concurrency-mt-unsafe) */
}

static void arguments_that_were_not_checked_are_an_error(void **state)
{
	struct exec_calls *f = *state;

	exec_set(&f->with, "{\"command\":[\"echo\",7]}");
	exec_call(f, &demon_capsule_exec);
	exec_failure(f, "EXEC_ARGUMENTS",
		     "argument 'command': expected a string, found an integer");
	assert_string_equal(exec_text(f, "result.error.details.pointer"), "/command/1");
	json_decref(f->with);
	f->with = json_pack("{s:[s, s#]}", "command", "echo", "a\0b", 3);
	exec_call(f, &demon_capsule_exec);
	exec_failure(f, "EXEC_ARGUMENTS", "argument 'command': has a NUL character");
	exec_set(&f->with, "{\"command\":[\"a\"],\"await\":false,\"timeout\":1}");
	exec_call(f, &demon_capsule_exec);
	exec_failure(f, "EXEC_ARGUMENTS", "'timeout': is for a program that is awaited");
}

static void any_exit_status_can_be_an_answer(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "echo out; exit 7", ",\"anyStatus\":true");
	exec_success(f);
	assert_int_equal(exec_number(f, "result.data.exitCode"), 7);
	exec_script(f, "kill -9 $$", ",\"anyStatus\":true");
	exec_failure(f, "EXEC_SIGNAL", "signal 9");
}

static void the_step_says_how_much_output_is_kept(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "echo 123456789; echo 12345 >&2; exit 1", ",\"limits\":{\"outputBytes\":4}");
	exec_failure(f, "EXEC_EXIT", "exited with status 1");
	assert_string_equal(exec_text(f, "result.error.details.stdout"),
			    "1234\n\u2026 [cut: 6 bytes]\n");
	assert_string_equal(exec_text(f, "result.error.details.stderr"),
			    "1234\n\u2026 [cut: 2 bytes]\n");
	exec_script(f, "echo 123; echo 45", ",\"limits\":{\"outputBytes\":4}");
	assert_string_equal(exec_text(f, "result.data.stdout"), "123\n\u2026 [cut: 3 bytes]\n");
	exec_script(f, "echo 123", ",\"limits\":{\"outputBytes\":4}");
	assert_string_equal(exec_text(f, "result.data.stdout"), "123\n");
	exec_script(f, "head -c 180000 /dev/zero | tr '\\0' x",
		    ",\"limits\":{\"outputBytes\":184320}");
	assert_int_equal(json_string_length(exec_at(f, "result.data.stdout")), 180000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EXEC_TEST(arguments_that_exec_cannot_use_are_refused),
	    EXEC_TEST(limits_that_make_no_sense_are_refused),
	    EXEC_TEST(names_that_are_not_passed_on_are_refused),
	    EXEC_TEST(variables_are_passed_on_by_name),
	    EXEC_TEST(arguments_that_were_not_checked_are_an_error),
	    EXEC_TEST(any_exit_status_can_be_an_answer),
	    EXEC_TEST(the_step_says_how_much_output_is_kept),
	    EXEC_TEST(exec_is_repeated_only_where_it_says_so),
	    EXEC_TEST(exec_answers_with_status_and_output),
	    EXEC_TEST(exec_fails_with_the_exit_status_and_the_last_word_of_stderr),
	    EXEC_TEST(exec_fails_with_the_signal_that_killed_the_program),
	    EXEC_TEST(output_that_grows_when_escaped_is_cut_to_fit),
	    EXEC_TEST(output_that_is_not_utf_8_is_repaired),
	    EXEC_TEST(a_character_at_the_cut_is_left_out_whole),
	    EXEC_TEST(a_program_that_cannot_start_is_told_from_one_that_failed),
	    EXEC_TEST(the_environment_is_made_anew),
	    EXEC_TEST(the_step_can_set_the_path_that_finds_its_program),
	    EXEC_TEST(input_members_that_become_one_variable_stop_the_step),
	    EXEC_TEST(input_that_is_too_large_for_a_variable_is_left_out),
	    EXEC_TEST(stdin_is_the_text_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
