#include "support/test.h"

#include "support/exec_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void exec_ends_a_program_whose_time_is_up(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "echo begun; exec sleep 600", ",\"timeout\":0.2");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	assert_string_equal(exec_text(f, "result.error.details.stdout"), "begun\n");
}

static void exec_kills_a_program_that_ignores_the_polite_signal(void **state)
{
	struct exec_calls *f = *state;

	exec_speed(f, 20);
	exec_script(f, "trap '' TERM; while :; do echo still here; done", ",\"timeout\":10");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	assert_contains(exec_text(f, "result.error.details.stdout"), "still here\n");
}

static void exec_keeps_the_first_64_kib_of_a_flood(void **state)
{
	struct exec_calls *f = *state;

	exec_script(
	    f, "head -c 3000000 /dev/zero | tr '\\0' x; head -c 70000 /dev/zero | tr '\\0' y >&2",
	    NULL);
	exec_success(f);
	assert_string_equal(exec_text(f, "result.data.stdout") + 65535,
			    "x\n\u2026 [cut: 2934464 bytes]\n");
	assert_string_equal(exec_text(f, "result.data.stderr") + 65535,
			    "y\n\u2026 [cut: 4464 bytes]\n");
	assert_int_equal(exec_number(f, "metrics.counters.stdoutBytes"), 3000000);
	assert_contains(f->text.data, "stdout was cut: 65536 of 3000000 bytes are kept");
	assert_contains(f->text.data, "stderr was cut: 65536 of 70000 bytes are kept");
}

static void a_program_that_closes_its_output_goes_on_until_its_time_is_up(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "echo $$; exec >&- 2>&-; exec sleep 600", ",\"timeout\":0.3");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	exec_nothing_left(f, (pid_t)strtol(exec_text(f, "result.error.details.stdout"), NULL, 10));
	exec_script(f, "exec >&- 2>&-; exit 4", NULL);
	exec_failure(f, "EXEC_EXIT", "exited with status 4");
}

static void a_program_that_writes_into_the_void_or_reads_nothing_ends(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "yes | head -n 1", ",\"timeout\":60");
	exec_success(f);
	assert_string_equal(exec_text(f, "result.data.stdout"), "y\n");
	exec_script(f, "exec <&-; cat", ",\"timeout\":60");
	exec_failure(f, "EXEC_EXIT", "exited with status 1");
	exec_nothing_left(f, 0);
}

static void arguments_that_are_too_large_are_an_error(void **state)
{
	struct exec_calls *f = *state;
	size_t len = (size_t)200 * 1024;
	char *large = malloc(len + 1);
	json_t *words = json_pack("[s]", "/bin/true");

	assert_non_null(large);
	memset(large, 'x', len);
	large[len] = '\0';
	json_decref(f->with);
	f->with = json_pack("{s:[s,s]}", "command", "/bin/true", large);
	exec_call(f, &demon_capsule_exec);
	exec_failure(f, "EXEC_START", "cannot start '/bin/true': Argument list too long");
	large[1000] = '\0';
	for (int i = 0; i < 20000; i++)
		(void)json_array_append_new(words, json_string(large));
	free(large);
	json_decref(f->with);
	f->with = json_pack("{s:o}", "command", words);
	exec_call(f, &demon_capsule_exec);
	exec_failure(f, "EXEC_START", "cannot start '/bin/true': Argument list too long");
	exec_nothing_left(f, 0);
}

static void a_program_that_fills_its_output_without_end_can_be_ended(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "trap '' PIPE; yes & yes >&2; wait", ",\"timeout\":0.5");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	assert_contains(exec_text(f, "result.error.details.stdout"), "y\n\u2026 [cut: ");
	exec_nothing_left(f, 0);
	f->cancel_at = 3;
	exec_script(f, "exec yes", NULL);
	exec_failure(f, "CANCELED", "was stopped: canceled");
	exec_nothing_left(f, 0);
}

static void what_is_written_is_heard_while_it_runs(void **state)
{
	struct exec_calls *f = *state;

	f->cancel_word = "stderr:two\xff";
	exec_script(
	    f, "echo one; while [ ! -e go ]; do printf 'two\\377' >&2; exec sleep 600; done", NULL);
	exec_failure(f, "CANCELED", "was stopped: canceled");
	assert_contains(f->heard.data, "stdout:one\n");
	assert_string_equal(exec_text(f, "result.error.details.stdout"), "one\n");
	f->cancel_word = NULL;
	exec_script(f, "head -c 300000 /dev/zero", NULL);
	exec_success(f);
	assert_int_equal(f->heard_bytes, 300000);
}

