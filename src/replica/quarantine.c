#include "quarantine.h"

#include "base/json.h"
#include "store/readers.h"
#include "store/subject.h"

#include <inttypes.h>
#include <string.h>

#define COLUMNS                                                                         \
	"id, stream, stream_sequence, kind, reason, subject, headers, payload, bytes, " \
	"arrived_at, attempts FROM local_quarantine "

DEMON_SQL(sql_add,
	  "INSERT INTO local_quarantine (stream, stream_sequence, mark, kind, reason, subject, "
	  "headers, payload, bytes, arrived_at) VALUES (:stream, :sequence, :mark, :kind, :reason, "
	  ":subject, :headers, :payload, :bytes, :now) ON CONFLICT (stream, stream_sequence, mark) "
	  "DO UPDATE SET kind = excluded.kind, reason = excluded.reason, attempts = attempts + 1");
DEMON_SQL_SCAN(sql_count, "bounded, and rarely asked",
	       "SELECT count(*), min(id) FROM local_quarantine");
DEMON_SQL(sql_remove, "DELETE FROM local_quarantine WHERE id = :id "
		      "RETURNING stream, stream_sequence");
DEMON_SQL(sql_list, "SELECT " COLUMNS "WHERE id > :after ORDER BY id LIMIT :limit");
DEMON_SQL(sql_get, "SELECT " COLUMNS "WHERE id = :id");
DEMON_SQL(sql_counter, "INSERT INTO local_counters (name, value) VALUES (:name, :by) "
		       "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value");
DEMON_SQL(sql_again,
	  "INSERT INTO local_retries (stream, stream_sequence) VALUES (:stream, :sequence) "
	  "ON CONFLICT DO NOTHING");

enum demon_rc demon_counter_add(struct demon_db *db, const char *name, int64_t by,
				struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_counter);

	demon_bind_str(&q, ":name", name);
	demon_bind_i64(&q, ":by", by);
	return demon_exec(&q, err);
}

static enum demon_rc remove_row(struct demon_db *db, int64_t id, char ret_stream[16],
				int64_t *ret_sequence, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_remove);
	bool row;
	enum demon_rc rc;

	demon_bind_i64(&q, ":id", id);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "no message %" PRId64 " in quarantine",
				     id);
	memcpy(ret_stream, demon_col_str(&q, 0), demon_col_len(&q, 0) + 1);
	*ret_sequence = demon_col_i64(&q, 1);
	return demon_step(&q, &row, err);
}

/* The oldest goes when there is no room. */
static enum demon_rc make_room(struct demon_db *db, struct demon_err *err)
{
	char stream[16];
	int64_t sequence;
	int64_t oldest;
	bool row;
	enum demon_rc rc;

	{
		DEMON_STMT(q, db, &sql_count);

		if ((rc = demon_step(&q, &row, err)) || !row ||
		    demon_col_i64(&q, 0) <= DEMON_QUARANTINE_MAX)
			return rc;
		oldest = demon_col_i64(&q, 1);
	}
	if ((rc = remove_row(db, oldest, stream, &sequence, err)))
		return rc;
	return demon_counter_add(db, "quarantine_put_out", 1, err);
}

static void add_header(struct demon_jw *w, const char *name, const char *value)
{
	/* what is no text, or too long to be ours, is not shown */
	if (!value || strlen(value) > 1024)
		return;
	for (const char *p = value; *p; p++)
		if (*p < ' ' || *p > '~')
			return;
	demon_jw_str(w, name, value);
}

enum demon_rc demon_quarantine_add(struct demon_db *db, const struct demon_message *message,
				   enum demon_fault_kind kind, const char *reason, demon_time now,
				   struct demon_err *err)
{
	DEMON_BUF(headers, 0);
	struct demon_jw w = demon_jw_begin(&headers);
	struct demon_sha256 *sha = demon_sha256_new();
	unsigned char mark[DEMON_SHA256_LEN];
	bool keep = message->payload_len <= DEMON_QUARANTINE_PAYLOAD_MAX;
	enum demon_rc rc;

