#include "mirror.h"

#include "base/cond.h"
#include "replica/jetstream.h"
#include "replica/replica.h"
#include "store/store.h"
#include "store/subject.h"
#include "store/wake.h"

#include <pthread.h>
#include <string.h>

#define READ_MS  500  /* a round of reading, at most */
#define AGAIN_MS 1000 /* after something went wrong */
#define WATCH_MS 1000

struct demon_mirror {
	struct demon_store *store;
	struct demon_log *log;
	struct demon_jetstream *line;
	struct demon_transport transport;
	struct demon_replica *replica;
	struct demon_wake wake;
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool ended;
	bool woken;          /* there may be something to send */
	uint64_t generation; /* of the connection whose streams were looked at; the reader's */
	char said[2][sizeof(((struct demon_err *)NULL)->msg)]; /* what was said last: out, in */
	pthread_t threads[3];
	size_t thread_count;
	bool watching;
};

static void on_wake(void *ctx)
{
	struct demon_mirror *m = ctx;

	(void)pthread_mutex_lock(&m->lock);
	m->woken = true;
	(void)pthread_cond_broadcast(&m->news);
	(void)pthread_mutex_unlock(&m->lock);
}

static bool has_ended(struct demon_mirror *m)
{
	bool ended;

	(void)pthread_mutex_lock(&m->lock);
	ended = m->ended;
	(void)pthread_mutex_unlock(&m->lock);
	return ended;
}

/* Until something may be there to send, the end, or @p ms; with @p deaf only the latter two. */
static void pause_for(struct demon_mirror *m, int64_t ms, bool deaf)
{
	struct timespec until = demon_cond_in(ms);

	(void)pthread_mutex_lock(&m->lock);
	while (!m->ended && (deaf || !m->woken))
		if (pthread_cond_timedwait(&m->news, &m->lock, &until))
			break;
	if (!deaf)
		m->woken = false;
	(void)pthread_mutex_unlock(&m->lock);
}

/* The same failure once. */
static void say(struct demon_mirror *m, size_t thread, const char *text)
{
	if (strcmp(m->said[thread], text) == 0)
		return;
	(void)strncpy(m->said[thread], text, sizeof(m->said[thread]) - 1);
	if (*text)
		demon_log_write(m->log, DEMON_LOG_WARN, "mirror", "error", text, NULL);
}

static void *send_all(void *arg)
{
	struct demon_mirror *m = arg;

	while (!has_ended(m)) {
		struct demon_err err = {0};
		int64_t wait_ms = AGAIN_MS;

		say(m, 0, demon_replica_out(m->replica, &wait_ms, &err) ? err.msg : "");
		pause_for(m, wait_ms, false);
	}
	return NULL;
}

static void on_drift(void *ctx, enum demon_stream stream, demon_unused bool repaired,
		     const char *text)
{
	struct demon_mirror *m = ctx;

	demon_log_write(m->log, DEMON_LOG_WARN, "a stream is not as it has to be", "stream",
			demon_stream_name(stream), "drift", text, NULL);
}

/* After each connection: streams are made where they are missing, and compared. */
static enum demon_rc look_at_streams(struct demon_mirror *m, struct demon_err *err)
{
	struct demon_link link;
	enum demon_rc rc;

	m->transport.ops->link(m->transport.ctx, &link);
	if (!link.up || link.generation == m->generation)
		return DEMON_OK;
	rc = m->transport.ops->ensure(m->transport.ctx, false, on_drift, m, err);
	if (rc)
		return rc;
	m->generation = link.generation;
	demon_log_write(m->log, DEMON_LOG_INFO, "mirror connected", "server", link.url, NULL);
	return DEMON_OK;
}

/* The first attempt is under way, and nothing has gone wrong yet. */
static bool is_connecting(struct demon_mirror *m)
{
	struct demon_link link;

	m->transport.ops->link(m->transport.ctx, &link);
	return !link.up && !*link.error;
}

static void *take_in(void *arg)
{
	struct demon_mirror *m = arg;

	while (!has_ended(m)) {
		struct demon_err err = {0};
		int64_t events;
		enum demon_rc rc = look_at_streams(m, &err);

		if (!rc)
			rc = demon_replica_in(m->replica, READ_MS, &events, &err);
		say(m, 1, rc && !is_connecting(m) ? err.msg : "");
		if (rc)
			pause_for(m, AGAIN_MS, true);
	}
	return NULL;
}

static void *watch(void *arg)
{
	struct demon_mirror *m = arg;
	struct demon_err err;

	while (demon_wake_wait(&m->wake, WATCH_MS, &err) == DEMON_OK)
		on_wake(m);
	return NULL;
}

static void note(void *ctx, const char *text)
{
	struct demon_mirror *m = ctx;

	demon_log_write(m->log, DEMON_LOG_WARN, "mirror", "note", text, NULL);
}

static enum demon_rc open_parts(struct demon_mirror *m, const struct demon_mirror_options *options,
				struct demon_err *err)
{
	const struct demon_jetstream_options line = {
	    .server = options->server, .wake = on_wake, .wake_ctx = m};
	const struct demon_replica_options replica = {
	    .store = m->store, .transport = &m->transport, .note = note, .note_ctx = m};
	enum demon_rc rc;

	if ((rc = demon_wake_open(&m->wake, err)))
		return rc;
	m->watching = true;
	if ((rc = demon_wake_watch(&m->wake, demon_store_path(m->store), err)) ||
	    (rc = demon_jetstream_open(&line, &m->line, &m->transport, err)))
		return rc;
	return demon_replica_open(&replica, &m->replica, err);
}

enum demon_rc demon_mirror_start(const struct demon_mirror_options *options,
				 struct demon_mirror **ret_mirror, struct demon_err *err)
{
	static void *(*const work[])(void *) = {send_all, take_in, watch};
	struct demon_mirror *m = demon_calloc(1, sizeof(*m));
	enum demon_rc rc;

	if (!m)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the mirror");
	m->store = options->store;
	m->log = options->log;
	(void)pthread_mutex_init(&m->lock, NULL);
	demon_cond_init(&m->news);
	rc = open_parts(m, options, err);
	for (size_t i = 0; i < demon_count(work) && !rc; i++) {
		if (pthread_create(&m->threads[i], NULL, work[i], m))
			rc = demon_err_set(err, DEMON_NOMEM, "no thread for the mirror");
		else
			m->thread_count++;
	}
	if (rc) {
		demon_mirror_stop(m);
		return rc;
	}
	*ret_mirror = m;
	return DEMON_OK;
}

void demon_mirror_stop(struct demon_mirror *m)
{
	if (!m)
		return;
	(void)pthread_mutex_lock(&m->lock);
	m->ended = true;
	(void)pthread_cond_broadcast(&m->news);
	(void)pthread_mutex_unlock(&m->lock);
	if (m->watching)
		demon_wake_cancel(&m->wake);
	for (size_t i = 0; i < m->thread_count; i++)
		(void)pthread_join(m->threads[i], NULL);
	demon_replica_close(m->replica);
	demon_jetstream_close(m->line);
	if (m->watching)
		demon_wake_close(&m->wake);
	(void)pthread_cond_destroy(&m->news);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}
