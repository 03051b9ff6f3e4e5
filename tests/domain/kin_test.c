#include "support/test.h"

#include "support/exec_calls.h"
#include "support/fork.h"

#include <signal.h>
#include <stdio.h>
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
	exec_speed(f, 10);
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

	exec_speed(f, 10);
	exec_script(f,
		    "setsid sh -c 'echo $$ >ready; exec sleep 600' & "
		    "while [ ! -s ready ]; do :; done",
		    ",\"timeout\":\"P30D\"");
	exec_success(f);
	assert_contains(f->text.data, "a process that was left behind held the output open");
	assert_contains(f->text.data, "1 descendant was killed");
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
	assert_contains(f->text.data, "2 descendants were killed");
	exec_nothing_left(f, exec_pid(f, "pid"));
	/* out of the group, but in the session */
	exec_script(f, "set -m; sleep 600 >/dev/null 2>&1 & echo $! >pid", NULL);
	exec_success(f);
	assert_contains(f->text.data, "1 descendant was killed");
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

/* A bomb that goes on when its shell gives up because it cannot fork. */
static const char bomb_script[] = "#!/bin/sh\n"
				  "trap 'exec ./bomb' EXIT\n"
				  "trap '' TERM\n"
				  "while :; do $AWAY ./bomb & done\n";

struct bomb {
	struct exec_calls *calls;
	const char *away; /* how a process gets away from the one that has started it */
	uid_t user;
};

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

/* Runs as a user of its own, so that the limit counts nobody else, nor the zombies of others. */
static int run_bomb(void *arg)
{
	const struct bomb *bomb = arg;
	struct exec_calls *f = bomb->calls;
	json_t *with = json_pack("{s:[s,s,s], s:s, s:{s:s}, s:i, s:{s:i}}", "command", "/bin/sh",
				 "-c", "./bomb & exec sleep 600", "workdir", f->dir, "env", "AWAY",
				 bomb->away, "timeout", 8, "limits", "processes", 300);
	const struct demon_call call = {.env = &f->env,
					.with = with,
					.tenant_id = "t",
					.ritual_id = "r",
					.run_id = "r",
					.step_name = "s",
					.idempotency_key = f->key,
					.attempt = 1,
					.canceled = never};
	json_t *envelope = NULL;
	char *text;
	const char *count;
	bool good;

	if (setgid(bomb->user) != 0 || setuid(bomb->user) != 0)
		return 1;
	if (demon_capsule_exec.run(&call, &envelope, &f->err))
		return 2;
	text = json_dumps(envelope, 0);
	count = strstr(text, " descendants were killed");
	while (count && count > text && count[-1] >= '0' && count[-1] <= '9')
		count--;
	good = strstr(text, "\"EXEC_TIMEOUT\"") && count && strtol(count, NULL, 10) > 100;
	if (!good)
		(void)fprintf(stderr, "%s\n", text);
	free(text);
	json_decref(envelope);
	json_decref(with);
	return good ? 0 : 3;
}

static void a_fork_bomb_is_held_by_its_limit_and_ended(void **state)
{
	struct exec_calls *f = *state;
	struct bomb bombs[] = {{f, "", 0}, {f, "setsid", 0}};

	if (geteuid() != 0) {
		print_message("only root can become another user: not tested\n");
		skip();
	}
	test_write(test_path(f->dir, "bomb"), bomb_script, strlen(bomb_script));
	assert_int_equal(chmod(test_path(f->dir, "bomb"), 0755), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	exec_speed(f, 8);
	for (size_t i = 0; i < demon_count(bombs); i++) {
		int status;

		bombs[i].user = 100000 + 2 * (uid_t)getpid() + (uid_t)i;
		status = test_fork(run_bomb, &bombs[i]);
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
