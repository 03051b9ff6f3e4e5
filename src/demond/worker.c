#include "worker.h"

#include "base/cond.h"
#include "domain/ritual/run.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_MS     1000
#define BUSY_MS     100 /* between looks while threads have work */
#define IDLE_S      10  /* after which a thread without work ends */
#define RETRY_US    ((demon_ticks)60 * 1000 * 1000)
#define SHUNNED_MAX 1024
#define STACK       ((size_t)1024 * 1024)

/* A run that failed to execute, and when to try it again. */
struct shunned {
	struct demon_run_id run;
	demon_ticks until;
};

/* A run that was handed over: waiting for a thread, or with one. */
struct taken {
	struct demon_run_id run;
	enum { FREE, QUEUED, EXECUTED } state;
	uint64_t order; /* of those that are queued, the lowest is first */
};

struct demon_workers {
	struct demon_workers_options options;
	struct demon_reader *reader; /* of the thread that looks */
	atomic_bool stop;
	pthread_mutex_t lock; /* a leaf; guards all below */
	pthread_cond_t work;  /* something is queued, or it is time to end */
	pthread_cond_t slack; /* a thread has become free, or has ended */
	struct shunned shunned[SHUNNED_MAX];
	size_t next_shunned;
	struct taken *taken; /* owned: options.count of them */
	uint64_t next_order;
	size_t used;    /* of them */
	size_t idle;    /* threads */
	size_t running; /* threads, the one that looks included */
};

static demon_ticks mono(void)
{
	const struct demon_env *env = demon_env_real();

	return env->mono(env->ctx);
}

static bool is_same(const struct demon_run_id *a, const struct demon_run_id *b)
{
	return strcmp(a->run_id, b->run_id) == 0 && strcmp(a->tenant_id, b->tenant_id) == 0 &&
	       memcmp(a->origin, b->origin, sizeof(a->origin)) == 0;
}

/* The lock is held. */
static bool is_shunned(const struct demon_workers *w, const struct demon_run_id *run)
{
	size_t count = w->next_shunned < SHUNNED_MAX ? w->next_shunned : SHUNNED_MAX;
	demon_ticks now = mono();

	for (size_t i = 0; i < count; i++)
		if (w->shunned[i].until > now && is_same(&w->shunned[i].run, run))
			return true;
	return false;
}

static void shun(struct demon_workers *w, const struct demon_run_id *run)
{
	(void)pthread_mutex_lock(&w->lock);
	w->shunned[w->next_shunned++ % SHUNNED_MAX] =
	    (struct shunned){.run = *run, .until = mono() + RETRY_US};
	(void)pthread_mutex_unlock(&w->lock);
}

/* One execution, for the callbacks. */
struct execution {
	struct demon_workers *w;
	size_t events; /* appended by it */
};

static bool is_stopped(void *ctx)
{
	const struct execution *x = ctx;

	return atomic_load(&x->w->stop);
}

static void count_event(void *ctx, const char *type, const char *payload, size_t len)
{
	struct execution *x = ctx;

	(void)type;
	(void)payload;
	(void)len;
	x->events++;
}

static void execute(struct demon_workers *w, const struct demon_run_id *run)
{
	struct demon_log *log = w->options.log;
	struct execution x = {.w = w};
	const struct demon_run_watch watch = {.listener = count_event,
					      .stop = is_stopped,
					      .ctx = &x,
					      .expr = w->options.expr,
					      .secrets = w->options.secrets,
					      .gates = w->options.gates,
					      .wards = w->options.wards};
	struct demon_run_outcome outcome = {0};
	struct demon_err err = {0};
	enum demon_rc rc = demon_run_execute_watched(w->options.store, run, &watch, &outcome, &err);

	if (rc == DEMON_BUSY) /* somebody was faster */
		return;
	if (rc == DEMON_CANCELED) {
		demon_log_write(log, DEMON_LOG_INFO, "run left for later", "runId", run->run_id,
				"tenantId", run->tenant_id, NULL);
	} else if (rc) {
		demon_log_write(log, DEMON_LOG_ERROR, "run cannot be executed", "runId",
				run->run_id, "tenantId", run->tenant_id, "error", err.msg, NULL);
		shun(w, run);
	} else if (x.events) { /* else another had ended it since it was listed */
		demon_log_write(log, DEMON_LOG_INFO, "run executed", "runId", run->run_id,
				"tenantId", run->tenant_id, "status", outcome.status, NULL);
	}
	free(outcome.terminal);
}

