#include "replica.h"

#include "base/json.h"
#include "inbox.h"
#include "outbox.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIRROR_CLAIM (INT64_C(1) << 60) /* no number of a run */

#define OVERLAP      256   /* messages that are read again after a connection was made */
#define LOOK_MS      30000 /* a stream may be purged while it is read */

/* One stream, as it is read. */
struct reading {
	bool subscribed;
	bool caught_up;
	uint64_t goal; /* its last sequence when reading began */
	uint64_t seen; /* where reading stood when the streams were last looked at */
};

struct demon_replica {
	struct demon_replica_options options;
	const struct demon_transport *transport;
	struct demon_outbox *outbox;
	struct demon_inbox *inbox;
	struct reading readings[DEMON_STREAM_COUNT];
	uint64_t generation;
	demon_ticks looked; /* when the streams were last looked at */
	bool claimed;
};

static void note(const struct demon_replica *r, const char *text)
{
	if (r->options.note)
		r->options.note(r->options.note_ctx, text);
}

enum demon_rc demon_replica_open(const struct demon_replica_options *options,
				 struct demon_replica **ret_replica, struct demon_err *err)
{
	struct demon_replica *r = demon_calloc(1, sizeof(*r));
	enum demon_rc rc;

	if (!r)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the mirror");
	r->options = *options;
	r->transport = options->transport;
	rc = demon_store_claim(options->store, MIRROR_CLAIM, err);
	if (rc) {
		free(r);
		return demon_err_wrap(err, "this database is mirrored already");
	}
	r->claimed = true;
	if ((rc = demon_outbox_open(options->store, options->transport, options->window, &r->outbox,
				    err)) ||
	    (rc = demon_inbox_open(options, r->outbox, &r->inbox, err))) {
		demon_replica_close(r);
		return rc;
	}
	*ret_replica = r;
	return DEMON_OK;
}

void demon_replica_close(struct demon_replica *r)
{
	struct demon_err err;
	int64_t events;

	if (!r)
		return;
	/* what is not written down is read again */
	if (r->inbox && demon_inbox_flush(r->inbox, false, &events, &err))
		note(r, err.msg);
	demon_inbox_close(r->inbox);
	demon_outbox_close(r->outbox);
	if (r->claimed)
		demon_store_unclaim(r->options.store, MIRROR_CLAIM);
	free(r);
}

enum demon_rc demon_replica_out(struct demon_replica *r, int64_t *ret_wait_ms,
				struct demon_err *err)
{
	return demon_outbox_round(r->outbox, ret_wait_ms, err);
}

bool demon_replica_caught_up(struct demon_replica *r)
{
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++)
		if (!r->readings[i].caught_up)
			return false;
	return true;
}

struct comparison {
	struct demon_sha256 *sha;
	unsigned char mark[DEMON_SHA256_LEN];
};

static enum demon_rc take_mark(void *ctx, const struct demon_message *message,
			       demon_unused struct demon_err *err)
{
	struct comparison *c = ctx;

	demon_message_mark(c->sha, message, c->mark);
	return DEMON_OK;
}

enum likeness { ABSENT, SAME, OTHER };

