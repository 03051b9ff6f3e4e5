#include "support/test.h"

#include "base/json.h"
#include "domain/capsule/arguments.h"
#include "domain/capsule/capsule.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
	char *dir;
	json_t *with;
	json_t *input;
	json_t *envelope;
	struct demon_buf problems; /* "pointer|key|text\n" each */
	struct demon_buf text;
	struct demon_env env;
	demon_ticks ticks;
	demon_ticks leap; /* µs that the clock moves whenever it is read */
	struct demon_err err;
};

static demon_time fixed_now(void *ctx)
{
	(void)ctx;
	return 1767323045678;
}

static demon_ticks leaping_mono(void *ctx)
{
	struct fixture *f = ctx;

	return f->ticks += f->leap;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_dir();
	f->env = *demon_env_real();
	f->env.now = fixed_now;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	json_decref(f->with);
	json_decref(f->input);
	json_decref(f->envelope);
	demon_buf_done(&f->problems);
	demon_buf_done(&f->text);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* From here on the clock of the calls moves by @p ms whenever it is read. */
static void use_leaping_clock(struct fixture *f, int64_t ms)
{
	f->leap = ms * 1000;
	f->env.mono = leaping_mono;
	f->env.ctx = f;
}

static void set(json_t **member, const char *json)
{
	json_error_t error;

	json_decref(*member);
	*member = json ? json_loads(json, 0, &error) : NULL;
	if (json && !*member)
		fail_msg("%s: %s", json, error.text);
}

static void note(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct fixture *f = ctx;

	demon_buf_fmt(&f->problems, "%s|%s|%s\n", pointer, at_key ? "key" : "value", text);
}

static const char *problems_of(struct fixture *f, const struct demon_capsule *capsule,
			       const char *with)
{
	set(&f->with, with);
	demon_buf_clear(&f->problems);
	capsule->check(f->with, note, f);
	return f->problems.len ? f->problems.data : "";
}

static struct demon_call call_of(const struct fixture *f)
{
	return (struct demon_call){.env = &f->env,
				   .with = f->with,
				   .input = f->input,
				   .tenant_id = "blue",
				   .ritual_id = "greet",
				   .run_id = "r-1",
				   .step_name = "Say hello",
				   .idempotency_key = KEY,
				   .attempt = 2};
}

/* Calls a capsule with arguments that its check accepts. */
static void run(struct fixture *f, const struct demon_capsule *capsule, const char *with)
{
	struct demon_call call;

	assert_string_equal(problems_of(f, capsule, with), "");
	json_decref(f->envelope);
	f->envelope = NULL;
	call = call_of(f);
	assert_ok(capsule->run(&call, &f->envelope, &f->err), &f->err);
	demon_buf_clear(&f->text);
	assert_ok(demon_json_canonical(f->envelope, &f->text, &f->err), &f->err);
	assert_ok(demon_buf_rc(&f->text, &f->err), &f->err);
	assert_true(f->text.len < (size_t)400 * 1024);
}

/* Runs a shell script in the test's folder; `more` continues the arguments. */
static void run_script(struct fixture *f, const char *script, const char *more)
{
	json_t *command = json_pack("[s,s,s]", "/bin/sh", "-c", script);
	char *text = json_dumps(command, 0);
	char with[8192];

	(void)snprintf(with, sizeof(with), "{\"command\":%s,\"workdir\":\"%s\"%s}", text, f->dir,
		       more ? more : "");
	free(text);
	json_decref(command);
	run(f, &demon_capsule_exec, with);
}

/* The value at a path of object keys. */
static const json_t *at(const struct fixture *f, const char *path)
{
	const json_t *value = f->envelope;
	char copy[256];
	char *rest = copy;
	char *key;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")))
		value = json_object_get(value, key);
	if (!value)
		fail_msg("no '%s' in %s", path, f->text.data);
	return value;
}

static const char *text_at(const struct fixture *f, const char *path)
{
	return json_string_value(at(f, path));
}

static json_int_t number_at(const struct fixture *f, const char *path)
{
	return json_integer_value(at(f, path));
}

static void assert_success(const struct fixture *f)
{
	if (!json_is_true(at(f, "result.success")))
		fail_msg("expected a success: %s", f->text.data);
}

static void assert_failure(const struct fixture *f, const char *code, const char *message)
{
	if (!json_is_false(at(f, "result.success")))
		fail_msg("expected a failure: %s", f->text.data);
	assert_string_equal(text_at(f, "result.error.code"), code);
	assert_contains(text_at(f, "result.error.message"), message);
}

/* --- registry and arguments --- */

static void every_capsule_is_found_by_its_name(void **state)
{
	size_t count;
	const char *const *names = demon_capsule_names(&count);

	(void)state;
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		const struct demon_capsule *c = demon_capsule_find(names[i]);

		assert_non_null(c);
		assert_string_equal(c->name, names[i]);
	}
	assert_null(names[count]);
	assert_null(demon_capsule_find("ech"));
	assert_null(demon_capsule_find(""));
}

