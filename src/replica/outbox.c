#include "outbox_chain.h"

#include "base/json.h"
#include "store/readers.h"
#include "store/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHAINS_MAX 4096
#define AHEAD_MAX  1024 /* events seen before one that precedes them, a chain */

DEMON_SQL_SCAN(sql_chains, "log_chains has a row a chain, not an event",
	       "SELECT c.id, c.epoch, c.stream, coalesce(o.acknowledged, 0), "
	       "coalesce(o.confirmed, 0), coalesce(o.read_at, 0) FROM log_chains c "
	       "LEFT JOIN local_outbox o ON o.chain_id = c.id WHERE c.origin = :origin");
DEMON_SQL(sql_save,
	  "INSERT INTO local_outbox (chain_id, acknowledged, confirmed, read_at) "
	  "SELECT id, :acknowledged, :confirmed, :read_at FROM log_chains WHERE origin = :origin "
	  "AND epoch = :epoch AND stream = :stream ON CONFLICT (chain_id) DO UPDATE "
	  "SET acknowledged = excluded.acknowledged, confirmed = excluded.confirmed, "
	  "read_at = excluded.read_at");
demon_ticks demon_outbox_now(const struct demon_outbox *o)
{
	const struct demon_env *env = demon_store_env(o->store);

	return env->mono(env->ctx);
}

/* The chain of that epoch and stream, made when it is new. The lock is held. */
static enum demon_rc chain_of(struct demon_outbox *o, const unsigned char *epoch,
			      enum demon_stream stream, struct demon_own_chain **ret,
			      struct demon_err *err)
{
	for (size_t i = 0; i < o->count; i++) {
		struct demon_own_chain *c = &o->chains[i];

		if (c->stream == stream && memcmp(c->epoch, epoch, DEMON_EPOCH_LEN) == 0) {
			*ret = c;
			return DEMON_OK;
		}
	}
	if (o->count == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 8;
		struct demon_own_chain *chains =
		    cap <= CHAINS_MAX ? demon_realloc(o->chains, cap, sizeof(*chains)) : NULL;

		if (!chains)
			return demon_err_set(err, DEMON_NOMEM, "no room for another own chain");
		o->chains = chains;
		o->cap = cap;
	}
	*ret = &o->chains[o->count++];
	**ret = (struct demon_own_chain){.stream = stream, .confirmed_at = demon_outbox_now(o)};
	memcpy((*ret)->epoch, epoch, DEMON_EPOCH_LEN);
	return DEMON_OK;
}

enum demon_rc demon_outbox_load(struct demon_outbox *o, bool first, struct demon_err *err)
{
	DEMON_READ(loan);
	enum demon_rc rc = demon_store_borrow(o->store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_chains);
	bool row;

	demon_bind_blob(&q, ":origin", demon_store_origin(o->store), DEMON_ORIGIN_LEN);
	(void)pthread_mutex_lock(&o->lock);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		enum demon_stream stream;
		struct demon_own_chain *c;

		if (!demon_stream_find(demon_col_str(&q, 2), &stream))
			continue;
		if ((rc = chain_of(o, demon_col_blob(&q, 1), stream, &c, err)))
			break;
		if (c->id)
			continue;
		c->id = demon_col_i64(&q, 0);
		if (first) {
			c->acknowledged = c->sent = demon_col_i64(&q, 3);
			c->confirmed = demon_col_i64(&q, 4);
			c->read_at = (uint64_t)demon_col_i64(&q, 5);
		}
	}
	(void)pthread_mutex_unlock(&o->lock);
	return rc;
}

enum demon_rc demon_outbox_open(struct demon_store *store, const struct demon_transport *transport,
				size_t window, struct demon_outbox **ret_outbox,
				struct demon_err *err)
{
	struct demon_outbox *o = demon_calloc(1, sizeof(*o));
	enum demon_rc rc;

	if (!o)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the outbox");
	o->store = store;
	o->transport = transport;
	o->window = window ? window : DEMON_WINDOW;
	(void)pthread_mutex_init(&o->lock, NULL);
	o->flights = demon_calloc(o->window, sizeof(*o->flights));
	o->sha = demon_sha256_new();
	if (!o->flights || !o->sha) {
		demon_outbox_close(o);
		return demon_err_set(err, DEMON_NOMEM, "no memory for the outbox");
	}
	if ((rc = demon_outbox_load(o, true, err))) {
		demon_outbox_close(o);
		return rc;
	}
	*ret_outbox = o;
	return DEMON_OK;
}

