/*
 * Workers: what they may, how they end, and that units, threads and deaths do not get in each
 * other's way.
 */
#include "support/test.h"

#include "support/expr.h"
#include "support/fork.h"

#include "base/fault.h"
#include "domain/expr/program.h"
#include "domain/expr/worker.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS  100
#define MANY    10000
#define FOREVER 60000 /* ms, which no test takes */

static struct expr_user user;

static void open_pool(const struct demon_expr_options *options)
{
	assert_ok(demon_expr_open(options, &user.expr, &user.err), &user.err);
}

static int set_up(void **state)
{
	(void)state;
	user = (struct expr_user){.expr = NULL};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)demon_fault_disarm();
	demon_expr_close(user.expr);
	user.expr = NULL;
	return expr_workers(getpid(), NULL);
}

static pid_t only_worker(void)
{
	pid_t pid = 0;

	assert_int_equal(expr_workers(getpid(), &pid), 1);
	return pid;
}

static char *proc_file(pid_t pid, const char *name, size_t *ret_len)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return test_read(path, ret_len);
}

/* Until the process, not necessarily a child, is gone. */
static void wait_for_end(pid_t pid)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};

	if (p.fd < 0)
		return;
	assert_int_equal(poll(&p, 1, FOREVER), 1);
	(void)close(p.fd);
}

/* Until a process computes (R) or waits (S). */
static void wait_for_state(pid_t pid, char wanted)
{
	for (;;) {
		size_t len;
		char *stat = proc_file(pid, "stat", &len);
		const char *state = strstr(stat, ") ");
		bool reached = state && state[2] == wanted;

		free(stat);
		if (reached)
			return;
		(void)sched_yield();
	}
}

static void kill_and_wait(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void no_expression_means_no_process(void **state)
{
	struct demon_expr_unit none = expr_unit(NULL, 0);
	size_t index = 7;

	(void)state;
	open_pool(NULL);
	assert_ok(demon_expr_check(user.expr, &none, &index, &user.err), &user.err);
	assert_int_equal(expr_workers(getpid(), NULL), 0);
	expr_assert_usable(&user);
	assert_int_equal(expr_workers(getpid(), NULL), 1);
	/* and one after the other needs one */
	expr_assert_usable(&user);
	assert_int_equal(expr_workers(getpid(), NULL), 1);
	demon_expr_close(NULL);
}

static void assert_link(pid_t pid, const char *name, const char *want)
{
	char path[64];
	char to[256];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	n = readlink(path, to, sizeof(to) - 1);
	to[n > 0 ? n : 0] = '\0';
	assert_int_equal(strncmp(to, want, strlen(want)), 0);
}

static void a_worker_has_nothing_but_its_socket(void **state)
{
	struct demon_expr_options options = {.memory = (size_t)100 << 20};
	char *text;
	size_t len;
	pid_t pid;

	(void)state;
	open_pool(&options);
	expr_assert_usable(&user);
	pid = only_worker();
	text = proc_file(pid, "environ", &len);
	assert_int_equal(len, sizeof("TZ=UTC0"));
	assert_string_equal(text, "TZ=UTC0");
	free(text);
	assert_link(pid, "fd/0", "socket:");
	assert_link(pid, "fd/1", "/dev/null");
	assert_link(pid, "fd/2", "/dev/null");
	assert_link(pid, "fd/3", "");
	assert_link(pid, "cwd", "/");
	assert_int_equal(getsid(pid), pid);
	text = proc_file(pid, "limits", &len);
	assert_contains(text, "Max core file size        0                    0 ");
	assert_contains(text, "Max open files            3                    3 ");
	assert_contains(text, "Max file size             0                    0 ");
	assert_contains(text, "Max address space         104857600            104857600 ");
	free(text);
	for (int fd = 3; fd < 64; fd++) {
		(void)snprintf(user.text, sizeof(user.text), "/proc/%ld/fd/%d", (long)pid, fd);
		assert_int_equal(access(user.text, F_OK), -1);
	}
}

static void definitions_in_the_home_folder_are_not_read(void **state)
{
	static const char definitions[] = "def map(f): \"from home\"; def mine: 1;";
	char *dir = test_dir();
	const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */
	char old[256];

	(void)state;
	(void)snprintf(old, sizeof(old), "%s", home ? home : "/");
	test_write(test_path(dir, ".jq"), definitions, sizeof(definitions) - 1);
	(void)setenv("HOME", dir, 1); /* NOLINT(concurrency-mt-unsafe) */
	open_pool(NULL);
	assert_ok(expr_eval(&user, "map(. + 1)", "[1]"), &user.err);
	(void)setenv("HOME", old, 1); /* NOLINT(concurrency-mt-unsafe) */
	test_dir_remove(dir);
	assert_string_equal(user.text, "[2]");
	assert_rc(expr_eval(&user, "mine", "1"), DEMON_INVALID, &user.err);
	assert_contains(user.err.msg, "mine/0 is not defined");
}

static void a_program_that_is_no_worker_is_named(void **state)
{
	static const char *const programs[] = {"/nonexistent/demon-expr", "/dev/null",
					       "/bin/false"};
	static const char *const words[] = {
	    "start '/nonexistent/demon-expr': No such file or directory",
	    "start '/dev/null': Permission denied", "start '/bin/false': it ended at once"};

	(void)state;
	for (size_t i = 0; i < demon_count(programs); i++) {
		struct demon_expr_options options = {.program = programs[i]};
		struct demon_expr_source source = {.text = "1"};
		struct demon_expr_unit unit = expr_unit(&source, 1);
		size_t index = 9;

		open_pool(&options);
		assert_rc(demon_expr_check(user.expr, &unit, &index, &user.err), DEMON_UNAVAIL,
			  &user.err);
		assert_int_equal(index, 9);
		assert_string_equal(user.err.msg, words[i]);
		assert_rc(expr_eval(&user, "1", "1"), DEMON_UNAVAIL, &user.err);
		demon_expr_close(user.expr);
		user.expr = NULL;
	}
}

static void a_worker_killed_while_idle_is_replaced(void **state)
{
	(void)state;
	open_pool(NULL);
	for (int i = 0; i < 3; i++) {
		expr_assert_usable(&user);
		kill_and_wait(only_worker());
	}
	expr_assert_usable(&user);
	assert_int_equal(expr_workers(getpid(), NULL), 1);
}

/* Sources of "INDEX + ." */
static struct demon_expr_source *make_sources(size_t count)
{
	struct demon_expr_source *sources = calloc(count, sizeof(*sources));
	char text[64];

	assert_non_null(sources);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(text, sizeof(text), "%zu + .", i);
		sources[i].text = strdup(text);
		assert_non_null(sources[i].text);
	}
	return sources;
}