static void a_canceled_program_is_ended_with_all_that_it_started(void **state)
{
	struct exec_calls *f = *state;

	exec_speed(f, 10);
	f->cancel_word = "ready";
	exec_script(
	    f, "trap '' TERM; sleep 600 & setsid sleep 600 & echo ready; while :; do wait; done",
	    ",\"timeout\":3600");
	exec_failure(f, "CANCELED", "was stopped: canceled");
	exec_nothing_left(f, 0);
	assert_true(f->asked > 3); /* also while it is being ended */
}

static void a_call_that_is_canceled_before_it_begins_runs_nothing_for_long(void **state)
{
	struct exec_calls *f = *state;

	f->cancel_at = 1;
	exec_script(f, "exec sleep 600", NULL);
	exec_failure(f, "CANCELED", "was stopped: canceled");
	exec_nothing_left(f, 0);
}

static void the_limit_of_the_call_is_told_from_that_of_the_step(void **state)
{
	struct exec_calls *f = *state;

	f->limit_ms = 200;
	exec_script(f, "exec sleep 600", NULL);
	exec_failure(f, "TIMEOUT", "was stopped: the step's time was up");
	exec_nothing_left(f, 0);
	f->limit_ms = 600000;
	exec_script(f, "exec sleep 600", ",\"timeout\":0.2");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	exec_script(f, "true", NULL);
	exec_success(f);
}

static void what_cleans_up_has_its_grace(void **state)
{
	struct exec_calls *f = *state;

	/* the leader dies at once; the other one holds the output until it is done */
	exec_script(f,
		    "(trap 'sleep 0.2; echo clean; exit' TERM; echo $$; while :; do sleep 0.01; "
		    "done) & wait",
		    ",\"timeout\":0.3");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	assert_contains(exec_text(f, "result.error.details.stdout"), "\nclean\n");
	exec_nothing_left(f, 0);
}

/* --- limits --- */

static void limits_hold_for_the_program(void **state)
{
	struct exec_calls *f = *state;
	const char *out;

	exec_script(f, "tr -s ' ' </proc/self/limits",
		    ",\"limits\":{\"cpuSeconds\":5,\"memoryBytes\":104857600,"
		    "\"fileBytes\":1048576,\"openFiles\":50,\"processes\":1000}");
	exec_success(f);
	out = exec_text(f, "result.data.stdout");
	assert_contains(out, "Max cpu time 5 6 ");
	assert_contains(out, "Max address space 104857600 104857600 ");
	assert_contains(out, "Max file size 1048576 1048576 ");
	assert_contains(out, "Max open files 50 50 ");
	assert_contains(out, "Max processes 1000 1000 ");
	assert_contains(out, "Max core file size 0 0 ");
	exec_script(f, "tr -s ' ' </proc/self/limits", ",\"limits\":{\"coreBytes\":4096}");
	assert_contains(exec_text(f, "result.data.stdout"), "Max core file size 4096 ");
}

static void a_limit_of_the_process_itself_is_not_raised(void **state)
{
	struct exec_calls *f = *state;
	struct rlimit own;
	char files[64];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	exec_script(f, "ulimit -Hn", ",\"limits\":{\"openFiles\":1048576}");
	exec_success(f);
	(void)snprintf(files, sizeof(files), "%llu\n",
		       (unsigned long long)(own.rlim_max < 1048576 ? own.rlim_max : 1048576));
	assert_string_equal(exec_text(f, "result.data.stdout"), files);
}

static void a_limit_that_is_reached_is_the_steps_error(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "while :; do :; done", ",\"limits\":{\"cpuSeconds\":1}");
	exec_failure(f, "EXEC_SIGNAL", "was killed by signal 24 (SIGXCPU)");
	exec_script(f, "trap '' XCPU; while :; do :; done", ",\"limits\":{\"cpuSeconds\":1}");
	exec_failure(f, "EXEC_SIGNAL", "was killed by signal 9 (SIGKILL)");
	exec_script(f, "exec head -c 100000 /dev/zero >big", ",\"limits\":{\"fileBytes\":5000}");
	exec_failure(f, "EXEC_SIGNAL", "was killed by signal 25 (SIGXFSZ)");
	exec_script(f, "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ${#x}",
		    ",\"limits\":{\"memoryBytes\":30000000},\"timeout\":60");
	assert_true(json_is_false(exec_at(f, "result.success")));
	exec_nothing_left(f, 0);
}

