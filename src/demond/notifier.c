#include "notifier.h"

#include "base/cond.h"
#include "domain/notify/courier.h"
#include "domain/notify/planner.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/wake.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SENDERS     8
#define OF_A_ROUTE  2 /* attempts at the same time */
#define POLL_MS     1000
#define PAUSE_MS    25 /* before a look: many commits are looked at together */
#define IDLE_S      10 /* after which a thread without work ends */
#define GRACE_US    ((demon_ticks)2 * 1000 * 1000)
#define REST_MAX_MS ((int64_t)30 * 1000)
#define JUMP_MS     500 /* by which the wall clock may differ from the other one */
#define STACK       ((size_t)1024 * 1024)

/* An endpoint, as far as it is known. */
struct endpoint {
	char tenant[65];
	char route[DEMON_ACTOR_MAX + 1];
	unsigned under_way;
	unsigned failures; /* since it last took something */
	demon_ticks rest;  /* until when it is left alone */
};

/* A delivery that was handed over: waiting for a thread, with one, or done. The thread that looks
 * frees what is done before it takes its next snapshot of the database: in an older one it is still
 * due, and would be sent again. */
struct slot {
	struct demon_delivery delivery;
	enum { FREE, QUEUED, TAKEN, DONE } state;
};

struct demon_notifier {
	struct demon_notifier_options options;
	struct demon_planner *planner; /* of the thread that looks, as all down to the lock */
	struct demon_wake wake;
	pthread_t looker;
	int64_t offset; /* of the wall clock against the other one, ms */
	bool failing;   /* that the database cannot be read was said already */
	atomic_bool stop;
	_Atomic demon_ticks give_up; /* when attempts are given up; 0: not yet */
	pthread_mutex_t lock;        /* a leaf; guards all below */
	pthread_cond_t work;         /* something is queued, or it is time to end */
	pthread_cond_t ended;        /* a thread has ended */
	struct endpoint *endpoints;  /* owned */
	size_t endpoint_count;
	struct slot slots[SENDERS];
	size_t idle;
	size_t running;
};

static demon_ticks mono(void)
{
	const struct demon_env *env = demon_env_real();

	return env->mono(env->ctx);
}

static int64_t clock_offset(void)
{
	const struct demon_env *env = demon_env_real();

	return env->now(env->ctx) - mono() / 1000;
}

/* The endpoint of a route, or NULL: no memory. The lock is held. */
static struct endpoint *find_endpoint(struct demon_notifier *n, const char *tenant,
				      const char *route)
{
	struct endpoint *more;

	for (size_t i = 0; i < n->endpoint_count; i++)
		if (strcmp(n->endpoints[i].tenant, tenant) == 0 &&
		    strcmp(n->endpoints[i].route, route) == 0)
			return &n->endpoints[i];
	more = demon_realloc(n->endpoints, n->endpoint_count + 1, sizeof(*more));
	if (!more)
		return NULL;
	n->endpoints = more;
	more += n->endpoint_count++;
	*more = (struct endpoint){0};
	(void)snprintf(more->tenant, sizeof(more->tenant), "%s", tenant);
	(void)snprintf(more->route, sizeof(more->route), "%s", route);
	return more;
}

static bool is_canceled(void *ctx)
{
	struct demon_notifier *n = ctx;
	demon_ticks end = atomic_load(&n->give_up);

	return end && mono() >= end;
}

/* What an endpoint has done tells how to go on with it. Returns whether that is news. The lock is
 * held. */
static bool learn(struct endpoint *e, const struct demon_delivered *d)
{
	int64_t rest = 1000;
	bool news;

	if (d->sent.end == DEMON_SENT_CANCELED)
		return false;
	if (!d->route_failed) {
		news = d->sent.end == DEMON_SENT && e->failures > 0;
		e->failures = 0;
		e->rest = 0;
		return news;
	}
	news = e->failures == 0;
	if (e->rest <= mono()) /* else: it failed while another attempt did */
		e->failures++;
	for (unsigned i = 1; i < e->failures && rest < REST_MAX_MS; i++)
		rest *= 2;
	if (rest > REST_MAX_MS)
		rest = REST_MAX_MS;
	if (d->sent.retry_after_ms > rest)
		rest = d->sent.retry_after_ms < DEMON_DELIVERY_DELAY_MAX ? d->sent.retry_after_ms
									 : DEMON_DELIVERY_DELAY_MAX;
	e->rest = mono() + rest * 1000;
	return news;
}

