#include "post.h"

#include "base/base64.h"
#include "base/json.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

#define HEADER_VERSION 1

static const char *const kind_names[] = {"headers", "hash", "signature", "newer",
					 "event",   "fork", "foreign",   "full"};

const char *demon_fault_kind_name(enum demon_fault_kind kind)
{
	return kind_names[kind];
}

enum demon_rc demon_key_id(const unsigned char public_key[DEMON_ED25519_PUBLIC_LEN],
			   unsigned char out[DEMON_KEY_ID_LEN], struct demon_err *err)
{
	unsigned char hash[DEMON_SHA256_LEN];
	enum demon_rc rc = demon_sha256(public_key, DEMON_ED25519_PUBLIC_LEN, hash, err);

	memcpy(out, hash, DEMON_KEY_ID_LEN);
	return rc;
}

bool demon_signature_read(const char *text, unsigned char ret_id[DEMON_KEY_ID_LEN],
			  unsigned char ret[DEMON_ED25519_SIGNATURE_LEN])
{
	DEMON_BUF(bytes, 0);
	char id[2 * DEMON_KEY_ID_LEN + 1];

	if (strlen(text) >= DEMON_SIGNATURE_TEXT_LEN || strlen(text) < sizeof(id) ||
	    text[sizeof(id) - 1] != '.')
		return false;
	memcpy(id, text, sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	if (!demon_unhex(id, ret_id, DEMON_KEY_ID_LEN) ||
	    !demon_base64_read(text + sizeof(id), strlen(text + sizeof(id)), &bytes) || bytes.rc ||
	    bytes.len != DEMON_ED25519_SIGNATURE_LEN)
		return false;
	memcpy(ret, bytes.data, DEMON_ED25519_SIGNATURE_LEN);
	return true;
}

static enum demon_rc sign(struct demon_outgoing *out, const struct demon_event *event,
			  const struct demon_key *key, struct demon_err *err)
{
	struct demon_event_ref head = demon_event_ref_of(event);
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	unsigned char id[DEMON_KEY_ID_LEN];
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	demon_buf_clear(&out->bytes);
	demon_head_bytes(&head, &out->bytes);
	if ((rc = demon_buf_rc(&out->bytes, err)) ||
	    (rc = demon_key_id(key->public_key, id, err)) ||
	    (rc = demon_ed25519_sign(key->seed, out->bytes.data, out->bytes.len, signature, err)))
		return rc;
	demon_buf_hex(&text, id, sizeof(id));
	demon_buf_char(&text, '.');
	demon_buf_base64(&text, signature, sizeof(signature));
	if ((rc = demon_buf_rc(&text, err)))
		return rc;
	memcpy(out->signature, text.data, text.len + 1);
	out->message.signature = out->signature;
	return DEMON_OK;
}

enum demon_rc demon_outgoing_fill(struct demon_outgoing *out, const struct demon_event *event,
				  const struct demon_key *key, struct demon_err *err)
{
	enum demon_rc rc;

	demon_message_id(event, out->id);
	demon_hex(event->previous_hash, DEMON_SHA256_LEN, out->previous);
	demon_hex(event->hash, DEMON_SHA256_LEN, out->hash);
	demon_buf_clear(&out->bytes);
	demon_buf_clear(&out->header);
	demon_header_encode(event, &out->bytes);
	if ((rc = demon_buf_rc(&out->bytes, err)))
		return rc;
	demon_buf_base64(&out->header, out->bytes.data, out->bytes.len);
	if ((rc = demon_buf_rc(&out->header, err)))
		return rc;
	out->message = (struct demon_message){
	    .stream = event->stream,
	    .subject = event->subject,
	    .id = out->id,
	    .header = out->header.data,
	    .previous = out->previous,
	    .hash = out->hash,
	    .payload = event->payload,
	    .payload_len = event->payload_len,
	};
	return key ? sign(out, event, key, err) : DEMON_OK;
}

void demon_outgoing_done(struct demon_outgoing *out)
{
	demon_buf_done(&out->header);
	demon_buf_done(&out->bytes);
}

void demon_incoming_free(struct demon_incoming *item)
{
	if (!item)
		return;
	demon_buf_done(&item->bytes);
	free(item);
}

/* A text field becomes a string behind the header's bytes; *at is where the next one goes. */
static const char *keep_text(char *strings, size_t *at, const struct demon_field *field)
{
	char *to = strings + *at;

	memcpy(to, field->value, field->len);
	to[field->len] = '\0';
	*at += field->len + 1;
	return to;
}

static const char **text_of(struct demon_event *ev, unsigned tag)
{
	switch (tag) {
	case DEMON_TAG_SUBJECT:
		return &ev->subject;
	case DEMON_TAG_TYPE:
		return &ev->type;
	case DEMON_TAG_TENANT:
		return &ev->tenant_id;
	case DEMON_TAG_RITUAL:
		return &ev->ritual_id;
	case DEMON_TAG_RUN:
		return &ev->run_id;
	case DEMON_TAG_GATE:
		return &ev->gate_id;
	case DEMON_TAG_PROJECT:
		return &ev->project_id;
	case DEMON_TAG_NAMESPACE:
		return &ev->namespace_id;
	case DEMON_TAG_GRAPH:
		return &ev->graph_id;
	default:
		return NULL;
	}
}

/* Fields of fixed length. False: it is none of these, or has another length. */
static bool read_fixed(struct demon_event *ev, const struct demon_field *field)
{
	const unsigned char *v = field->value;
	struct {
		unsigned tag;
		void *to;
		size_t len;
	} bytes[] = {{DEMON_TAG_ORIGIN, ev->origin, sizeof(ev->origin)},
		     {DEMON_TAG_EPOCH, ev->epoch, sizeof(ev->epoch)},
		     {DEMON_TAG_RUN_ORIGIN, ev->run_origin, sizeof(ev->run_origin)},
		     {DEMON_TAG_PAYLOAD_HASH, ev->payload_hash, sizeof(ev->payload_hash)}};

	for (size_t i = 0; i < demon_count(bytes); i++) {
		if (field->tag != bytes[i].tag)
			continue;
		if (field->len != bytes[i].len)
			return false;
		memcpy(bytes[i].to, v, field->len);
		ev->has_run_origin |= field->tag == DEMON_TAG_RUN_ORIGIN;
		return true;
	}
	if (field->tag == DEMON_TAG_GROUP_COUNT) {
		ev->group_count = field->len == 4 ? demon_get_be32(v) : 0;
		return field->len == 4;
	}
	if (field->len != 8)
		return false;
	switch (field->tag) {
	case DEMON_TAG_SEQUENCE:
		ev->sequence = (int64_t)demon_get_be64(v);
		return ev->sequence > 0;
	case DEMON_TAG_GROUP_FIRST:
		ev->group_first = (int64_t)demon_get_be64(v);
		return ev->group_first > 0;
	case DEMON_TAG_TS:
		ev->ts = (int64_t)demon_get_be64(v);
		return ev->ts >= 0;
	case DEMON_TAG_CLOCK:
		ev->clock = demon_get_be64(v);
		return true;
	default:
		return false;
	}
}

static bool has_column(unsigned tag)
{
	return tag < DEMON_TAG_CAUSE && tag != DEMON_TAG_TERM;
}

static bool read_stream_name(struct demon_event *ev, const struct demon_field *field)
{
	char name[16] = "";

	if (field->len >= sizeof(name))
		return false;
	memcpy(name, field->value, field->len);
	return demon_stream_find(name, &ev->stream);
}

/* Reads the fields of a header into @p ev: strings go to @p strings, the rest of extra to @p extra.
 * Both have room for all of the header and a NUL a field. */
static bool read_fields(struct demon_event *ev, const char *header, size_t len, char *strings,
			char *extra)
{
	struct demon_field field;
	size_t used = 0;
	size_t at = 1;

	ev->extra = extra;
	while (demon_header_next(header, len, &at, &field)) {
		const char **text = text_of(ev, field.tag);

		if (memchr(field.value, 0, field.len) && text)
			return false;
		if (text) {
			*text = keep_text(strings, &used, &field);
		} else if (field.tag == DEMON_TAG_STREAM) {
			if (!read_stream_name(ev, &field))
				return false;
		} else if (has_column(field.tag)) {
			if (!read_fixed(ev, &field))
				return false;
		} else {
			memcpy(extra + ev->extra_len, field.value - 5, field.len + 5);
			ev->extra_len += field.len + 5;
		}
	}
	if (!ev->extra_len)
		ev->extra = NULL;
	return at == len;
}

/* Header, strings, extra fields and payload lie one after another in item->bytes. */
static enum demon_rc fill(struct demon_incoming *item, const struct demon_kept *kept,
			  struct demon_err *err)
{
	size_t fields = kept->header_len / 5 + 1;
	size_t strings_len = kept->header_len + fields;
	char *room;

	if (kept->header_len < 1 || kept->header_len > DEMON_HEADER_MAX)
		return demon_err_set(err, DEMON_INVALID, "a header of %zu bytes", kept->header_len);
	if (((const char *)kept->header)[0] != HEADER_VERSION)
		return demon_err_set(err, DEMON_NEWER, "format version %d of the header",
				     ((const unsigned char *)kept->header)[0]);
	room = demon_buf_room(&item->bytes, strings_len + kept->header_len + kept->payload_len + 1);
	if (!room)
		return demon_err_set(err, DEMON_NOMEM, "no memory for an event");
	if (!read_fields(&item->ev, kept->header, kept->header_len, room, room + strings_len))
		return demon_err_set(err, DEMON_INVALID, "the header is malformed");
	room += strings_len + kept->header_len;
	if (kept->payload_len)
		memcpy(room, kept->payload, kept->payload_len);
	room[kept->payload_len] = '\0';
	item->ev.payload = room;
	item->ev.payload_len = kept->payload_len;
	item->stream_sequence = kept->stream_sequence;
	memcpy(item->ev.previous_hash, kept->previous, DEMON_SHA256_LEN);
	memcpy(item->ev.hash, kept->hash, DEMON_SHA256_LEN);
	if (kept->signature)
		(void)snprintf(item->signature, sizeof(item->signature), "%s", kept->signature);
	return DEMON_OK;
}

enum demon_rc demon_incoming_restore(const struct demon_kept *kept,
				     struct demon_incoming **ret_item, struct demon_err *err)
{
	struct demon_incoming *item = demon_calloc(1, sizeof(*item));
	enum demon_rc rc;

	if (!item)
		return demon_err_set(err, DEMON_NOMEM, "no memory for an event");
	if ((rc = fill(item, kept, err))) {
		demon_incoming_free(item);
		return rc;
	}
	*ret_item = item;
	return DEMON_OK;
}

/* The hashes follow, and the message stands where its event says. */
static enum demon_rc check(const struct demon_incoming *item, const struct demon_message *message,
			   struct demon_sha256 *sha, enum demon_fault_kind *kind,
			   struct demon_err *err)
{
	const struct demon_event *ev = &item->ev;
	unsigned char hash[DEMON_SHA256_LEN];
	char id[DEMON_MESSAGE_ID_LEN];
	DEMON_BUF(scratch, 0);
	enum demon_rc rc;

	if ((rc = demon_event_check(ev, err))) {
		*kind = rc == DEMON_NEWER ? DEMON_BAD_NEWER : DEMON_BAD_EVENT;
		return rc;
	}
	*kind = DEMON_BAD_HASH;
	demon_sha256_begin(sha);
	demon_sha256_add(sha, ev->payload, ev->payload_len);
	demon_sha256_end(sha, hash);
	if (memcmp(hash, ev->payload_hash, sizeof(hash)) != 0)
		return demon_err_set(err, DEMON_CORRUPT, "the payload does not match its hash");
	if ((rc = demon_event_hash(sha, ev, &scratch, hash, err)))
		return rc;
	if (memcmp(hash, ev->hash, sizeof(hash)) != 0)
		return demon_err_set(err, DEMON_CORRUPT, "the hash does not follow from the event");
	*kind = DEMON_BAD_HEADERS;
	demon_message_id(ev, id);
	if (ev->stream != message->stream || strcmp(ev->subject, message->subject) != 0 ||
	    !message->id || strcmp(id, message->id) != 0)
		return demon_err_set(err, DEMON_INVALID,
				     "subject, stream or Nats-Msg-Id are not the event's");
	return DEMON_OK;
}

enum demon_rc demon_incoming_read(const struct demon_message *message, struct demon_sha256 *sha,
				  struct demon_incoming **ret_item, enum demon_fault_kind *ret_kind,
				  struct demon_err *err)
{
	unsigned char previous[DEMON_SHA256_LEN];
	unsigned char hash[DEMON_SHA256_LEN];
	DEMON_BUF(header, DEMON_HEADER_MAX + 1);
	struct demon_incoming *item = NULL;
	struct demon_kept kept = {
	    .stream = message->stream,
	    .stream_sequence = message->sequence,
	    .previous = previous,
	    .hash = hash,
	    .signature = message->signature,
	    .payload = message->payload,
	    .payload_len = message->payload_len,
	};
	enum demon_rc rc;

	*ret_kind = DEMON_BAD_HEADERS;
	if (!message->previous || !message->hash ||
	    !demon_unhex(message->previous, previous, sizeof(previous)) ||
	    !demon_unhex(message->hash, hash, sizeof(hash)))
		return demon_err_set(err, DEMON_INVALID, "no Demon-Previous or Demon-Hash");
	if (message->signature && strlen(message->signature) >= DEMON_SIGNATURE_TEXT_LEN)
		return demon_err_set(err, DEMON_INVALID, "Demon-Signature is malformed");
	if (message->payload_len > demon_json_payload_limits.max_bytes)
		return demon_err_set(err, DEMON_INVALID, "a payload of %zu bytes",
				     message->payload_len);
	if (strlen(message->header) > (size_t)DEMON_HEADER_MAX * 2 ||
	    !demon_base64_read(message->header, strlen(message->header), &header) || header.rc)
		return demon_err_set(err, DEMON_INVALID, "Demon-Header is not base64 of a header");
	kept.header = header.data;
	kept.header_len = header.len;
	rc = demon_incoming_restore(&kept, &item, err);
	if (rc || !item) {
		*ret_kind = rc == DEMON_NEWER ? DEMON_BAD_NEWER : DEMON_BAD_HEADERS;
		return rc;
	}
	if ((rc = check(item, message, sha, ret_kind, err))) {
		demon_incoming_free(item);
		return rc;
	}
	*ret_item = item;
	return DEMON_OK;
}
