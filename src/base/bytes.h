/*
 * Bytes as text and back, SHA-256, random ids: the small change of identities.
 */
#ifndef DEMON_BYTES_H
#define DEMON_BYTES_H

#include "base.h"

#include <demon/env.h>

#define DEMON_HASH_LEN 32 /* bytes of a SHA-256 */
#define DEMON_UUID_LEN 36 /* characters of a UUID, without the NUL */

/** Writes 2 * n lower-case digits and a NUL to @p out. */
void demon_hex(const void *bytes, size_t n, char *out);

/** Reads exactly 2 * n lower-case digits and the end of the string. False: something else. */
bool demon_unhex(const char *text, void *bytes, size_t n) demon_must_check;

/** Whether two byte strings are equal, in a time that does not depend on where they differ. */
bool demon_equal(const void *a, const void *b, size_t n);

/** Big-endian integers at @p bytes. */
uint64_t demon_get_be64(const void *bytes);
uint32_t demon_get_be32(const void *bytes);

/** SHA-256 of a sequence of byte strings. One context a thread, algorithm fetched once. */
struct demon_sha256;

/** A context for one thread at a time, or NULL. Free with demon_sha256_free (NULL allowed). */
struct demon_sha256 *demon_sha256_new(void) demon_must_check;
void demon_sha256_free(struct demon_sha256 *s);
void demon_sha256_begin(struct demon_sha256 *s);
void demon_sha256_add(struct demon_sha256 *s, const void *bytes, size_t n);
void demon_sha256_end(struct demon_sha256 *s, unsigned char out[DEMON_HASH_LEN]);

/** The digest of one byte string; for cold paths (it makes a context of its own). */
enum demon_rc demon_sha256(const void *bytes, size_t n, unsigned char out[DEMON_HASH_LEN],
			   struct demon_err *err) demon_must_check;

/**
 * A version 7 UUID (RFC 9562: milliseconds, then random bits) in its 36-character form: ids that
 * sort by time keep B-trees compact. @p out has room for DEMON_UUID_LEN + 1.
 */
void demon_uuid7(const struct demon_env *env, char *out);

/**
 * RFC 3339 in UTC with milliseconds and a Z, 24 characters and a NUL. Years 0000 to 9999;
 * anything else is clamped.
 */
#define DEMON_RFC3339_LEN 24
void demon_rfc3339(demon_time t, char *out);

/** Reads RFC 3339 with any offset and 0 to 9 fractional digits (cut to ms). */
enum demon_rc demon_rfc3339_parse(const char *text, demon_time *ret_t, struct demon_err *err)
    demon_must_check;

#endif
