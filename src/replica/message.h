/*
 * Messages: events as they travel (docs/format.md §11).
 */
#ifndef DEMON_MESSAGE_H
#define DEMON_MESSAGE_H

#include "base/bytes.h"

#include <demon/event.h>

/** A message. Everything is borrowed; NULL: absent. */
struct demon_message {
	enum demon_stream stream;
	uint64_t sequence; /* in the stream; 0: it is not there yet */
	const char *subject;
	const char *id;        /* Nats-Msg-Id */
	const char *header;    /* Demon-Header: base64 */
	const char *previous;  /* Demon-Previous: hex */
	const char *hash;      /* Demon-Hash: hex */
	const char *signature; /* Demon-Signature */
	const void *payload;
	size_t payload_len;
};

/** A copy of @p from in one piece of memory. @param ret_bytes owns it; the caller frees it.
 * DEMON_NOMEM. */
enum demon_rc demon_message_copy(const struct demon_message *from, struct demon_message *ret,
				 char **ret_bytes, struct demon_err *err);

/** Longest Nats-Msg-Id of an event, with its NUL. */
#define DEMON_MESSAGE_ID_LEN 96

/** The Nats-Msg-Id of an event. */
void demon_message_id(const struct demon_event *event, char out[DEMON_MESSAGE_ID_LEN]);

/** What tells a message from every other that could stand under its sequence: SHA-256 over subject,
 * a zero byte, the five headers (each with a zero byte after it) and the payload. */
void demon_message_mark(struct demon_sha256 *sha, const struct demon_message *message,
			unsigned char out[DEMON_SHA256_LEN]);

#endif
