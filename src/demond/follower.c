#include "follower.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINES_A_SECOND 2000
#define SECOND_US      ((demon_ticks)1000 * 1000)
#define WAIT_MS        1000

struct demon_follower {
	struct demon_log *log; /* borrowed */
	struct demon_store *store;
	struct demon_reader *reader; /* owned */
	pthread_t thread;
	_Atomic int64_t end; /* seq of the last event to be written */
	/* of the thread alone: */
	demon_ticks second; /* when the current one began */
	size_t lines;       /* written in it */
	uint64_t skipped;   /* since this was last said */
	bool failing;       /* that the log cannot be read was said already */
};

static bool begins(const char *type, const char *prefix)
{
	return strncmp(type, prefix, strlen(prefix)) == 0;
}

static enum demon_level level_of(const char *type)
{
	static const char *const info[] = {"approval.", "policy.", "ritual.", "timer.",
					   "step.failed:"};

	if (begins(type, "ritual.state."))
		return DEMON_LOG_DEBUG;
	for (size_t i = 0; i < demon_count(info); i++)
		if (begins(type, info[i]))
			return DEMON_LOG_INFO;
	return DEMON_LOG_DEBUG;
}

/* "ritual.started:v1" as "ritual started". */
static void words_of(const char *type, char *out, size_t size)
{
	(void)snprintf(out, size, "%.*s", (int)strcspn(type, ":"), type);
	for (char *dot = out; (dot = strchr(dot, '.')); dot++)
		*dot = ' ';
}

static void say_skipped(struct demon_follower *f)
{
	char count[24];

	if (!f->skipped)
		return;
	(void)snprintf(count, sizeof(count), "%" PRIu64, f->skipped);
	demon_log_write(f->log, DEMON_LOG_WARN, "too many events to write them all", "skipped",
			count, NULL);
	f->skipped = 0;
}

static bool may_write(struct demon_follower *f, const char *type)
{
	const struct demon_env *env = demon_env_real();
	demon_ticks now = env->mono(env->ctx);

	if (now - f->second >= SECOND_US) {
		say_skipped(f);
		f->second = now;
		f->lines = 0;
	}
	if (f->lines >= LINES_A_SECOND && !begins(type, "approval.")) {
		f->skipped++;
		return false;
	}
	f->lines++;
	return true;
}

static void write_event(struct demon_follower *f, const struct demon_event *ev)
{
	enum demon_level level = level_of(ev->type);
	char words[128];
	char seq[24];

	if (!demon_log_takes(f->log, level) || !may_write(f, ev->type))
		return;
	words_of(ev->type, words, sizeof(words));
	(void)snprintf(seq, sizeof(seq), "%" PRId64, ev->seq);
	demon_log_write(f->log, level, words, "event", ev->type, "runId", ev->run_id, "tenantId",
			ev->tenant_id, "ritualId", ev->ritual_id, "gateId", ev->gate_id, "seq", seq,
			NULL);
}

static void pause_after_failure(struct demon_follower *f, const struct demon_err *err)
{
	const struct timespec second = {.tv_sec = 1};

	if (!f->failing)
		demon_log_write(f->log, DEMON_LOG_ERROR, "cannot follow the events", "error",
				err->msg, NULL);
	f->failing = true;
	(void)nanosleep(&second, NULL);
}

static void *thread_main(void *arg)
{
	struct demon_follower *f = arg;
	const struct demon_event *ev = NULL;
	struct demon_err err = {0};
	enum demon_rc rc = DEMON_OK;

	while (rc != DEMON_CANCELED) {
		rc = demon_reader_next(f->reader, WAIT_MS, &ev, &err);
		if (rc == DEMON_OK && ev->seq > atomic_load(&f->end))
			break;
		if (rc == DEMON_OK)
			write_event(f, ev);
		else if (rc == DEMON_NOTFOUND)
			say_skipped(f);
		else if (rc != DEMON_CANCELED && atomic_load(&f->end) != INT64_MAX)
			break;
		else if (rc != DEMON_CANCELED)
			pause_after_failure(f, &err);
		f->failing = f->failing && rc != DEMON_OK && rc != DEMON_NOTFOUND;
	}
	say_skipped(f);
	return NULL;
}

enum demon_rc demon_follower_start(struct demon_store *store, struct demon_log *log,
				   struct demon_follower **ret_follower, struct demon_err *err)
{
	struct demon_follower *f = demon_calloc(1, sizeof(*f));
	struct demon_filter filter = {.after_seq = 0};
	enum demon_rc rc;
	int why;

	if (!f)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a follower");
	f->log = log;
	f->store = store;
	atomic_init(&f->end, INT64_MAX);
	if ((rc = demon_last_seq(store, &filter.after_seq, err)) ||
	    (rc = demon_reader_open(store, &filter, &f->reader, err))) {
		free(f);
		return rc;
	}
	why = pthread_create(&f->thread, NULL, thread_main, f);
	if (why) {
		demon_reader_close(f->reader);
		free(f);
		return demon_err_sys(err, DEMON_NOMEM, why, "cannot start a follower");
	}
	*ret_follower = f;
	return DEMON_OK;
}

/* The reader hands out what it has before it says that it was canceled. */
void demon_follower_stop(struct demon_follower *f)
{
	struct demon_err err = {0};
	int64_t last = 0;

	if (!f)
		return;
	if (demon_last_seq(f->store, &last, &err))
		last = 0;
	atomic_store(&f->end, last);
	demon_reader_cancel(f->reader);
	(void)pthread_join(f->thread, NULL);
	demon_reader_close(f->reader);
	free(f);
}
