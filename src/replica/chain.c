#include "chain.h"

#include "store/subject.h"

#include <string.h>

#define LOAD_MAX 8192 /* waiting events of a chain that are looked at together */

DEMON_SQL(sql_head, "SELECT c.id, e.origin_seq, e.hash FROM log_chains c JOIN log_events e "
		    "ON e.chain_id = c.id WHERE c.origin = :origin AND c.epoch = :epoch "
		    "AND c.stream = :stream ORDER BY e.origin_seq DESC LIMIT 1");
DEMON_SQL(sql_load, "SELECT sequence, hash, stream_sequence, header, previous, signature, payload "
		    "FROM local_inbox WHERE origin = :origin AND epoch = :epoch "
		    "AND stream = :stream ORDER BY sequence LIMIT :limit");
DEMON_SQL(
    sql_keep,
    "INSERT INTO local_inbox (origin, epoch, stream, sequence, hash, stream_sequence, header, "
    "previous, signature, payload, waits_for, arrived_at) VALUES (:origin, :epoch, :stream, "
    ":seq, :hash, :stream_seq, :header, :previous, :signature, :payload, :waits, :now) "
    "ON CONFLICT (origin, epoch, stream, sequence, hash) DO UPDATE SET "
    "signature = coalesce(excluded.signature, signature), waits_for = excluded.waits_for");
DEMON_SQL(sql_drop, "DELETE FROM local_inbox WHERE origin = :origin AND epoch = :epoch "
		    "AND stream = :stream AND sequence = :seq AND hash = :hash");
static const char *const wait_names[] = {"signature",   "key",   "group",
					 "predecessor", "cause", "clock"};

void demon_chain_free(struct demon_chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (!c->pieces[i].borrowed)
			demon_incoming_free(c->pieces[i].item);
	free(c->pieces);
}

enum demon_rc demon_chain_add(struct demon_chain *c, struct demon_incoming *item, bool stored,
			      bool borrowed, struct demon_err *err)
{
	if (c->count == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct demon_piece *pieces = demon_realloc(c->pieces, cap, sizeof(*pieces));

		if (!pieces)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a chain");
		c->pieces = pieces;
		c->cap = cap;
	}
	c->pieces[c->count++] =
	    (struct demon_piece){.item = item, .stored = stored, .borrowed = borrowed};
	return DEMON_OK;
}

void demon_chain_bind(struct demon_stmt *q, const struct demon_event_ref *ref)
{
	demon_bind_blob(q, ":origin", ref->origin, sizeof(ref->origin));
	demon_bind_blob(q, ":epoch", ref->epoch, sizeof(ref->epoch));
	demon_bind_str(q, ":stream", demon_stream_name(ref->stream));
}

enum demon_rc demon_chain_head(struct demon_assembly *a, struct demon_chain *c,
			       struct demon_err *err)
{
	DEMON_STMT(q, demon_write_db(a->w), &sql_head);
	bool row;
	enum demon_rc rc;

	c->id = 0;
	c->head.sequence = 0;
	memset(c->head.hash, 0, sizeof(c->head.hash));
	demon_chain_bind(&q, &c->head);
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	c->id = demon_col_i64(&q, 0);
	c->head.sequence = demon_col_i64(&q, 1);
	memcpy(c->head.hash, demon_col_blob(&q, 2), sizeof(c->head.hash));
	return DEMON_OK;
}

enum demon_rc demon_chain_waiting(struct demon_assembly *a, struct demon_chain *c,
				  struct demon_err *err)
{
	DEMON_STMT(q, demon_write_db(a->w), &sql_load);
	bool row;
	enum demon_rc rc;

	demon_chain_bind(&q, &c->head);
	demon_bind_i64(&q, ":limit", LOAD_MAX);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_incoming *item;
		struct demon_kept kept = {
		    .stream = c->head.stream,
		    .hash = demon_col_blob(&q, 1),
		    .stream_sequence = (uint64_t)demon_col_i64(&q, 2),
		    .header = demon_col_blob(&q, 3),
		    .header_len = demon_col_len(&q, 3),
		    .previous = demon_col_blob(&q, 4),
		    .signature = demon_col_str(&q, 5),
		    .payload = demon_col_str(&q, 6),
		    .payload_len = demon_col_len(&q, 6),
		};

		if ((rc = demon_incoming_restore(&kept, &item, err)))
			return rc;
		if ((rc = demon_chain_add(c, item, true, false, err))) {
			demon_incoming_free(item);
			return rc;
		}
	}
	return rc;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct demon_piece *x = a;
	const struct demon_piece *y = b;
	int by_hash;

	if (x->item->ev.sequence != y->item->ev.sequence)
		return x->item->ev.sequence < y->item->ev.sequence ? -1 : 1;
	by_hash = memcmp(x->item->ev.hash, y->item->ev.hash, DEMON_SHA256_LEN);
	return by_hash ? by_hash : (int)y->stored - (int)x->stored;
}

