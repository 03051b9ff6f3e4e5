#include "header.h"

#include "subject.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define HEADER_VERSION 1
#define REF_FIXED_LEN  (DEMON_ORIGIN_LEN + DEMON_EPOCH_LEN + 8 + DEMON_SHA256_LEN)
#define TS_END         ((demon_time)1 << 47)

#define HEADER_TEXTS   10
#define HEADER_FIXED \
	(1 + 10 * 5 + 2 * DEMON_ORIGIN_LEN + DEMON_EPOCH_LEN + 4 * 8 + 4 + DEMON_SHA256_LEN)

/* Writes one field where there is room for it; returns what is behind it. */
static unsigned char *put_field(unsigned char *to, unsigned char tag, const void *value, size_t len)
{
	to[0] = tag;
	to[1] = (unsigned char)(len >> 24);
	to[2] = (unsigned char)(len >> 16);
	to[3] = (unsigned char)(len >> 8);
	to[4] = (unsigned char)len;
	memcpy(to + 5, value, len);
	return to + 5 + len;
}

void demon_header_field(struct demon_buf *out, unsigned char tag, const void *value, size_t len)
{
	unsigned char *to = (unsigned char *)demon_buf_room(out, 5 + len);

	if (!to)
		return;
	*put_field(to, tag, value, len) = '\0';
	out->len += 5 + len;
}

static unsigned char *put_u64(unsigned char *to, unsigned char tag, uint64_t v)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(v >> (56 - 8 * i));
	return put_field(to, tag, bytes, sizeof(bytes));
}

static unsigned char *put_u32(unsigned char *to, unsigned char tag, uint32_t v)
{
	unsigned char bytes[4];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(v >> (24 - 8 * i));
	return put_field(to, tag, bytes, sizeof(bytes));
}

struct demon_event_ref demon_event_ref_of(const struct demon_event *ev)
{
	struct demon_event_ref ref = {.stream = ev->stream, .sequence = ev->sequence};

	memcpy(ref.origin, ev->origin, sizeof(ref.origin));
	memcpy(ref.epoch, ev->epoch, sizeof(ref.epoch));
	memcpy(ref.hash, ev->hash, sizeof(ref.hash));
	return ref;
}

void demon_head_bytes(const struct demon_event_ref *head, struct demon_buf *out)
{
	static const char domain[] = "demon.head"; /* its NUL is signed too */

	demon_buf_add(out, domain, sizeof(domain));
	demon_buf_add(out, head->origin, sizeof(head->origin));
	demon_buf_add(out, head->epoch, sizeof(head->epoch));
	demon_buf_be64(out, (uint64_t)head->sequence);
	demon_buf_add(out, head->hash, sizeof(head->hash));
	demon_buf_str(out, demon_stream_name(head->stream));
}

void demon_header_ref(struct demon_buf *out, unsigned char tag, const struct demon_event_ref *ref)
{
	const char *stream = demon_stream_name(ref->stream);
	unsigned char value[REF_FIXED_LEN + 16];
	unsigned char *to = value;
	size_t len = strlen(stream);

	memcpy(to, ref->origin, DEMON_ORIGIN_LEN);
	to += DEMON_ORIGIN_LEN;
	memcpy(to, ref->epoch, DEMON_EPOCH_LEN);
	to += DEMON_EPOCH_LEN;
	for (size_t i = 0; i < 8; i++)
		*to++ = (unsigned char)((uint64_t)ref->sequence >> (56 - 8 * i));
	memcpy(to, ref->hash, DEMON_SHA256_LEN);
	to += DEMON_SHA256_LEN;
	memcpy(to, stream, len);
	demon_header_field(out, tag, value, REF_FIXED_LEN + len);
}

