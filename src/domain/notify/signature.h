/*
 * Signatures of webhooks, as the Standard Webhooks specification has them: HMAC-SHA256 over
 * "ID.SECONDS.BODY", so that a receiver knows who sent it, and that it is not an old one again.
 */
#ifndef DEMON_SIGNATURE_H
#define DEMON_SIGNATURE_H

#include "base/buf.h"

/** HMAC-SHA256 (RFC 2104) of several pieces. DEMON_NOMEM. */
struct demon_piece {
	const void *bytes;
	size_t len;
};
enum demon_rc demon_hmac_sha256(const void *key, size_t key_len, const struct demon_piece *pieces,
				size_t count, unsigned char out[32], struct demon_err *err)
    demon_must_check;

/**
 * Appends "v1,BASE64". A secret that begins with "whsec_" is base64 behind that; any other is the
 * key as it stands. DEMON_INVALID: it is not base64.
 */
enum demon_rc demon_signature(const char *secret, const char *id, int64_t seconds,
			      const struct demon_piece *body, struct demon_buf *out,
			      struct demon_err *err) demon_must_check;

#endif