/* The run that is first in the queue, or NULL. */
static struct taken *first_queued(struct demon_workers *w)
{
	struct taken *first = NULL;

	for (size_t i = 0; i < w->options.count; i++) {
		struct taken *t = &w->taken[i];

		if (t->state == QUEUED && (!first || t->order < first->order))
			first = t;
	}
	return first;
}

/* Waits for something to do; NULL: it is time to end. The lock is held. */
static struct taken *next_work(struct demon_workers *w)
{
	struct timespec until = demon_cond_in((int64_t)IDLE_S * 1000);
	struct taken *t;
	int why = 0;

	w->idle++;
	while (!atomic_load(&w->stop) && !first_queued(w) && why != ETIMEDOUT)
		why = pthread_cond_timedwait(&w->work, &w->lock, &until);
	w->idle--;
	if (atomic_load(&w->stop) || !(t = first_queued(w)))
		return NULL;
	t->state = EXECUTED;
	return t;
}

/* Threads are detached: the unlock is the last thing that one does with shared memory. */
static void *pool_main(void *arg)
{
	struct demon_workers *w = arg;
	struct taken *t;

	(void)pthread_mutex_lock(&w->lock);
	while ((t = next_work(w))) {
		const struct demon_run_id run = t->run;

		(void)pthread_mutex_unlock(&w->lock);
		execute(w, &run);
		(void)pthread_mutex_lock(&w->lock);
		t->state = FREE;
		w->used--;
		(void)pthread_cond_signal(&w->slack);
	}
	w->running--;
	(void)pthread_cond_broadcast(&w->slack);
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* The lock is held. */
static enum demon_rc start_thread(struct demon_workers *w, void *(*fn)(void *),
				  struct demon_err *err)
{
	pthread_attr_t attr;
	pthread_t thread;
	int why;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK);
	w->running++;
	why = pthread_create(&thread, &attr, fn, w);
	(void)pthread_attr_destroy(&attr);
	if (!why)
		return DEMON_OK;
	w->running--;
	return demon_err_sys(err, DEMON_NOMEM, why, "cannot start a worker");
}

static bool is_taken(const struct demon_workers *w, const struct demon_run_id *run)
{
	for (size_t i = 0; i < w->options.count; i++)
		if (w->taken[i].state != FREE && is_same(&w->taken[i].run, run))
			return true;
	return false;
}

static void queue(struct demon_workers *w, const struct demon_run_id *run)
{
	for (size_t i = 0; i < w->options.count; i++) {
		if (w->taken[i].state != FREE)
			continue;
		w->taken[i] =
		    (struct taken){.run = *run, .state = QUEUED, .order = w->next_order++};
		w->used++;
		return;
	}
}

/* What is with the pool already, and what has to wait after a failure, is in nobody's way. */
static bool is_out(void *ctx, const struct demon_run_id *run)
{
	struct demon_workers *w = ctx;
	bool out;

	(void)pthread_mutex_lock(&w->lock);
	out = is_taken(w, run) || is_shunned(w, run);
	(void)pthread_mutex_unlock(&w->lock);
	return out;
}

/* Hands runs to the pool, as many as it takes. */
static void hand_over(struct demon_workers *w, const struct demon_run_due *due)
{
	struct demon_err err;
	size_t queued = 0;

	(void)pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < due->count && w->used < w->options.count; i++) {
		queue(w, &due->runs[i]);
		queued++;
	}
	for (size_t i = w->idle; i < queued && w->running <= w->options.count; i++)
		if (start_thread(w, pool_main, &err))
			break;
	(void)pthread_cond_broadcast(&w->work);
	(void)pthread_mutex_unlock(&w->lock);
}

/* Waits until a thread is free, a moment at most. False: some are. */
static bool wait_for_slack(struct demon_workers *w)
{
	struct timespec until = demon_cond_in(BUSY_MS);
	bool full;

	(void)pthread_mutex_lock(&w->lock);
	full = w->used == w->options.count;
	if (full && !atomic_load(&w->stop))
		(void)pthread_cond_timedwait(&w->slack, &w->lock, &until);
	(void)pthread_mutex_unlock(&w->lock);
	return full;
}

/* A run that is with a thread may begin to wait, and nobody says so. */
static int64_t look_again_ms(struct demon_workers *w)
{
	int64_t ms;

	(void)pthread_mutex_lock(&w->lock);
	ms = w->used ? BUSY_MS : POLL_MS;
	(void)pthread_mutex_unlock(&w->lock);
	return ms;
}