/* What the stream has under @p sequence, beside what this node read there. */
static enum demon_rc compare(struct demon_replica *r, enum demon_stream stream, uint64_t sequence,
			     const unsigned char *mark, enum likeness *ret, struct demon_err *err)
{
	struct comparison c = {.sha = demon_sha256_new()};
	enum demon_rc rc;

	if (!c.sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory to compare a mark");
	rc = r->transport->ops->get(r->transport->ctx, stream, sequence, take_mark, &c, err);
	demon_sha256_free(c.sha);
	*ret = rc ? ABSENT : memcmp(c.mark, mark, sizeof(c.mark)) == 0 ? SAME : OTHER;
	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

struct own {
	struct demon_replica *replica;
	const char *epoch;
	int64_t sequence;
	bool same;
};

static enum demon_rc is_own(void *ctx, const struct demon_message *message,
			    demon_unused struct demon_err *err)
{
	struct own *own = ctx;
	char id[DEMON_MESSAGE_ID_LEN];
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(demon_store_origin(own->replica->options.store), DEMON_ORIGIN_LEN, origin);
	(void)snprintf(id, sizeof(id), "%s.%s.%s.%" PRId64 ".", origin, own->epoch,
		       demon_stream_name(message->stream), own->sequence);
	own->same = message->id && strncmp(message->id, id, strlen(id)) == 0;
	return DEMON_OK;
}

/* Whether this node's own events are still where they were read: what a mark cannot tell, for the
 * stream may have grown to the very same message again. */
static enum demon_rc own_are_there(struct demon_replica *r, enum demon_stream stream,
				   const char *confirmed, bool *ret_there, struct demon_err *err)
{
	static const struct demon_json_limits limits = {1 << 20, 3};
	const char *epoch;
	json_t *pair;
	json_t *json;
	enum demon_rc rc = demon_json_parse(confirmed, strlen(confirmed), &limits, &json, err);

	*ret_there = true;
	if (rc)
		return rc;
	json_object_foreach(json, epoch, pair)
	{
		struct own own = {r, epoch, json_integer_value(json_array_get(pair, 0)), false};
		uint64_t at = (uint64_t)json_integer_value(json_array_get(pair, 1));

		if (rc || !*ret_there || !at)
			continue;
		rc = r->transport->ops->get(r->transport->ctx, stream, at, is_own, &own, err);
		rc = rc == DEMON_NOTFOUND ? DEMON_OK : rc;
		*ret_there = own.same;
	}
	json_decref(json);
	return rc;
}

/* The last mark that still holds; sequence 0 when none does. */
static enum demon_rc walk_back(struct demon_replica *r, enum demon_stream stream, uint64_t before,
			       uint64_t last, struct demon_mark *ret, struct demon_err *err)
{
	enum demon_rc rc;

	for (;;) {
		enum likeness likeness = ABSENT;
		bool found;
		bool same = false;

		*ret = (struct demon_mark){0};
		{
			DEMON_READ(loan);

			if ((rc = demon_store_borrow(r->options.store, &loan, err)) ||
			    (rc = demon_mark_before(loan.db, stream, before, ret, &found, err)) ||
			    !found)
				return rc;
		}
		before = ret->sequence;
		if (ret->sequence <= last)
			rc = compare(r, stream, ret->sequence, ret->mark, &likeness, err);
		if (!rc && likeness == SAME)
			rc = own_are_there(r, stream, ret->confirmed, &same, err);
		if (!rc && same)
			return DEMON_OK;
		free(ret->confirmed);
		ret->confirmed = NULL;
		if (rc)
			return rc;
	}
}

/* The stream is not the one that was read: reading goes on where both still agree. */
static enum demon_rc set_back(struct demon_replica *r, enum demon_stream stream, uint64_t before,
			      const struct demon_stream_state *state, struct demon_err *err)
{
	struct demon_position to = {.first = state->first};
	uint64_t from = demon_inbox_position(r->inbox, stream)->sequence;
	struct demon_mark mark;
	char text[256];
	enum demon_rc rc = walk_back(r, stream, before, state->last, &mark, err);

	if (rc)
		return rc;
	to.sequence = mark.sequence;
	memcpy(to.mark, mark.mark, sizeof(to.mark));
	rc = demon_outbox_reset(r->outbox, stream, mark.confirmed, err);
	free(mark.confirmed);
	if (rc)
		return rc;
	demon_inbox_move(r->inbox, stream, &to);
	(void)snprintf(text, sizeof(text),
		       "stream '%s' is not what it was: read up to %" PRIu64
		       ", it agrees up to %" PRIu64 " and ends at %" PRIu64
		       "; what it lost of this node is sent again",
		       demon_stream_name(stream), from, to.sequence, state->last);
	note(r, text);
	return DEMON_OK;
}

/* Messages are gone at the front of the stream: this node's own are sent again. */
static enum demon_rc refill(struct demon_replica *r, enum demon_stream stream,
			    const struct demon_stream_state *state, struct demon_err *err)
{
	struct demon_position to = *demon_inbox_position(r->inbox, stream);
	char text[256];
	enum demon_rc rc = demon_outbox_reset(r->outbox, stream, NULL, err);

	if (rc)
		return rc;
	to.first = state->first;
	demon_inbox_move(r->inbox, stream, &to);
	(void)snprintf(text, sizeof(text),
		       "stream '%s' begins with %" PRIu64
		       " now: what it lost of this node is sent again",
		       demon_stream_name(stream), state->first);
	note(r, text);
	return DEMON_OK;
}

/* Marks further and further back. *ret_before: below which to look for where both agree, or 0. */
static enum demon_rc check_marks(struct demon_replica *r, enum demon_stream stream,
				 const struct demon_stream_state *state, uint64_t *ret_before,
				 struct demon_err *err)
{
	uint64_t at = demon_inbox_position(r->inbox, stream)->sequence;
	enum demon_rc rc = DEMON_OK;

	*ret_before = 0;
	for (uint64_t back = 1; back < at && !rc && !*ret_before; back *= 2) {
		struct demon_mark mark = {0};
		enum likeness likeness = SAME;
		bool found;

		{
			DEMON_READ(loan);

			if ((rc = demon_store_borrow(r->options.store, &loan, err)) ||
			    (rc = demon_mark_before(loan.db, stream, at - back + 1, &mark, &found,
						    err)))
				return rc;
		}
		if (!found)
			return DEMON_OK;
		if (mark.sequence >= state->first)
			rc = compare(r, stream, mark.sequence, mark.mark, &likeness, err);
		if (!rc && likeness == OTHER)
			*ret_before = mark.sequence;
		free(mark.confirmed);
	}
	return rc;
}

/* Is the stream still the one that was read up to the position? */
static enum demon_rc reconcile(struct demon_replica *r, enum demon_stream stream,
			       const struct demon_stream_state *state, struct demon_err *err)
{
	const struct demon_position *position = demon_inbox_position(r->inbox, stream);
	DEMON_BUF(confirmed, 0);
	enum likeness likeness = ABSENT;
	uint64_t before;
	bool own;
	enum demon_rc rc;

	if (!position->sequence)
		return state->first > 1 && state->first != position->first
			   ? refill(r, stream, state, err)
			   : DEMON_OK;
	if (position->sequence > state->last)
		return set_back(r, stream, position->sequence, state, err);
	rc = compare(r, stream, position->sequence, position->mark, &likeness, err);
	if (rc)
		return rc;
	if (likeness == OTHER)
		return set_back(r, stream, position->sequence, state, err);
	if (state->first > 1 && state->first != position->first)
		return refill(r, stream, state, err);
	demon_outbox_confirmed(r->outbox, stream, &confirmed);
	if ((rc = demon_buf_rc(&confirmed, err)) ||
	    (rc = own_are_there(r, stream, confirmed.data, &own, err)))
		return rc;
	if (!own)
		return set_back(r, stream, position->sequence, state, err);
	if ((rc = check_marks(r, stream, state, &before, err)))
		return rc;
	return before ? set_back(r, stream, before, state, err) : DEMON_OK;
}

static enum demon_rc begin(struct demon_replica *r, enum demon_stream stream, struct demon_err *err)
{
	struct reading *reading = &r->readings[stream];
	struct demon_stream_state state;
	uint64_t start;
	enum demon_rc rc;

	rc = r->transport->ops->state(r->transport->ctx, stream, &state, err);
	if (rc)
		return rc;
	demon_outbox_began(r->outbox, stream);
	if ((rc = reconcile(r, stream, &state, err)))
		return rc;
	start = demon_inbox_position(r->inbox, stream)->sequence + 1;
	start = start > OVERLAP ? start - OVERLAP : 1;
	if (start < state.first)
		start = state.first;
	if (start > state.last + 1)
		start = state.last + 1;
	if ((rc = r->transport->ops->subscribe(r->transport->ctx, stream, start, err)))
		return rc;
	*reading = (struct reading){.subscribed = true, .goal = state.last};
	return DEMON_OK;
}

/* A stream is read up to where it ended when reading began. */
static void look_for_end(struct demon_replica *r)
{
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++) {
		struct reading *reading = &r->readings[i];
		enum demon_stream stream = (enum demon_stream)i;
		uint64_t at = demon_inbox_position(r->inbox, stream)->sequence;

		if (!reading->subscribed || reading->caught_up || at < reading->goal)
			continue;
		reading->caught_up = true;
		demon_outbox_caught_up(r->outbox, stream);
		if (r->transport->wake)
			r->transport->wake(r->transport->wake_ctx);
	}
}

static void forget(struct demon_replica *r)
{
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++)
		r->readings[i] = (struct reading){0};
}

