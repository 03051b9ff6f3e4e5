#include "output.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What a well-formed sequence looks like by its first byte (Unicode, table 3-7). */
static const struct form {
	unsigned char first, last; /* range of the first byte */
	unsigned char len;
	unsigned char low, high; /* range of the second byte */
} forms[] = {
    {0x01, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct form *find_form(unsigned char first)
{
	for (size_t i = 0; i < demon_count(forms); i++)
		if (first >= forms[i].first && first <= forms[i].last)
			return &forms[i];
	return NULL;
}

/* Length of the sequence at @p s; 0: not well-formed. *ret_cut: well-formed as far as it goes. */
static size_t sequence(const unsigned char *s, size_t left, bool *ret_cut)
{
	const struct form *form = find_form(s[0]);
	size_t i = 1;

	*ret_cut = false;
	if (!form)
		return 0;
	for (; i < form->len && i < left; i++) {
		unsigned char low = i == 1 ? form->low : 0x80;
		unsigned char high = i == 1 ? form->high : 0xbf;

		if (s[i] < low || s[i] > high)
			return 0;
	}
	*ret_cut = i < form->len;
	return *ret_cut ? 0 : form->len;
}

/* Bytes of a character in a canonical JSON string. */
static size_t json_len(unsigned char c, size_t len)
{
	if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t')
		return 2;
	return c < 0x20 ? 6 : len;
}

size_t demon_output_text(struct demon_buf *out, const char *bytes, size_t len, bool more,
			 size_t max_json)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t used = 0;
	size_t cost = 2;

	while (used < len) {
		bool cut;
		size_t n = sequence(s + used, len - used, &cut);

		if (cut && more)
			break;
		cost += n ? json_len(s[used], n) : strlen(REPLACEMENT);
		if (cost > max_json)
			break;
		if (n)
			demon_buf_add(out, bytes + used, n);
		else
			demon_buf_str(out, REPLACEMENT);
		used += n ? n : 1;
	}
	return used;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *demon_output_last_line(const char *text, size_t len, size_t *ret_len)
{
	size_t from;

	while (len > 0 && is_blank(text[len - 1]))
		len--;
	for (from = len; from > 0 && text[from - 1] != '\n' && text[from - 1] != '\r';)
		from--;
	while (from < len && is_blank(text[from]))
		from++;
	*ret_len = len - from;
	return text + from;
}

int demon_output_clip(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len > max)
		for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	return (int)len;
}
