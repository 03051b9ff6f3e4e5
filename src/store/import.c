#include "jsonl.h"

#include "base/json.h"
#include "handle.h"
#include "subject.h"

#include <inttypes.h>
#include <string.h>

#define FORMAT          1
#define TRANSACTION_MAX 1000 /* events; a group is never split */

static const struct demon_json_limits line_limits = {DEMON_JSONL_LINE_MAX, 66};

/* One event that was read, with all it points to. */
struct item {
	struct demon_event ev;
	int64_t line;
	json_t *json; /* owned: holds the strings */
	struct demon_buf payload;
	struct demon_buf extra;
};

/* Groups that wait for their transaction. */
struct batch {
	struct item *items; /* owned array of TRANSACTION_MAX + one group */
	size_t count;
	size_t cap;
	size_t added; /* by the transaction */
	size_t bad;   /* index of the group that could not be taken in */
	bool refused; /* there is one */
};

/* Forgets all but the first @p n. */
static void cut_batch(struct batch *batch, size_t n)
{
	while (batch->count > n) {
		struct item *item = &batch->items[--batch->count];

		json_decref(item->json);
		demon_buf_done(&item->payload);
		demon_buf_done(&item->extra);
	}
}

static enum demon_rc bad(struct demon_err *err, const char *member, const char *why)
{
	return demon_err_set(err, DEMON_INVALID, "'%s' %s", member, why);
}

/* Hexadecimal digits of exactly @p n bytes. */
static enum demon_rc read_hex(const json_t *json, const char *key, void *bytes, size_t n,
			      struct demon_err *err)
{
	const char *text = json_string_value(json_object_get(json, key));

	if (!text || !demon_unhex(text, bytes, n))
		return demon_err_set(err, DEMON_INVALID, "'%s' is not %zu hexadecimal digits", key,
				     2 * n);
	return DEMON_OK;
}

static enum demon_rc read_i64(const json_t *json, const char *key, int64_t *ret,
			      struct demon_err *err)
{
	const json_t *v = json_object_get(json, key);

	if (!json_is_integer(v))
		return bad(err, key, "is not an integer");
	*ret = json_integer_value(v);
	return DEMON_OK;
}

static enum demon_rc read_pair(const json_t *json, const char *key, int64_t *a, int64_t *b,
			       struct demon_err *err)
{
	const json_t *v = json_object_get(json, key);

	if (json_array_size(v) != 2 || !json_is_integer(json_array_get(v, 0)) ||
	    !json_is_integer(json_array_get(v, 1)))
		return bad(err, key, "is not a pair of integers");
	*a = json_integer_value(json_array_get(v, 0));
	*b = json_integer_value(json_array_get(v, 1));
	return DEMON_OK;
}

/* A string, or NULL where @p key is not there. */
static enum demon_rc read_text(const json_t *json, const char *key, const char **ret,
			       struct demon_err *err)
{
	const json_t *v = json_object_get(json, key);

	if (v && !json_is_string(v))
		return bad(err, key, "is not a string");
	*ret = json_string_value(v);
	return DEMON_OK;
}

static enum demon_rc read_stream(const json_t *json, enum demon_stream *ret, struct demon_err *err)
{
	const char *name = json_string_value(json_object_get(json, "stream"));

	if (!name || !demon_stream_find(name, ret))
		return bad(err, "stream", "is not 'ritual', 'graph' or 'node'");
	return DEMON_OK;
}

static enum demon_rc read_ref(const json_t *json, struct demon_event_ref *ret,
			      struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = read_hex(json, "origin", ret->origin, sizeof(ret->origin), err)) ||
	    (rc = read_hex(json, "epoch", ret->epoch, sizeof(ret->epoch), err)) ||
	    (rc = read_stream(json, &ret->stream, err)) ||
	    (rc = read_i64(json, "sequence", &ret->sequence, err)))
		return rc;
	return read_hex(json, "hash", ret->hash, sizeof(ret->hash), err);
}

static enum demon_rc add_ref(const json_t *json, const char *key, unsigned char tag,
			     struct demon_buf *extra, struct demon_err *err)
{
	struct demon_event_ref ref;

	if (!json)
		return DEMON_OK;
	if (read_ref(json, &ref, err))
		return demon_err_wrap(err, "'%s'", key);
	demon_header_ref(extra, tag, &ref);
	return DEMON_OK;
}