/* --- programs that nobody waits for --- */

static void a_program_that_is_not_awaited_lives_on(void **state)
{
	struct exec_calls *f = *state;
	char *text;
	pid_t pid;

	exec_script(f,
		    "cat >in; ulimit -n >>in; echo $$ >ready; echo nobody hears; kill -STOP $$; "
		    "exec sleep 600",
		    ",\"await\":false,\"stdin\":\"text\\n\",\"limits\":{\"openFiles\":20}");
	exec_success(f);
	exec_await(f, "ready");
	pid = exec_pid(f, "ready");
	assert_int_equal(exec_number(f, "result.data.pid"), pid);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_true(exec_is_alive(pid));
	assert_int_equal(getsid(pid), pid);
	text = test_read(test_path(f->dir, "in"), NULL);
	assert_string_equal(text, "text\n20\n");
	free(text);
	/* a later attempt at the same step takes its place */
	exec_script(f, "true", NULL);
	exec_nothing_left(f, pid);
}

static void a_program_that_is_not_awaited_may_fail_to_start(void **state)
{
	struct exec_calls *f = *state;

	exec_run(f, &demon_capsule_exec, "{\"command\":[\"/no/such\"],\"await\":false}");
	exec_failure(f, "EXEC_START", "cannot start '/no/such': No such file");
	exec_run(f, &demon_capsule_exec,
		 "{\"command\":[\"/bin/true\"],\"await\":false,\"workdir\":\"/no/folder\"}");
	exec_failure(f, "EXEC_START", "cannot enter the folder '/no/folder': No such file");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_program_dies_with_the_process_that_started_it(void **state)
{
	struct exec_calls *f = *state;
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
		exec_script(f, "echo $$ >fifo; exec sleep 600", NULL);
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

static void a_program_gets_defaults_and_no_descriptors(void **state)
{
	struct exec_calls *f = *state;
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
	exec_script(f,
		    "grep -E '^Sig(Blk|Ign)' /proc/self/status | sed s/180000000$/000000000/; ls "
		    "/proc/$$/fd; "
		    "cut -d' ' -f5,6 /proc/$$/stat; echo $$",
		    NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)close(leak);
	exec_success(f);
	out = exec_text(f, "result.data.stdout");
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
	struct exec_calls *f = *state;
	int before = dup(0);
	int after;

	exec_run(f, &demon_capsule_exec, "{\"command\":[\"true\"]}");
	exec_run(f, &demon_capsule_exec, "{\"command\":[\"/no/such\"]}");
	exec_script(f, "exit 1", ",\"stdin\":\"x\"");
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
					.idempotency_key = EXEC_KEY,
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EXEC_TEST(exec_ends_a_program_whose_time_is_up),
	    EXEC_TEST(exec_kills_a_program_that_ignores_the_polite_signal),
	    EXEC_TEST(exec_keeps_the_first_64_kib_of_a_flood),
	    EXEC_TEST(a_program_that_closes_its_output_goes_on_until_its_time_is_up),
	    EXEC_TEST(a_program_that_writes_into_the_void_or_reads_nothing_ends),
	    EXEC_TEST(arguments_that_are_too_large_are_an_error),
	    EXEC_TEST(a_program_that_fills_its_output_without_end_can_be_ended),
	    EXEC_TEST(what_is_written_is_heard_while_it_runs),
	    EXEC_TEST(a_canceled_program_is_ended_with_all_that_it_started),
	    EXEC_TEST(a_call_that_is_canceled_before_it_begins_runs_nothing_for_long),
	    EXEC_TEST(the_limit_of_the_call_is_told_from_that_of_the_step),
	    EXEC_TEST(what_cleans_up_has_its_grace),
	    EXEC_TEST(limits_hold_for_the_program),
	    EXEC_TEST(a_limit_of_the_process_itself_is_not_raised),
	    EXEC_TEST(a_limit_that_is_reached_is_the_steps_error),
	    EXEC_TEST(a_program_that_is_not_awaited_lives_on),
	    EXEC_TEST(a_program_that_is_not_awaited_may_fail_to_start),
	    EXEC_TEST(a_program_dies_with_the_process_that_started_it),
	    EXEC_TEST(a_program_gets_defaults_and_no_descriptors),
	    EXEC_TEST(nothing_of_a_call_stays_behind),
	    EXEC_TEST(threads_run_programs_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