static void report(const struct demon_notifier *n, const struct demon_delivery *d,
		   const struct demon_delivered *out, bool news)
{
	struct demon_log *log = n->options.log;

	if (out->state == DEMON_DELIVERY_DEAD)
		demon_log_write(log, DEMON_LOG_ERROR, "notification given up", "key", d->key,
				"topic", d->topic, "runId", d->run_id, "route", d->route,
				"tenantId", d->route_tenant, "error", out->sent.text, NULL);
	else if (news && out->route_failed)
		demon_log_write(log, DEMON_LOG_WARN, "notifications do not arrive", "route",
				d->route, "tenantId", d->route_tenant, "error", out->sent.text,
				NULL);
	else if (news)
		demon_log_write(log, DEMON_LOG_INFO, "notifications arrive again", "route",
				d->route, "tenantId", d->route_tenant, NULL);
	if (out->state == DEMON_DELIVERY_SENT)
		demon_log_write(log, DEMON_LOG_DEBUG, "notification sent", "key", d->key, "topic",
				d->topic, "runId", d->run_id, "route", d->route, NULL);
}

static void deliver(struct demon_notifier *n, const struct demon_delivery *d)
{
	const struct demon_courier courier = {.store = n->options.store,
					      .sending = {.env = demon_env_real(),
							  .secrets = n->options.secrets,
							  .canceled = is_canceled,
							  .ctx = n},
					      .base_url = n->options.base_url};
	struct demon_delivered out = {.route_failed = true};
	struct demon_err err = {0};
	enum demon_rc rc = demon_courier_deliver(&courier, d, &out, &err);
	struct endpoint *e;
	bool news = false;

	if (rc)
		demon_log_write(n->options.log, DEMON_LOG_ERROR, "cannot send a notification",
				"key", d->key, "route", d->route, "error", err.msg, NULL);
	(void)pthread_mutex_lock(&n->lock);
	e = find_endpoint(n, d->route_tenant, d->route);
	if (e) {
		e->under_way--;
		news = learn(e, &out);
	}
	(void)pthread_mutex_unlock(&n->lock);
	if (!rc)
		report(n, d, &out, news);
}

/* Waits for something to do; NULL: it is time to end. The lock is held. */
static struct slot *next_work(struct demon_notifier *n)
{
	struct timespec until = demon_cond_in((int64_t)IDLE_S * 1000);
	struct slot *found = NULL;
	int why = 0;

	n->idle++;
	while (!atomic_load(&n->stop) && !found && why != ETIMEDOUT) {
		for (size_t i = 0; i < SENDERS && !found; i++)
			if (n->slots[i].state == QUEUED)
				found = &n->slots[i];
		if (!found)
			why = pthread_cond_timedwait(&n->work, &n->lock, &until);
	}
	n->idle--;
	if (atomic_load(&n->stop))
		return NULL;
	if (found)
		found->state = TAKEN;
	return found;
}

/* Threads are detached: the unlock is the last thing that one does with shared memory. */
static void *sender_main(void *arg)
{
	struct demon_notifier *n = arg;
	struct slot *slot;

	(void)pthread_mutex_lock(&n->lock);
	while ((slot = next_work(n))) {
		(void)pthread_mutex_unlock(&n->lock);
		deliver(n, &slot->delivery);
		(void)pthread_mutex_lock(&n->lock);
		slot->state = DONE;
	}
	n->running--;
	(void)pthread_cond_broadcast(&n->ended);
	(void)pthread_mutex_unlock(&n->lock);
	return NULL;
}