static void durations_are_seconds_or_iso_8601(void **state)
{
	static const struct {
		const char *json;
		int64_t ms; /* 0: refused */
	} rows[] = {
	    {"30", 30000},
	    {"0.5", 500},
	    {"\"PT30S\"", 30000},
	    {"\"PT1M30S\"", 90000},
	    {"\"P1D\"", 86400000},
	    {"\"P1DT12H\"", 129600000},
	    {"\"P1W\"", 604800000},
	    {"\"PT0.25S\"", 250},
	    {"\"PT1.5H\"", 5400000},
	    {"0", 0},
	    {"-1", 0},
	    {"1e300", 0},
	    {"0.0001", 0},
	    {"\"\"", 0},
	    {"\"P\"", 0},
	    {"\"PT\"", 0},
	    {"\"P1DT\"", 0},
	    {"\"30\"", 0},
	    {"\"PT30\"", 0},
	    {"\"P1M\"", 0},
	    {"\"P1Y\"", 0},
	    {"\"PT1S1M\"", 0},
	    {"\"PT1M1M\"", 0},
	    {"\"P31D\"", 0},
	    {"\"PT-1S\"", 0},
	    {"\"pt1s\"", 0},
	    {"\"PT1S \"", 0},
	    {"\"PTT1S\"", 0},
	    {"\"P1.5D\"", 0},
	    {"true", 0},
	    {"null", 0},
	    {"[]", 0},
	    {"\"P1H\"", 0},
	};

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		int64_t ms = 0;
		bool ok = demon_arguments_duration(value, (int64_t)30 * 86400000, &ms);

		json_decref(value);
		if (ok != (rows[i].ms != 0) || ms != rows[i].ms)
			fail_msg("%s: got %s %lld", rows[i].json, ok ? "true" : "false",
				 (long long)ms);
	}
}

static void arguments_that_echo_does_not_know_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct demon_capsule *echo = &demon_capsule_echo;

	assert_string_equal(problems_of(f, echo, NULL), "");
	assert_string_equal(problems_of(f, echo, "{}"), "");
	assert_string_equal(problems_of(f, echo, "{\"mesage\":\"x\",\"message\":1}"),
			    "/mesage|key|unknown argument 'mesage' (did you mean 'message'?)\n"
			    "/message|value|argument 'message': expected a string, found an "
			    "integer\n");
	assert_string_equal(problems_of(f, echo, "{\"a/b~c\":1}"),
			    "/a~1b~0c|key|unknown argument 'a/b~c', expected one of message\n");
	assert_string_equal(problems_of(f, echo, "[]"),
			    "|value|arguments: expected a mapping, found a list\n");
}