void demon_outbox_close(struct demon_outbox *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		free(o->chains[i].ahead);
	free(o->chains);
	free(o->flights);
	demon_sha256_free(o->sha);
	demon_outgoing_done(&o->outgoing);
	(void)pthread_mutex_destroy(&o->lock);
	free(o);
}

void demon_outbox_send_again(struct demon_outbox *o, struct demon_own_chain *c)
{
	c->sent = c->acknowledged;
	c->incarnation++;
	c->failed = 0;
	c->confirmed_at = demon_outbox_now(o);
	c->dirty = true;
}

static void drop_ahead(struct demon_own_chain *c, size_t n)
{
	memmove(c->ahead, c->ahead + n, (c->ahead_count - n) * sizeof(*c->ahead));
	c->ahead_count -= n;
}

/* Notes a sequence that was read before one that precedes it; forgets it when there are too many,
 * and then it is sent again. */
static enum demon_rc add_ahead(struct demon_own_chain *c, int64_t sequence, struct demon_err *err)
{
	size_t at = c->ahead_count;

	if (!c->ahead && !(c->ahead = demon_calloc(AHEAD_MAX, sizeof(*c->ahead))))
		return demon_err_set(err, DEMON_NOMEM, "no memory for the outbox");
	while (at > 0 && c->ahead[at - 1] >= sequence) {
		if (c->ahead[at - 1] == sequence)
			return DEMON_OK;
		at--;
	}
	if (c->ahead_count == AHEAD_MAX)
		return DEMON_OK;
	memmove(c->ahead + at + 1, c->ahead + at, (c->ahead_count - at) * sizeof(*c->ahead));
	c->ahead[at] = sequence;
	c->ahead_count++;
	return DEMON_OK;
}

static void move_confirmed(struct demon_outbox *o, struct demon_own_chain *c)
{
	size_t n = 0;

	c->confirmed++;
	while (n < c->ahead_count && c->ahead[n] <= c->confirmed + 1) {
		if (c->ahead[n] == c->confirmed + 1)
			c->confirmed++;
		n++;
	}
	if (n)
		drop_ahead(c, n);
	if (c->acknowledged < c->confirmed)
		c->acknowledged = c->confirmed;
	if (c->sent < c->confirmed)
		c->sent = c->confirmed;
	c->confirmed_at = demon_outbox_now(o);
	c->dirty = true;
}

/* The lock is held. */
static enum demon_rc confirm(struct demon_outbox *o, struct demon_own_chain *c, int64_t sequence,
			     uint64_t at, struct demon_err *err)
{
	if (sequence == c->confirmed + 1) {
		move_confirmed(o, c);
		c->read_at = c->confirmed == sequence ? at : 0;
		return DEMON_OK;
	}
	if (sequence == c->confirmed && !c->read_at)
		c->read_at = at;
	return sequence > c->confirmed ? add_ahead(c, sequence, err) : DEMON_OK;
}

enum demon_rc demon_outbox_confirm(struct demon_outbox *o, const struct demon_event_ref *ref,
				   uint64_t at, struct demon_err *err)
{
	struct demon_own_chain *c = NULL;
	enum demon_rc rc;

	(void)pthread_mutex_lock(&o->lock);
	rc = chain_of(o, ref->epoch, ref->stream, &c, err);
	if (!rc && c)
		rc = confirm(o, c, ref->sequence, at, err);
	(void)pthread_mutex_unlock(&o->lock);
	return rc;
}

void demon_outbox_began(struct demon_outbox *o, enum demon_stream stream)
{
	(void)pthread_mutex_lock(&o->lock);
	o->current[stream] = false;
	for (size_t i = 0; i < o->count; i++)
		if (o->chains[i].stream == stream)
			o->chains[i].begun_at = o->chains[i].acknowledged;
	(void)pthread_mutex_unlock(&o->lock);
}

void demon_outbox_caught_up(struct demon_outbox *o, enum demon_stream stream)
{
	(void)pthread_mutex_lock(&o->lock);
	o->current[stream] = true;
	for (size_t i = 0; i < o->count; i++) {
		struct demon_own_chain *c = &o->chains[i];

		if (c->stream == stream && c->confirmed < c->begun_at) {
			c->acknowledged = c->confirmed;
			demon_outbox_send_again(o, c);
		}
	}
	(void)pthread_mutex_unlock(&o->lock);
}

