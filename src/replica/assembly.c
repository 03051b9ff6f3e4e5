#include "chain.h"

#include "store/log.h"
#include "store/subject.h"

#include <inttypes.h>
#include <string.h>

DEMON_SQL_SCAN(sql_waiting, "counts", "SELECT count(*) FROM local_inbox");
DEMON_SQL_SCAN(sql_chains, "few wait, as a rule",
	       "SELECT DISTINCT origin, epoch, stream FROM local_inbox");
DEMON_SQL(sql_signed, "INSERT INTO local_heads (chain_id, origin_seq, signature) "
		      "VALUES (:chain, :seq, :signature) ON CONFLICT (chain_id) DO UPDATE SET "
		      "origin_seq = excluded.origin_seq, signature = excluded.signature "
		      "WHERE excluded.origin_seq > origin_seq");

enum demon_rc demon_assembly_waiting(struct demon_db *db, int64_t *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_waiting);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	*ret = rc ? 0 : demon_col_i64(&q, 0);
	return rc;
}

static enum demon_rc confirm(struct demon_assembly *a, const struct demon_chain *c,
			     const struct demon_piece *p, struct demon_err *err)
{
	struct demon_event_ref ref = demon_event_ref_of(&p->item->ev);

	return c->own && a->outbox
		   ? demon_outbox_confirm(a->outbox, &ref, p->item->stream_sequence, err)
		   : DEMON_OK;
}

/* What is held already: the same once more, or another under its identity. */
static enum demon_rc look_at_held(struct demon_assembly *a, struct demon_chain *c,
				  struct demon_err *err)
{
	int64_t confirmed = a->outbox ? demon_outbox_confirmed_of(a->outbox, &c->head) : 0;

	for (size_t i = 0; i < c->count && c->pieces[i].item->ev.sequence <= c->head.sequence;
	     i++) {
		struct demon_piece *p = &c->pieces[i];
		struct demon_event_ref ref = demon_event_ref_of(&p->item->ev);
		struct demon_held held;
		bool same;
		enum demon_rc rc;

		if (p->over)
			continue;
		if ((rc = demon_log_held(demon_write_db(a->w), &ref, &held, err)))
			return rc;
		same = held.found && memcmp(held.hash, ref.hash, sizeof(ref.hash)) == 0;
		if (!same && c->own && p->item->ev.sequence > confirmed)
			continue; /* perhaps what this node wrote before it was set back */
		rc = same ? confirm(a, c, p, err) : DEMON_OK;
		if (!rc)
			rc = same ? demon_piece_over(a, p, err)
				  : demon_piece_aside(a, p, DEMON_BAD_FORK,
						      "its identity is held by another event", err);
		if (rc)
			return rc;
	}
	return DEMON_OK;
}

/* A path from the head to a signed piece: indices in order; NULL when there is none. */
struct path {
	struct demon_piece **pieces; /* owned */
	size_t count;
};

/* Walks back from @p end to the head. False: something is missing, or it starts elsewhere. */
static bool walk_back(struct demon_chain *c, struct demon_piece *end, struct path *path)
{
	size_t n = (size_t)(end->item->ev.sequence - c->head.sequence);
	struct demon_piece *p = end;

	path->count = n;
	for (size_t i = n; i-- > 0;) {
		path->pieces[i] = p;
		if (i == 0)
			return memcmp(p->item->ev.previous_hash, c->head.hash, DEMON_SHA256_LEN) ==
			       0;
		p = demon_chain_find(c, p->item->ev.sequence - 1, p->item->ev.previous_hash);
		if (!p)
			return false;
	}
	return false;
}

/* An unknown key may be announced on the very path that it signs. */
static enum demon_rc try_announced(struct demon_assembly *a, const struct path *path,
				   struct demon_piece *end, bool *ret_good, struct demon_err *err)
{
	struct demon_event_ref head = demon_event_ref_of(&end->item->ev);
	unsigned char id[DEMON_KEY_ID_LEN];
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	unsigned char public_key[DEMON_ED25519_PUBLIC_LEN];
	DEMON_BUF(bytes, 0);

	*ret_good = false;
	if (!demon_signature_read(end->item->signature, id, signature))
		return DEMON_OK;
	demon_head_bytes(&head, &bytes);
	if (demon_buf_rc(&bytes, err))
		return DEMON_NOMEM;
	for (size_t i = 0; i < path->count; i++) {
		const struct demon_event *ev = &path->pieces[i]->item->ev;

		if (!demon_key_announces(ev, id, public_key) ||
		    demon_ed25519_verify(public_key, bytes.data, bytes.len, signature, err))
			continue;
		return demon_peer_key_announced(demon_write_db(a->w), ev, a->now, ret_good, err);
	}
	return DEMON_OK;
}