static void arguments_that_exec_cannot_use_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct demon_capsule *exec = &demon_capsule_exec;

	assert_string_equal(problems_of(f, exec, NULL),
			    "|value|missing required argument 'command'\n");
	assert_contains(problems_of(f, exec, "{\"command\":\"ls\"}"),
			"/command|value|argument 'command': expected a list of strings, found a "
			"string");
	assert_contains(problems_of(f, exec, "{\"command\":[]}"), "found an empty list");
	assert_contains(problems_of(f, exec, "{\"command\":[\"\"]}"),
			"/command/0|value|argument 'command': the program's name is empty");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\",1]}"),
			"/command/1|value|argument 'command': expected a string, found an integer");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"comand\":1}"),
			"/comand|key|unknown argument 'comand' (did you mean 'command'?)");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"workdir\":\"\"}"),
			"/workdir|value|argument 'workdir': is empty");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"env\":{\"A\":1}}"),
			"/env/A|value|argument 'env': value of 'A': expected a string, found an "
			"integer");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"env\":{\"A=B\":\"\"}}"),
			"/env/A=B|key|argument 'env': 'A=B' is not a name");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"env\":{\"DEMON_STEP\":\"\"}}"),
			"/env/DEMON_STEP|key|argument 'env': 'DEMON_STEP': names that begin with "
			"DEMON_ are reserved");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"timeout\":\"soon\"}"),
			"/timeout|value|argument 'timeout': expected seconds above 0 or a "
			"duration such as PT30S, at most 30 days, found another string");
	assert_contains(problems_of(f, exec, "{\"command\":[\"a\"],\"idempotent\":\"yes\"}"),
			"/idempotent|value|argument 'idempotent': expected true or false, found a "
			"string");
}

static void exec_is_repeated_only_where_it_says_so(void **state)
{
	struct fixture *f = *state;

	set(&f->with, "{\"command\":[\"a\"]}");
	assert_false(demon_capsule_exec.idempotent(f->with));
	set(&f->with, "{\"command\":[\"a\"],\"idempotent\":true}");
	assert_true(demon_capsule_exec.idempotent(f->with));
	assert_true(demon_capsule_echo.idempotent(NULL));
}

/* --- echo --- */

static void echo_answers_with_its_message(void **state)
{
	struct fixture *f = *state;

	use_leaping_clock(f, 1);
	run(f, &demon_capsule_echo, "{\"message\":\"Grüße\"}");
	assert_string_equal(
	    f->text.data,
	    "{\"diagnostics\":[{\"level\":\"info\",\"message\":\"Echo completed at "
	    "2026-01-02T03:04:05Z\",\"timestamp\":\"2026-01-02T03:04:05.678Z\"}],"
	    "\"metrics\":{\"counters\":{\"characterCount\":5},\"duration\":{\"total_ms\":1}},"
	    "\"provenance\":{\"source\":{\"system\":\"echo-capsule\",\"version\":\"0.0.1\"},"
	    "\"timestamp\":\"2026-01-02T03:04:05.678Z\"},"
	    "\"result\":{\"data\":{\"character_count\":5,\"echoed_message\":\"Grüße\","
	    "\"timestamp\":\"2026-01-02T03:04:05.678Z\"},\"success\":true}}");
}

static void echo_warns_of_a_message_that_is_empty_or_long(void **state)
{
	struct fixture *f = *state;
	char with[256];

	run(f, &demon_capsule_echo, NULL);
	assert_success(f);
	assert_int_equal(json_array_size(at(f, "diagnostics")), 2);
	assert_contains(f->text.data, "\"level\":\"warning\",\"message\":\"The message is empty\"");
	assert_string_equal(text_at(f, "result.data.echoed_message"), "");
	(void)snprintf(with, sizeof(with), "{\"message\":\"%0100d\"}", 1);
	run(f, &demon_capsule_echo, with);
	assert_int_equal(json_array_size(at(f, "diagnostics")), 1);
	(void)snprintf(with, sizeof(with), "{\"message\":\"%0101d\"}", 1);
	run(f, &demon_capsule_echo, with);
	assert_contains(f->text.data, "The message is long: 101 characters");
}

static void echo_suggests_to_trim_white_space(void **state)
{
	struct fixture *f = *state;

	run(f, &demon_capsule_echo, "{\"message\":\" \\u00a0hi there\\u3000\\n\"}");
	assert_contains(f->text.data,
			"\"patch\":[{\"op\":\"replace\",\"path\":\"/message\",\"value\":\"hi "
			"there\"}],\"priority\":\"low\"");
	assert_string_equal(text_at(f, "result.data.echoed_message"), " \u00a0hi there\u3000\n");
	run(f, &demon_capsule_echo, "{\"message\":\"   \"}");
	assert_contains(f->text.data, "\"value\":\"\"");
}

/* --- exec --- */

