#include "approvals.h"

#include "base/bytes.h"
#include "clock.h"
#include "domain/approval/vote.h"
#include "domain/ritual/run.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define CALLERS     64
#define DECISIONS   1000
#define PENDING     100000
#define DUE_AT_ONCE 1000
#define DUE_IN_MS   6000
#define WAIT_MS     10000

static const char asking[] = "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"default\",\"name\":"
			     "\"ask\",\"version\":\"1\"},"
			     "\"do\":[{\"ask\":{\"call\":\"approval\",\"with\":{\"gate\":\"prod\","
			     "\"ttl\":\"PT%lld.%03lldS\"}}},"
			     "{\"ship\":{\"call\":\"echo\",\"with\":{\"message\":\"shipped\"}}}]}";

static struct demon_definition *load(int64_t ttl_ms)
{
	char text[512];

	(void)snprintf(text, sizeof(text), asking, (long long)(ttl_ms / 1000),
		       (long long)(ttl_ms % 1000));
	return rituals_load(text);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Reads up to the next event of the run, and returns its time in ms. */
static demon_time await(struct demon_reader *reader, const struct demon_run_id *run,
			const char *type, const char *part)
{
	const struct demon_event *ev;
	struct demon_err err;

	do
		rituals_check(demon_reader_next(reader, WAIT_MS, &ev, &err), &err);
	while (!ev->run_id || strcmp(ev->run_id, run->run_id) != 0 || strcmp(ev->type, type) != 0 ||
	       !strstr(ev->payload, part));
	return ev->ts;
}

static void decide(struct demon_store *store, const struct demon_gate_config *config,
		   const struct demon_run_id *run)
{
	const struct demon_actor actor = {.subject = "ada"};
	const struct demon_vote vote = {
	    .run = run, .gate_id = "prod", .want = DEMON_GATE_GRANTED, .actor = &actor};
	struct demon_vote_answer answer;
	struct demon_err err;

	rituals_check(demon_vote_cast(store, config, &vote, &answer, &err), &err);
	demon_vote_answer_done(&answer);
}

/* One run of the daemon's, decided here. *ret_ms: from the answer to the vote until the start of
 * the next step is seen here too; *ret_ts: from one event's time to the other's. */
static void decide_one(struct demon_store *store, const struct demon_definition *definition,
		       const struct demon_gate_config *config, double *ret_ms, double *ret_ts)
{
	const struct demon_run_options options = {.requester = "bench"};
	struct demon_filter filter = {.type =
					  "approval.opened:v1,approval.decided:v1,step.started:v1"};
	struct demon_reader *reader;
	struct demon_run_id run;
	struct demon_err err;
	demon_time decided;
	demon_time started;
	double start;

	rituals_check(demon_last_seq(store, &filter.after_seq, &err), &err);
	rituals_check(demon_reader_open(store, &filter, &reader, &err), &err);
	rituals_check(demon_run_start(store, definition, &options, &run, &err), &err);
	(void)await(reader, &run, "approval.opened:v1", "");
	(void)poll(NULL, 0, 2);
	decide(store, config, &run);
	start = clock_now();
	decided = await(reader, &run, "approval.decided:v1", "");
	started = await(reader, &run, "step.started:v1", "\"echo\"");
	*ret_ms = (clock_now() - start) * 1e3;
	*ret_ts = (double)(started - decided);
	demon_reader_close(reader);
}

static struct demon_store *open_store(const char *dir, const char *name, char path[4200])
{
	const struct demon_options options = {.create = true, .node_id = "bench"};
	struct demon_store *store;
	struct demon_err err;