/* The lock is held. */
static void start_sender(struct demon_notifier *n)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK);
	n->running++;
	if (pthread_create(&thread, &attr, sender_main, n))
		n->running--; /* those that there are do the work, or the next look tries again */
	(void)pthread_attr_destroy(&attr);
}

/* How many attempts it gets at the same time: one that fails is tried out with one. */
static unsigned room_of(const struct endpoint *e)
{
	return e->failures ? 1 : OF_A_ROUTE;
}

/* A look at what is due. */
struct look {
	struct demon_notifier *notifier;
	struct demon_db *db;
	demon_time now;
	int64_t wait; /* ms until something may be due */
};

/* The lock is held. */
static bool is_handed_over(const struct demon_notifier *n, int64_t id)
{
	for (size_t i = 0; i < SENDERS; i++)
		if (n->slots[i].state != FREE && n->slots[i].delivery.id == id)
			return true;
	return false;
}

static enum demon_rc hand_over(void *ctx, const struct demon_delivery *d, struct demon_err *err)
{
	const struct look *l = ctx;
	struct demon_notifier *n = l->notifier;
	struct endpoint *e;
	size_t i = 0;

	(void)err;
	(void)pthread_mutex_lock(&n->lock);
	e = find_endpoint(n, d->route_tenant, d->route);
	while (i < SENDERS && n->slots[i].state != FREE)
		i++;
	if (e && i < SENDERS && e->under_way < room_of(e) && !is_handed_over(n, d->id)) {
		n->slots[i] = (struct slot){.delivery = *d, .state = QUEUED};
		e->under_way++;
		if (n->idle == 0 && n->running < SENDERS)
			start_sender(n);
		(void)pthread_cond_signal(&n->work);
	}
	(void)pthread_mutex_unlock(&n->lock);
	return DEMON_OK;
}

/* ms until the route may be asked again; 0: now. The free slots are told apart from those of the
 * route by hand_over(). */
static int64_t rest_of(struct demon_notifier *n, const char *tenant, const char *route)
{
	const struct endpoint *e;
	int64_t rest = 0;

	(void)pthread_mutex_lock(&n->lock);
	e = find_endpoint(n, tenant, route);
	if (!e || e->under_way >= room_of(e))
		rest = POLL_MS; /* the commit that records an attempt wakes the looker */
	else if (e->rest > mono())
		rest = (e->rest - mono()) / 1000 + 1;
	(void)pthread_mutex_unlock(&n->lock);
	return rest;
}

static enum demon_rc look_at_route(void *ctx, const char *tenant, const char *route,
				   demon_time next_at, struct demon_err *err)
{
	struct look *l = ctx;
	const struct demon_delivery_sought sought = {
	    .route_tenant = tenant, .route = route, .now = l->now, .limit = (size_t)2 * OF_A_ROUTE};
	int64_t wait = rest_of(l->notifier, tenant, route);

	if (wait < next_at - l->now)
		wait = next_at - l->now;
	if (wait < l->wait && wait > 0)
		l->wait = wait;
	return wait > 0 ? DEMON_OK : demon_deliveries_due(l->db, &sought, hand_over, l, err);
}

static void free_slots(struct demon_notifier *n)
{
	(void)pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < SENDERS; i++)
		if (n->slots[i].state == DONE)
			n->slots[i].state = FREE;
	(void)pthread_mutex_unlock(&n->lock);
}

/* Hands out what is due. *ret_wait: how long nothing else will be, ms. */
static enum demon_rc hand_out(struct demon_notifier *n, int64_t *ret_wait, struct demon_err *err)
{
	const struct demon_env *env = demon_env_real();
	struct look l = {.notifier = n, .now = env->now(env->ctx), .wait = POLL_MS};
	enum demon_rc rc;
	DEMON_READ(loan);

	free_slots(n);
	if ((rc = demon_store_borrow(n->options.store, &loan, err)))
		return rc;
	l.db = loan.db;
	rc = demon_deliveries_routes(loan.db, look_at_route, &l, err);
	*ret_wait = l.wait;
	return rc;
}