static void exec_answers_with_status_and_output(void **state)
{
	struct fixture *f = *state;

	run_script(f, "echo out; echo err >&2", NULL);
	assert_success(f);
	assert_int_equal(number_at(f, "result.data.exitCode"), 0);
	assert_string_equal(text_at(f, "result.data.stdout"), "out\n");
	assert_string_equal(text_at(f, "result.data.stderr"), "err\n");
	assert_true(json_is_number(at(f, "result.data.durationMs")));
	assert_int_equal(number_at(f, "metrics.counters.stdoutBytes"), 4);
	assert_string_equal(text_at(f, "provenance.source.system"), "exec-capsule");
}

static void exec_fails_with_the_exit_status_and_the_last_word_of_stderr(void **state)
{
	struct fixture *f = *state;

	run_script(f, "echo part; echo one >&2; echo '  disk is full ' >&2; echo >&2; exit 3",
		   NULL);
	assert_failure(f, "EXEC_EXIT", "'/bin/sh' exited with status 3: disk is full");
	assert_int_equal(number_at(f, "result.error.details.exitCode"), 3);
	assert_string_equal(text_at(f, "result.error.details.stdout"), "part\n");
}

static void exec_fails_with_the_signal_that_killed_the_program(void **state)
{
	struct fixture *f = *state;

	run_script(f, "kill -SEGV $$", NULL);
	assert_failure(f, "EXEC_SIGNAL", "was killed by signal 11 (SIGSEGV)");
	assert_int_equal(number_at(f, "result.error.details.signal"), SIGSEGV);
}

static void exec_ends_a_program_whose_time_is_up(void **state)
{
	struct fixture *f = *state;

	run_script(f, "echo begun; exec sleep 600", ",\"timeout\":0.2");
	assert_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	assert_string_equal(text_at(f, "result.error.details.stdout"), "begun\n");
}

static void exec_kills_a_program_that_ignores_the_polite_signal(void **state)
{
	struct fixture *f = *state;

	/* output wakes the wait; the clock, ten minutes a look, does the rest */
	use_leaping_clock(f, 600000);
	run_script(f, "trap '' TERM; while :; do echo still here; done", ",\"timeout\":\"P30D\"");
	assert_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	assert_contains(text_at(f, "result.error.details.stdout"), "still here\n");
}

static void exec_keeps_the_first_64_kib_of_a_flood(void **state)
{
	struct fixture *f = *state;

	run_script(
	    f, "head -c 3000000 /dev/zero | tr '\\0' x; head -c 70000 /dev/zero | tr '\\0' y >&2",
	    NULL);
	assert_success(f);
	assert_int_equal(json_string_length(at(f, "result.data.stdout")), 65536);
	assert_int_equal(json_string_length(at(f, "result.data.stderr")), 65536);
	assert_int_equal(number_at(f, "metrics.counters.stdoutBytes"), 3000000);
	assert_contains(f->text.data, "stdout was cut: 65536 of 3000000 bytes are kept");
	assert_contains(f->text.data, "stderr was cut: 65536 of 70000 bytes are kept");
}

static void output_that_grows_when_escaped_is_cut_to_fit(void **state)
{
	struct fixture *f = *state;

	run_script(f,
		   "head -c 65536 /dev/zero | tr '\\0' '\\1'; head -c 65536 /dev/zero >&2; exit 1",
		   NULL);
	assert_failure(f, "EXEC_EXIT", "exited with status 1");
	assert_true(f->text.len > (size_t)300 * 1024);
	assert_contains(f->text.data, "stdout was cut: 30719 of 65536 bytes are kept");
	assert_contains(f->text.data, "stderr was cut: 61439 of 65536 bytes are kept");
}

static void output_that_is_not_utf_8_is_repaired(void **state)
{
	struct fixture *f = *state;

	run_script(f, "printf 'a\\000b\\377c\\303\\251d\\355\\240\\200e\\360\\237\\230\\200f\\303'",
		   NULL);
	assert_string_equal(text_at(f, "result.data.stdout"),
			    "a\ufffdb\ufffdc\u00e9d\ufffd\ufffd\ufffde\U0001f600f\ufffd");
}

