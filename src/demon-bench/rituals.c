#include "rituals.h"

#include "bare.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/json_member.h"
#include "clock.h"
#include "domain/expr/expr.h"
#include "domain/ritual/run.h"
#include "ours.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLERS       64
#define EVENTS_A_RUN  11 /* of three steps */
#define ROUNDS        9
#define ROUND_RUNS    10 /* a caller */
#define BARE_BATCH    1000
#define LOOP_ROUNDS   100000
#define WAITING       100000
#define DUE_AT_ONCE   1000
#define EXPRESSION_MB 8

static const char three[] =
    "{\"id\":\"three\",\"version\":\"1\",\"states\":["
    "{\"name\":\"A\",\"type\":\"task\",\"action\":{\"functionRef\":{\"refName\":\"echo\","
    "\"arguments\":{\"message\":\"a\"}}}},"
    "{\"name\":\"B\",\"type\":\"task\",\"action\":{\"functionRef\":{\"refName\":\"echo\","
    "\"arguments\":{\"message\":\"b\"}}}},"
    "{\"name\":\"C\",\"type\":\"task\",\"action\":{\"functionRef\":{\"refName\":\"echo\","
    "\"arguments\":{\"message\":\"c\"}}}}]}";
static const char loop[] =
    "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"default\",\"name\":\"loop\",\"version\":"
    "\"1\"},"
    "\"do\":[{\"all\":{\"for\":{\"each\":\"x\",\"in\":\"[range($workflow.input.n)]\"},\"do\":[{"
    "\"add\":{\"set\":{\"sum\":\"${ (.sum // 0) + $x }\"}}}]}}]}";
static const char waiting[] = "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"default\",\"name\":"
			      "\"wait\",\"version\":\"1\"},"
			      "\"do\":[{\"pause\":{\"wait\":{\"seconds\":%d}}}]}";

void rituals_check(enum demon_rc rc, const struct demon_err *err)
{
	if (rc == DEMON_OK)
		return;
	(void)fprintf(stderr, "demon-bench: %s\n", err->msg);
	abort();
}

struct demon_definition *rituals_load(const char *text)
{
	struct demon_definition *definition;
	struct demon_err err;

	rituals_check(demon_definition_load("bench", text, strlen(text), &definition, NULL, &err),
		      &err);
	return definition;
}

/* Runs of one definition by one caller after the other. */
struct caller {
	pthread_t thread;
	struct demon_store *store;
	const struct demon_definition *definition;
	struct demon_expr *expr;
	const json_t *input;
	size_t runs;
};

static void *call(void *arg)
{
	const struct caller *c = arg;
	const struct demon_run_options options = {.claim = true, .input = c->input};
	const struct demon_run_watch watch = {.claimed = true, .expr = c->expr};

	for (size_t i = 0; i < c->runs; i++) {
		struct demon_run_outcome outcome = {0};
		struct demon_run_id run;
		struct demon_err err;

		rituals_check(demon_run_start(c->store, c->definition, &options, &run, &err), &err);
		rituals_check(demon_run_execute_watched(c->store, &run, &watch, &outcome, &err),
			      &err);
		free(outcome.terminal);
	}
	return NULL;
}

static void call_all(struct demon_store *store, const struct demon_definition *definition,
		     size_t runs)
{
	struct caller callers[CALLERS];

	for (size_t i = 0; i < CALLERS; i++) {
		callers[i] =
		    (struct caller){.store = store, .definition = definition, .runs = runs};
		if (pthread_create(&callers[i].thread, NULL, call, &callers[i]))
			abort();
	}
	for (size_t i = 0; i < CALLERS; i++)
		(void)pthread_join(callers[i].thread, NULL);
}

static struct bare *open_bare(const char *dir, const char *name)
{
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	demon_close(ours_open(path));
	return bare_open(path);
}

static struct demon_store *open_ours(const char *dir, const char *name, char path[4200])
{
	(void)snprintf(path, 4200, "%s/%s", dir, name);
	return ours_open(path);
}

long rituals_memory(long pid, const char *key)
{
	char path[64];
	char line[256];
	long kb = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtol(line + strlen(key) + 1, NULL, 10);
	if (file)
		(void)fclose(file);
	return kb;
}

static void three_steps(const char *dir, bool quick, struct ritual_result *r)
{
	struct demon_definition *definition = rituals_load(three);
	struct bare *bare = open_bare(dir, "three-bare.db");
	char path[4200];
	struct demon_store *store = open_ours(dir, "three.db", path);
	size_t rounds = quick ? 3 : ROUNDS;
	size_t runs = (size_t)CALLERS * ROUND_RUNS;
	double ours[ROUNDS];
	double bares[ROUNDS];

	call_all(store, definition, ROUND_RUNS);
	for (size_t i = 0; i < rounds; i++) {
		double start = clock_now();

		call_all(store, definition, ROUND_RUNS);
		ours[i] = (double)runs / (clock_now() - start);
		start = clock_now();
		for (size_t k = 0; k < runs * EVENTS_A_RUN / CALLERS; k++)
			bare_write(bare, CALLERS);
		bares[i] = (double)runs / (clock_now() - start);
	}
	*r = (struct ritual_result){.name = "ritual_three_steps",
				    .unit = "runs/s",
				    .ours = median(ours, rounds),
				    .bare = median(bares, rounds)};
	(void)snprintf(
	    r->note, sizeof(r->note),
	    "%d in flight, %d events and 5 transactions a run; bare: the same rows, %d a "
	    "commit; peak memory %ld kB",
	    CALLERS, EVENTS_A_RUN, CALLERS, rituals_memory(getpid(), "VmHWM:"));
	demon_close(store);
	bare_close(bare);
	demon_definition_free(definition);
}