/* [tag, "hex"] */
static enum demon_rc add_unknown(const json_t *pair, struct demon_buf *extra, struct demon_err *err)
{
	unsigned char bytes[1024];
	json_int_t tag = json_integer_value(json_array_get(pair, 0));
	const char *hex = json_string_value(json_array_get(pair, 1));
	size_t n = hex ? strlen(hex) / 2 : 0;

	if (tag < DEMON_TAG_IGNORABLE || tag > 255 || !n || n > sizeof(bytes) ||
	    !demon_unhex(hex, bytes, n))
		return bad(err, "extra", "is not a list of [tag from 128, hexadecimal digits]");
	demon_header_field(extra, (unsigned char)tag, bytes, n);
	return DEMON_OK;
}

static enum demon_rc read_extra(const json_t *json, struct demon_buf *extra, struct demon_err *err)
{
	const json_t *causes = json_object_get(json, "causes");
	const json_t *unknown = json_object_get(json, "extra");
	unsigned char term[8];
	int64_t n = 0;
	enum demon_rc rc = DEMON_OK;

	if (json_object_get(json, "term")) {
		if ((rc = read_i64(json, "term", &n, err)))
			return rc;
		for (size_t i = 0; i < sizeof(term); i++)
			term[i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
		demon_header_field(extra, DEMON_TAG_TERM, term, sizeof(term));
	}
	for (size_t i = 0; i < json_array_size(causes) && !rc; i++)
		rc = add_ref(json_array_get(causes, i), "causes", DEMON_TAG_CAUSE, extra, err);
	if (rc ||
	    (rc = add_ref(json_object_get(json, "continues"), "continues", DEMON_TAG_CONTINUES,
			  extra, err)) ||
	    (rc = add_ref(json_object_get(json, "reissueOf"), "reissueOf", DEMON_TAG_REISSUE_OF,
			  extra, err)))
		return rc;
	for (size_t i = 0; i < json_array_size(unknown) && !rc; i++)
		rc = add_unknown(json_array_get(unknown, i), extra, err);
	return rc ? rc : demon_buf_rc(extra, err);
}

static enum demon_rc read_payload(const json_t *json, struct item *item, struct demon_err *err)
{
	const json_t *payload = json_object_get(json, "payload");
	enum demon_rc rc;

	if (!payload)
		return read_hex(json, "payloadHash", item->ev.payload_hash, DEMON_SHA256_LEN, err);
	if (!json_is_object(payload))
		return bad(err, "payload", "is not an object");
	if ((rc = demon_json_canonical(payload, &item->payload, err)))
		return rc;
	item->ev.payload = item->payload.data;
	item->ev.payload_len = item->payload.len;
	return demon_sha256(item->payload.data, item->payload.len, item->ev.payload_hash, err);
}

static enum demon_rc read_ids(const json_t *json, struct demon_event *ev, struct demon_err *err)
{
	const struct {
		const char *key;
		const char **to;
	} rows[] = {
	    {"subject", &ev->subject},      {"type", &ev->type},
	    {"tenantId", &ev->tenant_id},   {"ritualId", &ev->ritual_id},
	    {"runId", &ev->run_id},         {"gateId", &ev->gate_id},
	    {"projectId", &ev->project_id}, {"namespace", &ev->namespace_id},
	    {"graphId", &ev->graph_id},
	};
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < demon_count(rows) && !rc; i++)
		rc = read_text(json, rows[i].key, rows[i].to, err);
	ev->has_run_origin = json_object_get(json, "runOrigin") != NULL;
	if (!rc && ev->has_run_origin)
		rc = read_hex(json, "runOrigin", ev->run_origin, sizeof(ev->run_origin), err);
	return rc;
}

static enum demon_rc read_clocks(const json_t *json, struct demon_event *ev, struct demon_err *err)
{
	const char *ts = json_string_value(json_object_get(json, "ts"));
	int64_t ms = 0;
	int64_t counter = 0;
	enum demon_rc rc;

	if (!ts)
		return bad(err, "ts", "is not a string");
	if ((rc = demon_rfc3339_parse(ts, &ev->ts, err)) ||
	    (rc = read_pair(json, "clock", &ms, &counter, err)))
		return rc;
	if (ms < 0 || ms >= (int64_t)1 << 47 || counter < 0 || counter > 0xffff)
		return bad(err, "clock", "is out of range");
	ev->clock = (uint64_t)ms << 16 | (uint64_t)counter;
	return DEMON_OK;
}

