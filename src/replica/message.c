#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HASH_PART 8 /* bytes of the hash in an id */

/* Copies @p text to @p *at, and moves that behind it. */
static const char *put(char **at, const char *text)
{
	char *to = *at;

	if (!text)
		return NULL;
	memcpy(to, text, strlen(text) + 1);
	*at += strlen(text) + 1;
	return to;
}

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

enum demon_rc demon_message_copy(const struct demon_message *from, struct demon_message *ret,
				 char **ret_bytes, struct demon_err *err)
{
	size_t texts = size_of(from->subject) + size_of(from->id) + size_of(from->header) +
		       size_of(from->previous) + size_of(from->hash) + size_of(from->signature);
	char *at = demon_calloc(texts + from->payload_len + 1, 1);

	if (!at)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a message");
	*ret_bytes = at;
	*ret = *from;
	ret->subject = put(&at, from->subject);
	ret->id = put(&at, from->id);
	ret->header = put(&at, from->header);
	ret->previous = put(&at, from->previous);
	ret->hash = put(&at, from->hash);
	ret->signature = put(&at, from->signature);
	ret->payload = at;
	if (from->payload_len)
		memcpy(at, from->payload, from->payload_len);
	return DEMON_OK;
}

void demon_message_id(const struct demon_event *event, char out[DEMON_MESSAGE_ID_LEN])
{
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	char epoch[2 * DEMON_EPOCH_LEN + 1];
	char hash[2 * HASH_PART + 1];

	demon_hex(event->origin, DEMON_ORIGIN_LEN, origin);
	demon_hex(event->epoch, DEMON_EPOCH_LEN, epoch);
	demon_hex(event->hash, HASH_PART, hash);
	(void)snprintf(out, DEMON_MESSAGE_ID_LEN, "%s.%s.%s.%" PRId64 ".%s", origin, epoch,
		       demon_stream_name(event->stream), event->sequence, hash);
}

void demon_message_mark(struct demon_sha256 *sha, const struct demon_message *message,
			unsigned char out[DEMON_SHA256_LEN])
{
	const char *const texts[] = {message->subject,  message->id,   message->header,
				     message->previous, message->hash, message->signature};

	demon_sha256_begin(sha);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *text = texts[i] ? texts[i] : "";

		demon_sha256_add(sha, text, strlen(text) + 1);
	}
	demon_sha256_add(sha, message->payload, message->payload_len);
	demon_sha256_end(sha, out);
}
