/*
 * Base64 back to bytes, and the alphabet that goes into addresses (RFC 4648, §4 and §5).
 *
 * A sequence of bytes has one text: padding that is missing, superfluous or not zero is refused.
 */
#ifndef DEMON_BASE64_H
#define DEMON_BASE64_H

#include "buf.h"

/** Appends the bytes of a padded base64 text. False: it is none; what @p out holds then is not
 * said. */
bool demon_base64_read(const char *text, size_t len, struct demon_buf *out) demon_must_check;

/** Appends @p n bytes in the alphabet of addresses, without padding. */
void demon_base64url(struct demon_buf *out, const void *bytes, size_t n);

/** Appends the bytes of such a text. False: it is none. */
bool demon_base64url_read(const char *text, size_t len, struct demon_buf *out) demon_must_check;

#endif