void demon_chain_sort(struct demon_chain *c)
{
	size_t n = 0;

	qsort(c->pieces, c->count, sizeof(*c->pieces), compare_pieces);
	for (size_t i = 0; i < c->count; i++) {
		struct demon_piece *p = &c->pieces[i];
		struct demon_piece *before = n ? &c->pieces[n - 1] : NULL;

		if (!before || before->item->ev.sequence != p->item->ev.sequence ||
		    memcmp(before->item->ev.hash, p->item->ev.hash, DEMON_SHA256_LEN) != 0) {
			c->pieces[n++] = *p;
			continue;
		}
		if (!before->item->signature[0] && p->item->signature[0]) {
			memcpy(before->item->signature, p->item->signature,
			       sizeof(before->item->signature));
			before->changed = true;
		}
		if (!p->borrowed)
			demon_incoming_free(p->item);
	}
	c->count = n;
}

struct demon_piece *demon_chain_find(struct demon_chain *c, int64_t sequence,
				     const unsigned char *hash)
{
	size_t low = 0;
	size_t high = c->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->pieces[mid].item->ev.sequence < sequence)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < c->count && c->pieces[low].item->ev.sequence == sequence; low++)
		if (memcmp(c->pieces[low].item->ev.hash, hash, DEMON_SHA256_LEN) == 0)
			return c->pieces[low].over ? NULL : &c->pieces[low];
	return NULL;
}

enum demon_rc demon_piece_over(struct demon_assembly *a, struct demon_piece *p,
			       struct demon_err *err)
{
	struct demon_event_ref ref = demon_event_ref_of(&p->item->ev);
	enum demon_rc rc;

	p->over = true;
	if (!p->stored)
		return DEMON_OK;
	DEMON_STMT(q, demon_write_db(a->w), &sql_drop);
	demon_chain_bind(&q, &ref);
	demon_bind_i64(&q, ":seq", ref.sequence);
	demon_bind_blob(&q, ":hash", ref.hash, sizeof(ref.hash));
	if ((rc = demon_exec(&q, err)))
		return rc;
	a->waiting--;
	return DEMON_OK;
}

enum demon_rc demon_piece_aside(struct demon_assembly *a, struct demon_piece *p,
				enum demon_fault_kind kind, const char *reason,
				struct demon_err *err)
{
	struct demon_outgoing out = {0};
	enum demon_rc rc = demon_outgoing_fill(&out, &p->item->ev, NULL, err);

	if (!rc) {
		out.message.sequence = p->item->stream_sequence;
		if (p->item->signature[0])
			out.message.signature = p->item->signature;
		rc = demon_quarantine_add(demon_write_db(a->w), &out.message, kind, reason, a->now,
					  err);
	}
	demon_outgoing_done(&out);
	return rc ? rc : demon_piece_over(a, p, err);
}

enum demon_rc demon_piece_keep(struct demon_assembly *a, struct demon_piece *p,
			       enum demon_wait wait, struct demon_err *err)
{
	const struct demon_incoming *item = p->item;
	struct demon_event_ref ref = demon_event_ref_of(&item->ev);
	DEMON_BUF(header, 0);
	enum demon_rc rc;

	if (!p->stored && a->waiting >= DEMON_INBOX_MAX)
		return demon_piece_aside(a, p, DEMON_BAD_FULL, "too many events wait already", err);
	demon_header_encode(&item->ev, &header);
	if ((rc = demon_buf_rc(&header, err)))
		return rc;
	DEMON_STMT(q, demon_write_db(a->w), &sql_keep);
	demon_chain_bind(&q, &ref);
	demon_bind_i64(&q, ":seq", ref.sequence);
	demon_bind_blob(&q, ":hash", ref.hash, sizeof(ref.hash));
	demon_bind_i64(&q, ":stream_seq", (int64_t)item->stream_sequence);
	demon_bind_blob(&q, ":header", header.data, header.len);
	demon_bind_blob(&q, ":previous", item->ev.previous_hash, DEMON_SHA256_LEN);
	demon_bind_str(&q, ":signature", item->signature[0] ? item->signature : NULL);
	demon_bind_text(&q, ":payload", item->ev.payload, item->ev.payload_len);
	demon_bind_str(&q, ":waits", wait_names[wait]);
	demon_bind_i64(&q, ":now", a->now);
	if ((rc = demon_exec(&q, err)))
		return rc;
	a->waiting += !p->stored;
	return DEMON_OK;
}