static double loop_once(struct demon_store *store, struct demon_expr *expr,
			const struct demon_definition *definition, int n)
{
	json_auto_t *input = json_pack("{s:i}", "n", n);
	struct caller c = {
	    .store = store, .definition = definition, .expr = expr, .input = input, .runs = 1};
	double start = clock_now();

	(void)call(&c);
	return clock_now() - start;
}

static void loops(const char *dir, bool quick, struct ritual_result *r)
{
	const struct demon_expr_options options = {.workers = 1,
						   .output_max = (size_t)EXPRESSION_MB << 20};
	struct demon_definition *definition = rituals_load(loop);
	struct bare *bare = open_bare(dir, "loop-bare.db");
	char path[4200];
	struct demon_store *store = open_ours(dir, "loop.db", path);
	int n = quick ? LOOP_ROUNDS / 10 : LOOP_ROUNDS;
	struct demon_expr *expr;
	struct demon_err err;
	double small;
	double large;
	double start;

	rituals_check(demon_expr_open(&options, &expr, &err), &err);
	(void)loop_once(store, expr, definition, 10);
	small = loop_once(store, expr, definition, n / 100);
	large = loop_once(store, expr, definition, n);
	start = clock_now();
	for (int i = 0; i < n / BARE_BATCH; i++)
		bare_write(bare, BARE_BATCH);
	*r = (struct ritual_result){.name = "ritual_loop",
				    .unit = "rounds/s",
				    .ours = n / large,
				    .bare = n / (clock_now() - start)};
	(void)snprintf(
	    r->note, sizeof(r->note),
	    "a `for` of %d rounds with one `set`: %.1f us a round, %.1f in one of %d; bare: "
	    "a row a round, %d a commit, and nothing computed",
	    n, large * 1e6 / n, small * 1e6 / (n / 100.0), n / 100, BARE_BATCH);
	demon_expr_close(expr);
	demon_close(store);
	bare_close(bare);
	demon_definition_free(definition);
}

/* Starts runs that wait, by many callers. */
static void start_waiting(struct demon_store *store, int seconds, size_t runs)
{
	char text[512];
	struct demon_definition *definition;

	(void)snprintf(text, sizeof(text), waiting, seconds);
	definition = rituals_load(text);
	call_all(store, definition, (runs + CALLERS - 1) / CALLERS);
	demon_definition_free(definition);
}

pid_t rituals_daemon(const char *db)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 16);
	pid_t pid;

	if (n < 0)
		abort();
	self[n] = '\0';
	(void)snprintf(strrchr(self, '/'), 16, "/demond");
	pid = fork();
	if (pid == 0) {
		(void)execl(self, self, "--db", db, "--listen", "127.0.0.1:0", "--quiet",
			    (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int64_t time_of(const struct demon_event *ev, const char *key)
{
	struct demon_err err;
	demon_time t = 0;
	DEMON_BUF(text, 0);

	if (!demon_json_span_str(demon_json_member(ev->payload, ev->payload_len, key), &text) ||
	    demon_rfc3339_parse(text.data, &t, &err))
		abort();
	return t;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

bool rituals_lateness(struct demon_store *store, int64_t seq, double *late, size_t count)
{
	const struct demon_filter filter = {.after_seq = seq, .type = "timer.fired:v1"};
	double until = clock_now() + 120;
	struct demon_reader *reader;
	struct demon_err err;
	size_t n = 0;

	rituals_check(demon_reader_open(store, &filter, &reader, &err), &err);
	while (n < count && clock_now() < until) {
		const struct demon_event *ev;

		if (demon_reader_next(reader, 1000, &ev, &err) == DEMON_OK)
			late[n++] = (double)(time_of(ev, "ts") - time_of(ev, "scheduledFor"));
	}
	demon_reader_close(reader);
	qsort(late, n, sizeof(*late), by_value);
	return n == count;
}

static void waits(const char *dir, bool quick, struct ritual_result *r)
{
	char path[4200];
	struct demon_store *store = open_ours(dir, "wait.db", path);
	size_t count = quick ? WAITING / 20 : WAITING;
	static double late[DUE_AT_ONCE];
	size_t due = (size_t)DUE_AT_ONCE / CALLERS * CALLERS;
	double start = clock_now();
	double took;
	int64_t seq;
	long idle;
	pid_t daemon;
	struct demon_err err;
	bool all;

	start_waiting(store, 7 * 24 * 3600, count);
	took = clock_now() - start;
	rituals_check(demon_last_seq(store, &seq, &err), &err);
	daemon = rituals_daemon(path);
	(void)poll(NULL, 0, 1000);
	idle = rituals_memory(daemon, "VmRSS:");
	start_waiting(store, 3, due);
	all = rituals_lateness(store, seq, late, due);
	*r = (struct ritual_result){
	    .name = "ritual_waiting", .unit = "runs/s", .ours = (double)count / took, .bare = 0};
	(void)snprintf(
	    r->note, sizeof(r->note),
	    "%zu runs made to wait; demond with them: %ld kB idle, %ld kB at the peak; of "
	    "%zu timers due within a second%s: late by %.0f ms (median), %.0f (p99), "
	    "%.0f (most)",
	    count, idle, rituals_memory(daemon, "VmHWM:"), due, all ? "" : " (not all fired)",
	    late[due / 2], late[due * 99 / 100], late[due - 1]);
	(void)kill(daemon, SIGTERM);
	(void)waitpid(daemon, NULL, 0);
	demon_close(store);
}

void rituals_measure(const char *dir, bool quick, struct ritual_result results[RITUAL_COUNT])
{
	three_steps(dir, quick, &results[1]);
	loops(dir, quick, &results[0]);
	waits(dir, quick, &results[2]);
}