	if (!sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a quarantined message");
	demon_message_mark(sha, message, mark);
	demon_sha256_free(sha);
	add_header(&w, "Demon-Hash", message->hash);
	add_header(&w, "Demon-Header", message->header);
	add_header(&w, "Demon-Previous", message->previous);
	add_header(&w, "Demon-Signature", message->signature);
	add_header(&w, "Nats-Msg-Id", message->id);
	demon_jw_end(&w);
	if ((rc = demon_buf_rc(&headers, err)))
		return rc;
	{
		DEMON_STMT(q, db, &sql_add);

		demon_bind_str(&q, ":stream", demon_stream_name(message->stream));
		demon_bind_i64(&q, ":sequence", (int64_t)message->sequence);
		demon_bind_blob(&q, ":mark", mark, sizeof(mark));
		demon_bind_str(&q, ":kind", demon_fault_kind_name(kind));
		demon_bind_str(&q, ":reason", reason);
		demon_bind_str(&q, ":subject", message->subject);
		demon_bind_str(&q, ":headers", headers.data);
		demon_bind_blob(&q, ":payload", keep ? message->payload : NULL,
				message->payload_len);
		demon_bind_i64(&q, ":bytes", (int64_t)message->payload_len);
		demon_bind_i64(&q, ":now", now);
		if ((rc = demon_exec(&q, err)))
			return rc;
	}
	if ((rc = demon_counter_add(db, "quarantined", 1, err)))
		return rc;
	return make_room(db, err);
}

static enum demon_rc give(const struct demon_stmt *q, demon_quarantine_fn *fn, void *ctx,
			  struct demon_err *err)
{
	struct demon_quarantined row = {
	    .id = demon_col_i64(q, 0),
	    .stream_sequence = demon_col_i64(q, 2),
	    .kind = demon_col_str(q, 3),
	    .reason = demon_col_str(q, 4),
	    .subject = demon_col_str(q, 5),
	    .headers = demon_col_str(q, 6),
	    .payload = demon_col_blob(q, 7),
	    .payload_len = demon_col_len(q, 7),
	    .bytes = demon_col_i64(q, 8),
	    .arrived_at = demon_col_i64(q, 9),
	    .attempts = demon_col_i64(q, 10),
	};

	if (!demon_stream_find(demon_col_str(q, 1), &row.stream))
		return demon_err_set(err, DEMON_CORRUPT, "local_quarantine: an unknown stream");
	return fn(ctx, &row, err);
}

enum demon_rc demon_quarantine_list(struct demon_store *store, int64_t after, int64_t limit,
				    demon_quarantine_fn *fn, void *ctx, struct demon_err *err)
{
	DEMON_READ(loan);
	bool row;
	enum demon_rc rc = demon_store_borrow(store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_list);
	demon_bind_i64(&q, ":after", after);
	demon_bind_i64(&q, ":limit", limit);
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = give(&q, fn, ctx, err)))
			return rc;
	return rc;
}

enum demon_rc demon_quarantine_get(struct demon_store *store, int64_t id, demon_quarantine_fn *fn,
				   void *ctx, struct demon_err *err)
{
	DEMON_READ(loan);
	bool row;
	enum demon_rc rc = demon_store_borrow(store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_get);
	demon_bind_i64(&q, ":id", id);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "no message %" PRId64 " in quarantine",
				     id);
	return give(&q, fn, ctx, err);
}

struct removal {
	int64_t id;
	bool retry;
};

static enum demon_rc do_remove(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct removal *removal = ctx;
	struct demon_db *db = demon_write_db(w);
	char stream[16] = "";
	int64_t sequence = 0;
	enum demon_rc rc = remove_row(db, removal->id, stream, &sequence, err);

	if (rc || !removal->retry)
		return rc;
	DEMON_STMT(q, db, &sql_again);
	demon_bind_str(&q, ":stream", stream);
	demon_bind_i64(&q, ":sequence", sequence);
	return demon_exec(&q, err);
}

enum demon_rc demon_quarantine_remove(struct demon_store *store, int64_t id, bool retry,
				      struct demon_err *err)
{
	struct removal removal = {id, retry};

	return demon_store_write(store, do_remove, &removal, err);
}
