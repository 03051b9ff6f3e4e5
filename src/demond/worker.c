#include "worker.h"

#include "domain/ritual/run.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_MS     1000
#define RETRY_US    ((demon_ticks)60 * 1000 * 1000)
#define SHUNNED_MAX 64
#define WORKERS_MAX 16

/* A run that failed to execute, and when to try it again. */
struct shunned {
	struct demon_run_id run;
	demon_ticks until;
};

struct demon_workers {
	struct demon_store *store; /* borrowed */
	struct demon_log *log;     /* borrowed */
	atomic_bool stop;
	pthread_mutex_t lock; /* a leaf; guards all below */
	pthread_cond_t ended;
	struct shunned shunned[SHUNNED_MAX];
	size_t next_shunned;
	size_t running;
	struct demon_reader *readers[WORKERS_MAX]; /* owned; one a thread */
	size_t count;
};

/* What a thread is given. */
struct worker {
	struct demon_workers *all;
	struct demon_reader *reader;
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

static bool is_shunned(struct demon_workers *w, const struct demon_run_id *run)
{
	demon_ticks now = mono();
	bool found = false;

	(void)pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < SHUNNED_MAX && !found; i++)
		found = w->shunned[i].until > now && is_same(&w->shunned[i].run, run);
	(void)pthread_mutex_unlock(&w->lock);
	return found;
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
	struct execution x = {.w = w};
	const struct demon_run_watch watch = {
	    .listener = count_event, .stop = is_stopped, .ctx = &x};
	struct demon_run_outcome outcome = {0};
	struct demon_err err = {0};
	enum demon_rc rc = demon_run_execute_watched(w->store, run, &watch, &outcome, &err);

	if (rc == DEMON_BUSY) /* somebody was faster */
		return;
	if (rc == DEMON_CANCELED) {
		demon_log_write(w->log, DEMON_LOG_INFO, "run left for later", "runId", run->run_id,
				"tenantId", run->tenant_id, NULL);
	} else if (rc) {
		demon_log_write(w->log, DEMON_LOG_ERROR, "run cannot be executed", "runId",
				run->run_id, "tenantId", run->tenant_id, "error", err.msg, NULL);
		shun(w, run);
	} else if (x.events) { /* else another had ended it since it was listed */
		demon_log_write(w->log, DEMON_LOG_INFO, "run executed", "runId", run->run_id,
				"tenantId", run->tenant_id, "status", outcome.status, NULL);
	}
	free(outcome.terminal);
}

static enum demon_rc take_up(struct demon_workers *w, struct demon_err *err)
{
	demon_auto_free struct demon_run_id *runs = NULL;
	size_t count = 0;
	enum demon_rc rc;

	if ((rc = demon_run_orphans(w->store, &runs, &count, err)))
		return rc;
	for (size_t i = 0; i < count && !atomic_load(&w->stop); i++)
		if (!is_shunned(w, &runs[i]))
			execute(w, &runs[i]);
	return DEMON_OK;
}

/* Waits for a run to be started; a timeout is as good. */
static enum demon_rc wait_for_runs(struct demon_reader *reader, struct demon_err *err)
{
	const struct demon_event *ev;
	enum demon_rc rc = demon_reader_next(reader, POLL_MS, &ev, err);

	while (rc == DEMON_OK)
		rc = demon_reader_next(reader, 0, &ev, err);
	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

static void pause_after_failure(void)
{
	const struct timespec second = {.tv_sec = 1};

	(void)nanosleep(&second, NULL);
}

static void work(struct worker *worker)
{
	struct demon_workers *w = worker->all;
	struct demon_err err = {0};

	while (!atomic_load(&w->stop)) {
		enum demon_rc rc = take_up(w, &err);

		if (rc == DEMON_OK)
			rc = wait_for_runs(worker->reader, &err);
		if (rc == DEMON_CANCELED)
			return;
		if (rc) {
			demon_log_write(w->log, DEMON_LOG_ERROR, "cannot look for runs", "error",
					err.msg, NULL);
			pause_after_failure();
		}
	}
}

/* Threads are detached: the unlock is the last thing that one does with shared memory. */
static void *thread_main(void *arg)
{
	struct worker *worker = arg;
	struct demon_workers *w = worker->all;

	work(worker);
	free(worker);
	(void)pthread_mutex_lock(&w->lock);
	w->running--;
	(void)pthread_cond_signal(&w->ended);
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

static enum demon_rc start_one(struct demon_workers *w, struct demon_err *err)
{
	struct demon_filter filter = {.type = "ritual.started:v1"};
	struct worker *worker = demon_calloc(1, sizeof(*worker));
	pthread_t thread;
	enum demon_rc rc;
	int why;

	if (!worker)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a worker");
	worker->all = w;
	if ((rc = demon_last_seq(w->store, &filter.after_seq, err)) ||
	    (rc = demon_reader_open(w->store, &filter, &w->readers[w->count], err))) {
		free(worker);
		return rc;
	}
	worker->reader = w->readers[w->count];
	(void)pthread_mutex_lock(&w->lock);
	w->running++;
	(void)pthread_mutex_unlock(&w->lock);
	why = pthread_create(&thread, NULL, thread_main, worker);
	if (why) {
		(void)pthread_mutex_lock(&w->lock);
		w->running--;
		(void)pthread_mutex_unlock(&w->lock);
		demon_reader_close(demon_take(w->readers[w->count]));
		free(worker);
		return demon_err_sys(err, DEMON_NOMEM, why, "cannot start a worker");
	}
	(void)pthread_detach(thread);
	w->count++;
	return DEMON_OK;
}

enum demon_rc demon_workers_start(struct demon_store *store, struct demon_log *log, size_t count,
				  struct demon_workers **ret_workers, struct demon_err *err)
{
	struct demon_workers *w = demon_calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	enum demon_rc rc;

	if (!w)
		return demon_err_set(err, DEMON_NOMEM, "no memory for workers");
	w->store = store;
	w->log = log;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < count && i < WORKERS_MAX; i++) {
		if ((rc = start_one(w, err))) {
			demon_workers_stop(w);
			while (!demon_workers_ended(w, POLL_MS))
				continue;
			demon_workers_free(w);
			return rc;
		}
	}
	*ret_workers = w;
	return DEMON_OK;
}

void demon_workers_stop(struct demon_workers *w)
{
	atomic_store(&w->stop, true);
	for (size_t i = 0; i < w->count; i++)
		demon_reader_cancel(w->readers[i]);
}

bool demon_workers_ended(struct demon_workers *w, int64_t ms)
{
	demon_ticks until = mono() + ms * 1000;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
	bool ended;

	(void)pthread_mutex_lock(&w->lock);
	while (w->running && pthread_cond_timedwait(&w->ended, &w->lock, &at) != ETIMEDOUT)
		continue;
	ended = w->running == 0;
	(void)pthread_mutex_unlock(&w->lock);
	return ended;
}

void demon_workers_free(struct demon_workers *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->count; i++)
		demon_reader_close(w->readers[i]);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->ended);
	free(w);
}