static void free_sources(struct demon_expr_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		union {
			const char *given;
			char *wanted;
		} same = {sources[i].text};

		free(same.wanted);
	}
	free(sources);
}

struct endless {
	struct expr_user user;
	struct demon_expr_unit unit;
	enum demon_rc rc;
};

static void *evaluate_for_ever(void *ctx)
{
	struct endless *e = ctx;

	e->rc = expr_eval_unit(&e->user, &e->unit, 0, "1", NULL);
	return NULL;
}

static void a_worker_killed_while_evaluating_costs_that_result(void **state)
{
	static const struct demon_expr_source source = {.text = "def f: f; f"};
	struct demon_expr_options options = {.timeout_ms = FOREVER, .workers = 1};
	struct endless e = {.unit = expr_unit(&source, 1)};
	pthread_t thread;
	size_t index;

	(void)state;
	open_pool(&options);
	assert_ok(demon_expr_check(user.expr, &e.unit, &index, &user.err), &user.err);
	e.user = user;
	wait_for_state(only_worker(), 'S');
	assert_int_equal(pthread_create(&thread, NULL, evaluate_for_ever, &e), 0);
	wait_for_state(only_worker(), 'R');
	assert_int_equal(kill(only_worker(), SIGKILL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(e.rc, DEMON_FAILED);
	assert_string_equal(e.user.err.msg, "the worker died of signal 9");
	expr_assert_usable(&user);
}

static void *check_unit(void *ctx)
{
	struct endless *e = ctx;
	size_t index;

	e->rc = demon_expr_check(e->user.expr, &e->unit, &index, &e->user.err);
	return NULL;
}

static void a_worker_killed_while_compiling_costs_time_alone(void **state)
{
	struct demon_expr_options options = {.workers = 1};
	struct demon_expr_source *sources = make_sources(2000);
	struct endless e = {.unit = expr_unit(sources, 2000)};
	pthread_t thread;

	(void)state;
	open_pool(&options);
	expr_assert_usable(&user);
	e.user = user;
	wait_for_state(only_worker(), 'S');
	assert_int_equal(pthread_create(&thread, NULL, check_unit, &e), 0);
	wait_for_state(only_worker(), 'R');
	assert_int_equal(kill(only_worker(), SIGKILL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ok(e.rc, &e.user.err);
	free_sources(sources, 2000);
	expr_assert_usable(&user);
}

static void a_worker_that_keeps_no_time_is_killed(void **state)
{
	struct demon_expr_options options = {.timeout_ms = 100};
	pid_t pid;

	(void)state;
	open_pool(&options);
	expr_assert_usable(&user);
	pid = only_worker();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_rc(expr_eval(&user, "1", "1"), DEMON_TIMEOUT, &user.err);
	assert_string_equal(user.err.msg, "the worker did not answer and was killed");
	expr_assert_usable(&user);
	assert_true(only_worker() != pid);
}

static void *evaluate_once(void *ctx)
{
	struct expr_user *u = ctx;

	return expr_eval(u, "1", "1") ? u : NULL;
}

static void a_worker_outlives_the_thread_that_started_it(void **state)
{
	pthread_t thread;
	void *failed;
	pid_t pid;

	(void)state;
	open_pool(NULL);
	assert_int_equal(pthread_create(&thread, NULL, evaluate_once, &user), 0);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	pid = only_worker();
	expr_assert_usable(&user);
	assert_int_equal(only_worker(), pid);
}

static int evaluate_in_child(void *ctx)
{
	struct demon_expr_options options = {.timeout_ms = FOREVER};
	struct expr_user u = {.expr = NULL};

	(void)ctx;
	if (demon_expr_open(&options, &u.expr, &u.err))
		return 1;
	(void)expr_eval(&u, "def f: f; f", "1");
	return 2;
}

static void a_worker_ends_with_its_process(void **state)
{
	pid_t child = test_fork_start(evaluate_in_child, NULL);
	pid_t worker = 0;

	(void)state;
	while (expr_workers(child, &worker) == 0)
		(void)sched_yield();
	wait_for_state(worker, 'R');
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(WIFSIGNALED(test_fork_wait(child)));
	wait_for_end(worker);
}

static void assert_sum(const struct demon_expr_unit *unit, size_t index)
{
	char want[32];

	assert_ok(expr_eval_unit(&user, unit, index, "100", NULL), &user.err);
	(void)snprintf(want, sizeof(want), "%zu", index + 100);
	assert_string_equal(user.text, want);
}

static void a_unit_holds_thousands(void **state)
{
	struct demon_expr_source *sources = make_sources(MANY);
	struct demon_expr_unit unit = expr_unit(sources, MANY);
	struct demon_expr_unit bad;
	const char *good = sources[7777].text;
	size_t index = 0;

	(void)state;
	open_pool(NULL);
	assert_ok(demon_expr_check(user.expr, &unit, &index, &user.err), &user.err);
	assert_sum(&unit, 0);
	assert_sum(&unit, 127);
	assert_sum(&unit, 128);
	assert_sum(&unit, 5000);
	assert_sum(&unit, MANY - 1);
	bad = expr_unit(sources + 7000, 1000);
	sources[7777].text = "1 + unknown";
	assert_rc(demon_expr_check(user.expr, &bad, &index, &user.err), DEMON_INVALID, &user.err);
	assert_int_equal(index, 777);
	assert_string_equal(user.err.msg, "line 1: unknown/0 is not defined");
	assert_rc(expr_eval_unit(&user, &bad, 776, "1", NULL), DEMON_INVALID, &user.err);
	assert_contains(user.err.msg, "expression 777: line 1: unknown/0 is not defined");
	sources[7777].text = good;
	free_sources(sources, MANY);
}

static void every_part_has_its_own_expressions(void **state)
{
	enum { COUNT = 300 };
	static char texts[COUNT][1600];
	struct demon_expr_source sources[COUNT] = {{.text = NULL}};
	struct demon_expr_unit unit = expr_unit(sources, COUNT);

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		/* of all lengths, so that parts of all sizes come up */
		(void)snprintf(texts[i], sizeof(texts[i]), "1 %*s", (int)(i * i % 1500), "");
		sources[i] = (struct demon_expr_source){.text = texts[i]};
	}
	for (size_t i = 0; i < COUNT; i++) {
		struct demon_expr_part part = demon_expr_part_of(&unit, i);
		size_t size = 0;

		assert_in_range(i, part.first, part.first + part.count - 1);
		for (size_t j = part.first; j < part.first + part.count; j++) {
			struct demon_expr_part same = demon_expr_part_of(&unit, j);

			assert_memory_equal(&same, &part, sizeof(part));
			size += strlen(texts[j]);
		}
		assert_true(part.count == 1 || size <= DEMON_EXPR_PART_BYTES);
		assert_true(part.count <= DEMON_EXPR_PART_COUNT);
	}
}

static void the_first_of_several_faults_is_told(void **state)
{
	static const struct {
		const char *texts[6];
		size_t first;
		const char *words;
	} cases[] = {
	    {{"1", "2", "nil1", "4", "nil2", "6"}, 2, "nil1/0"},
	    {{"nil1", "2", "nil2", "4", "5", "6"}, 0, "nil1/0"},
	    {{"1", "2", "3", "4", "5", "nil1"}, 5, "nil1/0"},
	    {{"1", "nil1", "(", "4", "env", "6"}, 1, "nil1/0"},
	    {{"1", "2", "(", "nil1", "env", "6"}, 2, "'(' is not closed"},
	    {{"(", "2", "3", "nil1", "env", "6"}, 0, "'(' is not closed"},
	    {{"1", "2", "3", "4", "env", "nil1"}, 4, "'env' is not to be had"},
	};

	(void)state;
	open_pool(NULL);
	for (size_t i = 0; i < demon_count(cases); i++) {
		struct demon_expr_source sources[6] = {{.text = NULL}};
		struct demon_expr_unit unit = expr_unit(sources, 6);
		size_t index = 99;

		for (size_t j = 0; j < 6; j++)
			sources[j].text = cases[i].texts[j];
		assert_rc(demon_expr_check(user.expr, &unit, &index, &user.err), DEMON_INVALID,
			  &user.err);
		assert_int_equal(index, cases[i].first);
		assert_contains(user.err.msg, cases[i].words);
		expr_assert_usable(&user);
	}
}

static void a_forgotten_unit_is_compiled_again(void **state)
{
	enum { UNITS = 66 }; /* a worker keeps 64 */
	struct demon_expr_source *sources = make_sources(UNITS);
	struct demon_expr_unit units[UNITS];

	(void)state;
	open_pool(NULL);
	for (size_t i = 0; i < UNITS; i++) {
		units[i] = expr_unit(&sources[i], 1);
		assert_ok(expr_eval_unit(&user, &units[i], 0, "1000", NULL), &user.err);
	}
	for (size_t i = 0; i < UNITS; i += UNITS - 1) {
		char want[16];

		(void)snprintf(want, sizeof(want), "%zu", i + 1000);
		assert_ok(expr_eval_unit(&user, &units[i], 0, "1000", NULL), &user.err);
		assert_string_equal(user.text, want);
	}
	free_sources(sources, UNITS);
}

struct shared {
	struct demon_expr *expr;
	const struct demon_expr_unit *unit;
	size_t number;
};

static void *evaluate_many(void *ctx)
{
	const struct shared *s = ctx;
	struct expr_user u = {.expr = s->expr};
	char want[32];

	for (size_t i = 0; i < ROUNDS; i++) {
		size_t index = (s->number * ROUNDS + i) % s->unit->count;

		/* now and then one that kills its worker */
		if (i % 25 == 24)
			(void)expr_eval(&u, ".[2147483647] = 1", "null");
		(void)snprintf(want, sizeof(want), "%zu", index + i);
		(void)snprintf(u.text, sizeof(u.text), "%zu", i);
		if (expr_eval_unit(&u, s->unit, index, u.text, NULL) || strcmp(u.text, want) != 0) {
			print_error("%s, wanted %s: %s\n", u.text, want, u.err.msg);
			return ctx;
		}
	}
	return NULL;
}

static void threads_share_a_pool(void **state)
{
	struct demon_expr_options options = {.timeout_ms = FOREVER};
	struct demon_expr_source *sources = make_sources(ROUNDS);
	struct demon_expr_unit unit = expr_unit(sources, ROUNDS);
	struct shared shared[THREADS];
	pthread_t threads[THREADS];
	void *failed[THREADS];

	(void)state;
	open_pool(&options);
	for (size_t i = 0; i < THREADS; i++) {
		shared[i] = (struct shared){user.expr, &unit, i};
		assert_int_equal(pthread_create(&threads[i], NULL, evaluate_many, &shared[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], &failed[i]), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_null(failed[i]);
	assert_in_range(expr_workers(getpid(), NULL), 1, 2);
	free_sources(sources, ROUNDS);
}

static void a_text_without_end_is_refused(void **state)
{
	static const struct {
		const char *before, *piece, *after;
		size_t bytes;
		enum demon_rc rc;
		const char *words;
	} cases[] = {
	    {"1", " ", "", 1 << 20, DEMON_TOOBIG, "is longer than 65536 bytes"},
	    {"\"", "a", "\"", 65000, DEMON_OK, ""},
	    {"1", "+1", "", 65000, DEMON_OK, ""},
	    {".", "|.", "", 65000, DEMON_INVALID, "memory exhausted"},
	    {".", ",.", "", 65000, DEMON_INVALID, "which is too long"},
	    {"", "[", "", 60000, DEMON_INVALID, "1:257: is nested too deeply"},
	    {"", "\"\\(", "", 60000, DEMON_INVALID, "is nested too deeply"},
	    {"", "if ", "", 60000, DEMON_INVALID, "is nested too deeply"},
	    {"[", "1,", "1]", 65000, DEMON_OK, ""},
	    {"", "-", "1", 65000, DEMON_INVALID, "memory exhausted"},
	    {"", "def f: 1; ", "1", 65000, DEMON_OK, ""},
	    {"", "def f: ", "1", 65000, DEMON_INVALID, "memory exhausted"},
	    {"", "try ", "1", 65000, DEMON_INVALID, "memory exhausted"},
	    {".", " as $x|.", "", 65000, DEMON_INVALID, "memory exhausted"},
	    {". as $x", "?//$x", "|.", 10000, DEMON_OK, ""},
	    {"1", "//1", "", 65000, DEMON_INVALID, "memory exhausted"},
	    /* compiling takes about 5 s: which limit comes first is the machine's doing */
	    {".", "[1:]", "", 65000, DEMON_INVALID, "which is too long"},
	};
	static char text[(1 << 20) + 64];
	static const char slow[] = "compiling takes more than 5000 ms";

	(void)state;
	open_pool(NULL);
	for (size_t i = 0; i < demon_count(cases); i++) {
		size_t len = strlen(strcpy(text, cases[i].before));
		size_t n = strlen(cases[i].piece);
		enum demon_rc rc;

		for (; len + n <= cases[i].bytes; len += n)
			memcpy(text + len, cases[i].piece, n);
		strcpy(text + len, cases[i].after);
		rc = expr_check(&user, text);
		if (i == demon_count(cases) - 1 && rc == DEMON_TIMEOUT &&
		    strstr(user.err.msg, slow))
			rc = cases[i].rc;
		else if (rc != cases[i].rc || (rc && !strstr(user.err.msg, cases[i].words)))
			fail_msg("%s: %s: %s", cases[i].piece, demon_rc_text(rc),
				 rc ? user.err.msg : "");
		expr_assert_usable(&user);
	}
}

static void a_result_is_as_large_and_as_deep_as_an_event(void **state)
{
	struct demon_expr_options options = {.output_max = 100};

	(void)state;
	open_pool(&options);
	assert_ok(expr_eval(&user, "\"x\" * 98", "1"), &user.err);
	assert_int_equal(strlen(user.text), 100);
	assert_rc(expr_eval(&user, "\"x\" * 99", "1"), DEMON_TOOBIG, &user.err);
	assert_string_equal(user.err.msg, "the result has more than 100 bytes");
	expr_assert_usable(&user);
	demon_expr_close(user.expr);
	/* on a machine that is busy, too, the size is what stops it */
	options = (struct demon_expr_options){.timeout_ms = FOREVER};
	open_pool(&options);
	assert_rc(expr_eval(&user, "\"x\" * 1e7", "1"), DEMON_TOOBIG, &user.err);
	assert_string_equal(user.err.msg, "the result has more than 491520 bytes");
	assert_ok(expr_eval(&user, "reduce range(64) as $i (1; [.])", "1"), &user.err);
	assert_rc(expr_eval(&user, "reduce range(65) as $i (1; [.])", "1"), DEMON_INVALID,
		  &user.err);
	assert_contains(user.err.msg, "the result cannot be kept");
	assert_rc(expr_eval(&user, "reduce range(1000) as $i (1; {a: .})", "1"), DEMON_INVALID,
		  &user.err);
	assert_contains(user.err.msg, "nested too deeply");
	expr_assert_usable(&user);
}

static void every_allocation_may_fail(void **state)
{
	unsigned n = 0;
	bool failed;

	(void)state;
	do {
		demon_fault_arm(DEMON_FAULT_ALLOC, ++n, false);
		if (demon_expr_open(NULL, &user.expr, &user.err) == DEMON_OK) {
			enum demon_rc rc = expr_eval(&user, ".a", "{\"a\":[1,\"x\"]}");

			failed = demon_fault_disarm() > 0;
			if (rc)
				assert_int_equal(rc, DEMON_NOMEM);
			assert_true(rc != DEMON_OK || strcmp(user.text, "[1,\"x\"]") == 0);
			expr_assert_usable(&user);
			demon_expr_close(user.expr);
			user.expr = NULL;
		} else {
			failed = demon_fault_disarm() > 0;
			assert_true(failed);
		}
	} while (failed);
	assert_true(n > 5);
}

/* Asks a worker whether a program compiles. */
static bool compiles(struct demon_expr_worker *worker, const struct demon_buf *program)
{
	DEMON_BUF(reply, 0);
	struct demon_expr_exchange x = {
	    .request = {.ask = DEMON_EXPR_TRY, .timeout_ms = FOREVER},
	    .body = program,
	    .patience_ms = FOREVER,
	    .reply = &reply,
	};

	assert_ok(demon_expr_worker_ask(worker, &x, &user.err), &user.err);
	assert_true(x.say == DEMON_EXPR_DONE || x.say == DEMON_EXPR_REFUSED);
	return x.say == DEMON_EXPR_DONE;
}

/* What compiles with something around it compiles without: it cannot have closed what is not its
 * own. */
static void what_is_wrapped_was_a_program_before(void **state)
{
	static const char *const pieces[] = {
	    "(",     ")",  "[",  "]", "{",         "}",       "\"",     "\\(",    "\\",
	    ".",     ".a", "|",  ",", " if ",      " then ",  " else ", " elif ", " end ",
	    "1",     "#",  "\n", ":", ";",         "def f:",  " as $x", "$x",     " reduce ",
	    " try ", "?",  "//", "a", " foreach ", " catch ", "@json ", "..",     " label $x|",
	    "1",     ".",  "1",  ".", "|",         "=",       "-",      " and "};
	struct demon_expr_worker worker = {.pid = 0};
	uint64_t seed = test_seed(20260102);
	unsigned programs = 0;
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	(void)state;
	assert_true(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../demon-expr");
	assert_ok(demon_expr_worker_start(&worker, path, (size_t)256 << 20, &user.err), &user.err);
	for (int i = 0; i < 3000; i++) {
		char text[256] = "";
		struct demon_expr_source source = {.text = text};
		struct demon_expr_unit unit = expr_unit(&source, 1);
		struct demon_expr_part part = demon_expr_part_of(&unit, 0);
		DEMON_BUF(wrapped, 0);
		DEMON_BUF(bare, 0);
		size_t index;

		for (uint64_t k = 1 + test_random(&seed) % 8; k; k--)
			strcat(text, pieces[test_random(&seed) % demon_count(pieces)]);
		demon_expr_program(&unit, &part, &wrapped);
		demon_expr_program_bare(&source, &bare);
		if (demon_expr_part_syntax(&unit, &part, &index, &user.err))
			continue;
		if (compiles(&worker, &wrapped)) {
			programs++;
			if (!compiles(&worker, &bare))
				fail_msg("'%s' is no program", text);
		}
	}
	demon_expr_worker_stop(&worker);
	assert_true(programs > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(no_expression_means_no_process, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_has_nothing_but_its_socket, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(definitions_in_the_home_folder_are_not_read, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_program_that_is_no_worker_is_named, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_killed_while_idle_is_replaced, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_killed_while_evaluating_costs_that_result,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_killed_while_compiling_costs_time_alone,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_that_keeps_no_time_is_killed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_outlives_the_thread_that_started_it, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_worker_ends_with_its_process, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_unit_holds_thousands, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_part_has_its_own_expressions, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_first_of_several_faults_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_forgotten_unit_is_compiled_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(threads_share_a_pool, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_text_without_end_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_result_is_as_large_and_as_deep_as_an_event, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(every_allocation_may_fail, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_wrapped_was_a_program_before, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