/* Waits for a run to be started or to be due; a timeout is as good. */
static enum demon_rc wait_for_runs(struct demon_workers *w, demon_time next, struct demon_err *err)
{
	const struct demon_env *env = demon_env_real();
	int64_t most = look_again_ms(w);
	int64_t left = next ? next - env->now(env->ctx) : most;
	const struct demon_event *ev;
	enum demon_rc rc;

	left = left < 0 ? 0 : left;
	rc = demon_reader_next(w->reader, left < most ? left : most, &ev, err);
	while (rc == DEMON_OK)
		rc = demon_reader_next(w->reader, 0, &ev, err);
	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

static enum demon_rc look(struct demon_workers *w, struct demon_err *err)
{
	const struct demon_run_sought sought = {
	    .limit = w->options.count, .skip = is_out, .ctx = w};
	struct demon_run_due due;
	enum demon_rc rc;

	if ((rc = demon_run_due(w->options.store, &sought, &due, err)))
		return rc;
	hand_over(w, &due);
	free(due.runs);
	return wait_for_slack(w) ? DEMON_OK : wait_for_runs(w, due.next, err);
}

static void *look_main(void *arg)
{
	static const struct timespec second = {.tv_sec = 1};
	struct demon_workers *w = arg;
	struct demon_err err = {0};

	while (!atomic_load(&w->stop)) {
		enum demon_rc rc = look(w, &err);

		if (rc == DEMON_CANCELED)
			break;
		if (rc) {
			demon_log_write(w->options.log, DEMON_LOG_ERROR, "cannot look for runs",
					"error", err.msg, NULL);
			(void)nanosleep(&second, NULL);
		}
	}
	(void)pthread_mutex_lock(&w->lock);
	w->running--;
	(void)pthread_cond_broadcast(&w->slack);
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

static enum demon_rc open_reader(struct demon_workers *w, struct demon_err *err)
{
	/* what makes runs to be executed; those that wait for a time are looked for when it comes
	 */
	struct demon_filter filter = {
	    .type = "ritual.started:v1,ritual.resumed:v1,approval.decided:v1"};
	enum demon_rc rc = demon_last_seq(w->options.store, &filter.after_seq, err);

	return rc ? rc : demon_reader_open(w->options.store, &filter, &w->reader, err);
}

enum demon_rc demon_workers_start(const struct demon_workers_options *options,
				  struct demon_workers **ret_workers, struct demon_err *err)
{
	struct demon_workers *w = demon_calloc(1, sizeof(*w));
	enum demon_rc rc;

	if (!w)
		return demon_err_set(err, DEMON_NOMEM, "no memory for workers");
	w->options = *options;
	(void)pthread_mutex_init(&w->lock, NULL);
	demon_cond_init(&w->work);
	demon_cond_init(&w->slack);
	w->taken = demon_calloc(options->count, sizeof(*w->taken));
	rc = w->taken ? open_reader(w, err)
		      : demon_err_set(err, DEMON_NOMEM, "no memory for workers");
	if (!rc) {
		(void)pthread_mutex_lock(&w->lock);
		rc = start_thread(w, look_main, err);
		(void)pthread_mutex_unlock(&w->lock);
	}
	if (rc) {
		demon_workers_free(w);
		return rc;
	}
	*ret_workers = w;
	return DEMON_OK;
}

void demon_workers_stop(struct demon_workers *w)
{
	atomic_store(&w->stop, true);
	demon_reader_cancel(w->reader);
	(void)pthread_mutex_lock(&w->lock);
	(void)pthread_cond_broadcast(&w->work);
	(void)pthread_cond_broadcast(&w->slack);
	(void)pthread_mutex_unlock(&w->lock);
}

bool demon_workers_ended(struct demon_workers *w, int64_t ms)
{
	struct timespec until = demon_cond_in(ms);
	bool ended;

	(void)pthread_mutex_lock(&w->lock);
	while (w->running && pthread_cond_timedwait(&w->slack, &w->lock, &until) != ETIMEDOUT)
		continue;
	ended = w->running == 0;
	(void)pthread_mutex_unlock(&w->lock);
	return ended;
}

void demon_workers_free(struct demon_workers *w)
{
	if (!w)
		return;
	demon_reader_close(w->reader);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->work);
	(void)pthread_cond_destroy(&w->slack);
	free(w->taken);
	free(w);
}
