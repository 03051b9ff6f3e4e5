/*
 * A growable byte buffer whose first failure sticks.
 *
 * Appends return nothing; demon_buf_rc() asks once whether all of them worked. `data` is never
 * NULL and always ends in a NUL that `len` does not count, so a buffer can be read as a string.
 * A buffer belongs to one thread at a time. A zeroed buffer is valid and has no limit.
 */
#ifndef DEMON_BUF_H
#define DEMON_BUF_H

#include "base.h"

#include <stdarg.h>

struct demon_buf {
	char *data;       /* owned, or a shared empty string; NUL behind the last byte */
	size_t len;       /* bytes in use */
	size_t cap;       /* bytes allocated, 0: data is not owned */
	size_t max;       /* most bytes allowed, 0: no limit */
	enum demon_rc rc; /* DEMON_OK, DEMON_NOMEM or DEMON_TOOBIG: the first failure */
};

/** Declares a guarded buffer of at most @p limit bytes (0: no limit). */
#define DEMON_BUF(name, limit)                                                          \
	demon_cleanup(demon_buf_done) struct demon_buf name = {.data = demon_buf_empty, \
							       .max = (limit)}

extern char demon_buf_empty[1];

/** Frees the bytes; the buffer is empty and usable again. */
void demon_buf_done(struct demon_buf *b);

/** Forgets content and failure, keeps the memory. */
void demon_buf_clear(struct demon_buf *b);

void demon_buf_add(struct demon_buf *b, const void *bytes, size_t n);
void demon_buf_str(struct demon_buf *b, const char *text);
void demon_buf_char(struct demon_buf *b, char c);
void demon_buf_fmt(struct demon_buf *b, const char *fmt, ...) demon_printf_like(2, 3);
void demon_buf_vfmt(struct demon_buf *b, const char *fmt, va_list args) demon_printf_like(2, 0);

/** Decimal digits of @p v, faster than demon_buf_fmt. */
void demon_buf_i64(struct demon_buf *b, int64_t v);

/** @p v as big-endian bytes. */
void demon_buf_be64(struct demon_buf *b, uint64_t v);
void demon_buf_be32(struct demon_buf *b, uint32_t v);

/** Lower-case hexadecimal digits of @p n bytes. */
void demon_buf_hex(struct demon_buf *b, const void *bytes, size_t n);

/** Base64 of @p n bytes (RFC 4648, §4), padded, on one line. */
void demon_buf_base64(struct demon_buf *b, const void *bytes, size_t n);

/** Room for @p n more bytes behind the content, or NULL after a failure; len is not changed. */
char *demon_buf_room(struct demon_buf *b, size_t n);

/** Drops what lies behind the first @p len bytes. */
void demon_buf_cut(struct demon_buf *b, size_t len);

/** DEMON_OK, or the first failure with a message in @p err. */
enum demon_rc demon_buf_rc(const struct demon_buf *b, struct demon_err *err) demon_must_check;

/** Hands the bytes over (new, free with free(); NUL-terminated) and empties the buffer. NULL
 * when out of memory. */
char *demon_buf_take(struct demon_buf *b) demon_must_check;

#endif
