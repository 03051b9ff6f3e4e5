#include "json_text.h"

#include <stdio.h>

#define POINTER_MAX 200 /* bytes of a JSON pointer before it is cut */

#define ROW4(c)     (c), (c), (c), (c)
#define ROW16(c)    ROW4(c), ROW4(c), ROW4(c), ROW4(c)
#define ROW64(c)    ROW16(c), ROW16(c), ROW16(c), ROW16(c)

const unsigned char demon_json_classes[256] = {
    ROW16(DEMON_JSON_CONTROL), ROW16(DEMON_JSON_CONTROL), /* 00 */
    DEMON_JSON_PLAIN,          DEMON_JSON_PLAIN,          DEMON_JSON_QUOTE,
    DEMON_JSON_PLAIN, /* 20 */
    ROW4(DEMON_JSON_PLAIN),    ROW4(DEMON_JSON_PLAIN),    ROW4(DEMON_JSON_PLAIN),
    ROW16(DEMON_JSON_PLAIN),                           /* 30 */
    ROW16(DEMON_JSON_PLAIN),                           /* 40 */
    ROW4(DEMON_JSON_PLAIN),    ROW4(DEMON_JSON_PLAIN), /* 50 */
    ROW4(DEMON_JSON_PLAIN),    DEMON_JSON_BACKSLASH,      DEMON_JSON_PLAIN,
    DEMON_JSON_PLAIN,          DEMON_JSON_PLAIN,          ROW16(DEMON_JSON_PLAIN), /* 60 */
    ROW16(DEMON_JSON_PLAIN),                                                       /* 70 */
    ROW64(DEMON_JSON_MULTI),   ROW64(DEMON_JSON_MULTI),                            /* 80 */
};

size_t demon_json_utf8(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if ((size_t)(end - text) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, above U+10FFFF */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* In UTF-16 what lies above U+FFFF begins with a surrogate and comes before U+E000 to U+FFFF. Two
 * strings first differ in a lead byte there, so moving these two lead bytes up is enough. */
static int rank(unsigned char c)
{
	return c == 0xee || c == 0xef ? c + 0x10 : c;
}

int demon_json_key_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;

	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return rank((unsigned char)a[i]) - rank((unsigned char)b[i]);
	return (a_len > b_len) - (a_len < b_len);
}

char demon_json_short_escape(unsigned char c)
{
	switch (c) {
	case '\b':
		return 'b';
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\f':
		return 'f';
	case '\r':
		return 'r';
	default:
		return 0;
	}
}

struct pointer {
	char text[POINTER_MAX];
	size_t len;
	bool cut;
};

static void add(struct pointer *p, const char *bytes, size_t n)
{
	p->cut = p->cut || n > sizeof(p->text) - p->len;
	if (p->cut)
		return;
	memcpy(p->text + p->len, bytes, n);
	p->len += n;
}

static void add_key(struct pointer *p, const char *key, size_t len)
{
	const char *end = key + len;

	for (size_t n; key < end && !p->cut; key += n) {
		n = demon_json_utf8(key, end);
		if (n == 0)
			return;
		if (*key == '~')
			add(p, "~0", 2);
		else if (*key == '/')
			add(p, "~1", 2);
		else
			add(p, key, n);
	}
}

static void add_place(struct pointer *p, const struct demon_json_place *place)
{
	char index[24];
	int n;

	if (!place)
		return;
	add_place(p, place->up);
	if (place->at == DEMON_JSON_AT_KEY) {
		add(p, "/", 1);
		add_key(p, place->key, place->key_len);
	} else if (place->at == DEMON_JSON_AT_ITEM) {
		n = snprintf(index, sizeof(index), "/%zu", place->index);
		if (n > 0)
			add(p, index, (size_t)n);
	}
}

void demon_json_place_text(const struct demon_json_place *place, char out[DEMON_JSON_PLACE_LEN])
{
	struct pointer p = {.len = 0};

	add_place(&p, place);
	out[0] = '\0';
	if (p.len)
		(void)snprintf(out, DEMON_JSON_PLACE_LEN, "at '%.*s%s': ", (int)p.len, p.text,
			       p.cut ? "..." : "");
}