static void a_character_at_the_cut_is_left_out_whole(void **state)
{
	struct fixture *f = *state;

	run_script(f, "head -c 65535 /dev/zero | tr '\\0' x; printf '\\303\\251'", NULL);
	assert_int_equal(json_string_length(at(f, "result.data.stdout")), 65535);
	assert_contains(f->text.data, "stdout was cut: 65535 of 65537 bytes are kept");
}

static void a_descendant_that_holds_the_output_is_killed_with_its_group(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	/* what is left behind becomes a child of this process */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	use_leaping_clock(f, 10000);
	run_script(f, "sleep 600 & echo $!", ",\"timeout\":\"P30D\"");
	assert_success(f);
	assert_contains(f->text.data, "a process that was left behind held the output open");
	pid = (pid_t)strtol(text_at(f, "result.data.stdout"), NULL, 10);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_descendant_that_left_the_group_holds_nothing_up(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	char *text;
	pid_t pid;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	use_leaping_clock(f, 10000);
	run_script(f,
		   "setsid sh -c 'echo $$ >ready; exec sleep 600' & "
		   "while [ ! -s ready ]; do :; done",
		   ",\"timeout\":\"P30D\"");
	assert_success(f);
	text = test_read(test_path(f->dir, "ready"), NULL);
	pid = (pid_t)strtol(text, NULL, 10);
	free(text);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void a_program_dies_with_the_process_that_started_it(void **state)
{
	struct fixture *f = *state;
	const char *fifo = test_path(f->dir, "fifo");
	char text[32] = "";
	int status = 0;
	pid_t starter;
	pid_t pid;
	int fd;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	starter = fork();
	if (starter == 0) {
		run_script(f, "echo $$ >fifo; exec sleep 600", NULL);
		_exit(0);
	}
	fd = open(fifo, O_RDONLY);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	pid = (pid_t)strtol(text, NULL, 10);
	assert_int_equal(kill(starter, SIGKILL), 0);
	assert_int_equal(waitpid(starter, &status, 0), starter);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_program_that_cannot_start_is_told_from_one_that_failed(void **state)
{
	struct fixture *f = *state;
	char with[4096];

	run(f, &demon_capsule_exec, "{\"command\":[\"no-such-program\"]}");
	assert_failure(f, "EXEC_START",
		       "cannot start the program: 'no-such-program' was not found in PATH");
	assert_string_equal(text_at(f, "result.error.details.program"), "no-such-program");
	run(f, &demon_capsule_exec, "{\"command\":[\"/no/such/program\"]}");
	assert_failure(f, "EXEC_START", "cannot start '/no/such/program': No such file");
	run(f, &demon_capsule_exec, "{\"command\":[\"/bin/true\"],\"workdir\":\"/no/folder\"}");
	assert_failure(f, "EXEC_START", "cannot enter the folder '/no/folder': No such file");
	test_write(test_path(f->dir, "text"), "no program", 10);
	assert_int_equal(chmod(test_path(f->dir, "text"), 0755), 0);
	(void)snprintf(with, sizeof(with), "{\"command\":[\"./text\"],\"workdir\":\"%s\"}", f->dir);
	run(f, &demon_capsule_exec, with);
	assert_failure(f, "EXEC_START", "cannot start './text': Exec format error");
}

static void the_environment_is_made_anew(void **state)
{
	struct fixture *f = *state;
	const char *out;

	/* NOLINTBEGIN(concurrency-mt-unsafe): no other thread is there */
	assert_int_equal(setenv("SECRET_OF_THE_NODE", "hush", 1), 0);
	assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
	/* NOLINTEND(concurrency-mt-unsafe) */
	set(&f->input, "{\"backup\":\"/b/c d.db\",\"n\":1.5,\"ok\":true,\"list\":[1],\"a-b\":\"x\","
		       "\"_x1\":\"y\",\"none\":null}");
	run(f, &demon_capsule_exec,
	    "{\"command\":[\"env\"],\"env\":{\"MINE\":\"a=b\",\"HOME\":\"/h\"}}");
	assert_success(f);
	out = text_at(f, "result.data.stdout");
	assert_null(strstr(out, "SECRET_OF_THE_NODE"));
	assert_contains(out, "TZ=Europe/Berlin\n");
	assert_contains(out, "PATH=");
	assert_contains(out, "MINE=a=b\n");
	assert_contains(out, "HOME=/h\n");
	assert_contains(out, "DEMON_TENANT=blue\nDEMON_RITUAL=greet\nDEMON_RUN_ID=r-1\n"
			     "DEMON_STEP=Say hello\nDEMON_ATTEMPT=2\n"
			     "DEMON_IDEMPOTENCY_KEY=" KEY "\n"
			     "DEMON_INPUT={\"_x1\":\"y\",\"a-b\":\"x\",\"backup\":\"/b/c d.db\","
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
	struct fixture *f = *state;
	char with[8192];

	test_write(test_path(f->dir, "tool"), "#!/bin/sh\necho found\n", 21);
	(void)snprintf(with, sizeof(with), "{\"command\":[\"tool\"],\"env\":{\"PATH\":\"%s\"}}",
		       f->dir);
	run(f, &demon_capsule_exec, with);
	assert_failure(f, "EXEC_START", "'tool' was not found in PATH");
	assert_int_equal(chmod(test_path(f->dir, "tool"), 0755), 0);
	run(f, &demon_capsule_exec, with);
	assert_success(f);
	assert_string_equal(text_at(f, "result.data.stdout"), "found\n");
	(void)snprintf(with, sizeof(with),
		       "{\"command\":[\"tool\"],\"workdir\":\"%s\",\"env\":{\"PATH\":\".:\"}}",
		       f->dir);
	run(f, &demon_capsule_exec, with);
	assert_failure(f, "EXEC_START", "'tool' was not found in PATH");
}

static void input_members_that_become_one_variable_stop_the_step(void **state)
{
	struct fixture *f = *state;

	set(&f->input, "{\"a\":1,\"A\":2}");
	run(f, &demon_capsule_exec, "{\"command\":[\"true\"]}");
	assert_failure(f, "EXEC_START", "two members of the run's input become DEMON_PARAM_A");
}

static void input_that_is_too_large_for_a_variable_is_left_out(void **state)
{
	struct fixture *f = *state;
	size_t len = (size_t)200 * 1024;
	char *large = malloc(len + 1);

	assert_non_null(large);
	memset(large, 'x', len);
	large[len] = '\0';
	json_decref(f->input);
	f->input = json_pack("{s:s, s:s}", "large", large, "small", "s");
	free(large);
	run(f, &demon_capsule_exec, "{\"command\":[\"env\"]}");
	assert_success(f);
	assert_contains(f->text.data, "variable DEMON_INPUT was left out");
	assert_contains(f->text.data, "variable DEMON_PARAM_LARGE was left out");
	assert_contains(text_at(f, "result.data.stdout"), "DEMON_PARAM_SMALL=s\n");
}

static void stdin_is_the_text_or_nothing(void **state)
{
	struct fixture *f = *state;

	run_script(f, "cat; echo end", NULL);
	assert_string_equal(text_at(f, "result.data.stdout"), "end\n");
	run_script(f, "wc -c; head -c 3 /dev/stdin", ",\"stdin\":\"hello\"");
	assert_contains(text_at(f, "result.data.stdout"), "5\n");
	/* nobody reads it: no signal, no failure */
	run(f, &demon_capsule_exec, "{\"command\":[\"true\"],\"stdin\":\"hello\"}");
	assert_success(f);
}

static void a_program_gets_defaults_and_no_descriptors(void **state)
{
	struct fixture *f = *state;
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
	const char *out;
	char *end;
	long group;
	long session;
	long pid;
	sigset_t usr1;
	sigset_t old;

	assert_true(leak >= 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &usr1, &old);
	/* posix_spawn, by which make starts tests, leaves glibc's own 32 and 33 ignored */
	run_script(f,
		   "grep -E '^Sig(Blk|Ign)' /proc/self/status | sed s/180000000$/000000000/; ls "
		   "/proc/$$/fd; "
		   "cut -d' ' -f5,6 /proc/$$/stat; echo $$",
		   NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)close(leak);
	assert_success(f);
	out = text_at(f, "result.data.stdout");
	assert_contains(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n1\n2\n");
	group = strtol(strstr(out, "\n2\n") + 3, &end, 10);
	session = strtol(end, &end, 10);
	pid = strtol(end, &end, 10);
	assert_true(pid > 0);
	assert_int_equal(group, pid);
	assert_int_equal(session, pid);
}

static void nothing_of_a_call_stays_behind(void **state)
{
	struct fixture *f = *state;
	int before = dup(0);
	int after;

	run(f, &demon_capsule_exec, "{\"command\":[\"true\"]}");
	run(f, &demon_capsule_exec, "{\"command\":[\"/no/such\"]}");
	run_script(f, "exit 1", ",\"stdin\":\"x\"");
	after = dup(0);
	assert_int_equal(after, before + 1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	(void)close(before);
	(void)close(after);
}

struct worker {
	pthread_t thread;
	unsigned good;
};

static void *run_programs(void *arg)
{
	struct worker *w = arg;
	json_t *with = json_pack("{s:[s,s,s]}", "command", "/bin/sh", "-c", "echo $$; echo $$ >&2");
	const struct demon_call call = {.env = demon_env_real(),
					.with = with,
					.tenant_id = "t",
					.ritual_id = "r",
					.run_id = "r",
					.step_name = "s",
					.idempotency_key = KEY,
					.attempt = 1};

	for (int i = 0; i < 20; i++) {
		json_t *envelope = NULL;
		struct demon_err err;
		const json_t *data;

		if (demon_capsule_exec.run(&call, &envelope, &err))
			break;
		data = json_object_get(json_object_get(envelope, "result"), "data");
		w->good +=
		    json_string_length(json_object_get(data, "stdout")) > 1 &&
		    json_equal(json_object_get(data, "stdout"), json_object_get(data, "stderr"));
		json_decref(envelope);
	}
	json_decref(with);
	return NULL;
}

static void threads_run_programs_at_the_same_time(void **state)
{
	struct worker workers[8] = {{.good = 0}};

	(void)state;
	for (size_t i = 0; i < demon_count(workers); i++)
		assert_int_equal(
		    pthread_create(&workers[i].thread, NULL, run_programs, &workers[i]), 0);
	for (size_t i = 0; i < demon_count(workers); i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].good, 20);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_capsule_is_found_by_its_name),
	    TEST(durations_are_seconds_or_iso_8601),
	    TEST(arguments_that_echo_does_not_know_are_refused),
	    TEST(arguments_that_exec_cannot_use_are_refused),
	    TEST(exec_is_repeated_only_where_it_says_so),
	    TEST(echo_answers_with_its_message),
	    TEST(echo_warns_of_a_message_that_is_empty_or_long),
	    TEST(echo_suggests_to_trim_white_space),
	    TEST(exec_answers_with_status_and_output),
	    TEST(exec_fails_with_the_exit_status_and_the_last_word_of_stderr),
	    TEST(exec_fails_with_the_signal_that_killed_the_program),
	    TEST(exec_ends_a_program_whose_time_is_up),
	    TEST(exec_kills_a_program_that_ignores_the_polite_signal),
	    TEST(exec_keeps_the_first_64_kib_of_a_flood),
	    TEST(output_that_grows_when_escaped_is_cut_to_fit),
	    TEST(output_that_is_not_utf_8_is_repaired),
	    TEST(a_character_at_the_cut_is_left_out_whole),
	    TEST(a_descendant_that_holds_the_output_is_killed_with_its_group),
	    TEST(a_descendant_that_left_the_group_holds_nothing_up),
	    TEST(a_program_dies_with_the_process_that_started_it),
	    TEST(a_program_that_cannot_start_is_told_from_one_that_failed),
	    TEST(the_environment_is_made_anew),
	    TEST(the_step_can_set_the_path_that_finds_its_program),
	    TEST(input_members_that_become_one_variable_stop_the_step),
	    TEST(input_that_is_too_large_for_a_variable_is_left_out),
	    TEST(stdin_is_the_text_or_nothing),
	    TEST(a_program_gets_defaults_and_no_descriptors),
	    TEST(threads_run_programs_at_the_same_time),
	    TEST(nothing_of_a_call_stays_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
