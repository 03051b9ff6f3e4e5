#include "outbox_chain.h"

#include "base/json.h"
#include "peer_keys.h"
#include "store/log.h"
#include "store/readers.h"
#include "store/subject.h"

#include <inttypes.h>
#include <string.h>

#define SEND_MAX     256 /* events of one chain in one go, under one signature */
#define BACKOFF_MS   250
#define BACKOFF_MOST 10000
#define DOUBT_MS     30000 /* acknowledged and not read back: sent again */
#define IDLE_MS      60000
#define SLOT_BITS    16

DEMON_SQL(sql_after, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		     "WHERE e.chain_id = :chain AND e.origin_seq > :after "
		     "ORDER BY e.origin_seq LIMIT :limit");
DEMON_SQL(sql_announced, "SELECT 1 FROM local_peer_keys WHERE origin = :origin "
			 "AND public_key = :key AND state = 'bound'");
DEMON_SQL(sql_last, "SELECT max(origin_seq) FROM log_events WHERE chain_id = :chain");

/* The answer to one message. */
static void take_answer(struct demon_outbox *o, const struct demon_ack *ack, struct demon_err *err)
{
	size_t slot = ack->ticket & (((uint64_t)1 << SLOT_BITS) - 1);
	struct demon_flight *f = slot < o->window ? &o->flights[slot] : NULL;
	struct demon_own_chain *c;

	if (!f || !f->used || f->ticket != ack->ticket)
		return;
	f->used = false;
	o->flying--;
	c = &o->chains[f->chain];
	if (c->incarnation != f->incarnation)
		return;
	if (ack->rc == DEMON_OK) {
		c->backoff_ms = 0;
		return;
	}
	if (!c->failed || f->sequence < c->failed)
		c->failed = f->sequence;
	*err = ack->err;
}

/* What is certain to have been answered with yes: all before the first that is on its way or has
 * failed. The lock is held. */
static void move_acknowledged(struct demon_outbox *o, size_t index)
{
	struct demon_own_chain *c = &o->chains[index];
	int64_t until = c->sent;
	bool flying = false;

	if (c->failed && c->failed <= until)
		until = c->failed - 1;
	for (size_t i = 0; i < o->window && o->flying; i++) {
		const struct demon_flight *f = &o->flights[i];

		if (!f->used || f->chain != index || f->incarnation != c->incarnation)
			continue;
		flying = true;
		if (f->sequence <= until)
			until = f->sequence - 1;
	}
	if (until > c->acknowledged) {
		if (c->acknowledged == c->confirmed)
			c->confirmed_at = demon_outbox_now(o);
		c->acknowledged = until;
		c->dirty = true;
	}
	if (c->failed && !flying && !c->retry_at) {
		const struct demon_env *env = demon_store_env(o->store);
		unsigned char jitter;

		env->random(env->ctx, &jitter, 1);
		c->backoff_ms = c->backoff_ms ? 2 * c->backoff_ms : BACKOFF_MS;
		if (c->backoff_ms > BACKOFF_MOST)
			c->backoff_ms = BACKOFF_MOST;
		c->retry_at =
		    demon_outbox_now(o) + (c->backoff_ms + c->backoff_ms * jitter / 512) * 1000;
	}
}

static enum demon_rc collect(struct demon_outbox *o, struct demon_err *err)
{
	struct demon_ack acks[64];
	struct demon_err failure = {0};
	size_t n;

	while ((n = o->transport->ops->acks(o->transport->ctx, acks, demon_count(acks))) > 0) {
		(void)pthread_mutex_lock(&o->lock);
		for (size_t i = 0; i < n; i++)
			take_answer(o, &acks[i], &failure);
		(void)pthread_mutex_unlock(&o->lock);
	}
	(void)pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->count; i++)
		move_acknowledged(o, i);
	(void)pthread_mutex_unlock(&o->lock);
	if (*failure.msg)
		return demon_err_set(err, DEMON_UNAVAIL, "%s", failure.msg);
	return DEMON_OK;
}

/* Whether a chain may send now; *wait_ms shrinks to when it will. The lock is held. */
static bool may_send(struct demon_outbox *o, struct demon_own_chain *c, int64_t *wait_ms)
{
	demon_ticks now = demon_outbox_now(o);
	int64_t ms;

	if (c->failed && !c->retry_at)
		return false; /* answers are to come */
	if (c->failed && c->retry_at > now) {
		ms = (c->retry_at - now) / 1000 + 1;
		*wait_ms = ms < *wait_ms ? ms : *wait_ms;
		return false;
	}
	if (c->failed) {
		c->retry_at = 0;
		demon_outbox_send_again(o, c);
	}
	if (c->acknowledged > c->confirmed) {
		ms = DOUBT_MS - (now - c->confirmed_at) / 1000;
		if (ms <= 0) {
			c->acknowledged = c->confirmed;
			demon_outbox_send_again(o, c);
			ms = DOUBT_MS;
		}
		*wait_ms = ms < *wait_ms ? ms : *wait_ms;
	}
	return c->id != 0;
}