/* After a stretch without messages the last ones of a stream may be gone: then the goal is never
 * reached by reading, and what there is has been read. */
static enum demon_rc look_at_ends(struct demon_replica *r, struct demon_err *err)
{
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++) {
		struct reading *reading = &r->readings[i];
		enum demon_stream stream = (enum demon_stream)i;
		struct demon_stream_state state;
		struct demon_position to;
		enum demon_rc rc;

		if (!reading->subscribed || reading->caught_up)
			continue;
		rc = r->transport->ops->state(r->transport->ctx, stream, &state, err);
		if (rc)
			return rc;
		to = *demon_inbox_position(r->inbox, stream);
		if (state.last >= reading->goal && state.messages && to.sequence + 1 >= state.first)
			continue;
		reading->goal = state.last < to.sequence ? state.last : to.sequence;
	}
	look_for_end(r);
	return DEMON_OK;
}

/* What was purged or set back while it was read begins anew. */
static enum demon_rc look_at_streams(struct demon_replica *r, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(r->options.store);
	demon_ticks now = env->mono(env->ctx);
	enum demon_rc rc = DEMON_OK;

	if (now - r->looked < LOOK_MS * (demon_ticks)1000)
		return DEMON_OK;
	r->looked = now;
	for (unsigned i = 0; i < DEMON_STREAM_COUNT && !rc; i++) {
		enum demon_stream stream = (enum demon_stream)i;
		const struct demon_position *at = demon_inbox_position(r->inbox, stream);
		struct demon_stream_state state;

		rc = r->transport->ops->state(r->transport->ctx, stream, &state, err);
		if (rc)
			return rc;
		if (state.last < at->sequence || (state.first > 1 && state.first != at->first) ||
		    (state.last > at->sequence && r->readings[i].seen == at->sequence))
			r->readings[i] = (struct reading){0};
		r->readings[i].seen = at->sequence;
	}
	return rc;
}