static enum demon_rc read_identity(const json_t *json, struct demon_event *ev,
				   struct demon_err *err)
{
	int64_t format = 0;
	int64_t count = 0;
	enum demon_rc rc;

	if ((rc = read_i64(json, "format", &format, err)))
		return rc;
	if (format != FORMAT)
		return demon_err_set(err, DEMON_NEWER, "format %" PRId64 " is not known", format);
	if ((rc = read_hex(json, "origin", ev->origin, sizeof(ev->origin), err)) ||
	    (rc = read_hex(json, "epoch", ev->epoch, sizeof(ev->epoch), err)) ||
	    (rc = read_stream(json, &ev->stream, err)) ||
	    (rc = read_i64(json, "sequence", &ev->sequence, err)) ||
	    (rc = read_pair(json, "group", &ev->group_first, &count, err)) ||
	    (rc = read_hex(json, "previousHash", ev->previous_hash, sizeof(ev->previous_hash),
			   err)) ||
	    (rc = read_hex(json, "hash", ev->hash, sizeof(ev->hash), err)))
		return rc;
	if (count < 1 || count > 4096)
		return bad(err, "group", "has a count that is not 1 to 4096");
	ev->group_count = (uint32_t)count;
	return DEMON_OK;
}

static enum demon_rc read_item(struct item *item, struct demon_err *err)
{
	enum demon_rc rc;

	if (!json_is_object(item->json))
		return demon_err_set(err, DEMON_INVALID, "not an object");
	if ((rc = read_identity(item->json, &item->ev, err)) ||
	    (rc = read_ids(item->json, &item->ev, err)) ||
	    (rc = read_clocks(item->json, &item->ev, err)) ||
	    (rc = read_payload(item->json, item, err)) ||
	    (rc = read_extra(item->json, &item->extra, err)))
		return rc;
	item->ev.extra = item->extra.len ? item->extra.data : NULL;
	item->ev.extra_len = item->extra.len;
	return DEMON_OK;
}

/* Where the group that the batch ends in begins. */
static size_t last_group(const struct batch *batch)
{
	const struct demon_event *last = &batch->items[batch->count - 1].ev;
	uint64_t before = (uint64_t)(last->sequence - last->group_first);

	return before < batch->count ? batch->count - 1 - (size_t)before : batch->count;
}

static bool group_is_whole(const struct batch *batch)
{
	const struct demon_event *last = &batch->items[batch->count - 1].ev;

	return last->sequence - last->group_first + 1 >= (int64_t)last->group_count;
}

static enum demon_rc take_in(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct batch *batch = ctx;
	struct demon_event *events;
	enum demon_rc rc = DEMON_OK;

	batch->added = 0;
	events = demon_calloc(batch->count, sizeof(*events));
	if (!events)
		return demon_err_set(err, DEMON_NOMEM, "no memory for an import");
	for (size_t i = 0; i < batch->count; i++)
		events[i] = batch->items[i].ev;
	for (size_t i = 0; i < batch->count && !rc;) {
		size_t n = events[i].group_count;
		size_t new = 0;

		if (n > batch->count - i)
			n = batch->count - i;
		rc = demon_write_ingest(w, events + i, n, &new, err);
		if (rc) {
			batch->bad = i;
			batch->refused = true;
		}
		batch->added += new;
		i += n;
	}
	free(events);
	return rc;
}

/* Takes the batch in. What stands before a group that is refused stays. */
static enum demon_rc flush(struct demon_store *store, struct batch *batch,
			   struct demon_imported *ret, struct demon_err *err)
{
	struct demon_err again;
	enum demon_rc rc = DEMON_OK;
	enum demon_rc second = DEMON_OK;

	batch->added = 0;
	batch->refused = false;
	if (batch->count)
		rc = demon_store_write(store, take_in, batch, err);
	if (rc && batch->refused) {
		(void)demon_err_wrap(err, "line %" PRId64, batch->items[batch->bad].line);
		cut_batch(batch, batch->bad);
		if (batch->count)
			second = demon_store_write(store, take_in, batch, &again);
	}
	if (rc == DEMON_OK || (batch->refused && batch->count && second == DEMON_OK))
		ret->added += (int64_t)batch->added;
	cut_batch(batch, 0);
	return rc;
}

/* Reads one line into the batch. */
static enum demon_rc add_line(struct batch *batch, const char *text, size_t len, int64_t line,
			      struct demon_err *err)
{
	struct item *item;
	enum demon_rc rc;

