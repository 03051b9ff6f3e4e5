#include "jsonl.h"

#include "base/json.h"
#include "db/txn.h"
#include "header.h"
#include "log.h"
#include "readers.h"

#include <string.h>

#define FORMAT       1
#define EXPORT_BATCH 1000

DEMON_SQL(sql_batch, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		     "WHERE e.seq > :after ORDER BY e.seq LIMIT :limit");

static void write_hex(struct demon_jw *w, const char *key, const void *bytes, size_t n)
{
	char text[2 * DEMON_SHA256_LEN + 1];

	demon_hex(bytes, n, text);
	demon_jw_str(w, key, text);
}

static void write_ref(struct demon_jw *w, const struct demon_field *field)
{
	struct demon_event_ref ref = {0};

	if (demon_header_ref_read(field, &ref)) {
		write_hex(w, "epoch", ref.epoch, sizeof(ref.epoch));
		write_hex(w, "hash", ref.hash, sizeof(ref.hash));
		write_hex(w, "origin", ref.origin, sizeof(ref.origin));
		demon_jw_i64(w, "sequence", ref.sequence);
		demon_jw_str(w, "stream", demon_stream_name(ref.stream));
	}
	demon_jw_end(w);
}

/* The fields of @p tag that @p ev has in `extra`, one at a time. */
static bool next_field(const struct demon_event *ev, unsigned tag, size_t *at,
		       struct demon_field *field)
{
	while (demon_header_next(ev->extra, ev->extra_len, at, field))
		if (field->tag == tag)
			return true;
	return false;
}

static void write_causes(struct demon_jw *w, const struct demon_event *ev, struct demon_buf *out)
{
	struct demon_field field;
	size_t at = 0;
	bool any = false;

	while (next_field(ev, DEMON_TAG_CAUSE, &at, &field)) {
		if (!any)
			demon_jw_raw(w, "causes", "[", 1);
		else
			demon_buf_char(out, ',');
		any = true;
		struct demon_jw ref = demon_jw_begin(out);

		write_ref(&ref, &field);
	}
	if (any)
		demon_buf_char(out, ']');
}

static void write_one_ref(struct demon_jw *w, const char *key, const struct demon_event *ev,
			  unsigned tag)
{
	struct demon_field field;
	size_t at = 0;

	if (next_field(ev, tag, &at, &field)) {
		struct demon_jw ref = demon_jw_object(w, key);

		write_ref(&ref, &field);
	}
}

/* The fields that this version does not know: [[tag,"hex"],…] */
static void write_unknown(struct demon_jw *w, const struct demon_event *ev, struct demon_buf *out)
{
	struct demon_field field;
	size_t at = 0;
	bool any = false;

	while (demon_header_next(ev->extra, ev->extra_len, &at, &field)) {
		if (field.tag < DEMON_TAG_IGNORABLE)
			continue;
		if (!any)
			demon_jw_raw(w, "extra", "[", 1);
		else
			demon_buf_char(out, ',');
		any = true;
		demon_buf_fmt(out, "[%u,\"", field.tag);
		demon_buf_hex(out, field.value, field.len);
		demon_buf_str(out, "\"]");
	}
	if (any)
		demon_buf_char(out, ']');
}

static void write_pair(struct demon_jw *w, const char *key, int64_t a, int64_t b)
{
	DEMON_BUF(pair, 64);

	demon_buf_char(&pair, '[');
	demon_buf_i64(&pair, a);
	demon_buf_char(&pair, ',');
	demon_buf_i64(&pair, b);
	demon_buf_char(&pair, ']');
	demon_jw_raw(w, key, pair.data, pair.len);
}

static void write_term(struct demon_jw *w, const struct demon_event *ev)
{
	struct demon_field field;
	size_t at = 0;

	if (next_field(ev, DEMON_TAG_TERM, &at, &field) && field.len == 8)
		demon_jw_i64(w, "term", (int64_t)demon_get_be64(field.value));
}

