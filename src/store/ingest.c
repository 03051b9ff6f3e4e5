#include "handle.h"
#include "identity.h"
#include "subject.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FUTURE_MS ((demon_time)24 * 60 * 60 * 1000)

/* "stream origin/epoch 17", for messages */
static void name_event(const struct demon_event_ref *ref, char out[128])
{
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	char epoch[2 * DEMON_EPOCH_LEN + 1];

	demon_hex(ref->origin, DEMON_ORIGIN_LEN, origin);
	demon_hex(ref->epoch, DEMON_EPOCH_LEN, epoch);
	(void)snprintf(out, 128, "%s %s/%s %" PRId64, demon_stream_name(ref->stream), origin, epoch,
		       ref->sequence);
}

/* The event that @p ref names must be held, with that hash. *ret_clock: its logical clock. */
static enum demon_rc require(struct demon_db *db, const struct demon_event_ref *ref,
			     const char *what, uint64_t *ret_clock, struct demon_err *err)
{
	struct demon_held held;
	char name[128];
	enum demon_rc rc = demon_log_held(db, ref, &held, err);

	if (rc)
		return rc;
	name_event(ref, name);
	if (!held.found)
		return demon_err_set(err, DEMON_NOTFOUND, "%s is missing: %s", what, name);
	if (memcmp(held.hash, ref->hash, sizeof(held.hash)) != 0)
		return demon_err_set(err, DEMON_CONFLICT, "%s has another hash here: %s", what,
				     name);
	*ret_clock = held.clock;
	return DEMON_OK;
}

/* The event before in its chain: held, with the hash that this one builds on, and earlier. */
static enum demon_rc require_predecessor(struct demon_db *db, const struct demon_event *ev,
					 struct demon_err *err)
{
	static const unsigned char zero[DEMON_SHA256_LEN];
	struct demon_event_ref before = demon_event_ref_of(ev);
	uint64_t clock = 0;
	enum demon_rc rc;

	if (ev->sequence == 1) {
		if (memcmp(ev->previous_hash, zero, sizeof(zero)) != 0)
			return demon_err_set(err, DEMON_INVALID,
					     "the first event of a chain names one before it");
		return DEMON_OK;
	}
	before.sequence--;
	memcpy(before.hash, ev->previous_hash, sizeof(before.hash));
	if ((rc = require(db, &before, "the event before", &clock, err)))
		return rc;
	if (ev->clock <= clock)
		return demon_err_set(err, DEMON_INVALID, "its logical clock does not ascend");
	return DEMON_OK;
}

static enum demon_rc require_causes(struct demon_db *db, const struct demon_event *ev,
				    struct demon_err *err)
{
	struct demon_field field;
	uint64_t clock;
	size_t at = 0;
	enum demon_rc rc;

	if ((rc = require_predecessor(db, ev, err)))
		return rc;
	while (demon_header_next(ev->extra, ev->extra_len, &at, &field)) {
		struct demon_event_ref ref;

		if (field.tag != DEMON_TAG_CAUSE && field.tag != DEMON_TAG_CONTINUES)
			continue;
		if (!demon_header_ref_read(&field, &ref))
			return demon_err_set(err, DEMON_INVALID, "header field %u is malformed",
					     field.tag);
		rc = require(db, &ref,
			     field.tag == DEMON_TAG_CAUSE ? "a cause" : "what it continues", &clock,
			     err);
		if (rc)
			return rc;
	}
	return DEMON_OK;
}

/* A member of the payload must say what the header says. */
static enum demon_rc check_member(const json_t *payload, const char *member, const char *header,
				  struct demon_err *err)
{
	const char *text = json_string_value(json_object_get(payload, member));

	if (text && header && strcmp(text, header) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_INVALID,
			     "'%s' of the payload is '%.80s', the header says '%.80s'", member,
			     text ? text : "", header ? header : "");
}

static enum demon_rc check_payload_tree(const struct demon_event *ev, const json_t *payload,
					struct demon_err *err)
{
	const struct {
		const char *member;
		const char *id;
	} ids[] = {{"tenantId", ev->tenant_id},
		   {"ritualId", ev->ritual_id},
		   {"runId", ev->run_id},
		   {"gateId", ev->gate_id}};
	const char *ts = json_string_value(json_object_get(payload, "ts"));
	demon_time when;
	enum demon_rc rc;

	if ((rc = check_member(payload, "event", ev->type, err)))
		return rc;
	if (!ts)
		return demon_err_set(err, DEMON_INVALID, "the payload has no 'ts'");
	if ((rc = demon_rfc3339_parse(ts, &when, err)))
		return rc;
	if (when != ev->ts)
		return demon_err_set(err, DEMON_INVALID,
				     "'ts' of the payload differs from the header's");
	for (size_t i = 0; i < demon_count(ids); i++)
		if (json_object_get(payload, ids[i].member) &&
		    (rc = check_member(payload, ids[i].member, ids[i].id, err)))
			return rc;
	return DEMON_OK;
}

static enum demon_rc check_payload(struct demon_sha256 *sha, const struct demon_event *ev,
				   struct demon_err *err)
{
	unsigned char hash[DEMON_SHA256_LEN];
	json_t *payload;
	enum demon_rc rc;