static struct demon_flight *free_flight(struct demon_outbox *o, size_t *ret_slot)
{
	for (size_t i = 0; i < o->window; i++) {
		size_t slot = (o->hint + i) % o->window;

		if (!o->flights[slot].used) {
			o->hint = slot + 1;
			*ret_slot = slot;
			return &o->flights[slot];
		}
	}
	return NULL;
}

static enum demon_rc publish(struct demon_outbox *o, const struct demon_event *ev, size_t chain,
			     uint64_t incarnation, bool last, struct demon_err *err)
{
	size_t slot = 0;
	struct demon_flight *f = free_flight(o, &slot);
	uint64_t ticket;
	enum demon_rc rc;

	if (!f)
		return DEMON_BUSY;
	if (!ev->payload)
		return demon_err_set(err, DEMON_NOTFOUND,
				     "event %" PRId64 " was archived before the stream had it",
				     ev->sequence);
	if ((rc = demon_outgoing_fill(&o->outgoing, ev, last ? &o->key : NULL, err)))
		return rc;
	ticket = ++o->tickets << SLOT_BITS | slot;
	if ((rc = o->transport->ops->publish(o->transport->ctx, &o->outgoing.message, ticket, err)))
		return rc;
	*f = (struct demon_flight){true, ticket, chain, incarnation, ev->sequence};
	o->flying++;
	return DEMON_OK;
}

/* What is read of a chain in one go. */
struct portion {
	size_t chain;
	int64_t id;
	int64_t after;
	int64_t sent; /* last one that left */
	uint64_t incarnation;
};

static enum demon_rc publish_rows(struct demon_outbox *o, struct demon_db *db, struct portion *p,
				  int64_t count, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_after);
	bool row;
	enum demon_rc rc;

	demon_bind_i64(&q, ":chain", p->id);
	demon_bind_i64(&q, ":after", p->after);
	demon_bind_i64(&q, ":limit", count);
	for (int64_t n = 1; !(rc = demon_step(&q, &row, err)) && row; n++) {
		struct demon_event ev;

		if ((rc = demon_log_row(&q, o->sha, &ev, err)) ||
		    (rc = publish(o, &ev, p->chain, p->incarnation, n == count, err)))
			return rc;
		p->sent = ev.sequence;
	}
	return rc;
}

static enum demon_rc last_of(struct demon_db *db, int64_t chain, int64_t *ret,
			     struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_last);
	bool row;
	enum demon_rc rc;

	demon_bind_i64(&q, ":chain", chain);
	rc = demon_step(&q, &row, err);
	*ret = !rc && row ? demon_col_i64(&q, 0) : 0;
	return rc;
}

/* A job: the key is announced, and bound here as everywhere. */
static enum demon_rc announce(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct demon_outbox *o = ctx;
	const struct demon_env *env = demon_store_env(o->store);
	const unsigned char *origin = demon_write_origin(w);
	demon_time now = env->now(env->ctx);
	struct demon_node node;
	char ts[DEMON_RFC3339_LEN + 1];
	char hex[2 * DEMON_ED25519_PUBLIC_LEN + 1];
	DEMON_BUF(payload, 0);
	struct demon_jw jw = demon_jw_begin(&payload);
	struct demon_record record = {.type = DEMON_KEY_ANNOUNCED};
	struct demon_group group = {
	    .stream = DEMON_STREAM_NODE, .ts = now, .records = &record, .count = 1};
	enum demon_rc rc;

	demon_node_get(o->store, &node);
	demon_rfc3339(now, ts);
	demon_jw_str(&jw, "algorithm", "ed25519");
	demon_jw_str(&jw, "event", DEMON_KEY_ANNOUNCED);
	demon_jw_str(&jw, "label", node.label);
	demon_hex(origin, DEMON_ORIGIN_LEN, hex);
	demon_jw_str(&jw, "origin", hex);
	demon_hex(o->key.public_key, DEMON_ED25519_PUBLIC_LEN, hex);
	demon_jw_str(&jw, "publicKey", hex);
	demon_jw_str(&jw, "ts", ts);
	demon_jw_end(&jw);
	if ((rc = demon_buf_rc(&payload, err)))
		return rc;
	record.payload = payload.data;
	record.payload_len = payload.len;
	if ((rc = demon_write_append(w, &group, NULL, err)))
		return rc;
	return demon_peer_key_set(demon_write_db(w), origin, o->key.public_key, DEMON_KEY_BOUND,
				  now, err);
}

/* The key is there and the log says so: before the first signature leaves. */
static enum demon_rc prepare_key(struct demon_outbox *o, struct demon_err *err)
{
	bool row = false;
	enum demon_rc rc;

