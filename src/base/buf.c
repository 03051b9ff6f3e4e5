#include "buf.h"

#include <stdio.h>
#include <string.h>

char demon_buf_empty[1] = "";

void demon_buf_done(struct demon_buf *b)
{
	size_t max = b->max;

	if (b->cap)
		free(b->data);
	*b = (struct demon_buf){.data = demon_buf_empty, .max = max};
}

void demon_buf_clear(struct demon_buf *b)
{
	b->len = 0;
	b->rc = DEMON_OK;
	if (b->cap)
		b->data[0] = '\0';
	else
		b->data = demon_buf_empty;
}

char *demon_buf_room(struct demon_buf *b, size_t n)
{
	size_t need;
	size_t cap;
	char *data;

	if (b->rc)
		return NULL;
	if (__builtin_add_overflow(b->len, n, &need) || (b->max && need > b->max)) {
		b->rc = DEMON_TOOBIG;
		return NULL;
	}
	if (need < b->cap)
		return b->data + b->len;
	cap = b->cap ? b->cap * 2 : 256;
	if (cap <= need)
		cap = need + 1;
	data = demon_realloc(b->cap ? b->data : NULL, cap, 1);
	if (!data) {
		b->rc = DEMON_NOMEM;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void demon_buf_add(struct demon_buf *b, const void *bytes, size_t n)
{
	char *to = demon_buf_room(b, n);

	if (!to || !n)
		return;
	memcpy(to, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void demon_buf_str(struct demon_buf *b, const char *text)
{
	demon_buf_add(b, text, strlen(text));
}

void demon_buf_char(struct demon_buf *b, char c)
{
	demon_buf_add(b, &c, 1);
}

void demon_buf_vfmt(struct demon_buf *b, const char *fmt, va_list args)
{
	va_list again;
	int n;
	char *to;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return;
	to = demon_buf_room(b, (size_t)n);
	if (!to)
		return;
	(void)vsnprintf(to, (size_t)n + 1, fmt, args);
	b->len += (size_t)n;
}

void demon_buf_fmt(struct demon_buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	demon_buf_vfmt(b, fmt, args);
	va_end(args);
}

void demon_buf_i64(struct demon_buf *b, int64_t v)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		digits[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		digits[--at] = '-';
	demon_buf_add(b, digits + at, sizeof(digits) - at);
}

void demon_buf_be64(struct demon_buf *b, uint64_t v)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(v >> (56 - 8 * i));
	demon_buf_add(b, bytes, sizeof(bytes));
}

void demon_buf_be32(struct demon_buf *b, uint32_t v)
{
	unsigned char bytes[4];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(v >> (24 - 8 * i));
	demon_buf_add(b, bytes, sizeof(bytes));
}

void demon_buf_hex(struct demon_buf *b, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = bytes;
	char *to = demon_buf_room(b, 2 * n);

	if (!to)
		return;
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[in[i] >> 4];
		to[2 * i + 1] = digits[in[i] & 15];
	}
	b->len += 2 * n;
	b->data[b->len] = '\0';
}

void demon_buf_base64(struct demon_buf *b, const void *bytes, size_t n)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = bytes;
	char *to = demon_buf_room(b, (n + 2) / 3 * 4);
	size_t len = 0;

	if (!to)
		return;
	for (; n >= 3; n -= 3, in += 3) {
		to[len++] = digits[in[0] >> 2];
		to[len++] = digits[(in[0] & 3) << 4 | in[1] >> 4];
		to[len++] = digits[(in[1] & 15) << 2 | in[2] >> 6];
		to[len++] = digits[in[2] & 63];
	}
	if (n) {
		unsigned char second = n == 2 ? in[1] : 0;

		to[len++] = digits[in[0] >> 2];
		to[len++] = digits[(in[0] & 3) << 4 | second >> 4];
		to[len++] = '=';
		to[len++] = '=';
		if (n == 2)
			to[len - 2] = digits[(second & 15) << 2];
	}
	b->len += len;
	b->data[b->len] = '\0';
}

void demon_buf_cut(struct demon_buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

enum demon_rc demon_buf_rc(const struct demon_buf *b, struct demon_err *err)
{
	if (b->rc == DEMON_TOOBIG)
		return demon_err_set(err, b->rc, "more than %zu bytes", b->max);
	if (b->rc)
		return demon_err_set(err, b->rc, "%s", demon_rc_text(b->rc));
	return DEMON_OK;
}

char *demon_buf_take(struct demon_buf *b)
{
	char *data = b->cap ? b->data : demon_strndup("", 0);
	size_t max = b->max;

	if (b->rc) {
		free(data);
		if (b->cap)
			b->cap = 0;
		data = NULL;
	}
	*b = (struct demon_buf){.data = demon_buf_empty, .max = max};
	return data;
}