	(void)snprintf(path, 4200, "%s/%s", dir, name);
	rituals_check(demon_open(path, &options, &store, &err), &err);
	return store;
}

static void end_daemon(pid_t daemon)
{
	(void)kill(daemon, SIGTERM);
	(void)waitpid(daemon, NULL, 0);
}

static void decisions(const char *dir, bool quick, struct ritual_result *r)
{
	static double ms[DECISIONS];
	static double ts[DECISIONS];
	char path[4200];
	struct demon_store *store = open_store(dir, "decide.db", path);
	struct demon_definition *definition = load((int64_t)3600 * 1000);
	struct demon_gate_config config = {.ttl_ms = 0};
	struct demon_allowlist *list;
	size_t n = quick ? DECISIONS / 5 : DECISIONS;
	pid_t daemon = rituals_daemon(path);
	struct demon_err err;

	rituals_check(demon_allowlist_parse("ada", &list, &err), &err);
	config.allowlist = list;
	(void)poll(NULL, 0, 1000);
	for (size_t i = 0; i < n; i++)
		decide_one(store, definition, &config, &ms[i], &ts[i]);
	qsort(ms, n, sizeof(*ms), by_value);
	qsort(ts, n, sizeof(*ts), by_value);
	*r = (struct ritual_result){.name = "approval_decided",
				    .unit = "ms (p99, less is better)",
				    .ours = ms[n * 99 / 100]};
	(void)snprintf(r->note, sizeof(r->note),
		       "from the answer to a vote in another process to the start of demond's next "
		       "step, seen there: %.2f ms (median), %.2f (p99), %.2f (most) of %zu; by the "
		       "events' own times %.0f, %.0f, %.0f",
		       ms[n / 2], ms[n * 99 / 100], ms[n - 1], n, ts[n / 2], ts[n * 99 / 100],
		       ts[n - 1]);
	end_daemon(daemon);
	demon_allowlist_free(list);
	demon_definition_free(definition);
	demon_close(store);
}

/* Runs that wait at a gate until @p due; 0: for a week. */
struct asker {
	pthread_t thread;
	struct demon_store *store;
	const struct demon_definition *definition;
	demon_time due;
	size_t runs;
};

static void *ask(void *arg)
{
	const struct asker *a = arg;
	const struct demon_env *env = demon_env_real();
	const struct demon_run_options options = {.claim = true};
	const struct demon_run_watch watch = {.claimed = true};

	for (size_t i = 0; i < a->runs; i++) {
		struct demon_definition *own = a->due ? load(a->due - env->now(env->ctx)) : NULL;
		struct demon_run_outcome outcome = {0};
		struct demon_run_id run;
		struct demon_err err;

		rituals_check(
		    demon_run_start(a->store, own ? own : a->definition, &options, &run, &err),
		    &err);
		rituals_check(demon_run_execute_watched(a->store, &run, &watch, &outcome, &err),
			      &err);
		demon_definition_free(own);
	}
	return NULL;
}

static void ask_all(struct demon_store *store, const struct demon_definition *definition,
		    demon_time due, size_t runs)
{
	struct asker askers[CALLERS];

	for (size_t i = 0; i < CALLERS; i++) {
		askers[i] = (struct asker){
		    .store = store, .definition = definition, .due = due, .runs = runs / CALLERS};
		if (pthread_create(&askers[i].thread, NULL, ask, &askers[i]))
			abort();
	}
	for (size_t i = 0; i < CALLERS; i++)
		(void)pthread_join(askers[i].thread, NULL);
}

static void expiries(const char *dir, bool quick, struct ritual_result *r)
{
	static double late[DUE_AT_ONCE];
	const struct demon_env *env = demon_env_real();
	char path[4200];
	struct demon_store *store = open_store(dir, "expire.db", path);
	struct demon_definition *definition = load((int64_t)7 * 24 * 3600 * 1000);
	size_t pending = quick ? PENDING / 20 : PENDING;
	size_t due = (size_t)DUE_AT_ONCE / CALLERS * CALLERS;
	struct demon_err err;
	pid_t daemon;
	int64_t seq;
	long idle;
	bool all;

	ask_all(store, definition, 0, pending);
	rituals_check(demon_last_seq(store, &seq, &err), &err);
	daemon = rituals_daemon(path);
	(void)poll(NULL, 0, 1500);
	idle = rituals_memory(daemon, "VmRSS:");
	ask_all(store, NULL, env->now(env->ctx) + DUE_IN_MS, due);
	all = rituals_lateness(store, seq, late, due);
	*r = (struct ritual_result){
	    .name = "approval_expired", .unit = "ms (most, less is better)", .ours = late[due - 1]};
	(void)snprintf(r->note, sizeof(r->note),
		       "%zu gates pending, of %zu due at one moment%s: denied %.0f ms late "
		       "(median), %.0f (p99), %.0f (most); demond %ld kB idle, %ld kB at the peak",
		       pending + due, due, all ? "" : " (not all expired)", late[due / 2],
		       late[due * 99 / 100], late[due - 1], idle, rituals_memory(daemon, "VmHWM:"));
	end_daemon(daemon);
	demon_definition_free(definition);
	demon_close(store);
}

void approvals_measure(const char *dir, bool quick, struct ritual_result results[APPROVAL_COUNT])
{
	decisions(dir, quick, &results[0]);
	expiries(dir, quick, &results[1]);
}