	if (o->announced)
		return DEMON_OK;
	if (!o->has_key && (rc = demon_key_load(o->store, &o->key, err)))
		return rc;
	o->has_key = true;
	{
		DEMON_READ(loan);

		if ((rc = demon_store_borrow(o->store, &loan, err)))
			return rc;
		DEMON_STMT(q, loan.db, &sql_announced);
		demon_bind_blob(&q, ":origin", demon_store_origin(o->store), DEMON_ORIGIN_LEN);
		demon_bind_blob(&q, ":key", o->key.public_key, sizeof(o->key.public_key));
		if ((rc = demon_step(&q, &row, err)))
			return rc;
	}
	if (!row && (rc = demon_store_write(o->store, announce, o, err)))
		return rc;
	o->announced = true;
	return DEMON_OK;
}

/* Takes note of what left, unless the chain was sent back meanwhile. */
static void note_sent(struct demon_outbox *o, const struct portion *p, enum demon_rc rc)
{
	struct demon_own_chain *c;

	(void)pthread_mutex_lock(&o->lock);
	c = &o->chains[p->chain];
	if (c->incarnation == p->incarnation) {
		if (p->sent > c->sent)
			c->sent = p->sent;
		if (rc && rc != DEMON_BUSY && !c->failed)
			c->failed = p->sent + 1;
		move_acknowledged(o, p->chain);
	}
	(void)pthread_mutex_unlock(&o->lock);
}

/* Sends what a chain has; *ret_more: there is more than fits. */
static enum demon_rc send_chain(struct demon_outbox *o, struct portion *p, struct demon_err *err)
{
	int64_t last;
	int64_t count;
	enum demon_rc rc;

	{
		DEMON_READ(loan);

		if ((rc = demon_store_borrow(o->store, &loan, err)) ||
		    (rc = last_of(loan.db, p->id, &last, err)))
			return rc;
	}
	if (last <= p->after)
		return DEMON_OK;
	if ((rc = prepare_key(o, err)))
		return rc;
	DEMON_READ(loan);
	if ((rc = demon_store_borrow(o->store, &loan, err)))
		return rc;
	while (p->after < last && o->flying < o->window) {
		count = last - p->after;
		if (count > SEND_MAX)
			count = SEND_MAX;
		if (count > (int64_t)(o->window - o->flying))
			count = (int64_t)(o->window - o->flying);
		rc = publish_rows(o, loan.db, p, count, err);
		if (rc || p->sent == p->after)
			break;
		p->after = p->sent;
	}
	return rc;
}

/* The chain of that number, as it stands; false: it sends nothing now. */
static bool take_portion(struct demon_outbox *o, size_t index, enum demon_stream stream,
			 struct portion *ret, int64_t *wait_ms)
{
	struct demon_own_chain *c;
	bool may;

	(void)pthread_mutex_lock(&o->lock);
	c = &o->chains[index];
	may = c->stream == stream && o->current[stream] && may_send(o, c, wait_ms);
	*ret = (struct portion){index, c->id, c->sent, c->sent, c->incarnation};
	(void)pthread_mutex_unlock(&o->lock);
	return may;
}

static size_t chain_count(struct demon_outbox *o)
{
	size_t n;

	(void)pthread_mutex_lock(&o->lock);
	n = o->count;
	(void)pthread_mutex_unlock(&o->lock);
	return n;
}

static enum demon_rc send_all(struct demon_outbox *o, enum demon_stream stream, int64_t *wait_ms,
			      struct demon_err *err)
{
	enum demon_rc first = DEMON_OK;
	struct demon_err failure;

	for (size_t i = 0; i < chain_count(o); i++) {
		struct portion p;
		enum demon_rc rc;

		if (!take_portion(o, i, stream, &p, wait_ms))
			continue;
		rc = send_chain(o, &p, first ? &failure : err);
		note_sent(o, &p, rc);
		if (rc && rc != DEMON_BUSY && !first)
			first = rc;
	}
	return first;
}

enum demon_rc demon_outbox_round(struct demon_outbox *o, int64_t *ret_wait_ms,
				 struct demon_err *err)
{
	/* the key is announced in the node's own stream, so that goes first */
	static const enum demon_stream order[] = {DEMON_STREAM_NODE, DEMON_STREAM_RITUAL,
						  DEMON_STREAM_GRAPH};
	struct demon_link link;
	enum demon_rc answers = collect(o, err);
	enum demon_rc rc;

	*ret_wait_ms = IDLE_MS;
	o->transport->ops->link(o->transport->ctx, &link);
	if (!link.up)
		return answers;
	if ((rc = demon_outbox_load(o, false, err)))
		return rc;
	for (size_t i = 0; i < demon_count(order); i++) {
		struct demon_err failure;

		rc = send_all(o, order[i], ret_wait_ms, &failure);
		if (rc && !answers) {
			*err = failure;
			answers = rc;
		}
	}
	if (o->flying == o->window && *ret_wait_ms > 100)
		*ret_wait_ms = 100;
	return answers;
}
