#include "base64.h"

#include <string.h>

static int digit(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	return c == (url ? '_' : '/') ? 63 : -1;
}

/* Digits without padding. */
static bool read_digits(const char *text, size_t len, bool url, struct demon_buf *out)
{
	unsigned bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < len; i++) {
		int d = digit(text[i], url);

		if (d < 0)
			return false;
		bits = bits << 6 | (unsigned)d;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		demon_buf_char(out, (char)(bits >> have & 0xff));
		bits &= (1U << have) - 1;
	}
	return len % 4 != 1 && bits == 0;
}

bool demon_base64_read(const char *text, size_t len, struct demon_buf *out)
{
	size_t pad = 0;

	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	return len % 4 == 0 && read_digits(text, len - pad, false, out);
}

void demon_base64url(struct demon_buf *out, const void *bytes, size_t n)
{
	size_t at = out->len;

	demon_buf_base64(out, bytes, n);
	if (out->rc)
		return;
	while (out->len > at && out->data[out->len - 1] == '=')
		demon_buf_cut(out, out->len - 1);
	for (; at < out->len; at++)
		if (out->data[at] == '+')
			out->data[at] = '-';
		else if (out->data[at] == '/')
			out->data[at] = '_';
}

bool demon_base64url_read(const char *text, size_t len, struct demon_buf *out)
{
	return read_digits(text, len, true, out);
}