	if (batch->count == batch->cap)
		return demon_err_set(err, DEMON_INVALID, "the group is not whole");
	item = &batch->items[batch->count];
	*item = (struct item){
	    .line = line, .payload.data = demon_buf_empty, .extra.data = demon_buf_empty};
	if ((rc = demon_json_parse(text, len, &line_limits, &item->json, err)))
		return rc;
	batch->count++;
	rc = read_item(item, err);
	if (!rc && last_group(batch) == batch->count)
		rc = demon_err_set(err, DEMON_INVALID, "the beginning of its group is missing");
	if (rc)
		cut_batch(batch, batch->count - 1);
	return rc;
}

/* After a line that cannot be read: the groups before its own are good. */
static void keep_what_is_whole(struct demon_store *store, struct batch *batch,
			       struct demon_imported *ret)
{
	struct demon_err ignored;

	if (batch->count && !group_is_whole(batch))
		cut_batch(batch, last_group(batch));
	if (flush(store, batch, ret, &ignored))
		ignored.rc = DEMON_OK; /* the first failure is the one to tell */
}

/* The bytes of the input, a line at a time. */
struct lines {
	demon_read_fn *read;
	void *ctx;
	struct demon_buf buf;
	size_t at;
	bool end;
};

/* Yields the next line without its newline; *ret_text is NULL at the end. */
static enum demon_rc next_line(struct lines *l, const char **ret_text, size_t *ret_len,
			       struct demon_err *err)
{
	for (;;) {
		const char *start = l->buf.data + l->at;
		const char *newline = memchr(start, '\n', l->buf.len - l->at);
		char *room;
		size_t got;
		enum demon_rc rc;

		if (newline || (l->end && l->buf.len > l->at)) {
			*ret_text = start;
			*ret_len = newline ? (size_t)(newline - start) : l->buf.len - l->at;
			l->at += *ret_len + (newline ? 1 : 0);
			return DEMON_OK;
		}
		*ret_text = NULL;
		if (l->end)
			return DEMON_OK;
		memmove(l->buf.data, start, l->buf.len - l->at);
		l->buf.len -= l->at;
		l->at = 0;
		room = demon_buf_room(&l->buf, 65536);
		if (!room)
			return demon_buf_rc(&l->buf, err);
		if ((rc = l->read(l->ctx, room, 65536, &got, err)))
			return rc;
		l->end = got == 0;
		l->buf.len += got;
	}
}

static enum demon_rc import_lines(struct demon_store *store, struct lines *lines,
				  struct batch *batch, struct demon_imported *ret,
				  struct demon_err *err)
{
	for (;;) {
		const char *text;
		size_t len;
		enum demon_rc rc = next_line(lines, &text, &len, err);

		if (rc)
			return demon_err_wrap(err, "line %" PRId64, ret->lines + 1);
		if (!text)
			break;
		ret->lines++;
		if (len && add_line(batch, text, len, ret->lines, err)) {
			keep_what_is_whole(store, batch, ret);
			return demon_err_wrap(err, "line %" PRId64, ret->lines);
		}
		if (batch->count >= TRANSACTION_MAX && group_is_whole(batch) &&
		    (rc = flush(store, batch, ret, err)))
			return rc;
	}
	if (batch->count && !group_is_whole(batch)) {
		keep_what_is_whole(store, batch, ret);
		return demon_err_set(err, DEMON_INVALID,
				     "line %" PRId64 ": the last group is not whole", ret->lines);
	}
	return flush(store, batch, ret, err);
}

enum demon_rc demon_import(struct demon_store *store, demon_read_fn *read, void *ctx,
			   struct demon_imported *ret, struct demon_err *err)
{
	struct lines lines = {.read = read, .ctx = ctx};
	struct batch batch = {.cap = TRANSACTION_MAX + 4096};
	enum demon_rc rc;

	*ret = (struct demon_imported){0};
	lines.buf = (struct demon_buf){.data = demon_buf_empty,
				       .max = DEMON_JSONL_LINE_MAX + (size_t)131072};
	batch.items = demon_calloc(batch.cap, sizeof(*batch.items));
	if (!batch.items)
		return demon_err_set(err, DEMON_NOMEM, "no memory for an import");
	rc = import_lines(store, &lines, &batch, ret, err);
	cut_batch(&batch, 0);
	free(batch.items);
	demon_buf_done(&lines.buf);
	return rc;
}