/* Whether @p end is signed so that its path counts. A signature that does not hold is taken off. */
static enum demon_rc check_signature(struct demon_assembly *a, struct demon_chain *c,
				     const struct path *path, struct demon_piece *end,
				     bool *ret_good, struct demon_err *err)
{
	struct demon_event_ref head = demon_event_ref_of(&end->item->ev);
	struct demon_err why;
	enum demon_rc rc =
	    demon_peer_key_check(demon_write_db(a->w), &head, end->item->signature, &why);

	*ret_good = rc == DEMON_OK;
	if (rc == DEMON_NOTFOUND) {
		if ((rc = try_announced(a, path, end, ret_good, err)))
			return rc;
		if (!*ret_good)
			c->stop = DEMON_WAIT_KEY;
		return DEMON_OK;
	}
	if (rc == DEMON_DENIED) {
		c->stop = DEMON_WAIT_KEY;
		return DEMON_OK;
	}
	if (rc == DEMON_CORRUPT) {
		end->item->signature[0] = '\0';
		end->changed = true;
		return demon_counter_add(demon_write_db(a->w), "bad_signatures", 1, err);
	}
	if (rc)
		*err = why;
	return rc;
}

/* The longest path that counts; count 0 when there is none. */
static enum demon_rc find_path(struct demon_assembly *a, struct demon_chain *c, struct path *path,
			       struct demon_err *err)
{
	size_t room = c->count;

	c->stop = DEMON_WAIT_SIGNATURE;
	for (size_t i = c->count; i-- > 0;) {
		struct demon_piece *end = &c->pieces[i];
		bool good;
		enum demon_rc rc;

		if (end->over || !end->item->signature[0] ||
		    end->item->ev.sequence <= c->head.sequence)
			continue;
		if (end->item->ev.sequence - c->head.sequence > (int64_t)room ||
		    !walk_back(c, end, path)) {
			c->stop = DEMON_WAIT_PREDECESSOR;
			continue;
		}
		if ((rc = check_signature(a, c, path, end, &good, err)))
			return rc;
		if (good)
			return DEMON_OK;
	}
	path->count = 0;
	return DEMON_OK;
}

struct ingestion {
	const struct demon_event *events;
	size_t count;
	size_t new;
};

static enum demon_rc ingest(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct ingestion *in = ctx;

	return demon_write_ingest(w, in->events, in->count, &in->new, err);
}

static bool is_about_event(enum demon_rc rc)
{
	return rc == DEMON_NOTFOUND || rc == DEMON_UNAVAIL || rc == DEMON_CONFLICT ||
	       rc == DEMON_INVALID || rc == DEMON_CORRUPT || rc == DEMON_NEWER ||
	       rc == DEMON_TOOBIG;
}

/* One whole group. *ret_stop: it was not taken in, nor can anything behind it. */
static enum demon_rc take_group(struct demon_assembly *a, struct demon_chain *c,
				struct demon_piece **pieces, size_t count, bool *ret_stop,
				struct demon_err *err)
{
	struct demon_db *db = demon_write_db(a->w);
	int64_t before = demon_db_total_changes(db);
	struct demon_event *events = demon_calloc(count, sizeof(*events));
	struct ingestion in = {events, count, 0};
	struct demon_err why;
	enum demon_rc rc;

	if (!events)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a group");
	for (size_t i = 0; i < count; i++)
		events[i] = pieces[i]->item->ev;
	rc = a->careful ? demon_write_part(a->w, ingest, &in, &why) : ingest(a->w, &in, &why);
	free(events);
	*ret_stop = rc != DEMON_OK;
	if (!rc) {
		a->taken += (int64_t)in.new;
		return DEMON_OK;
	}
	if (!is_about_event(rc)) {
		*err = why;
		return rc;
	}
	if (!a->careful && demon_db_total_changes(db) != before) {
		a->need_care = true;
		return demon_err_set(err, DEMON_BUSY, "%s", why.msg);
	}
	c->stopped_at = pieces[0]->item->ev.sequence;
	c->stop = rc == DEMON_NOTFOUND ? DEMON_WAIT_CAUSE : DEMON_WAIT_CLOCK;
	if (rc == DEMON_NOTFOUND || rc == DEMON_UNAVAIL)
		return DEMON_OK;
	c->stop = DEMON_WAIT_PREDECESSOR;
	for (size_t i = 0; i < count; i++) {
		enum demon_fault_kind kind = rc == DEMON_NEWER ? DEMON_BAD_NEWER : DEMON_BAD_EVENT;

		if ((rc = demon_piece_aside(a, pieces[i], kind, why.msg, err)))
			return rc;
	}
	return DEMON_OK;
}