bool demon_header_ref_read(const struct demon_field *field, struct demon_event_ref *ret)
{
	const unsigned char *p = field->value;
	char stream[16];
	uint64_t sequence;

	if (field->len <= REF_FIXED_LEN || field->len - REF_FIXED_LEN >= sizeof(stream))
		return false;
	memcpy(ret->origin, p, DEMON_ORIGIN_LEN);
	p += DEMON_ORIGIN_LEN;
	memcpy(ret->epoch, p, DEMON_EPOCH_LEN);
	p += DEMON_EPOCH_LEN;
	sequence = demon_get_be64(p);
	p += 8;
	memcpy(ret->hash, p, DEMON_SHA256_LEN);
	p += DEMON_SHA256_LEN;
	memcpy(stream, p, field->len - REF_FIXED_LEN);
	stream[field->len - REF_FIXED_LEN] = '\0';
	if (sequence < 1 || sequence >= (uint64_t)1 << 53)
		return false;
	ret->sequence = (int64_t)sequence;
	return demon_stream_find(stream, &ret->stream);
}

bool demon_header_next(const void *fields, size_t len, size_t *at, struct demon_field *ret)
{
	const unsigned char *p = fields;
	size_t n;

	if (*at >= len || len - *at < 5)
		return false;
	p += *at;
	n = demon_get_be32(p + 1);
	if (n > len - *at - 5)
		return false;
	*ret = (struct demon_field){p[0], p + 5, n};
	*at += 5 + n;
	return true;
}

/* Where the fields of ev->extra with tags below @p until end that begin at @p at. */
static size_t extra_until(const struct demon_event *ev, size_t at, unsigned until)
{
	struct demon_field field;
	size_t next = at;

	while (demon_header_next(ev->extra, ev->extra_len, &next, &field) && field.tag < until)
		at = next;
	return at;
}

/* Writes ev->extra from @p at up to @p end; its fields are encoded as the header's. */
static unsigned char *put_extra(unsigned char *to, const struct demon_event *ev, size_t at,
				size_t end)
{
	if (at < end)
		memcpy(to, (const unsigned char *)ev->extra + at, end - at);
	return to + (end - at);
}

/* All fields, where there is room for them; returns what is behind the last. */
static unsigned char *encode(unsigned char *to, const struct demon_event *ev,
			     const char *const *texts, const size_t *lens)
{
	size_t split = extra_until(ev, 0, DEMON_TAG_TS);

	*to++ = HEADER_VERSION;
	to = put_field(to, DEMON_TAG_ORIGIN, ev->origin, sizeof(ev->origin));
	to = put_field(to, DEMON_TAG_EPOCH, ev->epoch, sizeof(ev->epoch));
	to = put_field(to, DEMON_TAG_STREAM, texts[0], lens[0]);
	to = put_u64(to, DEMON_TAG_SEQUENCE, (uint64_t)ev->sequence);
	to = put_u64(to, DEMON_TAG_GROUP_FIRST, (uint64_t)ev->group_first);
	to = put_u32(to, DEMON_TAG_GROUP_COUNT, ev->group_count);
	for (unsigned char i = 1; i < HEADER_TEXTS; i++)
		if (texts[i])
			to = put_field(to, (unsigned char)(DEMON_TAG_SUBJECT + i - 1), texts[i],
				       lens[i]);
	if (ev->has_run_origin)
		to = put_field(to, DEMON_TAG_RUN_ORIGIN, ev->run_origin, sizeof(ev->run_origin));
	to = put_extra(to, ev, 0, split);
	to = put_u64(to, DEMON_TAG_TS, (uint64_t)ev->ts);
	to = put_u64(to, DEMON_TAG_CLOCK, ev->clock);
	to = put_field(to, DEMON_TAG_PAYLOAD_HASH, ev->payload_hash, sizeof(ev->payload_hash));
	return put_extra(to, ev, split, extra_until(ev, split, 256));
}

