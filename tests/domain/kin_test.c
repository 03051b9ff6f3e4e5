#include "support/test.h"

#include "support/exec_calls.h"
#include "support/fork.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_descendant_that_holds_the_output_is_killed_with_its_group(void **state)
{
	struct exec_calls *f = *state;
	int status = 0;
	pid_t pid;

	/* what is left behind becomes a child of this process */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	exec_leap(f, 10000);
	exec_script(f, "sleep 600 & echo $!", ",\"timeout\":\"P30D\"");
	exec_success(f);
	assert_contains(f->text.data, "a process that was left behind held the output open");
	pid = (pid_t)strtol(exec_text(f, "result.data.stdout"), NULL, 10);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_descendant_that_left_the_group_is_killed_when_it_holds_the_output(void **state)
{
	struct exec_calls *f = *state;

	exec_leap(f, 10000);
	exec_script(f,
		    "setsid sh -c 'echo $$ >ready; exec sleep 600' & "
		    "while [ ! -s ready ]; do :; done",
		    ",\"timeout\":\"P30D\"");
	exec_success(f);
	assert_contains(f->text.data, "a process that was left behind held the output open");
	assert_contains(f->text.data, "1 process was left behind and killed");
	exec_nothing_left(f, exec_pid(f, "ready"));
}

static void a_descendant_that_left_the_group_lives_on_when_it_holds_nothing(void **state)
{
	struct exec_calls *f = *state;
	pid_t pid;

	exec_script(f,
		    "setsid sh -c 'echo $$ >ready; exec sleep 600' >/dev/null 2>&1 & "
		    "while [ ! -s ready ]; do :; done",
		    NULL);
	exec_success(f);
	assert_int_equal(json_array_size(json_object_get(f->envelope, "diagnostics")), 0);
	pid = exec_pid(f, "ready");
	assert_true(exec_is_alive(pid));
	/* the next attempt at the step ends it */
	exec_script(f, "true", NULL);
	exec_success(f);
	exec_nothing_left(f, pid);
}

static void children_that_are_left_behind_are_killed(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f, "sleep 600 >/dev/null 2>&1 & echo $! >pid; sleep 600 >/dev/null 2>&1 &",
		    NULL);
	exec_success(f);
	assert_contains(f->text.data, "2 processes were left behind and killed");
	exec_nothing_left(f, exec_pid(f, "pid"));
	/* out of the group, but in the session */
	exec_script(f, "set -m; sleep 600 >/dev/null 2>&1 & echo $! >pid", NULL);
	exec_success(f);
	assert_contains(f->text.data, "1 process was left behind and killed");
	exec_nothing_left(f, exec_pid(f, "pid"));
}

static void a_daemon_is_found_when_the_time_is_up(void **state)
{
	struct exec_calls *f = *state;

	exec_script(f,
		    "setsid sh -c '(echo $$ >ready; exec sleep 600) & exit' >/dev/null 2>&1 & "
		    "setsid sh -c 'trap \"\" TERM; echo $$ >ready2; sleep 600' >/dev/null 2>&1 & "
		    "wait $!",
		    ",\"timeout\":0.5");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	exec_nothing_left(f, exec_pid(f, "ready2"));
}

static void a_descendant_without_the_mark_is_found_by_its_parents(void **state)
{
	struct exec_calls *f = *state;

	/* dies of TERM, and its child has no parent any more */
	exec_script(f,
		    "env -i /usr/bin/setsid sh -c 'echo $$ >ready; exec sleep 600' >/dev/null 2>&1 "
		    "& wait",
		    ",\"timeout\":0.5");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	exec_nothing_left(f, exec_pid(f, "ready"));
	/* has to be killed */
	exec_speed(f, 20);
	exec_script(f,
		    "trap '' TERM; rm ready; "
		    "env -i /usr/bin/setsid sh -c 'echo $$ >ready; exec sleep 600' & "
		    "while :; do wait; done",
		    ",\"timeout\":10");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	exec_nothing_left(f, exec_pid(f, "ready"));
}

/* A program whose every process is a new session's, and gone as soon as the next has begun. */
static void a_program_that_keeps_forking_away_is_caught(void **state)
{
	static const char hop[] = "#!/bin/sh\necho $$ >last\nsetsid ./hop &\n";
	struct exec_calls *f = *state;

	test_write(test_path(f->dir, "hop"), hop, strlen(hop));
	assert_int_equal(chmod(test_path(f->dir, "hop"), 0755), 0);
	exec_script(f, "exec >/dev/null 2>&1; ./hop; sleep 600", ",\"timeout\":0.5");
	exec_failure(f, "EXEC_TIMEOUT", "was stopped: its time was up");
	exec_nothing_left(f, 0);
}

#define BOMB_USER 54321

/* Runs as another user, so that the limit counts nobody else. */
static int run_bomb(void *arg)
{
	struct exec_calls *f = arg;
	const struct demon_call call = {.env = demon_env_real(),
					.with = f->with,
					.tenant_id = "t",
					.ritual_id = "r",
					.run_id = "r",
					.step_name = "s",
					.idempotency_key = f->key,
					.attempt = 1};
	json_t *envelope = NULL;
	bool refused;

	if (geteuid() == 0 && (setgid(BOMB_USER) != 0 || setuid(BOMB_USER) != 0))
		return 1;
	if (demon_capsule_exec.run(&call, &envelope, &f->err))
		return 2;
	refused = json_is_false(json_object_get(json_object_get(envelope, "result"), "success"));
	json_decref(envelope);
	return refused ? 0 : 3;
}

static void a_fork_bomb_is_held_by_its_limit_and_ended(void **state)
{
	struct exec_calls *f = *state;
	static const char *const scripts[] = {
	    "bomb() { bomb | bomb & bomb; }; bomb & exec sleep 600",
	    "bomb() { bomb | bomb & bomb; }; trap '' TERM; bomb & exec sleep 600",
	    "export B='setsid sh -c \"$B\" & setsid sh -c \"$B\" & exit'; sh -c \"$B\"; sleep 600",
	};

	for (size_t i = 0; i < demon_count(scripts); i++) {
		int status;

		json_decref(f->with);
		f->with = json_pack("{s:[s,s,s], s:f, s:{s:i}}", "command", "/bin/sh", "-c",
				    scripts[i], "timeout", 1.5, "limits", "processes", 300);
		assert_non_null(f->with);
		status = test_fork(run_bomb, f);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		exec_nothing_left(f, 0);
	}
}

static void thousands_of_processes_are_ended(void **state)
{
	struct exec_calls *f = *state;

	f->cancel_word = "ready";
	exec_script(f,
		    "i=0; while [ $i -lt 2000 ]; do sleep 600 & i=$((i+1)); done; echo ready; wait",
		    NULL);
	exec_failure(f, "CANCELED", "was stopped: canceled");
	exec_nothing_left(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    EXEC_TEST(a_descendant_that_holds_the_output_is_killed_with_its_group),
	    EXEC_TEST(a_descendant_that_left_the_group_is_killed_when_it_holds_the_output),
	    EXEC_TEST(a_descendant_that_left_the_group_lives_on_when_it_holds_nothing),
	    EXEC_TEST(children_that_are_left_behind_are_killed),
	    EXEC_TEST(a_daemon_is_found_when_the_time_is_up),
	    EXEC_TEST(a_descendant_without_the_mark_is_found_by_its_parents),
	    EXEC_TEST(a_program_that_keeps_forking_away_is_caught),
	    EXEC_TEST(a_fork_bomb_is_held_by_its_limit_and_ended),
	    EXEC_TEST(thousands_of_processes_are_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