/* Takes in a path, group by group. */
static enum demon_rc take_path(struct demon_assembly *a, struct demon_chain *c,
			       const struct path *path, struct demon_err *err)
{
	size_t at = 0;
	bool stop = false;
	enum demon_rc rc;

	while (at < path->count) {
		struct demon_piece **group = &path->pieces[at];
		size_t count = group[0]->item->ev.group_count;
		bool bound;

		if (path->count - at < count) {
			c->stop = DEMON_WAIT_GROUP;
			c->stopped_at = group[0]->item->ev.sequence;
			return DEMON_OK;
		}
		if ((rc = take_group(a, c, group, count, &stop, err)) || stop)
			return rc;
		for (size_t i = 0; i < count; i++) {
			if ((rc = confirm(a, c, group[i], err)) ||
			    (rc = demon_piece_over(a, group[i], err)) ||
			    (rc = demon_peer_key_announced(
				 demon_write_db(a->w), &group[i]->item->ev, a->now, &bound, err)))
				return rc;
		}
		c->head = demon_event_ref_of(&group[count - 1]->item->ev);
		c->moved = true;
		at += count;
	}
	return DEMON_OK;
}

/* What an origin signed last is kept, to pass its events on when it is gone. */
static enum demon_rc keep_signature(struct demon_assembly *a, struct demon_chain *c,
				    const struct demon_piece *end, struct demon_err *err)
{
	enum demon_rc rc = demon_chain_head(a, c, err);

	if (rc || c->head.sequence < end->item->ev.sequence || c->own)
		return rc;
	DEMON_STMT(q, demon_write_db(a->w), &sql_signed);
	demon_bind_i64(&q, ":chain", c->id);
	demon_bind_i64(&q, ":seq", end->item->ev.sequence);
	demon_bind_str(&q, ":signature", end->item->signature);
	return demon_exec(&q, err);
}

/* Why the one at @p i waits: the first of what is left for the reason that was found, those that
 * follow it for it, and those behind a gap for what is missing. */
static enum demon_wait wait_of(const struct demon_chain *c, size_t i, int64_t *expected)
{
	int64_t sequence = c->pieces[i].item->ev.sequence;

	if (c->stopped_at)
		return sequence == c->stopped_at ||
			       (c->stop == DEMON_WAIT_GROUP && sequence == *expected)
			   ? c->stop
			   : DEMON_WAIT_PREDECESSOR;
	if (sequence != *expected && sequence != *expected - 1)
		return DEMON_WAIT_PREDECESSOR;
	*expected = sequence + 1;
	return c->stop == DEMON_WAIT_PREDECESSOR ? DEMON_WAIT_SIGNATURE : c->stop;
}

static enum demon_rc keep_rest(struct demon_assembly *a, struct demon_chain *c,
			       struct demon_err *err)
{
	int64_t expected = c->head.sequence + 1;

	for (size_t i = 0; i < c->count; i++) {
		struct demon_piece *p = &c->pieces[i];
		enum demon_wait wait;
		enum demon_rc rc;

		if (p->over)
			continue;
		wait = wait_of(c, i, &expected);
		if (p->stored && !p->changed && !c->moved)
			continue;
		if ((rc = demon_piece_keep(a, p, wait, err)))
			return rc;
	}
	return DEMON_OK;
}

/* Paths, until there is none. */
static enum demon_rc take_paths(struct demon_assembly *a, struct demon_chain *c,
				struct demon_err *err)
{
	struct path path = {.pieces = demon_calloc(c->count + 1, sizeof(struct demon_piece *))};
	enum demon_rc rc = DEMON_OK;

	if (!path.pieces)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a path");
	while (!rc && !c->stopped_at) {
		if ((rc = find_path(a, c, &path, err)) || !path.count ||
		    (rc = take_path(a, c, &path, err)))
			break;
		rc = keep_signature(a, c, path.pieces[path.count - 1], err);
	}
	free(path.pieces);
	return rc;
}

