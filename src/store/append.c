#include "handle.h"
#include "subject.h"

#include "base/fault.h"
#include "base/json.h"
#include "sink.h"

#include <string.h>

#define GROUP_BYTES_MAX ((size_t)64 << 20)
#define READY_MAX       128 /* events that are inserted together */

/* Of the own chains of a stream, but for the present one, the event that came last. */
DEMON_SQL(sql_before,
	  "SELECT c.epoch, e.origin_seq, e.hash FROM log_chains c JOIN log_events e "
	  "ON e.chain_id = c.id AND e.origin_seq = (SELECT max(x.origin_seq) FROM log_events x "
	  "WHERE x.chain_id = c.id) WHERE c.origin = :origin AND c.stream = :stream "
	  "AND c.epoch <> :epoch ORDER BY e.seq DESC LIMIT 1");

static enum demon_rc find_before(struct demon_store *store, enum demon_stream stream,
				 const unsigned char *origin, struct demon_event_ref *ret,
				 bool *ret_found, struct demon_err *err)
{
	DEMON_STMT(q, store->writer, &sql_before);
	enum demon_rc rc;

	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_str(&q, ":stream", demon_stream_name(stream));
	demon_bind_blob(&q, ":epoch", store->node.epoch, DEMON_EPOCH_LEN);
	if ((rc = demon_step(&q, ret_found, err)) || !*ret_found)
		return rc;
	memcpy(ret->origin, origin, DEMON_ORIGIN_LEN);
	memcpy(ret->epoch, demon_col_blob(&q, 0), DEMON_EPOCH_LEN);
	ret->stream = stream;
	ret->sequence = demon_col_i64(&q, 1);
	memcpy(ret->hash, demon_col_blob(&q, 2), DEMON_SHA256_LEN);
	return DEMON_OK;
}

/* The first event of a chain names the end of the one that this node wrote before. */
static enum demon_rc add_continues(struct demon_store *store, enum demon_stream stream,
				   struct demon_err *err)
{
	struct demon_event_ref ref;
	bool found = false;
	enum demon_rc rc = find_before(store, stream, store->node.origin, &ref, &found, err);

	if (!rc && !found && store->has_former_origin)
		rc = find_before(store, stream, store->former_origin, &ref, &found, err);
	if (!rc && found)
		demon_header_ref(&store->extra, DEMON_TAG_CONTINUES, &ref);
	return rc;
}

/* Puts the group's causes, and what the chain continues, into the extra fields of its first. */
static enum demon_rc make_extra(struct demon_store *store, const struct demon_group *group,
				const struct demon_tail *tail, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	demon_buf_clear(&store->extra);
	for (size_t i = 0; i < group->cause_count; i++)
		demon_header_ref(&store->extra, DEMON_TAG_CAUSE, &group->causes[i]);
	if (tail->sequence == 0)
		rc = add_continues(store, group->stream, err);
	return rc ? rc : demon_buf_rc(&store->extra, err);
}

static enum demon_rc intern_type(struct demon_store *store, const struct demon_event *ev,
				 struct demon_log_ids *ids, struct demon_err *err)
{
	struct demon_memo *memo = &store->belief.memo;
	struct demon_log_ids found;
	enum demon_rc rc;

	for (size_t i = 0; i < memo->type_count; i++) {
		if (strcmp(memo->types[i].name, ev->type) == 0) {
			ids->type = memo->types[i].id;
			return DEMON_OK;
		}
	}
	if ((rc = demon_log_intern(store->writer, ev, &found, err)))
		return rc;
	ids->type = found.type;
	if (memo->type_count < DEMON_MEMO_TYPES && strlen(ev->type) < sizeof(memo->types[0].name)) {
		memcpy(memo->types[memo->type_count].name, ev->type, strlen(ev->type) + 1);
		memo->types[memo->type_count++].id = found.type;
	}
	return DEMON_OK;
}

/* Compares @p text, with its NUL, with what stands at *at; moves *at behind it. */
static bool same_text(const char **at, const char *end, const char *text)
{
	size_t n = strlen(text) + 1;

	if ((size_t)(end - *at) < n || memcmp(*at, text, n) != 0)
		return false;
	*at += n;
	return true;
}

/* True when @p ev is about the run that the memo knows: its ids were checked, its subject built. */
static bool same_run(const struct demon_memo *memo, const struct demon_event *ev)
{
	const char *at = memo->ids.data;
	const char *end = at + memo->ids.len;

	return memo->scope && ev->stream == DEMON_STREAM_RITUAL && ev->tenant_id && ev->ritual_id &&
	       ev->run_id && !ev->project_id && !ev->namespace_id && !ev->graph_id &&
	       same_text(&at, end, ev->tenant_id) && same_text(&at, end, ev->ritual_id) &&
	       same_text(&at, end, ev->run_id) && end - at == DEMON_ORIGIN_LEN &&
	       memcmp(at, ev->run_origin, DEMON_ORIGIN_LEN) == 0;
}