void demon_header_encode(const struct demon_event *ev, struct demon_buf *out)
{
	/* the stream, then the texts of DEMON_TAG_SUBJECT to DEMON_TAG_GRAPH */
	const char *const texts[HEADER_TEXTS] = {demon_stream_name(ev->stream),
						 ev->subject,
						 ev->type,
						 ev->tenant_id,
						 ev->ritual_id,
						 ev->run_id,
						 ev->gate_id,
						 ev->project_id,
						 ev->namespace_id,
						 ev->graph_id};
	size_t lens[HEADER_TEXTS];
	size_t room = HEADER_FIXED + ev->extra_len;
	unsigned char *to;
	unsigned char *end;

	for (size_t i = 0; i < HEADER_TEXTS; i++) {
		lens[i] = texts[i] ? strlen(texts[i]) : 0;
		room += 5 + lens[i];
	}
	to = (unsigned char *)demon_buf_room(out, room);
	if (!to)
		return;
	end = encode(to, ev, texts, lens);
	assert((size_t)(end - to) <= room);
	*end = '\0';
	out->len += (size_t)(end - to);
}

enum demon_rc demon_event_hash(struct demon_sha256 *sha, const struct demon_event *ev,
			       struct demon_buf *scratch, unsigned char out[DEMON_SHA256_LEN],
			       struct demon_err *err)
{
	static const char domain[] = "demon.event"; /* its NUL is hashed too */
	enum demon_rc rc;

	demon_buf_clear(scratch);
	demon_buf_add(scratch, domain, sizeof(domain));
	demon_buf_add(scratch, ev->previous_hash, sizeof(ev->previous_hash));
	demon_header_encode(ev, scratch);
	if ((rc = demon_buf_rc(scratch, err)))
		return rc;
	if (scratch->len > DEMON_HEADER_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "the header is larger than %d bytes",
				     DEMON_HEADER_MAX);
	demon_sha256_begin(sha);
	demon_sha256_add(sha, scratch->data, scratch->len);
	demon_sha256_end(sha, out);
	return DEMON_OK;
}

enum demon_rc demon_event_check_ids(const struct demon_event *ev, struct demon_err *err)
{
	bool ritual = ev->stream == DEMON_STREAM_RITUAL;
	bool graph = ev->stream == DEMON_STREAM_GRAPH;
	const struct {
		const char *what;
		const char *id;
		bool wanted;
		bool allowed;
		bool (*valid)(const char *);
	} rows[] = {
	    {"tenant id", ev->tenant_id, ritual || graph, true, demon_id_valid},
	    {"ritual id", ev->ritual_id, ritual, ritual, demon_id_valid},
	    {"run id", ev->run_id, ev->has_run_origin || ev->gate_id, ritual, demon_id_valid},
	    {"gate id", ev->gate_id, false, ritual, demon_id_valid},
	    {"project id", ev->project_id, graph, graph, demon_graph_id_valid},
	    {"namespace", ev->namespace_id, graph, graph, demon_graph_id_valid},
	    {"graph id", ev->graph_id, graph, graph, demon_graph_id_valid},
	};

	for (size_t i = 0; i < demon_count(rows); i++) {
		if (!rows[i].id && rows[i].wanted)
			return demon_err_set(err, DEMON_INVALID,
					     "an event of stream '%s' needs a %s",
					     demon_stream_name(ev->stream), rows[i].what);
		if (rows[i].id && !rows[i].allowed)
			return demon_err_set(err, DEMON_INVALID,
					     "an event of stream '%s' has no %s",
					     demon_stream_name(ev->stream), rows[i].what);
		if (rows[i].id && !rows[i].valid(rows[i].id))
			return demon_err_set(
			    err, DEMON_INVALID,
			    "%s '%.80s' is not valid: 1 to %d letters, digits, '_', "
			    "'-'%s",
			    rows[i].what, rows[i].id, DEMON_ID_MAX,
			    rows[i].valid == demon_graph_id_valid ? " and '.'" : "");
	}
	if (ev->has_run_origin != (ev->run_id != NULL))
		return demon_err_set(err, DEMON_INVALID, "an event %s a run origin",
				     ev->run_id ? "about a run needs" : "about no run has no");
	return DEMON_OK;
}

/* Whether one field may stand in `extra`: known or ignorable, and well formed. */
static enum demon_rc check_field(const struct demon_field *field, struct demon_err *err)
{
	struct demon_event_ref ref;

