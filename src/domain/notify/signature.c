#include "signature.h"

#include "base/base64.h"
#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLOCK     64
#define IN_BASE64 "whsec_"

static void free_sha(struct demon_sha256 **sha)
{
	demon_sha256_free(*sha);
}

static void pad_key(const unsigned char *key, size_t len, unsigned char with,
		    unsigned char out[BLOCK])
{
	for (size_t i = 0; i < BLOCK; i++)
		out[i] = (i < len ? key[i] : 0) ^ with;
}

enum demon_rc demon_hmac_sha256(const void *key, size_t key_len, const struct demon_piece *pieces,
				size_t count, unsigned char out[32], struct demon_err *err)
{
	demon_cleanup(free_sha) struct demon_sha256 *sha = demon_sha256_new();
	unsigned char short_key[DEMON_HASH_LEN];
	unsigned char block[BLOCK];

	if (!sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a signature");
	if (key_len > BLOCK) {
		demon_sha256_begin(sha);
		demon_sha256_add(sha, key, key_len);
		demon_sha256_end(sha, short_key);
		key = short_key;
		key_len = sizeof(short_key);
	}
	pad_key(key, key_len, 0x36, block);
	demon_sha256_begin(sha);
	demon_sha256_add(sha, block, sizeof(block));
	for (size_t i = 0; i < count; i++)
		demon_sha256_add(sha, pieces[i].bytes, pieces[i].len);
	demon_sha256_end(sha, out);
	pad_key(key, key_len, 0x5c, block);
	demon_sha256_begin(sha);
	demon_sha256_add(sha, block, sizeof(block));
	demon_sha256_add(sha, out, DEMON_HASH_LEN);
	demon_sha256_end(sha, out);
	explicit_bzero(block, sizeof(block));
	explicit_bzero(short_key, sizeof(short_key));
	return DEMON_OK;
}

static void wipe(struct demon_buf *b)
{
	explicit_bzero(b->data, b->len);
	demon_buf_done(b);
}

enum demon_rc demon_signature(const char *secret, const char *id, int64_t seconds,
			      const struct demon_piece *body, struct demon_buf *out,
			      struct demon_err *err)
{
	demon_cleanup(wipe) struct demon_buf key = {.data = demon_buf_empty};
	unsigned char mac[DEMON_HASH_LEN];
	const size_t head = sizeof(IN_BASE64) - 1;
	char middle[32];
	enum demon_rc rc;

	if (strncmp(secret, IN_BASE64, head) != 0)
		demon_buf_str(&key, secret);
	else if (!demon_base64_read(secret + head, strlen(secret + head), &key))
		return demon_err_set(err, DEMON_INVALID,
				     "the secret of the webhook begins with '" IN_BASE64
				     "' and is not base64 behind that");
	if ((rc = demon_buf_rc(&key, err)))
		return rc;
	(void)snprintf(middle, sizeof(middle), ".%" PRId64 ".", seconds);
	const struct demon_piece pieces[] = {{id, strlen(id)}, {middle, strlen(middle)}, *body};
	if ((rc = demon_hmac_sha256(key.data, key.len, pieces, demon_count(pieces), mac, err)))
		return rc;
	demon_buf_str(out, "v1,");
	demon_buf_base64(out, mac, sizeof(mac));
	return demon_buf_rc(out, err);
}