static void remember_run(struct demon_memo *memo, const struct demon_event *ev, int64_t scope)
{
	struct demon_buf *ids = &memo->ids;

	if (!ev->has_run_origin)
		return;
	demon_buf_clear(ids);
	demon_buf_add(ids, ev->tenant_id, strlen(ev->tenant_id) + 1);
	demon_buf_add(ids, ev->ritual_id, strlen(ev->ritual_id) + 1);
	demon_buf_add(ids, ev->run_id, strlen(ev->run_id) + 1);
	demon_buf_add(ids, ev->run_origin, DEMON_ORIGIN_LEN);
	memo->scope = ids->rc ? 0 : scope;
}

/* The dictionary numbers of an own event, from the memo where it knows them. */
static enum demon_rc intern(struct demon_store *store, const struct demon_event *ev, bool known,
			    struct demon_log_ids *ids, struct demon_err *err)
{
	struct demon_memo *memo = &store->belief.memo;
	enum demon_rc rc;

	if (!known || !memo->chain[ev->stream]) {
		if ((rc = demon_log_intern(store->writer, ev, ids, err)))
			return rc;
		memo->chain[ev->stream] = ids->chain;
		remember_run(memo, ev, ids->scope);
		return DEMON_OK;
	}
	ids->chain = memo->chain[ev->stream];
	ids->scope = memo->scope;
	return intern_type(store, ev, ids, err);
}

static enum demon_rc apply(struct demon_store *store, const struct demon_event *ev,
			   struct demon_err *err)
{
	for (const struct demon_projection *const *p = store->projections; p && *p; p++)
		if ((*p)->apply(store->writer, ev, err))
			return demon_err_wrap(err, "%s", (*p)->name);
	if (DEMON_FAULT(APPEND_APPLIED))
		return demon_err_set(err, DEMON_IO, "fault after the projections");
	return DEMON_OK;
}

/* Everything about an event that its record and its place in the group decide. */
static struct demon_event describe(struct demon_store *store, const struct demon_group *group,
				   size_t index)
{
	const struct demon_record *record = &group->records[index];
	const unsigned char *run_origin =
	    record->run_origin ? record->run_origin : store->node.origin;
	struct demon_event ev = {
	    .stream = group->stream,
	    .group_count = (uint32_t)group->count,
	    .type = record->type,
	    .tenant_id = record->tenant_id,
	    .ritual_id = record->ritual_id,
	    .run_id = record->run_id,
	    .gate_id = record->gate_id,
	    .project_id = record->project_id,
	    .namespace_id = record->namespace_id,
	    .graph_id = record->graph_id,
	    .has_run_origin = group->stream == DEMON_STREAM_RITUAL && record->run_id,
	    .ts = group->ts,
	    .payload = record->payload,
	    .payload_len = record->payload_len,
	};

	memcpy(ev.origin, store->node.origin, sizeof(ev.origin));
	memcpy(ev.epoch, store->node.epoch, sizeof(ev.epoch));
	if (ev.has_run_origin)
		memcpy(ev.run_origin, run_origin, sizeof(ev.run_origin));
	return ev;
}

static enum demon_rc check_payload(const struct demon_event *ev, struct demon_err *err)
{
	if (ev->payload_len > demon_json_payload_limits.max_bytes)
		return demon_err_set(err, DEMON_TOOBIG, "payload of %zu bytes; the limit is %zu",
				     ev->payload_len, demon_json_payload_limits.max_bytes);
	if (!demon_json_is_canonical(ev->payload, ev->payload_len, &demon_json_payload_limits))
		return demon_err_set(err, DEMON_INVALID, "the payload is not a canonical object");
	return DEMON_OK;
}

/* Sets the subject and checks what the record says; a run that was checked is not checked again. */
static enum demon_rc check(struct demon_store *store, struct demon_event *ev, bool known,
			   struct demon_err *err)
{
	struct demon_buf *subject = &store->belief.memo.subject;
	enum demon_rc rc;

	if (!known) {
		if ((rc = demon_event_check_ids(ev, err)))
			return rc;
		store->belief.memo.scope = 0;
		demon_buf_clear(subject);
		demon_subject_build(ev, subject);
		if (demon_buf_rc(subject, err))
			return demon_err_wrap(err, "subject");
	}
	ev->subject = subject->data;
	if ((rc = demon_event_check_rest(ev, err)))
		return rc;
	return check_payload(ev, err);
}

/* Events of a group that are ready to be inserted: all about the run that the memo knows. */
struct ready {
	struct demon_log_entry *entries;
	size_t room;
	size_t count;
};

/* Events first, then what follows from each: appliers read nothing but their event. */
static enum demon_rc write_ready(struct demon_store *store, struct ready *ready,
				 struct demon_err *err)
{
	enum demon_rc rc = demon_log_insert_all(store->writer, ready->entries, ready->count, err);

