/*
 * Events as messages and back: what the outbox sends and the inbox takes in.
 */
#ifndef DEMON_POST_H
#define DEMON_POST_H

#include "base/buf.h"
#include "message.h"
#include "store/header.h"
#include "store/key.h"

/** Longest signature as text: key id in hex, '.', base64, NUL. */
#define DEMON_SIGNATURE_TEXT_LEN (16 + 1 + 88 + 1)

/** Bytes of a key id: the first of the SHA-256 of a public key. */
#define DEMON_KEY_ID_LEN         8

/** An event on its way out. Clear it with demon_outgoing_done. */
struct demon_outgoing {
	struct demon_message message; /* points into what follows */
	char id[DEMON_MESSAGE_ID_LEN];
	char previous[2 * DEMON_SHA256_LEN + 1];
	char hash[2 * DEMON_SHA256_LEN + 1];
	char signature[DEMON_SIGNATURE_TEXT_LEN];
	struct demon_buf header; /* scratch, then base64 */
	struct demon_buf bytes;
};

/** Fills @p out from an event, whose strings it borrows. With @p key the event is signed as a head
 * (docs/format.md §8). DEMON_NOMEM. */
enum demon_rc demon_outgoing_fill(struct demon_outgoing *out, const struct demon_event *event,
				  const struct demon_key *key, struct demon_err *err)
    demon_must_check;
void demon_outgoing_done(struct demon_outgoing *out);

/** An event that came. Owned: free with demon_incoming_free. */
struct demon_incoming {
	struct demon_event ev;                    /* its strings point into `bytes` */
	uint64_t stream_sequence;                 /* of the message */
	char signature[DEMON_SIGNATURE_TEXT_LEN]; /* "": none */
	struct demon_buf bytes;
};

/** Why a message is no event, in one word; it stands in local_quarantine.kind. */
enum demon_fault_kind {
	DEMON_BAD_HEADERS,   /* 'headers': absent, malformed, or they contradict the message */
	DEMON_BAD_HASH,      /* 'hash': hash or payload hash do not follow */
	DEMON_BAD_SIGNATURE, /* 'signature': a signature that does not hold */
	DEMON_BAD_NEWER,     /* 'newer': a format that this program does not know */
	DEMON_BAD_EVENT,     /* 'event': against docs/format.md, or cannot be applied */
	DEMON_BAD_FORK,      /* 'fork': its identity is held by another event */
	DEMON_BAD_FOREIGN,   /* 'foreign': somebody else's, and not adopted */
	DEMON_BAD_FULL,      /* 'full': too many wait already */
};

/** The word, in static storage. */
const char *demon_fault_kind_name(enum demon_fault_kind kind);

/**
 * Reads a message that has a header of ours. The event holds to its hashes when this is DEMON_OK;
 * causes, predecessor and signature are not looked at. *ret_item is new. Fails: DEMON_INVALID,
 * DEMON_CORRUPT, DEMON_NEWER, with *ret_kind; DEMON_NOMEM.
 */
enum demon_rc demon_incoming_read(const struct demon_message *message, struct demon_sha256 *sha,
				  struct demon_incoming **ret_item, enum demon_fault_kind *ret_kind,
				  struct demon_err *err) demon_must_check;

/** The same from the parts that local_inbox keeps. */
struct demon_kept {
	enum demon_stream stream;
	uint64_t stream_sequence;
	const void *header;
	size_t header_len;
	const unsigned char *previous; /* 32 bytes */
	const unsigned char *hash;     /* 32 bytes */
	const char *signature;         /* NULL: none */
	const char *payload;
	size_t payload_len;
};
enum demon_rc demon_incoming_restore(const struct demon_kept *kept,
				     struct demon_incoming **ret_item, struct demon_err *err)
    demon_must_check;

void demon_incoming_free(struct demon_incoming *item);

/** The id of a key (docs/format.md §8). */
enum demon_rc demon_key_id(const unsigned char public_key[DEMON_ED25519_PUBLIC_LEN],
			   unsigned char out[DEMON_KEY_ID_LEN], struct demon_err *err)
    demon_must_check;

/** Reads "keyid.base64". False: it is none. */
bool demon_signature_read(const char *text, unsigned char ret_id[DEMON_KEY_ID_LEN],
			  unsigned char ret[DEMON_ED25519_SIGNATURE_LEN]) demon_must_check;

#endif
