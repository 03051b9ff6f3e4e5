/*
 * What a program wrote, as text that a JSON string can hold.
 */
#ifndef DEMON_OUTPUT_H
#define DEMON_OUTPUT_H

#include "base/buf.h"

/**
 * Appends @p len bytes as valid UTF-8: what is not, and NUL, becomes U+FFFD. Stops before the
 * canonical JSON string of the text would be longer than @p max_json bytes. @p more: the bytes
 * are the beginning of something longer, so a character that is cut off at the end is left out.
 * Returns the number of bytes that were used.
 */
size_t demon_output_text(struct demon_buf *out, const char *bytes, size_t len, bool more,
			 size_t max_json);

/** The last line of @p text that is not blank, without white space around it. */
const char *demon_output_last_line(const char *text, size_t len, size_t *ret_len);

/** Bytes of the longest beginning of @p text of at most @p max that cuts no character. */
int demon_output_clip(const char *text, size_t max);

#endif