	for (size_t i = 0; i < ready->count && !rc; i++) {
		rc = apply(store, &ready->entries[i].ev, err);
		if (!rc)
			demon_event_sink(&ready->entries[i].ev);
	}
	ready->count = 0;
	return rc;
}

/* Gives an event its place behind @p tail. */
static enum demon_rc place(struct demon_store *store, const struct demon_group *group, size_t index,
			   const struct demon_tail *tail, struct demon_event *ev,
			   struct demon_err *err)
{
	enum demon_rc rc;

	if (index == 0) {
		if ((rc = make_extra(store, group, tail, err)))
			return rc;
		ev->extra = store->extra.len ? store->extra.data : NULL;
		ev->extra_len = store->extra.len;
	}
	ev->seq = store->belief.last_seq + 1;
	ev->sequence = tail->sequence + 1;
	ev->group_first = ev->sequence - (int64_t)index;
	ev->clock = demon_belief_tick(store, &ev->recorded_at);
	memcpy(ev->previous_hash, tail->hash, sizeof(ev->previous_hash));
	return DEMON_OK;
}

/* Checks and hashes one event and moves the end of the chain behind it. */
static enum demon_rc prepare(struct demon_store *store, const struct demon_group *group,
			     size_t index, struct ready *ready, struct demon_err *err)
{
	struct demon_event ev = describe(store, group, index);
	bool known = same_run(&store->belief.memo, &ev);
	struct demon_log_ids ids = {0};
	struct demon_tail *tail;
	enum demon_rc rc;

	if (ready->count && (!known || ready->count == ready->room) &&
	    (rc = write_ready(store, ready, err)))
		return rc;
	if ((rc = demon_belief_tail(store, group->stream, &tail, err)) ||
	    (rc = place(store, group, index, tail, &ev, err)) ||
	    (rc = check(store, &ev, known, err)))
		return rc;
	demon_sha256_begin(store->sha);
	demon_sha256_add(store->sha, ev.payload, ev.payload_len);
	demon_sha256_end(store->sha, ev.payload_hash);
	if (DEMON_FAULT(APPEND_EVENT))
		return demon_err_set(err, DEMON_IO, "fault before an event");
	if ((rc = intern(store, &ev, known, &ids, err)) ||
	    (rc = demon_event_hash(store->sha, &ev, &store->scratch, ev.hash, err)))
		return rc;
	store->belief.last_seq = ev.seq;
	tail->sequence = ev.sequence;
	memcpy(tail->hash, ev.hash, sizeof(tail->hash));
	ready->entries[ready->count++] = (struct demon_log_entry){ev, ids};
	return DEMON_OK;
}

static enum demon_rc write_events(struct demon_store *store, const struct demon_group *group,
				  struct ready *ready, struct demon_err *err)
{
	for (size_t i = 0; i < group->count; i++)
		if (prepare(store, group, i, ready, err))
			return demon_err_wrap(err, "event '%.100s'",
					      group->records[i].type ? group->records[i].type : "");
	if (write_ready(store, ready, err))
		return demon_err_wrap(err, "event '%.100s'", group->records[group->count - 1].type);
	return DEMON_OK;
}

enum demon_rc demon_write_append(struct demon_write *w, const struct demon_group *group,
				 struct demon_receipt *ret_last, struct demon_err *err)
{
	struct demon_store *store = w->store;
	struct demon_log_entry one;
	demon_auto_free struct demon_log_entry *several = NULL;
	struct ready ready = {.entries = &one, .room = 1};
	const struct demon_tail *tail = &store->belief.tails[group->stream];
	size_t bytes = 0;
	enum demon_rc rc;

	if (group->count < 1 || group->count > DEMON_GROUP_MAX)
		return demon_err_set(err, group->count ? DEMON_TOOBIG : DEMON_INVALID,
				     "a group of %zu events; it has 1 to %d", group->count,
				     DEMON_GROUP_MAX);
	for (size_t i = 0; i < group->count; i++)
		bytes += group->records[i].payload_len;
	if (bytes > GROUP_BYTES_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "a group of %zu bytes; the limit is %zu",
				     bytes, GROUP_BYTES_MAX);
	if (group->count > 1) {
		ready.room = group->count < READY_MAX ? group->count : READY_MAX;
		several = demon_calloc(ready.room, sizeof(*several));
		ready.entries = several;
		if (!several)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a group");
	}
	if ((rc = write_events(store, group, &ready, err)))
		return rc;
	if (ret_last) {
		*ret_last = (struct demon_receipt){.seq = store->belief.last_seq,
						   .sequence = tail->sequence};
		memcpy(ret_last->hash, tail->hash, sizeof(ret_last->hash));
	}
	return DEMON_OK;
}