	if (!ev->payload)
		return DEMON_OK;
	if (!demon_json_is_canonical(ev->payload, ev->payload_len, &demon_json_payload_limits))
		return demon_err_set(err, DEMON_INVALID, "the payload is not a canonical object");
	demon_sha256_begin(sha);
	demon_sha256_add(sha, ev->payload, ev->payload_len);
	demon_sha256_end(sha, hash);
	if (memcmp(hash, ev->payload_hash, sizeof(hash)) != 0)
		return demon_err_set(err, DEMON_CORRUPT, "the payload does not match its hash");
	if ((rc = demon_json_parse(ev->payload, ev->payload_len, &demon_json_payload_limits,
				   &payload, err)))
		return rc;
	rc = check_payload_tree(ev, payload, err);
	json_decref(payload);
	return rc;
}

static enum demon_rc check_event(struct demon_store *store, const struct demon_event *ev,
				 struct demon_err *err)
{
	unsigned char hash[DEMON_SHA256_LEN];
	demon_time now = store->env->now(store->env->ctx);
	enum demon_rc rc;

	if ((rc = demon_event_check(ev, err)) || (rc = check_payload(store->sha, ev, err)) ||
	    (rc = demon_event_hash(store->sha, ev, &store->scratch, hash, err)))
		return rc;
	if (memcmp(hash, ev->hash, sizeof(hash)) != 0)
		return demon_err_set(err, DEMON_CORRUPT, "the hash does not follow from the event");
	if ((demon_time)(ev->clock >> 16) > now + FUTURE_MS)
		return demon_err_set(
		    err, DEMON_UNAVAIL,
		    "its logical clock is more than 24 h ahead of this node's clock");
	return DEMON_OK;
}

static enum demon_rc insert(struct demon_store *store, const struct demon_event *foreign,
			    struct demon_err *err)
{
	struct demon_event ev = *foreign;
	struct demon_log_ids ids;
	enum demon_rc rc;

	ev.seq = store->belief.last_seq + 1;
	ev.recorded_at = store->env->now(store->env->ctx);
	if ((rc = demon_log_intern(store->writer, &ev, &ids, err)) ||
	    (rc = demon_log_insert(store->writer, &ev, &ids, err)))
		return rc;
	store->belief.last_seq = ev.seq;
	if (ev.clock > store->belief.clock)
		store->belief.clock = ev.clock;
	for (const struct demon_projection *const *p = store->projections; p && *p; p++)
		if ((*p)->apply(store->writer, &ev, err))
			return demon_err_wrap(err, "%s", (*p)->name);
	return DEMON_OK;
}

/* Somebody else has written under the identity that this node was going to use. */
static bool is_own_epoch(const struct demon_store *store, const struct demon_event *ev)
{
	return memcmp(ev->origin, store->node.origin, sizeof(ev->origin)) == 0 &&
	       memcmp(ev->epoch, store->node.epoch, sizeof(ev->epoch)) == 0;
}

static enum demon_rc ingest_one(struct demon_write *w, const struct demon_event *ev, size_t *new,
				struct demon_err *err)
{
	struct demon_event_ref ref = demon_event_ref_of(ev);
	struct demon_held held;
	enum demon_rc rc;

	if ((rc = check_event(w->store, ev, err)) ||
	    (rc = demon_log_held(w->store->writer, &ref, &held, err)))
		return rc;
	if (held.found && memcmp(held.hash, ev->hash, sizeof(held.hash)) != 0)
		return demon_err_set(err, DEMON_CONFLICT, "its identity is held with another hash");
	if (held.found)
		return DEMON_OK;
	if ((rc = require_causes(w->store->writer, ev, err)))
		return rc;
	if (is_own_epoch(w->store, ev) && (rc = demon_identity_new_epoch(w, err)))
		return rc;
	if ((rc = demon_belief_renew(w->store, err)) || (rc = insert(w->store, ev, err)))
		return rc;
	++*new;
	return DEMON_OK;
}

/* The events must be one whole group, in order. */
static enum demon_rc check_group(const struct demon_event *events, size_t count,
				 struct demon_err *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct demon_event *ev = &events[i];

		if (ev->group_count != count || ev->group_first != events[0].sequence ||
		    ev->sequence != events[0].sequence + (int64_t)i ||
		    ev->stream != events[0].stream ||
		    memcmp(ev->origin, events[0].origin, sizeof(ev->origin)) != 0 ||
		    memcmp(ev->epoch, events[0].epoch, sizeof(ev->epoch)) != 0)
			return demon_err_set(err, DEMON_INVALID,
					     "the events are not one whole group");
	}
	return DEMON_OK;
}

enum demon_rc demon_write_ingest(struct demon_write *w, const struct demon_event *events,
				 size_t count, size_t *ret_new, struct demon_err *err)
{
	enum demon_rc rc = check_group(events, count, err);

	*ret_new = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		rc = ingest_one(w, &events[i], ret_new, err);
		if (rc) {
			struct demon_event_ref ref = demon_event_ref_of(&events[i]);
			char name[128];

			name_event(&ref, name);
			(void)demon_err_wrap(err, "event %s", name);
		}
	}
	return rc;
}