static enum demon_rc connect(struct demon_replica *r, struct demon_err *err)
{
	struct demon_link link;
	enum demon_rc rc = DEMON_OK;

	r->transport->ops->link(r->transport->ctx, &link);
	if (!link.up) {
		forget(r);
		return demon_err_set(err, DEMON_UNAVAIL, "no connection%s%s",
				     *link.error ? ": " : "", link.error);
	}
	if (link.generation != r->generation) {
		forget(r);
		r->generation = link.generation;
	}
	if ((rc = look_at_streams(r, err)))
		return rc;
	for (unsigned i = 0; i < DEMON_STREAM_COUNT && !rc; i++)
		if (!r->readings[i].subscribed)
			rc = begin(r, (enum demon_stream)i, err);
	look_for_end(r);
	return rc;
}

static enum demon_rc add_again(void *ctx, const struct demon_message *message,
			       struct demon_err *err)
{
	return demon_inbox_add(ctx, message, true, err);
}

/* One message that an operator took out of quarantine. */
static enum demon_rc read_again(struct demon_replica *r, struct demon_err *err)
{
	enum demon_stream stream;
	uint64_t sequence;
	bool found;
	enum demon_rc rc = demon_inbox_retry(r->inbox, &stream, &sequence, &found, err);

	if (rc || !found)
		return rc;
	return r->transport->ops->get(r->transport->ctx, stream, sequence, add_again, r->inbox,
				      err);
}

/* Gathers what has come. A stream whose subscription has ended begins anew with the next call. */
static enum demon_rc gather(struct demon_replica *r, int64_t wait_ms, bool *ret_any,
			    struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	*ret_any = false;
	while (!rc && !demon_inbox_full(r->inbox)) {
		struct demon_message message = {0};

		rc = r->transport->ops->next(r->transport->ctx, *ret_any ? 0 : wait_ms, &message,
					     err);
		if (rc == DEMON_UNAVAIL)
			r->readings[message.stream].subscribed = false;
		if (rc)
			break;
		rc = demon_inbox_add(r->inbox, &message, false, err);
		*ret_any = true;
	}
	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

enum demon_rc demon_replica_in(struct demon_replica *r, int64_t wait_ms, int64_t *ret_events,
			       struct demon_err *err)
{
	struct demon_err later;
	enum demon_rc gathered;
	enum demon_rc rc;
	bool any;

	*ret_events = 0;
	if ((rc = connect(r, err)))
		return rc;
	if ((rc = read_again(r, err)) && rc != DEMON_NOTFOUND)
		return rc;
	gathered = gather(r, wait_ms, &any, err);
	rc = demon_inbox_flush(r->inbox, true, ret_events, &later);
	if (rc) {
		/* positions are where they were: so is reading, from now on */
		forget(r);
		*err = later;
		return rc;
	}
	if (!gathered && !any)
		gathered = look_at_ends(r, err);
	look_for_end(r);
	return gathered;
}