static void write_middle(struct demon_jw *w, const struct demon_event *ev, bool local)
{
	demon_jw_str(w, "gateId", ev->gate_id);
	demon_jw_str(w, "graphId", ev->graph_id);
	write_pair(w, "group", ev->group_first, ev->group_count);
	write_hex(w, "hash", ev->hash, sizeof(ev->hash));
	demon_jw_str(w, "namespace", ev->namespace_id);
	write_hex(w, "origin", ev->origin, sizeof(ev->origin));
	if (ev->payload)
		demon_jw_raw(w, "payload", ev->payload, ev->payload_len);
	else
		write_hex(w, "payloadHash", ev->payload_hash, sizeof(ev->payload_hash));
	write_hex(w, "previousHash", ev->previous_hash, sizeof(ev->previous_hash));
	demon_jw_str(w, "projectId", ev->project_id);
	if (local)
		demon_jw_time(w, "recordedAt", ev->recorded_at);
}

enum demon_rc demon_jsonl_event(const struct demon_event *ev, bool local, struct demon_buf *out,
				struct demon_err *err)
{
	struct demon_jw w = demon_jw_begin(out);

	write_causes(&w, ev, out);
	write_pair(&w, "clock", (int64_t)(ev->clock >> 16), (int64_t)(ev->clock & 0xffff));
	write_one_ref(&w, "continues", ev, DEMON_TAG_CONTINUES);
	write_hex(&w, "epoch", ev->epoch, sizeof(ev->epoch));
	write_unknown(&w, ev, out);
	demon_jw_i64(&w, "format", FORMAT);
	write_middle(&w, ev, local);
	write_one_ref(&w, "reissueOf", ev, DEMON_TAG_REISSUE_OF);
	demon_jw_str(&w, "ritualId", ev->ritual_id);
	demon_jw_str(&w, "runId", ev->run_id);
	if (ev->has_run_origin)
		write_hex(&w, "runOrigin", ev->run_origin, sizeof(ev->run_origin));
	if (local)
		demon_jw_i64(&w, "seq", ev->seq);
	demon_jw_i64(&w, "sequence", ev->sequence);
	demon_jw_str(&w, "stream", demon_stream_name(ev->stream));
	demon_jw_str(&w, "subject", ev->subject);
	demon_jw_str(&w, "tenantId", ev->tenant_id);
	write_term(&w, ev);
	demon_jw_time(&w, "ts", ev->ts);
	demon_jw_str(&w, "type", ev->type);
	demon_jw_end(&w);
	return demon_buf_rc(out, err);
}

/* An export under way. */
struct export
{
	struct demon_db *db;
	struct demon_sha256 *sha; /* owned */
	demon_write_fn *write;
	void *ctx;
	struct demon_buf line;
	int64_t after;
	int64_t events;
};

static enum demon_rc export_batch(struct export *x, bool *ret_more, struct demon_err *err)
{
	DEMON_STMT(q, x->db, &sql_batch);
	bool row;
	enum demon_rc rc;

	*ret_more = false;
	demon_bind_i64(&q, ":after", x->after);
	demon_bind_i64(&q, ":limit", EXPORT_BATCH);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_event ev;

		demon_buf_clear(&x->line);
		if ((rc = demon_log_row(&q, x->sha, &ev, err)) ||
		    (rc = demon_jsonl_event(&ev, false, &x->line, err)))
			return rc;
		demon_buf_char(&x->line, '\n');
		if ((rc = demon_buf_rc(&x->line, err)) ||
		    (rc = x->write(x->ctx, x->line.data, x->line.len, err)))
			return rc;
		x->after = ev.seq;
		x->events++;
		*ret_more = true;
	}
	return rc;
}

enum demon_rc demon_export(struct demon_store *store, demon_write_fn *write, void *ctx,
			   int64_t *ret_events, struct demon_err *err)
{
	DEMON_READ(loan);
	struct export x = {.write = write, .ctx = ctx, .line.data = demon_buf_empty};
	bool more = true;
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	x.db = loan.db;
	x.sha = demon_sha256_new();
	if (!x.sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory for an export");
	while (!rc && more)
		rc = export_batch(&x, &more, err);
	demon_sha256_free(x.sha);
	demon_buf_done(&x.line);
	*ret_events = x.events;
	return rc;
}
