#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HASH_PART 8 /* bytes of the hash in an id */

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