static enum demon_rc work_on(struct demon_assembly *a, struct demon_chain *c, struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_chain_head(a, c, err)) ||
	    (a->waiting && (rc = demon_chain_waiting(a, c, err))))
		return rc;
	demon_chain_sort(c);
	if ((rc = look_at_held(a, c, err)) || (rc = take_paths(a, c, err)) ||
	    (rc = keep_rest(a, c, err)))
		return rc;
	if (c->moved && !c->own)
		return demon_peer_seen(demon_write_db(a->w), c->head.origin, NULL, a->now, err);
	return DEMON_OK;
}

static struct demon_chain new_chain(struct demon_assembly *a, const unsigned char *origin,
				    const unsigned char *epoch, enum demon_stream stream)
{
	struct demon_chain c = {.head = {.stream = stream}};

	memcpy(c.head.origin, origin, sizeof(c.head.origin));
	memcpy(c.head.epoch, epoch, sizeof(c.head.epoch));
	c.own = memcmp(origin, demon_write_origin(a->w), sizeof(c.head.origin)) == 0;
	return c;
}

static bool same_chain(const struct demon_event *x, const struct demon_event *y)
{
	return x->stream == y->stream && memcmp(x->origin, y->origin, sizeof(x->origin)) == 0 &&
	       memcmp(x->epoch, y->epoch, sizeof(x->epoch)) == 0;
}

/* The chain of items[*at]; *at moves to the next one of another chain that is not done yet. */
static enum demon_rc assemble_one(struct demon_assembly *a, struct demon_incoming **items,
				  bool *done, size_t count, size_t at, struct demon_err *err)
{
	const struct demon_event *first = &items[at]->ev;
	struct demon_chain c = new_chain(a, first->origin, first->epoch, first->stream);
	enum demon_rc rc = DEMON_OK;

	for (size_t i = at; i < count && !rc; i++) {
		if (done[i] || !same_chain(first, &items[i]->ev))
			continue;
		done[i] = true;
		rc = demon_chain_add(&c, items[i], false, true, err);
	}
	if (!rc)
		rc = work_on(a, &c, err);
	demon_chain_free(&c);
	return rc;
}

struct name {
	unsigned char origin[DEMON_ORIGIN_LEN];
	unsigned char epoch[DEMON_EPOCH_LEN];
	enum demon_stream stream;
};

static enum demon_rc list_waiting(struct demon_assembly *a, struct name **ret, size_t *ret_count,
				  struct demon_err *err)
{
	DEMON_STMT(q, demon_write_db(a->w), &sql_chains);
	struct name *names = NULL;
	size_t cap = 0;
	bool row;
	enum demon_rc rc;

	*ret = NULL;
	*ret_count = 0;
	while (!(rc = demon_step(&q, &row, err)) && row) {
		if (*ret_count == cap) {
			cap = cap ? 2 * cap : 16;
			names = demon_realloc(*ret, cap, sizeof(*names));
			if (!names)
				return demon_err_set(err, DEMON_NOMEM, "no memory for chains");
			*ret = names;
		}
		names = &(*ret)[(*ret_count)++];
		memcpy(names->origin, demon_col_blob(&q, 0), sizeof(names->origin));
		memcpy(names->epoch, demon_col_blob(&q, 1), sizeof(names->epoch));
		if (!demon_stream_find(demon_col_str(&q, 2), &names->stream))
			return demon_err_set(err, DEMON_CORRUPT, "local_inbox: unknown stream");
	}
	return rc;
}

/* What was taken in may be what others wait for: a key, a cause, a predecessor. */
static enum demon_rc go_on_with_waiting(struct demon_assembly *a, struct demon_err *err)
{
	int64_t before;
	enum demon_rc rc = DEMON_OK;

	do {
		struct name *names;
		size_t count;

		before = a->taken;
		rc = list_waiting(a, &names, &count, err);
		for (size_t i = 0; i < count && !rc; i++) {
			struct demon_chain c =
			    new_chain(a, names[i].origin, names[i].epoch, names[i].stream);

			rc = work_on(a, &c, err);
			demon_chain_free(&c);
		}
		free(names);
	} while (!rc && a->taken > before && a->waiting);
	return rc;
}

enum demon_rc demon_assemble(struct demon_assembly *a, struct demon_incoming **items, size_t count,
			     struct demon_err *err)
{
	bool *done = demon_calloc(count + 1, sizeof(*done));
	enum demon_rc rc = DEMON_OK;

	if (!done)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a batch");
	for (size_t i = 0; i < count && !rc; i++)
		if (!done[i])
			rc = assemble_one(a, items, done, count, i, err);
	free(done);
	if (!rc && a->waiting && (a->taken || !count))
		rc = go_on_with_waiting(a, err);
	return rc;
}