	if (field->tag >= DEMON_TAG_IGNORABLE)
		return DEMON_OK;
	if (field->tag > DEMON_TAG_REISSUE_OF)
		return demon_err_set(err, DEMON_NEWER, "header field %u is of a newer format",
				     field->tag);
	if (field->tag == DEMON_TAG_TERM && field->len == 8)
		return DEMON_OK;
	if (field->tag >= DEMON_TAG_CAUSE && demon_header_ref_read(field, &ref))
		return DEMON_OK;
	return demon_err_set(err, DEMON_INVALID, "header field %u is malformed", field->tag);
}

static bool fields_ascend(const struct demon_field *a, const struct demon_field *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int order;

	if (a->tag != b->tag)
		return a->tag < b->tag;
	if (a->tag != DEMON_TAG_CAUSE && a->tag < DEMON_TAG_IGNORABLE)
		return false;
	order = memcmp(a->value, b->value, n);
	return order < 0 || (order == 0 && a->len < b->len);
}

static enum demon_rc check_extra(const struct demon_event *ev, struct demon_err *err)
{
	struct demon_field last = {0};
	struct demon_field field;
	size_t at = 0;
	unsigned causes = 0;
	enum demon_rc rc;

	while (demon_header_next(ev->extra, ev->extra_len, &at, &field)) {
		if (last.tag && !fields_ascend(&last, &field))
			return demon_err_set(err, DEMON_INVALID,
					     "header field %u is out of order or repeated",
					     field.tag);
		if (!field.len)
			return demon_err_set(err, DEMON_INVALID, "header field %u is empty",
					     field.tag);
		if ((rc = check_field(&field, err)))
			return rc;
		causes += field.tag == DEMON_TAG_CAUSE;
		last = field;
	}
	if (at != ev->extra_len)
		return demon_err_set(err, DEMON_INVALID, "the header is cut short");
	if (causes > DEMON_CAUSES_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "more than %d causes", DEMON_CAUSES_MAX);
	return DEMON_OK;
}

enum demon_rc demon_event_check_rest(const struct demon_event *ev, struct demon_err *err)
{
	if (!demon_type_valid(ev->type))
		return demon_err_set(err, DEMON_INVALID,
				     "'%.100s' is not an event type like 'name:v1'",
				     ev->type ? ev->type : "");
	if (ev->gate_id && !demon_id_valid(ev->gate_id))
		return demon_id_check("gate id", ev->gate_id, err);
	if (ev->ts < 0 || ev->ts >= TS_END)
		return demon_err_set(err, DEMON_INVALID, "ts %" PRId64 " is out of range", ev->ts);
	if (ev->clock >= (uint64_t)1 << 63)
		return demon_err_set(err, DEMON_INVALID, "the logical clock is out of range");
	if (ev->sequence < 1 || ev->sequence >= (int64_t)1 << 53 || ev->group_first < 1 ||
	    ev->group_first > ev->sequence || ev->group_count < 1 || ev->group_count > 4096 ||
	    ev->group_first + (int64_t)ev->group_count <= ev->sequence)
		return demon_err_set(err, DEMON_INVALID,
				     "sequence %" PRId64 " does not lie in its group",
				     ev->sequence);
	return check_extra(ev, err);
}

enum demon_rc demon_event_check(const struct demon_event *ev, struct demon_err *err)
{
	DEMON_BUF(subject, DEMON_SUBJECT_MAX);
	enum demon_rc rc;

	if ((rc = demon_event_check_ids(ev, err)))
		return rc;
	demon_subject_build(ev, &subject);
	if (demon_buf_rc(&subject, err))
		return demon_err_wrap(err, "subject");
	if (!ev->subject || strcmp(subject.data, ev->subject) != 0)
		return demon_err_set(err, DEMON_INVALID,
				     "subject '%.100s' does not agree with the ids",
				     ev->subject ? ev->subject : "");
	return demon_event_check_rest(ev, err);
}
