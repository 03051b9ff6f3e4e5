/*
 * The bytes that are hashed (docs/format.md §2 and §3).
 */
#ifndef DEMON_HEADER_H
#define DEMON_HEADER_H

#include "base/buf.h"
#include "base/bytes.h"

#include <demon/event.h>

enum demon_header_tag {
	DEMON_TAG_ORIGIN = 1,
	DEMON_TAG_EPOCH,
	DEMON_TAG_STREAM,
	DEMON_TAG_SEQUENCE,
	DEMON_TAG_GROUP_FIRST,
	DEMON_TAG_GROUP_COUNT,
	DEMON_TAG_SUBJECT,
	DEMON_TAG_TYPE,
	DEMON_TAG_TENANT,
	DEMON_TAG_RITUAL,
	DEMON_TAG_RUN,
	DEMON_TAG_GATE,
	DEMON_TAG_PROJECT,
	DEMON_TAG_NAMESPACE,
	DEMON_TAG_GRAPH,
	DEMON_TAG_RUN_ORIGIN,
	DEMON_TAG_TERM,
	DEMON_TAG_TS,
	DEMON_TAG_CLOCK,
	DEMON_TAG_PAYLOAD_HASH,
	DEMON_TAG_CAUSE,
	DEMON_TAG_CONTINUES,
	DEMON_TAG_REISSUE_OF,
	DEMON_TAG_IGNORABLE = 128, /* from here on a reader keeps what it does not know */
};

#define DEMON_HEADER_MAX 16384
#define DEMON_CAUSES_MAX 64

/** The identity of an event, with its hash: the value of causes, continues and reissue-of. */
struct demon_event_ref {
	unsigned char origin[DEMON_ORIGIN_LEN];
	unsigned char epoch[DEMON_EPOCH_LEN];
	enum demon_stream stream;
	int64_t sequence;
	unsigned char hash[DEMON_SHA256_LEN];
};

/** Identity and hash of an event. */
struct demon_event_ref demon_event_ref_of(const struct demon_event *ev);

/** Appends what a signature over a head covers (docs/format.md §8). */
void demon_head_bytes(const struct demon_event_ref *head, struct demon_buf *out);

/** Appends one field to @p out. */
void demon_header_field(struct demon_buf *out, unsigned char tag, const void *value, size_t len);

/** Appends a field whose value is a reference. */
void demon_header_ref(struct demon_buf *out, unsigned char tag, const struct demon_event_ref *ref);

/** One field of an encoded run of fields. */
struct demon_field {
	unsigned char tag;
	const unsigned char *value; /* borrowed */
	size_t len;
};

/**
 * Reads the field at *at and moves *at behind it. False at the end, and also when the bytes are
 * not a field: then *at stays before @p len.
 */
bool demon_header_next(const void *fields, size_t len, size_t *at, struct demon_field *ret);

/** Reads the value of a reference; false when it is not one. */
bool demon_header_ref_read(const struct demon_field *field, struct demon_event_ref *ret)
    demon_must_check;

/** Appends the header of @p ev, its extra fields merged by tag. Everything but hash, seq and
 * recorded_at is set. */
void demon_header_encode(const struct demon_event *ev, struct demon_buf *out);

/** The hash of @p ev, given ev->previous_hash; @p scratch is cleared and used. */
enum demon_rc demon_event_hash(struct demon_sha256 *sha, const struct demon_event *ev,
			       struct demon_buf *scratch, unsigned char out[DEMON_SHA256_LEN],
			       struct demon_err *err) demon_must_check;

/**
 * Whether @p ev holds to docs/format.md: ids, subject, type, group, limits, extra fields in order
 * and known (DEMON_NEWER for an unknown critical one). The payload is not looked at. The first
 * looks at the ids only, the second at neither ids nor subject, the third at everything.
 */
enum demon_rc demon_event_check_ids(const struct demon_event *ev, struct demon_err *err)
    demon_must_check;
enum demon_rc demon_event_check_rest(const struct demon_event *ev, struct demon_err *err)
    demon_must_check;
enum demon_rc demon_event_check(const struct demon_event *ev, struct demon_err *err)
    demon_must_check;

#endif