enum demon_rc demon_outbox_reset(struct demon_outbox *o, enum demon_stream stream,
				 const char *confirmed, struct demon_err *err)
{
	static const struct demon_json_limits limits = {1 << 20, 3};
	json_t *json = NULL;
	enum demon_rc rc;

	if (confirmed && (rc = demon_json_parse(confirmed, strlen(confirmed), &limits, &json, err)))
		return rc;
	(void)pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->count; i++) {
		struct demon_own_chain *c = &o->chains[i];
		char epoch[2 * DEMON_EPOCH_LEN + 1];
		const json_t *pair;
		int64_t held;

		if (c->stream != stream)
			continue;
		demon_hex(c->epoch, sizeof(c->epoch), epoch);
		pair = json_object_get(json, epoch);
		held = json_integer_value(json_array_get(pair, 0));
		if (held > c->confirmed)
			held = c->confirmed;
		c->read_at = (uint64_t)json_integer_value(json_array_get(pair, 1));
		c->confirmed = held;
		c->ahead_count = 0;
		c->acknowledged = held;
		demon_outbox_send_again(o, c);
	}
	(void)pthread_mutex_unlock(&o->lock);
	json_decref(json);
	return DEMON_OK;
}

int64_t demon_outbox_confirmed_of(struct demon_outbox *o, const struct demon_event_ref *ref)
{
	int64_t confirmed = 0;

	(void)pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->count; i++)
		if (o->chains[i].stream == ref->stream &&
		    memcmp(o->chains[i].epoch, ref->epoch, sizeof(ref->epoch)) == 0)
			confirmed = o->chains[i].confirmed;
	(void)pthread_mutex_unlock(&o->lock);
	return confirmed;
}

static int by_epoch(const void *a, const void *b)
{
	return strcmp(a, b);
}

void demon_outbox_confirmed(struct demon_outbox *o, enum demon_stream stream, struct demon_buf *out)
{
	struct line {
		char epoch[2 * DEMON_EPOCH_LEN + 1];
		int64_t confirmed;
		uint64_t read_at;
	} * lines;
	struct demon_jw w = demon_jw_begin(out);
	size_t n = 0;

	(void)pthread_mutex_lock(&o->lock);
	lines = demon_calloc(o->count + 1, sizeof(*lines));
	for (size_t i = 0; lines && i < o->count; i++) {
		if (o->chains[i].stream != stream || !o->chains[i].confirmed)
			continue;
		demon_hex(o->chains[i].epoch, DEMON_EPOCH_LEN, lines[n].epoch);
		lines[n].read_at = o->chains[i].read_at;
		lines[n++].confirmed = o->chains[i].confirmed;
	}
	(void)pthread_mutex_unlock(&o->lock);
	if (lines)
		qsort(lines, n, sizeof(*lines), by_epoch);
	for (size_t i = 0; i < n; i++) {
		char pair[64];
		int len = snprintf(pair, sizeof(pair), "[%" PRId64 ",%" PRIu64 "]",
				   lines[i].confirmed, lines[i].read_at);

		demon_jw_raw(&w, lines[i].epoch, pair, (size_t)len);
	}
	demon_jw_end(&w);
	free(lines);
}

bool demon_outbox_unsaved(struct demon_outbox *o)
{
	bool dirty = false;

	(void)pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->count; i++)
		dirty |= o->chains[i].dirty;
	(void)pthread_mutex_unlock(&o->lock);
	return dirty;
}

enum demon_rc demon_outbox_save(struct demon_outbox *o, struct demon_db *db, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	(void)pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->count && !rc; i++) {
		struct demon_own_chain *c = &o->chains[i];

		if (!c->dirty)
			continue;
		DEMON_STMT(q, db, &sql_save);
		demon_bind_i64(&q, ":acknowledged", c->acknowledged);
		demon_bind_i64(&q, ":confirmed", c->confirmed);
		demon_bind_i64(&q, ":read_at", (int64_t)c->read_at);
		demon_bind_blob(&q, ":origin", demon_store_origin(o->store), DEMON_ORIGIN_LEN);
		demon_bind_blob(&q, ":epoch", c->epoch, sizeof(c->epoch));
		demon_bind_str(&q, ":stream", demon_stream_name(c->stream));
		rc = demon_exec(&q, err);
		if (!rc)
			c->dirty = false;
	}
	(void)pthread_mutex_unlock(&o->lock);
	return rc;
}