/* Whether the wall clock was set since the last time. */
static bool has_jumped(struct demon_notifier *n)
{
	int64_t offset = clock_offset();
	bool jumped = offset > n->offset + JUMP_MS || offset < n->offset - JUMP_MS;

	n->offset = offset;
	return jumped;
}

static enum demon_rc look(struct demon_notifier *n, int64_t *ret_wait, struct demon_err *err)
{
	size_t planned;
	bool more = true;
	enum demon_rc rc;

	if (has_jumped(n) && (rc = demon_deliveries_clock(n->options.store, err)))
		return rc;
	while (more && !atomic_load(&n->stop))
		if ((rc = demon_planner_look(n->planner, &planned, &more, err)))
			return rc;
	return hand_out(n, ret_wait, err);
}

static void *looker_main(void *arg)
{
	static const struct timespec pause = {.tv_nsec = (long)PAUSE_MS * 1000 * 1000};
	struct demon_notifier *n = arg;

	while (!atomic_load(&n->stop)) {
		struct demon_err err = {0};
		int64_t wait = POLL_MS;
		enum demon_rc rc = look(n, &wait, &err);

		if (rc && !n->failing)
			demon_log_write(n->options.log, DEMON_LOG_ERROR,
					"cannot look for notifications", "error", err.msg, NULL);
		n->failing = rc != DEMON_OK;
		if (demon_wake_wait(&n->wake, wait, &err) == DEMON_CANCELED)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static enum demon_rc begin(struct demon_notifier *n, struct demon_err *err)
{
	enum demon_rc rc;
	int why;

	if ((rc = demon_wake_open(&n->wake, err)) ||
	    (rc = demon_wake_watch(&n->wake, demon_store_path(n->options.store), err)) ||
	    (rc = demon_planner_open(n->options.store, &n->planner, err)))
		return rc;
	/* as if it had just jumped: nobody knows what it did before */
	n->offset = clock_offset() - 2 * (int64_t)JUMP_MS;
	why = pthread_create(&n->looker, NULL, looker_main, n);
	return why ? demon_err_sys(err, DEMON_NOMEM, why, "cannot start the notifier") : DEMON_OK;
}

static void release(struct demon_notifier *n)
{
	demon_planner_close(n->planner);
	demon_wake_close(&n->wake);
	(void)pthread_mutex_destroy(&n->lock);
	(void)pthread_cond_destroy(&n->work);
	(void)pthread_cond_destroy(&n->ended);
	free(n->endpoints);
	free(n);
}

enum demon_rc demon_notifier_start(const struct demon_notifier_options *options,
				   struct demon_notifier **ret_notifier, struct demon_err *err)
{
	struct demon_notifier *n = demon_calloc(1, sizeof(*n));
	enum demon_rc rc;

	if (!n)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the notifier");
	n->options = *options;
	n->wake = (struct demon_wake){.watch = -1, .cancel = -1};
	(void)pthread_mutex_init(&n->lock, NULL);
	demon_cond_init(&n->work);
	demon_cond_init(&n->ended);
	if ((rc = begin(n, err))) {
		release(n);
		return rc;
	}
	*ret_notifier = n;
	return DEMON_OK;
}

static void ask_to_end(struct demon_notifier *n)
{
	atomic_store(&n->give_up, mono() + GRACE_US);
	atomic_store(&n->stop, true);
	demon_wake_cancel(&n->wake);
	(void)pthread_mutex_lock(&n->lock);
	(void)pthread_cond_broadcast(&n->work);
	(void)pthread_mutex_unlock(&n->lock);
}

void demon_notifier_free(struct demon_notifier *n)
{
	if (!n)
		return;
	ask_to_end(n);
	(void)pthread_join(n->looker, NULL);
	(void)pthread_mutex_lock(&n->lock);
	while (n->running)
		(void)pthread_cond_wait(&n->ended, &n->lock);
	(void)pthread_mutex_unlock(&n->lock);
	release(n);
}
